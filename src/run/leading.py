"""The first of several processes that train one model: it alone has a command line and a record.

The others follow it (`src/run/following.py`): they are told the options of a run and take part in
its `fit` and `test`. Lightning's own way, the whole command again in each process, would compose
the configuration again, make other output folders, and let a sweep run in each of them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytorch_lightning as pl
import torch.distributed as dist

from src.config.processes import launched_rank, own_command, own_environment
from src.errors import LostProcessError, UserError
from src.run.options import Options
from src.run.rendezvous import HOST, Meeting, describe_error, find_launched, open_next, place_of
from src.training.strategy import Place, Processes, Running

# Seconds
PATIENCE = 5
"""For a process to be seen ended whose end another noticed."""
GRACE = 30
"""For this process to notice by itself that another ended."""
COMING = 600
"""For processes to come that another machine started."""


@contextmanager
def leading(options: Options, folder: Path) -> Iterator[Leader | None]:
    """Give the leader of a run's processes; they end with the block. None for a single process.

    Raises UserError when torchrun or Slurm started another number than the options ask for.
    """
    asked = options.trainer.devices * options.trainer.nodes
    # a single process has no need to look for others
    launched = find_launched() if asked > 1 or launched_rank()[1] else None
    found = launched.world_size() if launched else asked
    if found != asked:
        raise UserError(
            f"{found} processes were started: trainer=ddp trainer.devices=N trainer.nodes=M is for "
            f"N a machine on M machines, and makes {asked} here"
        )
    if asked == 1:
        yield None
        return
    if launched is None and options.trainer.nodes > 1:
        raise UserError("trainer.nodes: start the command on every machine, by srun or torchrun")
    if launched is None:
        leader = Leader(Meeting(_open_store(), Place(0, asked)), options, folder)
        leader.start_others()
    else:
        leader = Leader(Meeting(open_next(launched), place_of(launched)), options, folder)
    try:
        yield leader
    except BaseException:
        leader.stop()
        raise
    leader.end()


def dismiss() -> None:
    """Let processes end that torchrun or Slurm started beside this one, which has no run left."""
    launched = find_launched()
    if launched is None:
        return
    store = open_next(launched)
    store.set("task/0", json.dumps({"call": "leave"}))
    # this process may have the store, which they still read
    until = time.monotonic() + PATIENCE
    while store.add("left", 0) < launched.world_size() - 1 and time.monotonic() < until:
        time.sleep(0.02)


def _open_store() -> dist.TCPStore:
    """Open a store for processes of this machine, out of reach for others."""
    listening = socket.create_server((HOST, 0))
    port = listening.getsockname()[1]
    return dist.TCPStore(
        HOST, port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach()
    )


class Leader:
    """Tells the other processes of a run what to do."""

    def __init__(self, meeting: Meeting, options: Options, folder: Path) -> None:
        self.meeting, self.options, self.folder = meeting, options, folder
        self.others: dict[int, subprocess.Popen[bytes]] = {}
        """Those that were started here, by rank."""
        self._n_tasks = self._n_trainers = 0
        self._over = Event()

    def start_others(self) -> None:
        """Start them on this machine; what they print goes to a file each in the run's folder."""
        size, port = self.meeting.place.world_size, self.meeting.store.port  # type: ignore[attr-defined]
        loopback = {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}
        if loopback:  # else gloo looks the machine's name up, which not every network knows
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback.pop())
        for rank in range(1, size):
            with self._output_of(rank).open("wb") as output:
                self.others[rank] = subprocess.Popen(
                    own_command("run.following", str(port), str(rank), str(size)),
                    env=own_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for this process, which ends them
                )
        Thread(target=self._watch, name="processes", daemon=True).start()

    def _output_of(self, rank: int) -> Path:
        return self.folder / f"process-{rank}.log"

    def for_trainer(self, **recipe: Any) -> Processes:
        """Return the processes for another trainer; the others make theirs by the recipe.

        recipe: `weights`, the checkpoint to be judged, or `refit_epochs` and their `folder`; see
        `following`.
        """
        self._n_trainers += 1
        return Processes(self.meeting.place, _Relay(self, {"trainer": self._n_trainers, **recipe}))

    def call(self, task: dict[str, Any], trainer: pl.Trainer) -> None:
        """Let the others make the same call of their trainers."""
        known = {"options": self.options.plain, "folder": str(self.folder)}
        self._tell({**known, **task})
        if not self.meeting.joined:
            self._wait_for_others()
            self.meeting.join(trainer.strategy.root_device)

    def _tell(self, task: dict[str, Any]) -> None:
        self.meeting.store.set(f"task/{self._n_tasks}", json.dumps(task))
        self._n_tasks += 1

    def _wait_for_others(self) -> None:
        """Wait until all are ready. Raises LostProcessError for one that ended or does not come."""
        ready = [f"ready/{rank}" for rank in range(1, self.meeting.place.world_size)]
        until = time.monotonic() + COMING
        while not self.meeting.store.check(ready):
            self.raise_lost(0)
            if time.monotonic() > until:
                raise LostProcessError(
                    f"not all of {len(ready) + 1} processes came within {COMING} seconds: start "
                    "the command by srun or torchrun, on every machine"
                )
            time.sleep(0.02)

    def raise_lost(self, patience: float) -> None:
        """Raise LostProcessError if another process ended, or does within `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            line = self._describe_lost()
            if line is not None:
                raise LostProcessError(line)
            if time.monotonic() >= until:
                return
            time.sleep(0.05)

    def _describe_lost(self) -> str | None:
        """Say which process ended and how; of several the one that the others ended by."""
        ended = {rank: p.poll() for rank, p in self.others.items() if p.poll() is not None}
        told = {rank: self._read_error(rank) for rank in range(1, self.meeting.place.world_size)}
        own = {rank: error["text"] for rank, error in told.items() if error and not error["lost"]}
        killed = {rank: -status for rank, status in ended.items() if status and status < 0}
        size = self.meeting.place.world_size
        if own:
            rank, text = next(iter(own.items()))
            return f"process {rank + 1} of {size} failed: {text}"
        if killed:
            rank, number = next(iter(killed.items()))
            return f"process {rank + 1} of {size} was killed by {signal.Signals(number).name}"
        for rank, status in ended.items():
            seen = self._output_of(rank)
            return f"process {rank + 1} of {size} ended with status {status}: see {seen}"
        return None

    def _read_error(self, rank: int) -> dict[str, Any] | None:
        key = f"error/{rank}"
        store = self.meeting.store
        return json.loads(store.get(key)) if store.check([key]) else None

    def _watch(self) -> None:
        """End this process if it does not notice by itself that another one has ended.

        What waits for a GPU can't be interrupted otherwise.
        """
        while not self._over.wait(1):
            if any(other.poll() is not None for other in self.others.values()):
                if self._over.wait(GRACE):
                    return
                print(f"error: {self._describe_lost()}", file=sys.stderr, flush=True)
                self._kill()
                os._exit(LostProcessError.status)

    def end(self) -> None:
        """Let the others end, after a run that went well."""
        self._over.set()
        self._tell({"call": "end"})
        for rank, other in self.others.items():
            try:
                other.wait(GRACE)
            except subprocess.TimeoutExpired:
                other.kill()
            self._output_of(rank).unlink(missing_ok=True)
        self.meeting.part()

    def stop(self) -> None:
        """End the others, whatever they are at."""
        self._over.set()
        # those that were started elsewhere may be at another run's tasks next
        self.meeting.store.set("over", "")
        self._kill()
        self.meeting.part()

    def _kill(self) -> None:
        for rank, other in self.others.items():
            other.kill()
            other.wait()
            output = self._output_of(rank)
            if output.exists() and not output.stat().st_size:
                output.unlink()


class _Relay(Running):
    """Lets the other processes make every call that Lightning makes here."""

    def __init__(self, leader: Leader, recipe: dict[str, Any]) -> None:
        self.leader, self.recipe = leader, recipe

    def launch(self, function: Callable[..., Any], *args: Any, **given: Any) -> Any:
        """Call `_fit_impl` or `_test_impl` here and there."""
        trainer = given.pop("trainer")
        checkpoint = signature(function).bind(*args, **given).arguments.get("ckpt_path")
        task = {"call": function.__name__, "checkpoint": checkpoint and str(checkpoint)}
        try:
            self.leader.call({**self.recipe, **task}, trainer)
            return function(*args, **given)
        except UserError:
            raise
        except Exception as error:
            # the end of another process comes as an error of whatever was said to it
            self.leader.raise_lost(PATIENCE if describe_error(error)["lost"] else 0)
            raise
