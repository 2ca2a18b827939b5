"""Write values as words of a command line, so that Hydra reads them as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

# Texts that are read as they stand, and look better so
PLAIN = re.compile(r"[A-Za-z][\w./+-]*", re.ASCII)
NO_TEXTS = ("null", "true", "false", "nan", "inf")


def assign(option: str, value: Any) -> str:
    """Return the word that gives an option this value: "sweep.name='1e5'"."""
    return f"{option}={quote(value)}"


def take_list(word: str, names: Collection[str]) -> str:
    """Return NAME=A,B as a list of texts where NAME is one of `names`: to Hydra A,B is a sweep."""
    name, given, value = word.partition("=")
    if name not in names or not given or value in ("null", ""):
        return word
    return assign(name, [one.strip("[]'\" ") for one in value.split(",")])


def take_text(word: str, names: Collection[str]) -> str:
    """Return NAME=VALUE as a text where NAME is one of `names`: files' names may have brackets."""
    name, given, value = word.partition("=")
    if name not in names or not given or value in ("null", "") or value[0] in "'\"":
        return word
    return assign(name, value)


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
