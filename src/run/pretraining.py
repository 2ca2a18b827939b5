"""The runs that come before a run: its `pretrain` stages (He et al. 2017, section 3.4.1)."""

from __future__ import annotations

from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, open_dict


def take_stages(cfg: DictConfig) -> dict[str, DictConfig]:
    """Takes `pretrain` out of `cfg`; each stage's whole configuration, in order."""
    # resolved before the run's own model and optimizer, to which they refer, give way to them
    stages = OmegaConf.to_container(cfg.get("pretrain", OmegaConf.create()), resolve=True)
    with open_dict(cfg):
        cfg.pop("pretrain", None)
    return {
        name: _stage(cfg, stage)
        for name, stage in cast("dict[str, dict[str, Any]]", stages).items()
    }


def _stage(cfg: DictConfig, stage: dict[str, Any]) -> DictConfig:
    stage_cfg = cfg.copy()
    for key, value in stage.items():
        # a choice takes the place of the run's own, other options are added to it
        chosen = isinstance(value, dict) and "_target_" in value
        OmegaConf.update(stage_cfg, key, value, merge=not chosen, force_add=True)
    return stage_cfg
