"""`python -m src.plot graph` and `python -m src.plot data`: pictures of a data set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hydra._internal.utils import get_args_parser

from src import cli
from src.config.startup import importing
from src.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

    from src.data.interactions import Interactions

PICTURES = ("graph", "data")
FORMATS = (".png", ".pdf", ".svg")

Options = dict[str, Any]


def plot(cfg: DictConfig) -> None:
    """Draws the data of the options or of a run; a run's picture joins its files and its record."""
    _check_picture(cfg.what)
    with importing():
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        from src.config.build import check
        from src.reporting.pictures.bipartite_graph import draw_graph
        from src.reporting.pictures.data_set import draw_data

    hydra = HydraConfig.get()
    options: Options = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    if cfg.run is None:
        folder, drawn = Path(hydra.runtime.output_dir), options
    else:
        folder, drawn = _run(options, hydra.overrides.task)
    file = folder / f"{cfg.what}.png" if cfg.out is None else _file(str(cfg.out))
    name, data = drawn["data"]["name"], _read(drawn["data"])
    if cfg.what == "graph":
        nodes = {key: options[key] for key in ("users", "items")}
        draw_graph(file, name, data, **check(draw_graph, nodes, ""))
    else:
        draw_data(file, name, data)
    print(f"picture  {file}", flush=True)
    if cfg.run is not None and "uri" in drawn["tracking"]:
        _record(file, folder, drawn["tracking"])


def _check_picture(what: str | None) -> None:
    if what in PICTURES:
        return
    problem = "no picture is named" if what is None else f"no picture {what}"
    hint = did_you_mean(str(what), PICTURES)
    raise UserError(f"{problem}{hint} (python -m src.plot graph, or python -m src.plot data)")


def _run(options: Options, words: list[str]) -> tuple[Path, Options]:
    """Folder and options of the run to be drawn; `words` are the command line's."""
    from omegaconf import OmegaConf

    from src.run.lookup import find_run

    run = options["run"]
    chosen = [word for word in words if word.startswith(("data=", "data."))]
    if chosen:
        raise UserError(f"run={run} is drawn with its own data: leave out {chosen[0]}")
    folder = find_run(str(run), options["tracking"])
    return folder, OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))  # type: ignore[return-value]


def _file(out: str) -> Path:
    """The file that `out` names, with a folder to lie in."""
    from pathlib import Path

    file = Path(out).expanduser()
    if file.suffix not in FORMATS:
        raise UserError(f"out={out}: the ending has to be one of {', '.join(FORMATS)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _read(options: Options) -> Interactions:
    """What is to be split: the filtered interactions, or those that a released split trains on."""
    from src.config.build import build, check
    from src.data.filtering import filter_interactions, refuse_filters
    from src.data.sources.source import ReleasedSplit

    filters = {key: options[key] for key in ("threshold", "k_core")}
    filters = check(filter_interactions, filters, "data")
    read = build(options["source"], "data.source").read()
    if not isinstance(read, ReleasedSplit):
        return filter_interactions(read, **filters)
    refuse_filters(**filters)
    return read.train


def _record(file: Path, folder: Path, tracking: Options) -> None:
    """Adds the picture to the run's record, if there is one."""
    from src.tracking.mlflow import log_file

    run_id = log_file(file, folder, tracking["uri"], tracking["experiment"])
    if run_id is not None:
        print(f"tracking MLflow run {run_id} of {tracking['uri']}")


def main() -> None:
    """Entry point of `python -m src.plot` and `ncf-plot`."""
    # a word alone says what to draw: `graph` is short for `what=graph`
    overrides = get_args_parser().parse_known_args()[0].overrides
    alone = next((word for word in overrides if "=" not in word), None)
    if alone is not None:
        sys.argv[sys.argv.index(alone, 1)] = f"what={alone}"
    cli.run(plot, "plot")


if __name__ == "__main__":
    main()
