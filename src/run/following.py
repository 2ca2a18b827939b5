"""Another than the first of several processes that train one model: `python -m src.run.following`.

It does what the first one tells (`src/run/leading.py`): makes the parts of a run by the same
options, and takes part in every call of the trainer. It prints nothing and records nothing.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

from src.config.processes import see_working_folder
from src.config.startup import importing

with importing():
    import torch.distributed as dist

    from src.run.assembly import Run, assemble, assemble_refit, make_data
    from src.run.options import read_options
    from src.run.rendezvous import (
        FOREVER,
        HOST,
        Meeting,
        describe_error,
        find_launched,
        open_next,
        place_of,
    )
    from src.training.strategy import Place, Processes, Running

# Of a process that ends because the first one has
LEFT_ALONE = 1


def follow(meeting: Meeting) -> bool:
    """Take part in a run until it ends; tell whether there may be another."""
    try:
        made: Run | None = None
        known = 0
        for number in count():
            task = _wait_for_task(meeting, number)
            if task["call"] == "leave":
                meeting.store.add("left", 1)
                return False
            if task["call"] == "end":
                meeting.part()
                return True
            if task["trainer"] != known:
                made, known = _make(task, meeting.place), task["trainer"]
            assert made is not None
            if not meeting.joined:
                meeting.store.set(f"ready/{meeting.place.rank}", "")
                meeting.join(made.trainer.strategy.root_device)
            _call(made, task)
    except Exception as error:
        meeting.store.set(f"error/{meeting.place.rank}", json.dumps(describe_error(error)))
        raise
    raise AssertionError


def _wait_for_task(meeting: Meeting, number: int) -> dict[str, Any]:
    key = f"task/{number}"
    meeting.store.wait([key], FOREVER)
    return json.loads(meeting.store.get(key))


def _make(task: dict[str, Any], place: Place) -> Run:
    """Make the parts of a run as the first process did."""
    options, folder = read_options(task["options"]), Path(task["folder"])
    processes = Processes(place, Running())
    if epochs := task.get("refit_epochs"):
        return assemble_refit(options, folder, make_data(options), epochs, processes=processes)
    weights = task.get("weights")
    return assemble(
        options, folder, weights=Path(weights) if weights else None, processes=processes
    )


def _call(made: Run, task: dict[str, Any]) -> None:
    checkpoint = task["checkpoint"]
    if task["call"] == "_fit_impl":
        made.trainer.fit(made.module, datamodule=made.data, ckpt_path=checkpoint)
    else:
        made.trainer.test(made.module, datamodule=made.data, ckpt_path=checkpoint, verbose=False)


def follow_launched() -> None:
    """Take part in the runs of processes that torchrun or Slurm started, one after the other."""
    launched = find_launched()
    assert launched is not None
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - to the end of the process
    while True:
        meeting = Meeting(open_next(launched), place_of(launched))
        try:
            if not follow(meeting):
                return
        except Exception:
            meeting.part()
            # the run failed there; other runs of a sweep may follow
            if not _is_over(meeting):
                raise


def _is_over(meeting: Meeting) -> bool:
    try:
        meeting.store.wait(["over"], timedelta(seconds=10))
    except dist.DistError:
        return False
    return True


def _end_with_first(port: int) -> None:
    """End this process when the first one is gone, whatever it waits for."""
    try:
        dist.TCPStore(HOST, port, is_master=False).wait(["never"], FOREVER)
    finally:
        os._exit(LEFT_ALONE)


def main() -> None:
    """Take part in the run of the process that started this one, by its store on this machine."""
    port, rank, world_size = map(int, sys.argv[1:])
    see_working_folder()
    Thread(target=_end_with_first, args=(port,), daemon=True).start()
    store = dist.TCPStore(HOST, port, is_master=False)
    follow(Meeting(store, Place(rank, world_size, rank)))


if __name__ == "__main__":
    main()
