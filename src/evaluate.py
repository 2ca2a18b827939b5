"""`python -m src.evaluate run=ID_OR_DIR`: score a saved run's test part again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from src import cli
from src.config.startup import importing

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> None:
    """Scores the run's best checkpoint on test, against the run's candidates or others."""
    with importing():
        from pathlib import Path

        from hydra.core.hydra_config import HydraConfig
        from omegaconf import OmegaConf

        from src.config.build import check
        from src.run import assembly, experiment
        from src.run.lookup import BEST, find_run
        from src.run.summary import print_results
        from src.training.checkpoints import load_model
        from src.training.trainer import make_trainer

    folder = Path(HydraConfig.get().runtime.output_dir)
    run = find_run(str(cfg.run), cfg.tracking)
    options: assembly.Options = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))  # type: ignore[assignment]
    for key, value in cfg.data.items():
        if value is not None:
            options["data"][key] = value
            if key in options["data"]["source"]:
                options["data"]["source"][key] = value
    monitor = options["protocol"]["monitor"]
    trainer = make_trainer(folder, monitor, None, **check(make_trainer, cfg.trainer, "trainer"))
    data = assembly.make_datamodule(options)
    model = load_model(run / BEST, data.prepared.n_users, data.prepared.n_items)
    module = assembly.make_module(options, model, data)
    metrics = experiment.test(trainer, module, data, folder, checkpoint=None)
    experiment.write_metrics(folder, metrics)
    print_results(options, metrics, folder, location=None)


def main() -> None:
    """Entry point of `python -m src.evaluate` and `ncf-evaluate`."""
    cli.run(evaluate, "evaluate")


if __name__ == "__main__":
    main()
