"""The runs that come before a run: its `pretrain` stages (He et al. 2017, section 3.4.1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.compose import plain
from src.config.trust import trusted_modules
from src.errors import UserError, shorten
from src.run.checks import check_options


def pretrain(cfg: DictConfig, run_stage: Callable[[str, DictConfig], Path]) -> None:
    """Run the stages of `cfg`, in order, and let the run itself start from them.

    `run_stage` runs one, by its name and whole configuration, and returns its folder. `cfg` is
    changed in place: `pretrain` is gone, `model.pretrained` names the folders. Raises UserError for
    a mistake in any of the configurations before the first stage starts.
    """
    stages = take_stages(cfg)
    for one in (*stages.values(), cfg) if stages else ():
        check_options(one)
    for name, stage in stages.items():
        print(f"pre-training {name}", flush=True)
        start_from(cfg, name, run_stage(name, stage))
    # what the stages' own configurations name, their checkpoints may name too
    named = [module for stage in stages.values() for module in trusted_modules(plain(stage))]
    if named:
        cfg.trust = list(dict.fromkeys([*trusted_modules(plain(cfg)), *named]))


def start_from(cfg: DictConfig, name: str, folder: Path) -> None:
    """Let a run start from the one in `folder`, which some models know by any name."""
    with open_dict(cfg.model.pretrained):
        cfg.model.pretrained[name] = str(folder)


def take_stages(cfg: DictConfig) -> dict[str, DictConfig]:
    """Take `pretrain` out of `cfg`; return each stage's whole configuration, in order."""
    given = cfg.get("pretrain")
    if not isinstance(given, DictConfig | None):
        raise UserError(f"pretrain={shorten(given)}: options by stage, as pretrain.gmf.model")
    # resolved before the run's own model and optimizer, to which they refer, give way to them
    stages = {} if given is None else plain(given)
    with open_dict(cfg):
        cfg.pop("pretrain", None)
    return {str(name): _make_stage(cfg, str(name), stage) for name, stage in stages.items()}


def _make_stage(cfg: DictConfig, name: str, stage: object) -> DictConfig:
    if not isinstance(stage, dict):
        raise UserError(f"pretrain.{name}={shorten(stage)}: options of the stage, as its model")
    stage_cfg = cfg.copy()
    for key, value in stage.items():
        # a choice takes the place of the run's own, other options are added to it
        chosen = isinstance(value, dict) and "_target_" in value
        OmegaConf.update(stage_cfg, key, value, merge=not chosen, force_add=True)
    return stage_cfg
