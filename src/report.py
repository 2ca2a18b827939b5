"""`python -m src.report`: runs compared on one page."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from hydra._internal.utils import get_args_parser

from src import cli
from src.config.startup import importing
from src.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

    from src.tracking.reading import Reader, Record

NONE = ("null", "")


def report(cfg: DictConfig) -> None:
    """Writes the page of the chosen runs, or of the latest sweep."""
    wanted = {"runs": cfg.runs, "sweep": cfg.sweep, "experiment": cfg.tracking.experiment}
    given = [name for name, value in wanted.items() if value is not None]
    if len(given) > 1:
        words = " and ".join(f"{name}=..." for name in given)
        raise UserError(f"{words} exclude each other: give one of them")
    with importing():
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig

        from src.reporting.comparison.comparison_page import write_report
        from src.tracking.reading import Reader

    reader = Reader(cfg.tracking.uri)
    title, records = _chosen(cfg, reader) if given else _latest(reader)
    if not records:
        raise UserError(f"{title} has no runs to compare")
    folder = Path(HydraConfig.get().runtime.output_dir)
    page = folder / f"{_file_name(title)}.html" if cfg.out is None else _file(str(cfg.out))
    files = write_report(reader, records, title, page)
    print(
        f"compared {len(records)} runs: {len(files) - 1} pictures and tables in {files[1].parent}"
    )
    print(f"page     {page}", flush=True)


def _chosen(cfg: DictConfig, reader: Reader) -> tuple[str, list[Record]]:
    """Title and runs of what was asked for."""
    if cfg.sweep is not None:
        return f"Sweep {reader.parent(str(cfg.sweep)).name}", reader.sweep(str(cfg.sweep))
    experiment = cfg.tracking.experiment
    if experiment is not None:
        return f"Experiment {experiment}", reader.experiment(str(experiment))
    records = reader.runs(cfg.runs)
    return f"Runs {' '.join(record.run_id[:8] for record in records)}", records


def _latest(reader: Reader) -> tuple[str, list[Record]]:
    """Of the latest sweep, else of the only experiment."""
    sweeps = reader.sweeps()
    if sweeps:
        print(f"sweep    {sweeps[0].name}, the latest")
        return f"Sweep {sweeps[0].name}", reader.sweep(sweeps[0].run_id)
    experiments = reader.experiments()
    if len(experiments) != 1:
        there = f"; experiment=... is one of {', '.join(experiments)}" if experiments else ""
        raise UserError(f"no sweep in {reader.uri} yet{there or ', and no runs'}")
    print(f"runs     all of experiment {experiments[0]}: there is no sweep")
    return f"Experiment {experiments[0]}", reader.experiment(experiments[0])


def _file_name(title: str) -> str:
    """Letters that any file system takes, and not too many."""
    return re.sub(r"[^\w.-]+", "-", title.lower())[:60].strip("-")


def _file(out: str) -> Path:
    """The page that `out` names, with a folder to lie in."""
    from pathlib import Path

    file = Path(out).expanduser()
    if file.suffix != ".html":
        raise UserError(f"out={out}: the ending has to be .html")
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _in_hydra_s_terms(word: str) -> str:
    """An option as Hydra has to be given it.

    To Hydra A,B is a sweep, 1e234567 is a number, and `experiment` chooses a file of options.
    """
    name, _, value = word.partition("=")
    if name == "experiment":
        return f"tracking.{word}"
    if name == "runs" and value not in NONE:
        ids = [one.strip("[]'\" ") for one in value.split(",")]
        return f"runs=[{','.join(repr(one) for one in ids)}]"
    return word


def main() -> None:
    """Entry point of `python -m src.report` and `ncf-report`."""
    for word in get_args_parser().parse_known_args()[0].overrides:
        sys.argv[sys.argv.index(word, 1)] = _in_hydra_s_terms(word)
    cli.run(report, "report")


if __name__ == "__main__":
    main()
