"""Runs that differ in nothing but their seed are one configuration, named by what differs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from src.tracking.reading import Record

# What a run owes to the machine, the place of its data or its record; and the seed
NEVER_COUNT = re.compile(
    r"seed$|tracking\.|sweep\.|hydra\.|data\.(source\.)?(root|path)$|data\.cache$|"
    r"trainer\.(threads|accelerator|devices)$|model\._target_$|run_name$"
)
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
PRETRAINED = "model.pretrained"
LAYERS = "model.layers"
NUM_LAYERS = "model.num_layers"
# Digits of a fraction, unless it takes more to tell configurations apart
SIGNIFICANT = 4
# A longer name would not fit in a picture
LONGEST_MARK = 34

FINGERPRINT = "data_fingerprint"

Options = dict[str, str]


@dataclass(frozen=True)
class Configuration:
    """Finished runs with equal options, each with a seed of its own."""

    label: str
    """The model and the options in which it differs from the others, unique."""
    mark: str
    """The same where it is short, else the model and a number: for pictures."""
    options: Options
    """All options in which any of the configurations differ, but those of machines."""
    runs: tuple[Record, ...]

    @property
    def model(self) -> str:
        return model_of(self.runs[0])

    @property
    def seeds(self) -> list[int]:
        return sorted(int(run.params.get("seed", 0)) for run in self.runs)

    @property
    def comparable(self) -> tuple[str, ...]:
        """What has to be equal for numbers to be compared."""
        first = self.runs[0]
        return (
            first.tags.get(FINGERPRINT, ""),
            first.params.get("data.candidates", ""),
            first.params.get("protocol.name", ""),
        )

    def param(self, key: str) -> str | None:
        return self.runs[0].params.get(key)

    def values(self, metric: str) -> list[float]:
        """Of each run that has it and where it is a number."""
        found = (value_of(run, metric) for run in self.runs)
        return [value for value in found if value is not None and np.isfinite(value)]

    def mean(self, metric: str) -> float | None:
        values = self.values(metric)
        return float(np.mean(values)) if values else None

    @property
    def seconds(self) -> float | None:
        """Of training, and of training again where the protocol does."""
        fitting = self.mean("fit/seconds")
        return None if fitting is None else fitting + (self.mean("refit/seconds") or 0)

    def sd(self, metric: str) -> float | None:
        """The sample standard deviation over seeds; None for fewer than two."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def value_of(run: Record, metric: str) -> float | None:
    """The selected epoch's "val/..." or "test/...".

    What is judged by epoch has that epoch's value under "best/", and the last epoch's under its own
    name.
    """
    return run.metrics.get(f"best/{metric}", run.metrics.get(metric))


def model_of(run: Record) -> str:
    return run.params.get("model.name", run.tags.get("model", run.name))


def configurations(records: Iterable[Record]) -> list[Configuration]:
    """The finished ones of `records`, in the order of their first runs.

    Runs on different data are never one configuration. Of several with the same options and seed
    the latest counts.
    """
    runs: dict[tuple[tuple[str, str], ...], dict[str, Record]] = {}
    for record in sorted(records, key=lambda record: record.started):
        if record.status == "FINISHED":
            options = {**_counting(record.params), FINGERPRINT: record.tags.get(FINGERPRINT, "")}
            alike = runs.setdefault(tuple(sorted(options.items())), {})
            alike[record.params.get("seed", "0")] = record
    groups = [dict(key) for key in runs]
    names = [model_of(next(iter(alike.values()))) for alike in runs.values()]
    differing = [key for key in sorted(set().union(*groups)) if _differs(key, groups)]
    labels = _labels(names, groups, differing)
    marks = _marks(names, labels)
    return [
        Configuration(
            labels[i],
            marks[i],
            {key: groups[i][key] for key in differing if key in groups[i]},
            tuple(sorted(alike.values(), key=lambda run: int(run.params.get("seed", 0)))),
        )
        for i, alike in enumerate(runs.values())
    ]


def number(text: str | None) -> float | None:
    """What an option says as a number; None where it is anything else."""
    try:
        value = float(text) if text is not None else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Options by their last word, where only one of them has it: "factors" for "model.factors"."""
    last = {key: _words(key)[-1] for key in keys}
    often = Counter(last.values())
    return {
        key: key.removesuffix("._target_") if often[word] > 1 else word
        for key, word in last.items()
    }


def _counting(params: Mapping[str, str]) -> Options:
    """The options that make a configuration, with the folders of pre-trained runs left out."""
    counting = {
        key: value
        for key, value in params.items()
        if not NEVER_COUNT.match(key) and not key.startswith(f"{PRETRAINED}.")
    }
    parts = {
        key.rpartition(".")[2]: value
        for key, value in params.items()
        if key.startswith(f"{PRETRAINED}.")
    }
    if parts:
        given = [part for part, value in sorted(parts.items()) if value != "None"]
        counting[PRETRAINED] = "+".join(given) or "no"
    layers = counting.get(LAYERS, "None")
    if layers != "None":
        # all widths are given, the first of which is the embeddings'
        counting[NUM_LAYERS] = str(layers.count(","))
    return counting


def _differs(key: str, groups: Sequence[Options]) -> bool:
    return len({group.get(key) for group in groups}) > 1


def _labels(
    models: Sequence[str], groups: Sequence[Options], differing: Sequence[str]
) -> list[str]:
    """The model, then what tells apart configurations that made the same choices."""
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
    short = short_names([*chosen, *named])
    keys = [*chosen, *named]
    labels: list[str] = []
    for digits in (SIGNIFICANT, None):
        labels = [
            " ".join(
                [model, *(f"{short[k]}={_shown(group[k], digits)}" for k in keys if k in group)]
            )
            for model, group in zip(models, groups, strict=True)
        ]
        if len(set(labels)) == len(labels):
            break
    return _told_apart(labels, groups)


def _varies(
    key: str, models: Sequence[str], groups: Sequence[Options], given: Sequence[str]
) -> bool:
    """Whether groups of one model that agree in the options `given` differ in `key`."""
    found: dict[tuple[str | None, ...], set[str | None]] = {}
    for model, group in zip(models, groups, strict=True):
        found.setdefault((model, *map(group.get, given)), set()).add(group.get(key))
    return any(len(values) > 1 for values in found.values())


def _told_apart(labels: list[str], groups: Sequence[Options]) -> list[str]:
    """With the data's fingerprint behind those that nothing else tells apart."""
    often = Counter(labels)
    return [
        f"{label} fingerprint={group[FINGERPRINT][:6]}" if often[label] > 1 else label
        for label, group in zip(labels, groups, strict=True)
    ]


def _marks(models: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Labels as short as pictures need them; all of a model's are numbered if one is too long."""
    long = {m for m, label in zip(models, labels, strict=True) if len(label) > LONGEST_MARK}
    counted: Counter[str] = Counter()
    marks = []
    for model, label in zip(models, labels, strict=True):
        counted[model] += 1
        marks.append(f"{model} #{counted[model]}" if model in long else label)
    return marks


def _words(key: str) -> list[str]:
    """Of an option's name; a class is called by its group, and a group's name by that too."""
    return key.removesuffix("._target_").removesuffix(".name").split(".")


def _shown(value: str, digits: int | None) -> str:
    """A class without its module, a list without blanks, so many digits of a fraction or all."""
    fraction = number(value) if "." in value and digits else None
    if fraction is not None:
        return f"{fraction:.{digits}g}"
    if value.startswith("src."):
        value = value.rpartition(".")[2]
    return {"None": "none"}.get(value, value).replace(", ", ",")
