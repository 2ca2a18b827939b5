"""`python -m src.plot graph`, `matrices` and `data`: pictures of a data set."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing
from src.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

    from src.config.compose import Plain

FORMATS = (".png", ".pdf", ".svg")
# What draws each picture; those of single users and items take as many as are asked for
PICTURES = {
    "graph": "src.reporting.pictures.bipartite_graph.draw_graph",
    "matrices": "src.reporting.pictures.matrices.draw_matrices",
    "data": "src.reporting.pictures.data_set.draw_data",
}
SAMPLED = ("graph", "matrices")


def plot(cfg: DictConfig) -> None:
    """Draw the data of the options or of a run; a run's picture joins its files and its record."""
    _check_picture(cfg.what)
    with importing():
        from src.config.build import check, locate
        from src.config.compose import plain
        from src.reporting.drawn_data import read_interactions
        from src.reporting.output_file import output_file

        draw = locate(PICTURES[cfg.what])
    options = plain(cfg)
    folder, drawn = (cli.output_folder(), options) if cfg.run is None else _find_run(options)
    default = folder / f"{cfg.what}.png"
    file = default if cfg.out is None else output_file(str(cfg.out), FORMATS)
    nodes = {key: options[key] for key in ("users", "items")} if cfg.what in SAMPLED else {}
    checked = check(draw, nodes, "")
    draw(file, drawn["data"]["name"], read_interactions(drawn["data"]), **checked)
    print(f"picture  {file}", flush=True)
    if cfg.run is not None and "uri" in drawn["tracking"]:
        _record(file, folder, drawn["tracking"])


def _check_picture(what: str | None) -> None:
    """Raise UserError unless there is such a picture."""
    if what in PICTURES:
        return
    problem = "no picture is named" if what is None else f"no picture {what}"
    hint = did_you_mean(str(what), PICTURES)
    raise UserError(f"{problem}{hint} (python -m src.plot graph, matrices or data)")


def _find_run(options: Plain) -> tuple[Path, Plain]:
    """Return the folder and the options of the run to be drawn."""
    from src.config.compose import given_words
    from src.config.trust import trusted_modules
    from src.run.lookup import find_run
    from src.run.saved import read_saved_options

    run = options["run"]
    chosen = [word for word in given_words() if word.startswith(("data=", "data."))]
    if chosen:
        raise UserError(f"run={run} is drawn with its own data: leave out {chosen[0]}")
    folder = find_run(str(run), options["tracking"])
    return folder, read_saved_options(folder, trusted_modules(options))


def _record(file: Path, folder: Path, tracking: Plain) -> None:
    """Add the picture to the run's record, if there is one."""
    from src.tracking.mlflow import log_file

    run_id = log_file(file, folder, tracking["uri"], tracking["experiment"])
    if run_id is not None:
        print(f"tracking MLflow run {run_id} of {tracking['uri']}")


def main() -> None:
    """Run `python -m src.plot`, also as `ncf-plot`."""
    # a word alone says what to draw: `graph` is short for `what=graph`
    alone = next((word for word in cli.split_words()[1] if "=" not in word), None)
    if alone is not None:
        sys.argv[sys.argv.index(alone, 1)] = f"what={alone}"
    cli.run(plot, "plot")


if __name__ == "__main__":
    main()
