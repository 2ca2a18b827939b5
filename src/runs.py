"""`python -m src.runs [WORD ...]`: the runs there are, and clearing away those that failed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from src import cli
from src.config.quoting import assign
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def runs(cfg: DictConfig) -> None:
    """List the runs that have the given words, or clear away those that failed."""
    with importing():
        from src.config.compose import plain
        from src.run.cleaning import clean
        from src.run.listing import check_listing, choose_listed, print_runs
        from src.run.recovery import recover
        from src.tracking.reading import Reader

    listing = check_listing(plain(cfg))
    for _ in recover():
        pass
    reader = Reader(str(cfg.tracking.uri))
    every = reader.every()
    if listing.clean is None:
        print_runs(choose_listed(every, listing.words), listing.most)
    else:
        clean(reader, every, listing)


def _collect_words() -> None:
    """Put the words that stand alone into one option."""
    flags, words = cli.split_words()
    alone = [word for word in words if "=" not in word and not word.startswith(("~", "+"))]
    if alone:
        options = [word for word in words if word not in alone]
        sys.argv[1:] = [*flags, *options, assign("words", alone)]


def main() -> None:
    """Run `python -m src.runs`, also as `ncf-runs`."""
    _collect_words()
    cli.run(runs, "runs")


if __name__ == "__main__":
    main()
