"""`python -m src.train`: train a model, select an epoch, score it once on test, record it all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from src import cli
from src.startup import importing

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
        from omegaconf import OmegaConf, open_dict

        from src import experiment
        from src.provenance import tags_of

    folder = Path(HydraConfig.get().runtime.output_dir)
    # resolved before the run's own model and optimizer, to which they refer, give way to them
    stages = OmegaConf.to_container(cfg.get("pretrain", OmegaConf.create()), resolve=True)
    with open_dict(cfg):
        cfg.pop("pretrain", None)
    for name, stage in cast("dict[str, dict[str, Any]]", stages).items():
        print(f"pre-training {name}", flush=True)
        stage_cfg = cfg.copy()
        for key, value in stage.items():
            # a choice takes the place of the run's own, other options are added to it
            chosen = isinstance(value, dict) and "_target_" in value
            OmegaConf.update(stage_cfg, key, value, merge=not chosen, force_add=True)
        stage_folder = folder / f"pretrain-{name}"
        experiment.run(stage_cfg, stage_folder, {**tags_of(stage_cfg, stage_folder), "stage": name})
        cfg.model.pretrained[name] = str(stage_folder)
    return experiment.run(cfg, folder, tags_of(cfg, folder))


def main() -> None:
    """Entry point of `python -m src.train` and `ncf-train`."""
    cli.run(train, "train")


if __name__ == "__main__":
    main()
