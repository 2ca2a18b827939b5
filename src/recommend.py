"""`python -m src.recommend run=RUN user=42`: what a trained run recommends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.quoting import take_list
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig

# Options whose values are ids: one, or several with commas between
IDS = ("user", "history", "item")


def recommend(cfg: DictConfig) -> None:
    """List what is recommended to users or to a history, or the neighbours of an item."""
    with importing():
        from src.config.compose import plain
        from src.serving.answering import check_request, write_answer
        from src.serving.loading import load_chosen_run

    own = plain(cfg)
    request = check_request(own)
    run = load_chosen_run(str(cfg.run), own["tracking"], own, request.items)
    write_answer(run, request)


def main() -> None:
    """Run `python -m src.recommend`, also as `ncf-recommend`."""
    cli.rewrite_words(lambda word: take_list(word, IDS))
    cli.run(recommend, "recommend")


if __name__ == "__main__":
    main()
