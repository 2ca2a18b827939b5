"""Write values as words of a command line, so that Hydra reads them as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

# Texts that are read as they stand, and look better so
PLAIN = re.compile(r"[A-Za-z][\w./+-]*", re.ASCII)
NO_TEXTS = ("null", "true", "false", "nan", "inf")


def assign(option: str, value: Any) -> str:
    """Return the word that gives an option this value: "sweep.name='1e5'"."""
    return f"{option}={quote(value)}"


def quote(value: Any) -> str:
    """Write a value as Hydra reads it on a command line, exact to the last bit.

    A text stays that text, whatever is in it: what looks like a number, a list or an interpolation.
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(quote, value))}]"
    if PLAIN.fullmatch(value) and value.lower() not in NO_TEXTS:
        return value
    # a backslash is one to Hydra, unless a quotation mark or, to OmegaConf, "${" follows
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    text = re.sub(r"(\\*)(?=')", r"\1\1", text).replace("'", "\\'")
    trailing = len(text) - len(text.rstrip("\\"))
    return f"'{text}{trailing * chr(92)}'"


def keep_text(word: str, texts: Collection[str]) -> str:
    """Return a word, quoted if it gives one of the options `texts` what looks like a number.

    sweep.name=1e5 is a name, and so is a run's id of digits and an e; `true` counts as a number.
    """
    option, given, value = word.partition("=")
    if not given or option not in texts:
        return word
    try:
        number = OverridesParser.create().parse_override(f"text={value}").value()
    except HydraException:  # told where the whole command line is read
        return word
    return assign(option, value) if isinstance(number, int | float) else word
