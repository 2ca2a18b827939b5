"""Every job of the sweeps that come as files composes."""

from __future__ import annotations

import itertools

import hydra
import pytest
import yaml

from src import composing  # noqa: F401 - for what it provides
from src.paths import CONF

SWEEPS = {"factors": 3 * 4, "layers": 2 * 2 * 5, "negatives": 3 * 6}


def test_every_file_is_known() -> None:
    assert {file.stem for file in (CONF / "experiment" / "sweep").glob("*.yaml")} == set(SWEEPS)


@pytest.mark.parametrize(("name", "n_jobs"), SWEEPS.items())
def test_its_jobs_compose(name: str, n_jobs: int) -> None:
    content = yaml.safe_load((CONF / "experiment" / "sweep" / f"{name}.yaml").read_text())
    assert content["hydra"]["mode"] == "MULTIRUN"
    params = content["hydra"]["sweeper"]["params"]
    values = [str(listed).split(",") for listed in params.values()]
    jobs = list(itertools.product(*values))
    assert len(jobs) == n_jobs
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for job in jobs:
            words = [f"{option}={value}" for option, value in zip(params, job, strict=True)]
            hydra.compose("train", [f"experiment=sweep/{name}", *words])
