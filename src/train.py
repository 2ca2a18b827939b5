"""`python -m src.train`: train a model, select an epoch, score it once on test, record it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(cfg: DictConfig) -> float:
    """Runs the configured pre-training stages, if any, then the run itself.

    Returns the metric that selected the epoch, for sweepers.
    """
    # heavy libraries load here, so that --help and tab completion answer at once
    with importing():
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        from src.run import experiment
        from src.run.pretraining import take_stages
        from src.run.provenance import tags_of
        from src.sweeping import jobs

    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    if hydra.mode == RunMode.MULTIRUN:
        # the lines of jobs that run at once would mix
        quiet = not hydra.launcher._target_.endswith(".BasicLauncher")
        return jobs.run(cfg, folder, tags_of(cfg, folder), quiet)
    for name, stage in take_stages(cfg).items():
        print(f"pre-training {name}", flush=True)
        stage_folder = folder / f"pretrain-{name}"
        experiment.run(stage, stage_folder, {**tags_of(stage, stage_folder), "stage": name})
        cfg.model.pretrained[name] = str(stage_folder)
    return experiment.run(cfg, folder, tags_of(cfg, folder))


def main() -> None:
    """Entry point of `python -m src.train` and `ncf-train`."""
    cli.run(train, "train")


if __name__ == "__main__":
    main()
