"""The page's pictures, each with what it says in words and a file of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from src.reporting.comparison import gathering
from src.reporting.comparison.configurations import LAYERS, NUM_LAYERS, short_names
from src.reporting.comparison.measures import Comparison, best_of_each, is_error
from src.reporting.comparison.section import (
    Picture,
    Section,
    labelled,
    quality_label,
    selector,
    write_table,
)
from src.reporting.comparison.significance_section import significance
from src.reporting.pictures.lines import Style, draw_cutoffs, draw_epochs, styles
from src.reporting.pictures.points import Point, draw_option, draw_trade, front
from src.reporting.wording import decimal, seconds
from src.tracking.reading import Reader

MOST_LINES = 12
# More points than these are named only where they are the best of a model or on the front
MOST_NAMES = 16


class Album:
    """Draws the sections of one page into one folder."""

    def __init__(self, reader: Reader, comparison: Comparison, folder: Path) -> None:
        self.reader, self.comparison, self.folder = reader, comparison, folder
        self.lines = comparison.foremost(MOST_LINES)
        self.looks: Mapping[str, Style] = styles({one.mark: one.model for one in self.lines})

    def sections(self) -> list[Section]:
        """Those that there is anything for."""
        pictures = [self.epochs(), self.options(), self.cutoffs(), self.trade()]
        tests = significance(self.reader, self.comparison, self.folder)
        return [*(one for one in pictures if one.text or one.pictures), tests]

    def epochs(self) -> Section:
        section = Section("epochs", "By epoch")
        metric = self.comparison.selector
        table = gathering.epochs(self.reader, self.lines, metric)
        if not len(table):
            return section
        if table["epoch"].max() == 1:
            section.text = ["Every model was fitted in one go: there are no curves."]
            return section
        section.text = [self._which_lines() + self._bands()]
        label, file = labelled(metric), self.folder / "epochs-metric.png"
        draw_epochs(file, table, "metric", label, self._seen(table))
        last = table.loc[table.groupby(["configuration", "seed"])["epoch"].idxmax()]
        ends = (
            last.groupby("configuration")["metric"].mean().sort_values(ascending=is_error(metric))
        )
        alt = f"{label} by epoch. In its last epoch {ends.index[0]} has {decimal(ends.iloc[0])}, "
        alt += f"the best; {ends.index[-1]} has {decimal(ends.iloc[-1])}, the worst."
        section.pictures.append(Picture(file, alt, label))
        curves = table.groupby("configuration").filter(lambda one: one["epoch"].max() > 1)
        curves = curves.dropna(subset=["loss"])
        if len(curves):
            file = self.folder / "epochs-loss.png"
            draw_epochs(file, curves, "loss", "training loss", self._seen(curves))
            name, epoch, loss = min(
                zip(curves["configuration"], curves["epoch"], curves["loss"], strict=True),
                key=lambda row: row[2],
            )
            alt = f"Training loss by epoch. Lowest: {name}, {decimal(loss)} in epoch {epoch}."
            section.pictures.append(Picture(file, alt, "training loss"))
            drawn = [one for one in self.lines if one.mark in set(curves["configuration"])]
            if len({one.param("loss._target_") for one in drawn}) > 1:
                section.text.append(
                    "Models minimize different losses, whose values say nothing of each other."
                )
        section.files = [write_table(self.folder / "epochs.csv", table)]
        return section

    def options(self) -> Section:
        section = Section("options", "By option")
        names = gathering.numeric_options(self.comparison)
        short = short_names(names)
        for option in names:
            table = gathering.by_option(self.comparison, option)
            if table["value"].nunique() > 1:
                self._option(section, table, option, short[option])
        if section.pictures:
            section.text.append(
                "One line a model. Where configurations of a model differ in other options too, "
                f"the one with the best {selector(self.comparison)} stands for the value; bars "
                "are the standard deviation over seeds."
            )
        given = {one.options.get(LAYERS, "None") for one in self.comparison.configurations}
        if NUM_LAYERS in names and given != {"None"}:
            section.text.append("Hidden layers are counted where all widths were given.")
        return section

    def _option(self, section: Section, table: pd.DataFrame, option: str, short: str) -> None:
        name = "hidden layers" if option == NUM_LAYERS else short
        quality = quality_label(self.comparison)
        slug = f"by-{short.replace('.', '-')}"
        file = self.folder / f"{slug}.png"
        models = [one.model for one in self.comparison.configurations]
        draw_option(file, table, name, quality, models, doubling=short.endswith("factors"))
        courses = []
        for model, part in table.groupby("model", sort=False):
            ends = [
                f"{decimal(r['mean'])} at {r['value']:g}" for _, r in part.iloc[[0, -1]].iterrows()
            ]
            courses.append(f"{model} goes from {ends[0]} to {ends[1]}")
        alt = f"{quality} by {name}: {'; '.join(courses)}."
        section.pictures.append(Picture(file, alt, f"by {name}"))
        section.files.append(write_table(self.folder / f"{slug}.csv", table))

    def cutoffs(self) -> Section:
        section = Section("cutoffs", "By the length of the list")
        table = gathering.at_cutoffs(self.reader, self.lines)
        if not len(table):
            return section
        for column in ("hr", "ndcg"):
            name, file = f"{column.upper()}@K", self.folder / f"cutoffs-{column}.png"
            draw_cutoffs(file, table, column, f"test {name}", self._seen(table))
            means = table.groupby(["k", "configuration"])[column].mean()
            tops = [
                f"at {k} {means[k].idxmax()} leads with {decimal(means[k].max())}" for k in (1, 10)
            ]
            alt = f"{name} for K from 1 to 10: {'; '.join(tops)}."
            section.pictures.append(Picture(file, alt, name))
        among = f"On test, from the rank of every target. {self._which_lines()}{self._bands()}"
        section.text = [among]
        section.files = [write_table(self.folder / "cutoffs.csv", table)]
        return section

    def trade(self) -> Section:
        section = Section("time", "Quality against training time")
        points = []
        quality = self.comparison.quality
        for one in self.comparison.configurations:
            time, mean = one.seconds, one.mean(quality)
            if time is not None and mean is not None:
                points.append(Point(one.mark, one.model, time, mean, one.sd(quality)))
        if len(points) < 2:
            return section
        best = front(points, is_error(quality))
        named = {one.mark for one in best_of_each(self.comparison.by_selector())}
        named |= {point.name for point in best}
        if len(points) <= MOST_NAMES:
            named = {point.name for point in points}
        label, file = quality_label(self.comparison), self.folder / "time.png"
        draw_trade(file, points, named, label, is_error(quality))
        steps = [f"{p.name} with {decimal(p.quality)} in {seconds(p.seconds)} s" for p in best[:6]]
        alt = f"{label} against seconds of training. Nothing quicker is as good as "
        section.pictures = [Picture(file, f"{alt}{'; '.join(steps)}.")]
        section.text = [
            "Seconds from the first step to the end of the last epoch, evaluation included, on the "
            "machine that each ran on: runs side by side on one machine slow each other down. "
            "Along the dashed line nothing quicker is as good."
        ]
        return section

    def _seen(self, table: pd.DataFrame) -> dict[str, Style]:
        """The looks of what is drawn, in the order of the legend."""
        drawn = set(table["configuration"])
        return {name: look for name, look in self.looks.items() if name in drawn}

    def _which_lines(self) -> str:
        n = len(self.comparison.configurations)
        if n <= len(self.lines):
            return ""
        return (
            f"{len(self.lines)} of {n} configurations: the best of each model, then the next, by "
            f"{selector(self.comparison)}. "
        )

    def _bands(self) -> str:
        several = any(len(one.runs) > 1 for one in self.lines)
        return "Lines are means over seeds, bands from the least to the most." if several else ""
