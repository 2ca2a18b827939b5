"""`python -m src.train`: train a model, select an epoch, score it once on test, record it all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig


def train(cfg: DictConfig) -> float:
    """Check the configuration, train its pre-training stages, if any, then the run itself.

    Returns the metric that selected the epoch, for sweepers.
    """
    # heavy libraries load here, so that --help and tab completion answer at once
    from src.tracking.contact import make_contact

    make_contact(cfg)
    with importing():
        from src.config.compose import given_words, is_job, refuse_unread
        from src.run.resuming import started, take_up

    made, words = cli.output_folder(), given_words()
    refuse_unread(cfg, words)
    if cfg.check:
        return _check(cfg, made)
    if is_job():
        return _run_job(cfg, made)
    folder = made
    if cfg.resume is not None:
        cfg, folder = take_up(cfg, words, made)
    with started(cfg, words, folder, made) as again:
        return _run_single(cfg, folder, resuming=again)


def _check(cfg: DictConfig, made: Path) -> float:
    """Say whether the run can start and how long it will take; leave nothing of it."""
    with importing():
        from src.run.rehearsal import print_rehearsals, rehearse, remove_traces

    try:
        return print_rehearsals(rehearse(cfg))
    finally:
        remove_traces(made)


def _run_single(cfg: DictConfig, folder: Path, *, resuming: bool) -> float:
    with importing():
        from src.run.checks import check_options
        from src.run.pretraining import pretrain
        from src.run.provenance import collect_tags

    pretrain(cfg, lambda name, stage: _run_stage(name, stage, folder))
    options = check_options(cfg)
    # Lightning and MLflow load only for what can be run
    with importing():
        from src.run import experiment
    tags = collect_tags(options.plain, folder)
    return experiment.run(options, folder, tags, resuming=resuming)


def _run_stage(name: str, stage: DictConfig, folder: Path) -> Path:
    """Run a pre-training stage in a folder within the run's own, unless it was run before."""
    from src.run import experiment
    from src.run.checks import check_options
    from src.run.finished import read_finished
    from src.run.provenance import collect_tags

    own, options = folder / f"pretrain-{name}", check_options(stage)
    if read_finished(own) is None:
        tags = {**collect_tags(options.plain, own), "stage": name}
        experiment.run(options, own, tags, resuming=own.exists())
    return own


def _run_job(cfg: DictConfig, folder: Path) -> float:
    """Run one of a sweep's jobs, whose lines would mix with those of jobs at the same time."""
    with importing():
        from src.config.processes import end_with_parent
        from src.sweeping import jobs

    if cli.is_worker():
        end_with_parent()
    return jobs.run(cfg, folder, quiet=cli.shares_terminal())


def _take_words_of_run() -> None:
    """Put the words of the run that run=RUN names in its place on the command line."""
    if any(word.startswith("run=") for word in sys.argv[1:]):
        from src.run.again import take_words_of_run

        flags, words = cli.split_words()
        sys.argv[1:] = [*flags, *take_words_of_run(words)]


def main() -> None:
    """Run `python -m src.train`, also as `ncf-train`."""
    with cli.ending_in_one_line("train"):
        _take_words_of_run()
    cli.run(train, "train")


if __name__ == "__main__":
    main()
