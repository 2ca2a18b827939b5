"""What tells a run from others of its model: the words of its command line, in short."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Options that have a place of their own in a name, say where things lie, or change no result
ASIDE = re.compile(
    r"(model|model\.name|data|data\.name|data\.(path|root|cache|train|test|validation|source\..*)|"
    r"seed|ks|run|resume|trust|check|checkpoint_every|compiled|"
    r"trainer|trainer\.(threads|accelerator|devices|nodes)|"
    r"tracking|tracking\..*|sweep\..*|hydra\..*|hydra/.*)$"
)
LONGEST_VALUE = 16
LONGEST = 60


def name_by_words(model: str, words: Sequence[str], seed: str) -> str:
    """Return a run's name: its model, what a command line chooses beside it, and its seed.

    "neumf factors=16 lr=0.01 seed 1". An experiment's file is known by its own name, which is left
    out where it is the model's; an option is known by the last part of its own.
    """
    named: list[str] = []
    for word in words:
        option, _, value = word.lstrip("+~").partition("=")
        if ASIDE.match(option) or not value:
            continue
        shown = value if len(value) <= LONGEST_VALUE else f"{value[: LONGEST_VALUE - 1]}…"
        last = re.split("[./]", option)[-1]
        named.append(value.rpartition("/")[2] if option == "experiment" else f"{last}={shown}")
    text = " ".join(name for name in named if name != model)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST].rpartition(' ')[0]} …"
    return " ".join(part for part in (model, text, f"seed {seed}") if part)
