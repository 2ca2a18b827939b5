"""`python -m src.serve run=RUN`: a trained run over HTTP, and a page for looking at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.quoting import take_list
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def serve(cfg: DictConfig) -> None:
    """Load the runs, and answer until Ctrl-C."""
    with importing():
        from src.config.compose import plain
        from src.serving.http_server import answer, check_place
        from src.serving.loading import load_chosen_run

    own = plain(cfg)
    place = check_place(own)
    references = own["run"] if isinstance(own["run"], list) else [own["run"]]
    runs = {}
    for reference in map(str, references):
        print(f"loading  {reference}", flush=True)
        run = load_chosen_run(reference, own["tracking"], own, place.items)
        runs[run.folder.name] = run
    answer(runs, place)


def main() -> None:
    """Run `python -m src.serve`, also as `ncf-serve`."""
    cli.rewrite_words(lambda word: take_list(word, ("run",)))
    cli.run(serve, "serve")


if __name__ == "__main__":
    main()
