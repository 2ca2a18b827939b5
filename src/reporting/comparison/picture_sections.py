"""The page's pictures, each with what it says in words and a file of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from src.evaluation.catalogue import CUTOFF, ITEM_GROUPS, USER_GROUPS
from src.reporting.comparison import picture_data
from src.reporting.comparison.comparison import Comparison
from src.reporting.comparison.configuration_names import shorten_options
from src.reporting.comparison.configurations import LAYERS, NUM_LAYERS
from src.reporting.comparison.section import Picture, Section
from src.reporting.comparison.tables import write_csv
from src.reporting.comparison.user_groups import order_groups
from src.reporting.pictures.lines import (
    Style,
    choose_styles,
    draw_cutoffs,
    draw_epochs,
    draw_groups,
)
from src.reporting.pictures.points import TradePoint, draw_option, draw_tradeoff, find_front
from src.reporting.wording import decimal, seconds
from src.tracking.reading import Reader

MOST_LINES = 12
# More points than these are named only where they are the best of a model or on the front
MOST_NAMES = 16


class PictureSections:
    """The sections of one page that show pictures, drawn into one folder."""

    def __init__(
        self,
        reader: Reader,
        comparison: Comparison,
        folder: Path,
        user_groups: pd.DataFrame | None = None,
    ) -> None:
        """Choose which configurations are lines, and how each looks in every picture.

        user_groups: columns of the user's own by which results are shown, by user.
        """
        self.reader, self.comparison, self.folder = reader, comparison, folder
        self.user_groups = user_groups
        self.lines = comparison.choose_foremost(MOST_LINES)
        models = {one.mark: one.model for one in self.lines}
        self.looks: Mapping[str, Style] = choose_styles(models)

    def draw_all(self) -> list[Section]:
        """Return the sections that there is anything for."""
        drawn = [
            self.draw_epochs(),
            self.draw_options(),
            self.draw_cutoffs(),
            self.draw_groups(),
            self.draw_user_groups(),
            self.draw_tradeoff(),
        ]
        return [section for section in drawn if section.text or section.pictures]

    def draw_epochs(self) -> Section:
        """Draw the judged metric and the training loss by epoch."""
        section = Section("epochs", "By epoch")
        table = picture_data.collect_epochs(self.reader, self.lines, self.comparison.selector)
        if not len(table):
            return section
        if table["epoch"].max() == 1:
            section.text = ["Every model was fitted in one go: there are no curves."]
            return section
        section.text = [self._say_which_lines() + self._explain_bands()]
        section.pictures.append(self._draw_metric_by_epoch(table))
        curves = table.groupby("configuration").filter(lambda one: one["epoch"].max() > 1)
        curves = curves.dropna(subset=["loss"])
        if len(curves):
            section.pictures.append(self._draw_loss_by_epoch(curves))
            drawn = [one for one in self.lines if one.mark in set(curves["configuration"])]
            if len({one.param("loss._target_") for one in drawn}) > 1:
                section.text.append(
                    "Models minimize different losses, whose values say nothing of each other."
                )
        section.files = [write_csv(self.folder / "epochs.csv", table)]
        return section

    def draw_options(self) -> Section:
        """Draw quality by the values of each option that has several numbers."""
        section = Section("options", "By option")
        names = picture_data.find_numeric_options(self.comparison)
        short = shorten_options(names)
        for option in names:
            table = picture_data.tabulate_option(self.comparison, option)
            if table["value"].nunique() > 1:
                self._draw_option(section, table, option, short[option])
        if section.pictures:
            section.text.append(
                f"One line a model{'' if self.comparison.comparable else ' and its data'}. "
                "Where configurations of a line differ in other options too, "
                f"the one with the best {self.comparison.selector_label} stands for the value; "
                "bars are the standard deviation over seeds."
            )
        given = {one.options.get(LAYERS, "None") for one in self.comparison.configurations}
        if NUM_LAYERS in names and given != {"None"}:
            section.text.append("Hidden layers are counted where all widths were given.")
        return section

    def draw_cutoffs(self) -> Section:
        """Draw HR and NDCG on test by the length of the list."""
        section = Section("cutoffs", "By the length of the list")
        table = picture_data.compute_cutoffs(self.reader, self.lines)
        if not len(table):
            return section
        for column in ("hr", "ndcg"):
            name, file = f"{column.upper()}@K", self.folder / f"cutoffs-{column}.png"
            draw_cutoffs(file, table, column, f"test {name}", self._choose_looks(table))
            means = table.groupby(["k", "configuration"])[column].mean()
            tops = [
                f"at {k} {means[k].idxmax()} leads with {decimal(means[k].max())}" for k in (1, 10)
            ]
            alt = f"{name} for K from 1 to 10: {'; '.join(tops)}."
            section.pictures.append(Picture(file, alt, name))
        lines = self._say_which_lines() + self._explain_bands()
        section.text = [f"On test, from the rank of every target. {lines}"]
        section.files = [write_csv(self.folder / "cutoffs.csv", table)]
        return section

    def draw_groups(self) -> Section:
        """Draw NDCG, and on request HR, by the activity of users and by the popularity of items."""
        section = Section("groups", "By group")
        table = picture_data.tabulate_groups(self.lines, [*USER_GROUPS, *ITEM_GROUPS])
        if not len(table):
            return section
        section.text = [
            "On test: quarters of the users by how many interactions they have in training, and "
            "the items that were to be found by popularity. The head are the most popular items "
            "with the first third of all interactions in training, the tail those with the last; "
            "new ones have none there. "
            f"{self._say_which_lines()}{self._explain_bands()}"
        ]
        section.pictures = self._draw_groups(table, "ndcg")
        other = Section("groups-hr", f"The same for HR@{CUTOFF}")
        other.pictures = self._draw_groups(table, "hr")
        section.closed = [other]
        section.files = [write_csv(self.folder / "groups.csv", table)]
        return section

    def draw_user_groups(self) -> Section:
        """Draw NDCG, and on request HR, by the columns of the user's own table."""
        section = Section("user-groups", "By what is known of users")
        other = Section("user-groups-hr", f"The same for HR@{CUTOFF}")
        known = pd.DataFrame() if self.user_groups is None else self.user_groups
        for name in map(str, known):
            table = picture_data.tabulate_user_groups(self.reader, self.lines, known[name])
            if len(table):
                for metric, place in (("ndcg", section), ("hr", other)):
                    place.pictures.append(self._draw_user_groups(table, name, metric))
                section.files.append(write_csv(self.folder / f"users-by-{name}.csv", table))
        if section.pictures:
            section.text = [f"On test. {self._say_which_lines()}{self._explain_bands()}".strip()]
            section.closed = [other]
        return section

    def draw_tradeoff(self) -> Section:
        """Draw quality against training time, where at least two configurations have both."""
        section = Section("time", "Quality against training time")
        points = self._list_points()
        if len(points) < 2:
            return section
        lower_is_better = self.comparison.metrics.lower_is_better(self.comparison.quality)
        best = find_front(points, lower_is_better) if self.comparison.comparable else []
        named = {point.name for point in points}
        if len(points) > MOST_NAMES:
            heads = self.comparison.choose_best_of_each(self.comparison.order_by_selector())
            named = {one.mark for one in heads} | {point.name for point in best}
        label, file = self.comparison.quality_label, self.folder / "time.png"
        draw_tradeoff(file, points, named, label, best)
        steps = [f"{p.name} with {decimal(p.quality)} in {seconds(p.seconds)} s" for p in best[:6]]
        alt = f"{label} against seconds of training."
        if best:
            alt += f" Nothing quicker is as good as {'; '.join(steps)}."
        section.pictures = [Picture(file, alt)]
        section.text = [
            "Seconds from the first step to the end of the last epoch, evaluation included, on the "
            "machine that each ran on: runs side by side on one machine slow each other down."
            + " Along the dashed line nothing quicker is as good."
            * bool(best)
        ]
        return section

    def _draw_metric_by_epoch(self, table: pd.DataFrame) -> Picture:
        """Draw the metric that configurations are chosen by."""
        metric = self.comparison.selector
        label = self.comparison.metrics.label_with_part(metric)
        file = self.folder / "epochs-metric.png"
        draw_epochs(file, table, "metric", label, self._choose_looks(table))
        last = table.loc[table.groupby(["configuration", "seed"])["epoch"].idxmax()]
        ends = last.groupby("configuration")["metric"].mean()
        ends = ends.sort_values(ascending=self.comparison.metrics.lower_is_better(metric))
        alt = f"{label} by epoch. In its last epoch {ends.index[0]} has {decimal(ends.iloc[0])}, "
        alt += f"the best; {ends.index[-1]} has {decimal(ends.iloc[-1])}, the worst."
        return Picture(file, alt, label)

    def _draw_loss_by_epoch(self, curves: pd.DataFrame) -> Picture:
        """Draw the training loss of what was trained by epochs."""
        file = self.folder / "epochs-loss.png"
        draw_epochs(file, curves, "loss", "training loss", self._choose_looks(curves))
        name, epoch, loss = min(
            zip(curves["configuration"], curves["epoch"], curves["loss"], strict=True),
            key=lambda row: row[2],
        )
        alt = f"Training loss by epoch. Lowest: {name}, {decimal(loss)} in epoch {epoch}."
        return Picture(file, alt, "training loss")

    def _draw_groups(self, table: pd.DataFrame, column: str) -> list[Picture]:
        """Draw a metric by groups of users, and by groups of items."""
        name, pictures = f"{column.upper()}@{CUTOFF}", []
        kinds = {"users": ("activity of users", USER_GROUPS), "items": ("popularity", ITEM_GROUPS)}
        for kind, (title, groups) in kinds.items():
            part = table[table["group"].isin(groups)]
            file = self.folder / f"groups-{kind}-{column}.png"
            draw_groups(file, part, column, f"test {name}", groups, self._choose_looks(part))
            means = part.groupby(["group", "configuration"])[column].mean()
            tops = [
                f"{groups[one]}: {means[one].idxmax()} leads with {decimal(means[one].max())}"
                for one in groups
                if one in means
            ]
            pictures.append(Picture(file, f"{name} by {title}. {'; '.join(tops)}.", f"by {title}"))
        return pictures

    def _draw_user_groups(self, table: pd.DataFrame, name: str, column: str) -> Picture:
        """Draw a metric by the values of one column of the user's own table."""
        sizes = table.groupby("group")["users"].max()
        order = order_groups(table["group"])
        labels = {group: f"{group or 'unknown'}\n{sizes[group]:,}" for group in order}
        metric, file = f"{column.upper()}@{CUTOFF}", self.folder / f"users-by-{name}-{column}.png"
        draw_groups(file, table, column, f"test {metric}", labels, self._choose_looks(table))
        means = table.groupby(["group", "configuration"])[column].mean()
        tops = [f"{group or 'unknown'}: {means[group].idxmax()}" for group in order]
        alt = f"{metric} by {name}, with the number of users. The best: {'; '.join(tops)}."
        return Picture(file, alt, f"by {name}, with the number of users")

    def _draw_option(self, section: Section, table: pd.DataFrame, option: str, short: str) -> None:
        """Add the picture of quality by the values of one option."""
        name = "hidden layers" if option == NUM_LAYERS else short
        quality = self.comparison.quality_label
        slug = f"by-{short.replace('.', '-')}"
        file = self.folder / f"{slug}.png"
        series = list(map(self.comparison.series_of, self.comparison.configurations))
        draw_option(file, table, name, quality, series, doubling=short.endswith("factors"))
        courses = []
        for model, part in table.groupby("series", sort=False):
            ends = [
                f"{decimal(r['mean'])} at {r['value']:g}" for _, r in part.iloc[[0, -1]].iterrows()
            ]
            courses.append(f"{model} goes from {ends[0]} to {ends[1]}")
        alt = f"{quality} by {name}: {'; '.join(courses)}."
        section.pictures.append(Picture(file, alt, f"by {name}"))
        section.files.append(write_csv(self.folder / f"{slug}.csv", table))

    def _list_points(self) -> list[TradePoint]:
        """Return the time and the quality of each configuration that has both."""
        points = []
        quality = self.comparison.quality
        for one in self.comparison.configurations:
            time, mean = one.seconds, one.mean(quality)
            if time is not None and mean is not None:
                points.append(
                    TradePoint(
                        one.mark, self.comparison.series_of(one), time, mean, one.sd(quality)
                    )
                )
        return points

    def _choose_looks(self, table: pd.DataFrame) -> dict[str, Style]:
        """Return the looks of what is drawn, in the order of the legend."""
        drawn = set(table["configuration"])
        return {name: look for name, look in self.looks.items() if name in drawn}

    def _say_which_lines(self) -> str:
        """Return a sentence where not all configurations are drawn, else ""."""
        n = len(self.comparison.configurations)
        if n <= len(self.lines):
            return ""
        return (
            f"{len(self.lines)} of {n} configurations: the best of each model, then the next, by "
            f"{self.comparison.selector_label}. "
        )

    def _explain_bands(self) -> str:
        """Return a sentence where lines have bands, else ""."""
        several = any(len(one.runs) > 1 for one in self.lines)
        return "Lines are means over seeds, bands from the least to the most." if several else ""
