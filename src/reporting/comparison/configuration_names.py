"""What configurations are called: the model, and the options that tell it from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

# Choices that bring options of their own: those that follow from a choice are not named beside it
CHOICES = (
    "model.name",
    "data.name",
    "protocol.name",
    "loss._target_",
    "optimizer._target_",
    "scheduler._target_",
)
# Always named where it differs: what models are usually compared by
SIZE = "model.factors"
FINGERPRINT = "data_fingerprint"
# Digits of a fraction, unless it takes more to tell configurations apart
SIGNIFICANT = 4
# A longer name would not fit in a picture
LONGEST_MARK = 34


def list_settings(
    models: Sequence[str], groups: Sequence[Mapping[str, str]], differing: Sequence[str]
) -> list[dict[str, str]]:
    """Return what tells configurations apart that made the same choices: {"factors": "8"}.

    `groups` are the options of each, and `differing` are the options in which any of them differ.
    """
    keys = choose_named_options(models, groups, differing)
    short = shorten_options(keys)
    settings: list[dict[str, str]] = []
    for digits in (SIGNIFICANT, None):
        settings = [
            {short[key]: _format_value(group[key], digits) for key in keys if key in group}
            for group in groups
        ]
        known = {(model, *own.items()) for model, own in zip(models, settings, strict=True)}
        if len(known) == len(groups):
            break
    return settings


def label_configurations(
    models: Sequence[str],
    groups: Sequence[Mapping[str, str]],
    settings: Sequence[Mapping[str, str]],
) -> list[str]:
    """Return the model and its settings: "gmf factors=8 lr=0.01"."""
    labels = [
        " ".join([model, *(f"{name}={value}" for name, value in own.items())])
        for model, own in zip(models, settings, strict=True)
    ]
    return _add_fingerprints(labels, groups)


def shorten_labels(models: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return labels as short as pictures need them.

    If one of them is too long, the configurations of every model that has several are numbered.
    """
    if all(len(label) <= LONGEST_MARK for label in labels):
        return list(labels)
    often = Counter(models)
    counted: Counter[str] = Counter()
    marks = []
    for model in models:
        counted[model] += 1
        marks.append(f"{model} #{counted[model]}" if often[model] > 1 else model)
    return marks


def shorten_options(keys: Sequence[str]) -> dict[str, str]:
    """Return each option's last word, where only one has it: "factors" for "model.factors"."""
    last = {key: _split_option(key)[-1] for key in keys}
    often = Counter(last.values())
    return {
        key: key.removesuffix("._target_") if often[word] > 1 else word
        for key, word in last.items()
    }


def parse_number(text: str | None) -> float | None:
    """Return an option's value as a number, or None where it is anything else."""
    try:
        value = float(text) if text is not None else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def choose_named_options(
    models: Sequence[str], groups: Sequence[Mapping[str, str]], differing: Sequence[str]
) -> list[str]:
    """Return the options that labels name, choices first, then sizes and the model's own."""
    chosen: list[str] = []
    for choice in CHOICES[1:]:
        if choice in differing and _varies(choice, models, groups, chosen):
            chosen.append(choice)
    others = [key for key in differing if key not in CHOICES and key != FINGERPRINT]
    named = [key for key in others if _varies(key, models, groups, chosen)]
    sizes = {group[SIZE] for group in groups if SIZE in group}
    if len(sizes) > 1 and SIZE not in named:
        named.append(SIZE)
    named.sort(key=lambda key: (key != SIZE, not key.startswith("model."), key))
    return [*chosen, *named]


def _varies(
    key: str, models: Sequence[str], groups: Sequence[Mapping[str, str]], given: Sequence[str]
) -> bool:
    """Tell whether groups of one model that agree in the options `given` differ in `key`."""
    found: dict[tuple[str | None, ...], set[str | None]] = {}
    for model, group in zip(models, groups, strict=True):
        found.setdefault((model, *map(group.get, given)), set()).add(group.get(key))
    return any(len(values) > 1 for values in found.values())


def _add_fingerprints(labels: list[str], groups: Sequence[Mapping[str, str]]) -> list[str]:
    """Add the data's fingerprint to the labels that nothing else tells apart."""
    often = Counter(labels)
    return [
        f"{label} fingerprint={group[FINGERPRINT][:6]}" if often[label] > 1 else label
        for label, group in zip(labels, groups, strict=True)
    ]


def _split_option(key: str) -> list[str]:
    """Return the words of an option's name.

    A class is called by its group, and a group's name by that too.
    """
    return key.removesuffix("._target_").removesuffix(".name").split(".")


def _format_value(value: str, digits: int | None) -> str:
    """Return an option's value as labels have it.

    A class is written without its module, a list without blanks, and a fraction with so many
    digits, or all of them.
    """
    fraction = parse_number(value) if "." in value and digits else None
    if fraction is not None:
        return f"{fraction:.{digits}g}"
    if value.startswith("src."):
        value = value.rpartition(".")[2]
    return {"None": "none"}.get(value, value).replace(", ", ",")
