"""Lightning's several processes, without what it does to gradients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from lightning_fabric.plugins import ClusterEnvironment
from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers.launcher import _Launcher

# How long a process waits for another. One that ends is noticed at once; this is for one that
# hangs, and longer than the first process alone should take for a checkpoint or a record.
TIMEOUT = timedelta(minutes=10)


class Place(NamedTuple):
    """Which of several processes this is, counted from 0."""

    rank: int
    world_size: int
    local_rank: int = 0
    """On its node."""


class Processes(NamedTuple):
    """Processes that were started already, as a trainer is told of them."""

    place: Place
    launcher: _Launcher
    """Called around `fit` and `test`."""


class SharedStrategy(DDPStrategy):
    """Processes with the same weights, which share batches and gradients by `SharedSteps`.

    Without `processes` Lightning starts them as it always does, by the script again.
    """

    def __init__(self, processes: Processes | None = None) -> None:
        environment = None if processes is None else KnownPlace(processes.place)
        super().__init__(cluster_environment=environment, timeout=TIMEOUT)
        self._processes = processes

    def _configure_launcher(self) -> None:
        if self._processes is None:
            super()._configure_launcher()
        else:
            self._launcher = self._processes.launcher

    def configure_ddp(self) -> None:
        """Begin with the first process's weights; no wrapper looks after them from then on."""
        assert self.lightning_module is not None
        _sync_module_states(self.lightning_module)


class KnownPlace(ClusterEnvironment):
    """The environment of processes whose group is there before Lightning asks for it."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        raise NotImplementedError

    @property
    def main_port(self) -> int:
        raise NotImplementedError

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.place.world_size

    def set_world_size(self, size: int) -> None: ...

    def global_rank(self) -> int:
        return self.place.rank

    def set_global_rank(self, rank: int) -> None: ...

    def local_rank(self) -> int:
        return self.place.local_rank

    def node_rank(self) -> int:
        return 0


class Running(_Launcher):
    """Calls what it is given, in processes that run already."""

    is_interactive_compatible = True

    def launch(self, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
        """Call the function; Lightning names its trainer beside it."""
        given.pop("trainer", None)
        return function(*args, **given)

    def kill(self, signum: int) -> None:
        """End this process at once: Lightning's handler of SIGTERM asks for it.

        It would broadcast the signal next, in the midst of what the processes tell each other.
        """
        raise SystemExit(128 + signum)
