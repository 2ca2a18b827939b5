"""`python -m src.paper`: published tables and figures made again, beside the published numbers."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from src import cli
from src.config.compose import plain
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Options of conf/paper.yaml that are groups to src.train, and so to Hydra, under other names
GROUPS = {"data": "datasets", "protocol": "protocols"}
OWN = ("what", "quick", "models", "workers", "run", "estimate", "folder", "out", "fill", *GROUPS)
LISTS = ("what", "data", "models")


def paper(cfg: DictConfig) -> None:
    """Run what is missing, then write the page of all that is there."""
    with importing():
        from src.config.build import check
        from src.papers.pipeline import reproduce
        from src.papers.request import read_request

    for handler in logging.getLogger().handlers:
        handler.addFilter(_FirstTimeOnly())
    reproduce(read_request(**check(read_request, plain(cfg), "")))


class _FirstTimeOnly(logging.Filter):
    """A filter for messages that come again: many runs read the same data."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the message is new."""
        message = record.getMessage()
        new = message not in self.seen
        self.seen.add(message)
        return new


def arguments(words: Sequence[str]) -> list[str]:
    """Return the command line as Hydra reads it: lists in brackets, src.train's options as one."""
    flags, overrides = cli.split_words(words)
    own, others = [], []
    for word in overrides:
        key, given, value = word.partition("=")
        if not given or key in OWN or key.startswith("hydra"):
            value = f"[{value}]" if key in LISTS and not value.startswith("[") else value
            own.append(f"{GROUPS.get(key, key)}={value}" if given else word)
        else:
            others.append(word)
    return [*flags, *own, *([f"options={json.dumps(others)}"] if others else [])]


def main() -> None:
    """Run `python -m src.paper`, also as `ncf-paper`."""
    sys.argv[1:] = arguments(sys.argv[1:])
    cli.run(paper, "paper")


if __name__ == "__main__":
    main()
