"""A Hydra sweeper that runs what is not finished and keeps one record of the whole sweep.

Hydra takes sweepers from this namespace only, and imports all of it at every start: what is heavy
is in src/sweeping.
"""

from __future__ import annotations

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from src.config.compose import compose_jobs, grid, plain
from src.config.quoting import assign
from src.config.startup import importing

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
                launcher.n_jobs = _count_jobs_at_once(config.trainer)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs; at the end raise what made some fail, UserError if mistakes did."""
        assert self.config is not None
        assert self.launcher is not None
        with importing():
            from src.tracking.contact import make_contact

            make_contact(self.config)
            from src.run.options import check_groups
            from src.sweeping.plan import list_swept, longest_first, name_sweep, plan
            from src.sweeping.record import SweepRecord

        # a sweep's own configuration is not set by Hydra, and says what folders to search
        HydraConfig.instance().set_config(self.config.copy())
        combinations = grid(arguments, self.params)
        swept, name = list_swept(combinations), name_sweep(self.config, combinations)
        of_sweep = [assign("sweep.name", name), assign("sweep.swept", swept)]
        self._hand_down(of_sweep)
        composed = [plain(cfg) for cfg in compose_jobs(combinations, *of_sweep)]
        for options in composed:
            check_groups(options)
        jobs = plan(list(zip(combinations, composed, strict=True)))
        if any(options.get("check") for options in composed):
            from src.sweeping.rehearsing import rehearse_sweep

            rehearse_sweep(name, jobs, at_once=self.config.hydra.launcher.get("n_jobs", 1))
            return
        with SweepRecord(name, jobs) as record:
            self._hand_down([assign(option, value) for option, value in record.for_jobs.items()])
            left = [job for job in jobs if job.wanted]
            # one at a time where they can't run at once, so that the record keeps up with them
            size = 1
            if not isinstance(self.launcher, BasicLauncher):
                size, left = len(left), longest_first(left)
            for first in range(0, len(left), max(1, size)):
                batch = left[first : first + size]
                record.starting(batch)
                words = [
                    [
                        *job.words,
                        assign("hydra.sweep.subdir", job.key),
                        assign("sweep.place", job.place),
                    ]
                    for job in batch
                ]
                results = self.launcher.launch(words, initial_job_idx=first)
                record.ended(batch, list(map(_read_error, results)))
        record.raise_failures()

    def _hand_down(self, words: Sequence[str]) -> None:
        """Add words to those that every job is composed with."""
        assert isinstance(self.config, DictConfig)
        with read_write(self.config), open_dict(self.config):
            self.config.hydra.overrides.hydra.extend(words)


def _read_error(result: JobReturn) -> Exception | None:
    """Return what a job failed with; None when it did not."""
    return result._return_value if result.status == JobStatus.FAILED else None


def _count_jobs_at_once(trainer: DictConfig) -> int:
    """Return how many jobs leave each the cores for its threads; null threads take all."""
    from joblib import cpu_count

    threads = (trainer.threads or int(cpu_count())) * trainer.devices
    return max(1, int(cpu_count()) // threads)
