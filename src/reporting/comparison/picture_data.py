"""The numbers that pictures show, from the files of runs: epochs, cutoffs, options, users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.evaluation.catalogue import CUTOFF, GROUPED
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configuration_names import CHOICES, parse_number
from src.reporting.comparison.configurations import Configuration
from src.tracking.reading import Reader, Record

CUTOFFS = range(1, 11)


def collect_epochs(reader: Reader, chosen: Sequence[Configuration], metric: str) -> pd.DataFrame:
    """Return the judged metric and the loss by epoch, counted from 1.

    The columns are configuration, seed, epoch, metric and loss. Loss is missing where nothing was
    minimized. The table is empty where no run kept its epochs.
    """
    columns = ["configuration", "seed", "epoch", "metric", "loss"]
    found = []
    for one, run, table in _read_tables(reader, chosen, "history.csv"):
        if metric in table:
            loss = table.get("train/loss", np.nan)
            known = {"epoch": table["epoch"] + 1, "metric": table[metric], "loss": loss}
            found.append(pd.DataFrame({**_identify_run(one, run), **known}))
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def compute_cutoffs(reader: Reader, chosen: Sequence[Configuration]) -> pd.DataFrame:
    """Compute HR and NDCG on test from its ranks: configuration, seed, k (1 to 10), hr, ndcg."""
    import torch

    from src.evaluation.metrics import per_user

    found = []
    for one, run, table in _read_tables(reader, chosen, "ranks.parquet"):
        users = torch.from_numpy(pd.factorize(table["user"])[0])
        ranks = torch.from_numpy(table["rank"].to_numpy(copy=True))
        # among all items a user's targets stand in one list, else each has candidates of its own
        together = run.params.get("data.candidates") == "all"
        metrics = per_user(users, ranks, torch.ones_like(ranks), list(CUTOFFS), together)[1]
        found += [
            {
                **_identify_run(one, run),
                "k": k,
                "hr": metrics[f"hr@{k}"].mean().item(),
                "ndcg": metrics[f"ndcg@{k}"].mean().item(),
            }
            for k in CUTOFFS
        ]
    return pd.DataFrame(found, columns=["configuration", "seed", "k", "hr", "ndcg"])


def tabulate_groups(chosen: Sequence[Configuration], groups: Sequence[str]) -> pd.DataFrame:
    """Return what test came to by group: configuration, seed, group, hr, ndcg.

    Groups are in the given order. The table is empty where no run has them.
    """
    columns = ["configuration", "seed", "group", *GROUPED]
    found = [
        {
            **_identify_run(one, run),
            "group": group,
            **{name: run.metrics.get(f"test/{group}/{name}@{CUTOFF}") for name in GROUPED},
        }
        for one in chosen
        for run in one.runs
        for group in groups
    ]
    return pd.DataFrame(found, columns=columns).dropna()


def tabulate_user_groups(
    reader: Reader, chosen: Sequence[Configuration], groups: pd.Series[str]
) -> pd.DataFrame:
    """Return what test came to by group of users: configuration, seed, group, users, hr, ndcg.

    groups: what each user belongs to, by id as a text. Users whom it has not are left out.
    """
    names = {name: f"{name}@{CUTOFF}" for name in GROUPED}
    found = []
    for one, run, table in _read_tables(reader, chosen, "per_user.parquet"):
        if set(names.values()) <= set(table):
            group = table["user"].astype(str).map(groups)
            kept = table.assign(group=group).dropna(subset=["group"]).groupby("group", sort=False)
            means = pd.DataFrame({name: kept[metric].mean() for name, metric in names.items()})
            means = means.assign(users=kept.size(), **_identify_run(one, run)).reset_index()
            found.append(means)
    columns = ["configuration", "seed", "group", "users", *GROUPED]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def tabulate_option(comparison: Comparison, option: str) -> pd.DataFrame:
    """Return quality by the values of a numeric option: series, value, mean, sd, configuration.

    Where several configurations of a series have the value, the one best on validation counts.
    """
    alike: dict[tuple[str, float], list[Configuration]] = {}
    for one in comparison.configurations:
        value = parse_number(one.options.get(option))
        if value is not None and one.mean(comparison.quality) is not None:
            alike.setdefault((comparison.series_of(one), value), []).append(one)
    found = []
    for (series, value), group in alike.items():
        best = comparison.order(group, comparison.selector)[0]
        mean, sd = best.mean(comparison.quality), best.sd(comparison.quality)
        found.append((series, value, mean, sd, best.mark))
    columns = ["series", "value", "mean", "sd", "configuration"]
    return pd.DataFrame(found, columns=columns).sort_values(["series", "value"], ignore_index=True)


def find_numeric_options(comparison: Comparison) -> list[str]:
    """Return the options with several numbers for one model, in the order of their names."""
    values: dict[str, dict[str, set[float]]] = {}
    for one in comparison.configurations:
        for option, text in one.options.items():
            value = parse_number(text)
            if value is not None and option not in CHOICES and not option.endswith("seed"):
                values.setdefault(option, {}).setdefault(comparison.series_of(one), set()).add(
                    value
                )
    several = [option for option, by in values.items() if max(map(len, by.values())) > 1]
    return sorted(several, key=lambda option: (not option.startswith("model."), option))


def collect_by_user(
    reader: Reader, chosen: Sequence[Configuration], metric: str
) -> dict[str, NDArray[np.float64]]:
    """Return a per-user metric [U] of each configuration that has it, averaged over its seeds.

    All are in the same order, of the users (by raw id) that every run tested.
    """
    runs: dict[str, list[pd.Series]] = {}
    for one, _, table in _read_tables(reader, chosen, "per_user.parquet"):
        if metric in table:
            runs.setdefault(one.mark, []).append(table.set_index("user")[metric])
    if not runs:
        return {}
    shared = pd.concat([one for several in runs.values() for one in several], axis=1, join="inner")
    counts = [len(several) for several in runs.values()]
    parts = np.split(shared.to_numpy(), np.cumsum(counts)[:-1], axis=1)
    return {mark: part.mean(1) for mark, part in zip(runs, parts, strict=True) if len(part)}


def _read_tables(
    reader: Reader, chosen: Sequence[Configuration], file: str
) -> list[tuple[Configuration, Record, pd.DataFrame]]:
    """Return the file's table of every run that has it."""
    every = ((one, run, reader.table(run, file)) for one in chosen for run in one.runs)
    return [(one, run, table) for one, run, table in every if table is not None and len(table)]


def _identify_run(one: Configuration, run: Record) -> dict[str, str]:
    """Return the columns that say which run a row is of."""
    return {"configuration": one.mark, "seed": run.params.get("seed", "0")}
