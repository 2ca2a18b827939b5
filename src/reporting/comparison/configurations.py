"""Runs that differ in nothing but their seed are one configuration, named by what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from src.evaluation.catalogue import selected_value
from src.reporting.comparison.configuration_names import (
    FINGERPRINT,
    label_configurations,
    list_settings,
    shorten_labels,
)
from src.tracking.reading import Record

# What a run owes to the machine, the place of its data or its record; and the seed
NEVER_COUNT = re.compile(
    r"seed$|tracking\.|sweep\.|hydra\.|data\.(source\.)?(root|path)$|data\.source\.\w+_path$|"
    r"data\.(cache|train|validation|test|candidates_file)$|resume$|checkpoint_every$|"
    r"trainer\.(threads|accelerator|devices|nodes)$|model\._target_$|run_name$|check$|trust$"
)
PRETRAINED = "model.pretrained"
LAYERS = "model.layers"
NUM_LAYERS = "model.num_layers"


@dataclass(frozen=True)
class Configuration:
    """Finished runs with equal options, each with a seed of its own."""

    label: str
    """The model and the options in which it differs from the others, unique."""
    mark: str
    """The same where all are short, else the model and a number: for pictures."""
    settings: dict[str, str]
    """The options that the label names, by their short names, as the label has them."""
    options: dict[str, str]
    """All options in which any of the configurations differ, but those of machines."""
    runs: tuple[Record, ...]

    @property
    def model(self) -> str:
        """The model's name."""
        return find_model_name(self.runs[0])

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs, ascending."""
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

    @property
    def seconds(self) -> float | None:
        """The mean time of training, and of training again where the protocol does."""
        fitting = self.mean("fit/seconds")
        return None if fitting is None else fitting + (self.mean("refit/seconds") or 0)

    def param(self, key: str) -> str | None:
        """Return the value of an option, None where runs have no such option."""
        return self.runs[0].params.get(key)

    def values(self, metric: str) -> list[float]:
        """Return the metric of each run that has it and where it is a number."""
        found = (selected_value(run.metrics, metric) for run in self.runs)
        return [value for value in found if value is not None and np.isfinite(value)]

    def by_seed(self, metric: str) -> dict[int, float]:
        """Return the metric of each run that has it, by its seed."""
        found = {
            int(run.params.get("seed", 0)): selected_value(run.metrics, metric) for run in self.runs
        }
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, metric: str) -> float | None:
        """Return the mean over seeds, None where no run has the metric."""
        values = self.values(metric)
        return float(np.mean(values)) if values else None

    def sd(self, metric: str) -> float | None:
        """Return the sample standard deviation over seeds, None for fewer than two."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def find_model_name(run: Record) -> str:
    """Return the name of the run's model, or the run's own where none is known."""
    return run.params.get("model.name", run.tags.get("model", run.name))


def group_runs(records: Iterable[Record]) -> list[Configuration]:
    """Make configurations of the finished ones of `records`, in the order of their first runs.

    Runs on different data are never one configuration. Of several with the same options and seed
    the latest counts.
    """
    runs: dict[tuple[tuple[str, str], ...], dict[str, Record]] = {}
    for record in sorted(records, key=lambda record: record.started):
        if record.status == "FINISHED":
            options = {
                **_choose_counting(record.params),
                FINGERPRINT: record.tags.get(FINGERPRINT, ""),
            }
            alike = runs.setdefault(tuple(sorted(options.items())), {})
            alike[record.params.get("seed", "0")] = record
    groups = [dict(key) for key in runs]
    models = [find_model_name(next(iter(alike.values()))) for alike in runs.values()]
    keys = sorted(set().union(*groups))
    differing = [key for key in keys if len({group.get(key) for group in groups}) > 1]
    settings = list_settings(models, groups, differing)
    labels = label_configurations(models, groups, settings)
    marks = shorten_labels(models, labels)
    return [
        Configuration(
            labels[i],
            marks[i],
            settings[i],
            {key: groups[i][key] for key in differing if key in groups[i]},
            tuple(sorted(alike.values(), key=lambda run: int(run.params.get("seed", 0)))),
        )
        for i, alike in enumerate(runs.values())
    ]


def _choose_counting(params: Mapping[str, str]) -> dict[str, str]:
    """Return the options that make a configuration, without the folders of pre-trained runs."""
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
