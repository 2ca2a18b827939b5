"""A Hydra sweeper that runs what is not finished and keeps one record of the whole sweep.

Hydra takes sweepers from this namespace only, and imports all of it at every start: what is heavy
is in src/sweeping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from src.startup import importing

ALL_CORES = -1  # the joblib launcher's own default


class ResumingSweeper(BasicSweeper):
    """Hydra's grid of all combinations; the same command again goes on where it ended.

    A job that fails leaves the others alone, and the summary says so.
    """

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        launcher = config.hydra.launcher
        if launcher.get("n_jobs") == ALL_CORES:
            with read_write(config):
                launcher.n_jobs = _jobs_at_once(config.trainer.threads)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Runs the jobs; at the end raises what made some fail, UserError if mistakes did."""
        with importing():
            from src.sweeping.plan import name_of, plan, swept_in
            from src.sweeping.record import SweepRecord

        assert self.config is not None
        assert self.launcher is not None
        grid = self._combinations(arguments)
        swept, name = swept_in(grid), name_of(self.config, grid)
        self._hand_down({"sweep.name": name, "sweep.swept": f"[{','.join(swept)}]"})
        jobs = plan([(words, self._compose(words)) for words in grid])
        with SweepRecord(name, jobs) as record:
            self._hand_down(record.for_jobs)
            left = [job for job in jobs if job.wanted]
            # one at a time where they can't run at once, so that the record keeps up with them
            size = 1 if isinstance(self.launcher, BasicLauncher) else len(left)
            for first in range(0, len(left), max(1, size)):
                batch = left[first : first + size]
                record.starting(batch)
                words = [[*job.words, f"hydra.sweep.subdir={job.key}"] for job in batch]
                record.ended(batch, self.launcher.launch(words, initial_job_idx=first))
        record.raise_failures()

    def _combinations(self, arguments: list[str]) -> list[list[str]]:
        """The words of every job: what an experiment's file sweeps, and the command line."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (grid,) = self.split_arguments(overrides, max_batch_size=None)
        return grid

    def _compose(self, words: list[str]) -> dict[str, Any]:
        """The whole resolved configuration of the job, without Hydra's own."""
        assert self.hydra_context is not None
        assert self.config is not None
        loader = self.hydra_context.config_loader
        cfg = loader.load_sweep_config(self.config, list(words))
        with read_write(cfg), open_dict(cfg):
            del cfg["hydra"]
        return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]

    def _hand_down(self, options: Mapping[str, str]) -> None:
        """Adds options to those that every job is composed with."""
        assert isinstance(self.config, DictConfig)
        with read_write(self.config), open_dict(self.config):
            for name, value in options.items():
                self.config.hydra.overrides.hydra.append(f"{name}={value}")


def _jobs_at_once(threads: int | None) -> int:
    """How many jobs of so many threads leave each its cores; null threads take all."""
    from joblib import cpu_count

    return max(1, int(cpu_count()) // threads) if threads else 1
