"""Answer one request for recommendations: as a table, JSON, CSV or Parquet."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from annotated_types import Ge, Le
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from src.config.build import check
from src.config.compose import Plain
from src.errors import UserError, shorten
from src.reporting.output_file import output_file
from src.serving.loaded_run import LoadedRun

Format = Literal["table", "json", "csv", "parquet"]
ENDINGS: dict[str, Format] = {
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".txt": "table",
}
EVERYBODY = ["all"]
# What a terminal of 80 columns has room for
WIDTHS = {"title": 27, "genres": 12}
# As many rows of a user's history as a screen has room for
SHOWN_HISTORY = 10


@dataclass(frozen=True)
class Request:
    """What is asked for, checked."""

    user: list[str] | None
    history: list[str] | None
    item: list[str] | None
    k: int
    seen: bool
    items: str | None
    format: Format
    out: Path | None


def check_request(own: Plain) -> Request:
    """Return the request of a command's options. Raises UserError for what is no request."""

    def options(
        user: list[str] | None,
        history: list[str] | None,
        item: list[str] | None,
        k: Annotated[int, Ge(1), Le(1_000_000)],
        seen: bool,
        items: str | None,
        format: Format | None,
        out: str | None,
    ) -> None: ...

    names = ("user", "history", "item", "k", "seen", "items", "format", "out")
    given = check(options, {name: own[name] for name in names}, "")
    asked = [name for name in ("user", "history", "item") if given[name] is not None]
    if len(asked) != 1:
        raise UserError("one of these is needed: user=ID, user=all, history=ITEM,... or item=ID")
    if given["item"] is not None and len(given["item"]) != 1:
        raise UserError(f"item={','.join(given['item'])}: one item")
    file = None if given["out"] is None else output_file(given["out"], tuple(ENDINGS))
    everybody = given["user"] == EVERYBODY
    by_default: Format = "parquet" if everybody else "table"
    chosen = given["format"] or (by_default if file is None else ENDINGS[file.suffix])
    if everybody and chosen not in WRITERS:
        raise UserError(f"user=all makes a long table: .parquet or .csv, not {chosen}")
    if chosen == "parquet" and file is None and not everybody:
        raise UserError("format=parquet: name the file, out=FILE.parquet")
    return Request(**{**given, "format": chosen, "out": file})


def write_answer(run: LoadedRun, request: Request) -> None:
    """Print the answer, or write it to the request's file and say where it is."""
    if request.user == EVERYBODY:
        _write_everybody(run, request)
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        answer = _answer(run, request)
    for warning in said:
        print(warning.message, file=sys.stderr)
    if request.format == "table" and request.out is None:
        _print_tables(run, request, answer)
    elif request.out is None:
        print(_as_text(answer, request.format), flush=True)
    else:
        _write(answer, request.format, request.out)
        print(f"lists    {request.out}", flush=True)


def _answer(run: LoadedRun, request: Request) -> pd.DataFrame:
    if request.item is not None:
        return run.similar_items(request.item[0], request.k)
    if request.history is not None:
        return run.recommend_for(request.history, request.k, seen=request.seen)
    return run.recommend(request.user, request.k, seen=request.seen)


def _write_everybody(run: LoadedRun, request: Request) -> None:
    """Write the lists of all users, some thousand at a time."""
    file = request.out or run.folder / f"recommendations.{request.format}"
    with tqdm(total=run.prepared.n_users, desc="recommending", unit=" users", disable=None) as bar:
        WRITERS[request.format](file, _counted(run.stream(request.k, seen=request.seen), bar))
    print(f"lists    {file}", flush=True)


def _counted(parts: Iterable[pd.DataFrame], bar: tqdm[Any]) -> Iterator[pd.DataFrame]:
    for lists in parts:
        yield lists
        bar.update(lists["user"].nunique())


def _write_csv(file: Path, parts: Iterable[pd.DataFrame]) -> None:
    with file.open("w", newline="") as out:
        for number, lists in enumerate(parts):
            lists.to_csv(out, header=number == 0, index=False)


def _write_parquet(file: Path, parts: Iterable[pd.DataFrame]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = (pa.Table.from_pandas(lists, preserve_index=False) for lists in parts)
    first = next(tables)
    with pq.ParquetWriter(file, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


WRITERS: dict[Format, Callable[[Path, Iterable[pd.DataFrame]], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
}
"""What writes a table that comes in parts."""


def _as_text(answer: pd.DataFrame, kind: Format) -> str:
    if kind == "json":
        return answer.to_json(orient="records", force_ascii=False, indent=2)
    return answer.to_csv(index=False).rstrip("\n")


def _write(answer: pd.DataFrame, kind: Format, file: Path) -> None:
    if kind == "parquet":
        answer.to_parquet(file, index=False)
    else:
        text = answer.to_string(index=False) if kind == "table" else _as_text(answer, kind)
        file.write_text(text + "\n")


def _print_tables(run: LoadedRun, request: Request, answer: pd.DataFrame) -> None:
    console = Console(soft_wrap=False, highlight=False)
    print(run.name)
    if request.item is not None:
        console.print(_make_table(answer, f"nearest to {_name(run, request.item[0])}"))
        return
    if request.history is not None:
        names = ", ".join(_name(run, item) for item in request.history[:5])
        more = f" and {len(request.history) - 5} more" if len(request.history) > 5 else ""
        console.print(_make_table(answer, f"to somebody who had {names}{more}"))
        return
    for user, lists in answer.groupby("user", sort=False):
        if run.users.find(user) is not None:
            history = run.history(user)
            shown = history.head(SHOWN_HISTORY)
            more = f", {len(shown)} of {len(history)}" if len(history) > len(shown) else ""
            console.print(_make_table(shown, f"user {user} had{more}"))
            console.print(_make_table(lists.drop(columns="user"), f"user {user} is recommended"))
        else:
            rest = lists.drop(columns=["user", "held_out"])
            console.print(_make_table(rest, f"the most popular items, for user {user}"))


def _name(run: LoadedRun, item: str) -> str:
    number = run.catalogue.find(item)
    if run.items is None or number is None or item not in run.items.index:
        return f"item {item}"
    return str(run.items.at[item, "title"]) or f"item {item}"


def _make_table(frame: pd.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    shown = frame.copy()
    if "time" in shown:
        shown["time"] = _as_dates(shown["time"])
    if "held_out" in shown:
        shown["held_out"] = shown["held_out"].map({True: "in test", False: ""})
        if not shown["held_out"].any():
            shown = shown.drop(columns="held_out")
    for name in shown:
        numeric = shown[name].dtype.kind in "if"
        side: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(str(name).replace("_", " "), justify=side, no_wrap=True)
        if not numeric:
            width = WIDTHS.get(str(name), 40)
            shown[name] = [_cut(str(value), width) for value in shown[name]]
    for row in shown.itertuples(index=False):
        table.add_row(*(f"{one:.4g}" if isinstance(one, float) else str(one) for one in row))
    return table


def _cut(text: str, width: int) -> str:
    """Return a text that a terminal can show in so many columns."""
    line = shorten(text, 10 * width)
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def _as_dates(times: pd.Series[int]) -> pd.Series[Any]:
    """Return days where times look like seconds since 1970, else the numbers."""
    if times.between(10**8, 10**10).all():
        return pd.to_datetime(times, unit="s").dt.strftime("%Y-%m-%d")
    return times
