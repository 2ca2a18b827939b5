"""The display of a search on the terminal: its lines, and a bar below them."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

from src.tuning.study import Study


class Progress:
    """A printer of lines, with a bar of the finished trials where stdout is a terminal."""

    def __init__(self, study: Study, total: int) -> None:
        self.study, self.total = study, total
        self.bar = tqdm(
            total=total,
            initial=min(study.n_finished(), total),
            unit="trial",
            leave=False,
            file=sys.stdout,
            disable=not sys.stdout.isatty(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.bar.close()

    def __call__(self, line: str) -> None:
        self.bar.write(line, file=sys.stdout)
        sys.stdout.flush()
        self.bar.n = min(self.study.n_finished(), self.total)
        self.bar.refresh()
