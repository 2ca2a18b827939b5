"""Where a run comes from: code, configuration and sweep, as tags."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from src.paths import CONF

CODE = CONF.parent


def tags_of(cfg: DictConfig, folder: Path) -> dict[str, str]:
    """The tags of a run that Hydra started, which writes to `folder`."""
    hydra = HydraConfig.get()
    commit = git_commit()
    tags = {
        "model": cfg.model.name,
        "data": cfg.data.name,
        "protocol": cfg.protocol.name,
        "seed": str(cfg.seed),
        "output_folder": str(folder.resolve()),
        "overrides": " ".join(hydra.overrides.task),
        "git_commit": commit,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "src.train",
        "mlflow.source.git.commit": commit.removesuffix("-dirty"),
    }
    if hydra.mode == RunMode.MULTIRUN:
        tags["sweep"] = Path(hydra.sweep.dir).name
        tags["sweep_job"] = str(hydra.job.num)
    return tags


def git_commit() -> str:
    """The code's commit, with "-dirty" behind it when files differ; "unknown" outside git."""
    # an installed copy may lie within a repository of the user's own
    if not (CODE / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            cwd=CODE,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
