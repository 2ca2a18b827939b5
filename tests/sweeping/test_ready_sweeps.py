"""Every job of the sweeps that come as files composes."""

from __future__ import annotations

import pytest
import yaml

from src.config.compose import compose_jobs, grid
from src.config.paths import CONF

SWEEPS = {"factors": 3 * 4, "layers": 2 * 2 * 5, "negatives": 3 * 6}


def test_every_file_is_known() -> None:
    assert {file.stem for file in (CONF / "experiment" / "sweep").glob("*.yaml")} == set(SWEEPS)


@pytest.mark.parametrize(("name", "n_jobs"), SWEEPS.items())
def test_its_jobs_compose(name: str, n_jobs: int) -> None:
    content = yaml.safe_load((CONF / "experiment" / "sweep" / f"{name}.yaml").read_text())
    assert content["hydra"]["mode"] == "MULTIRUN"
    jobs = grid([f"experiment=sweep/{name}"])
    assert len(jobs) == n_jobs
    assert len(list(compose_jobs(jobs))) == n_jobs
