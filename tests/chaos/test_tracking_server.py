"""MLflow's server absent, frozen, killed, back again and slow; runs killed at any moment."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.chaos.conftest import Note
from tests.chaos.tracking_server import Server, SlowProxy
from tests.commands import TINY, Finished, finish, start
from tests.tracking.test_mlflow import artifacts, runs_of

pytestmark = pytest.mark.chaos

EPOCHS = 40
LONGEST_WAIT = 2.0  # seconds of a step
LONGEST_END = 60.0
LONGEST_START = 10.0  # until a server that can't be used is told of
AWAY = 4.0
FILES = {"config.yaml", "history.csv", "metrics.json", "per_user.parquet", "checkpoints"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def client(server: Server) -> MlflowClient:
    return MlflowClient(server.uri)


def times(step: float, end: float) -> str:
    return f"the longest step {step:.2f} s, the end waited {end:.0f} s"


class Training:
    """A run of EPOCHS epochs, half a second each, that is recorded by a server."""

    def __init__(self, home: Path, uri: str, experiment: str, *words: str) -> None:
        self.home, self.experiment = home, experiment
        home.mkdir(exist_ok=True)
        self.times = home / "step-times.json"
        times = f"{{_target_:tests.chaos.tracking_server.StepTimes,file:{self.times}}}"
        epochs = (f"trainer.max_epochs={EPOCHS}", "trainer.patience=null", "model=gmf")
        record = (f"tracking.uri={uri}", f"tracking.experiment={experiment}")
        self.words = (*TINY, *epochs, f"trainer.callbacks=[{times}]", *record, *words)
        self.process = start(home, *self.words)

    def reach(self, epoch: int) -> None:
        """Wait until an epoch is done."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(f"epoch {epoch:2d}/"):
                return
        raise AssertionError(self.process.communicate()[1])

    def is_recorded(self, client: MlflowClient) -> None:
        """Wait until the server has the run."""
        while True:
            found = client.get_experiment_by_name(self.experiment)
            if found and client.search_runs([found.experiment_id]):
                return
            assert self.process.poll() is None
            time.sleep(0.1)

    def end(self) -> tuple[Finished, float]:
        """Wait for the end; also return the seconds from the last epoch to it."""
        self.reach(EPOCHS)
        started = time.monotonic()
        return finish(self.process), time.monotonic() - started

    @property
    def longest_step(self) -> float:
        return float(json.loads(self.times.read_text()))

    def sync(self, status: int = 0) -> str:
        """Send what is left."""
        done = finish(start(self.home, command="src.sync"))
        assert done.status == status, done.err
        return done.out


def lost(client: MlflowClient, run: Run, folder: Path) -> int:
    """The number of points that the server lacks, or has twice, and of missing files."""
    history = pd.read_csv(folder / "history.csv")
    missing = 0
    for name in history.columns.drop("epoch"):
        points = client.get_metric_history(run.info.run_id, name.replace("@", "_at_"))
        steps = sorted(point.step for point in points)
        missing += len(set(history["epoch"]) ^ set(steps)) + len(steps) - len(set(steps))
    results = json.loads((folder / "metrics.json").read_text())
    named = {name if name not in history else f"best/{name}" for name in results}
    missing += len({name.replace("@", "_at_") for name in named} - set(run.data.metrics))
    return missing + len(FILES - artifacts(client, run.info.run_id))


def check_all_there(client: MlflowClient, training: Training, folder: Path) -> None:
    """Assert that the experiment has one run, and all of it."""
    (run,) = runs_of(client, training.experiment)
    assert run.info.status == "FINISHED"
    assert lost(client, run, folder) == 0


def test_absent_at_the_start(tmp_path: Path, note: Note) -> None:
    absent = Server(tmp_path / "absent")
    started = time.monotonic()
    refused = finish(start(tmp_path, *TINY, f"tracking.uri={absent.uri}"))
    seconds = time.monotonic() - started
    assert refused.status == 2
    assert refused.err.startswith(f"error: tracking.uri={absent.uri} can't be reached: ")
    assert refused.err.count("\n") == 1
    assert len(refused.err) <= 300
    assert seconds < LONGEST_START
    note("MLflow's server absent at the start: one line, status 2", 1, detail=f"in {seconds:.1f} s")


def test_absent_and_then_there(tmp_path: Path, note: Note) -> None:
    late = Server(tmp_path / "late")
    training = Training(tmp_path / "home", late.uri, "late", "tracking.required=false")
    try:
        training.reach(3)
        late.start()
        done, seconds = training.end()
        assert done.status == 0, done.err
        training.sync()
        check_all_there(MlflowClient(late.uri), training, done.folder)
    finally:
        late.kill()
    assert training.longest_step <= LONGEST_WAIT
    note(
        "MLflow's server absent at the start, there from epoch 4 (`tracking.required=false`)",
        1,
        detail=times(training.longest_step, seconds),
    )


@pytest.mark.parametrize("fault", ["killed", "frozen"])
@pytest.mark.parametrize("comes_back", [True, False], ids=["back", "away"])
def test_a_fault_under_way(
    fault: str, comes_back: bool, server: Server, client: MlflowClient, tmp_path: Path, note: Note
) -> None:
    training = Training(tmp_path, server.uri, f"{fault}-{comes_back}")
    try:
        training.is_recorded(client)
        server.kill() if fault == "killed" else server.signal(signal.SIGSTOP)
        if comes_back:
            time.sleep(AWAY)
            server.start() if fault == "killed" else server.signal(signal.SIGCONT)
        done, seconds = training.end()
        assert done.status == 0, done.err
        assert seconds < LONGEST_END
        if not comes_back:
            assert f"src.sync run={done.folder} sends them" in done.out
    finally:
        if not comes_back:
            server.start() if fault == "killed" else server.signal(signal.SIGCONT)
    training.sync()
    training.sync()
    check_all_there(client, training, done.folder)
    assert training.longest_step <= LONGEST_WAIT
    when = f"back {AWAY:.0f} s later" if comes_back else "away until src.sync"
    note(
        f"MLflow's server {fault} under way, {when}",
        1,
        detail=times(training.longest_step, seconds),
    )


def test_frozen_while_the_run_starts(server: Server, tmp_path: Path, note: Note) -> None:
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        refused = finish(start(tmp_path, *TINY, f"tracking.uri={server.uri}"))
        seconds = time.monotonic() - started
    finally:
        server.signal(signal.SIGCONT)
    assert refused.status == 2
    assert "can't be reached: no answer within 5 seconds" in refused.err
    assert refused.err.count("\n") == 1
    assert seconds < LONGEST_START
    note("MLflow's server frozen at the start: one line, status 2", 1, detail=f"in {seconds:.1f} s")


def test_thirty_seconds_an_answer(
    server: Server, client: MlflowClient, tmp_path: Path, note: Note
) -> None:
    proxy = SlowProxy(server.port)
    training = Training(tmp_path, proxy.uri, "slow")
    training.is_recorded(client)
    proxy.delay = 30.0
    done, seconds = training.end()
    assert done.status == 0, done.err
    proxy.delay = 0.0
    training.sync()
    check_all_there(client, training, done.folder)
    assert training.longest_step <= LONGEST_WAIT
    assert seconds < 3 * LONGEST_END
    note(
        "MLflow's server takes 30 s an answer",
        1,
        detail=times(training.longest_step, seconds),
    )


def test_a_sync_that_is_killed(
    server: Server, client: MlflowClient, tmp_path: Path, note: Note
) -> None:
    proxy = SlowProxy(server.port)
    training = Training(tmp_path, proxy.uri, "sync")
    training.is_recorded(client)
    server.kill()
    done, _ = training.end()
    server.start()
    proxy.delay = 0.3
    kills = 5
    for n in range(kills):
        process = start(tmp_path, command="src.sync")
        try:
            process.wait(4.0 + n)
        except subprocess.TimeoutExpired:
            process.kill()
        finish(process)
    proxy.delay = 0.0
    training.sync()
    check_all_there(client, training, done.folder)
    note("`src.sync` killed while it sends", kills)


def test_runs_that_are_killed_at_any_moment(
    server: Server, client: MlflowClient, tmp_path: Path, note: Note
) -> None:
    chance = random.Random(0)
    tries, folders = 6, []
    for n in range(tries):
        training = Training(tmp_path / str(n), server.uri, f"any-{n}")
        training.reach(1 + chance.randrange(6))
        time.sleep(chance.random())
        training.process.kill()
        finish(training.process)
        (folder,) = (tmp_path / str(n) / "outputs" / "runs").iterdir()
        folders.append(folder)
        training.sync()
        (run,) = runs_of(client, f"any-{n}")
        assert run.info.status == "KILLED"
        history = client.get_metric_history(run.info.run_id, "train/loss")
        steps = [point.step for point in history]
        assert steps == list(range(len(steps)))
        assert "checkpoints" in artifacts(client, run.info.run_id)
    note("a run killed at a random moment: its record is closed by what comes next", tries)


def test_eight_fresh_starts_at_once(tmp_path: Path, note: Note) -> None:
    words = ("model=gmf", "trainer.max_epochs=1", "data.cache=" + str(tmp_path / "prepared"))
    processes = [start(tmp_path, *TINY, *words, f"seed={seed}") for seed in range(8)]
    ended = [finish(process) for process in processes]
    assert [done.status for done in ended] == [0] * 8, [done.err for done in ended]
    client = MlflowClient(f"sqlite:///{tmp_path}/outputs/mlflow.db")
    runs = runs_of(client, "synthetic")
    assert {run.data.params["seed"] for run in runs} == {str(seed) for seed in range(8)}
    assert [run.info.status for run in runs] == ["FINISHED"] * 8
    for done in ended:
        assert lost(client, client.get_run(done.run_id), done.folder) == 0
    note("fresh starts at once into one new store", 8)


def test_first_starts_that_are_killed(tmp_path: Path, note: Note) -> None:
    chance = random.Random(1)
    tries = 6
    for n in range(tries):
        home = tmp_path / str(n)
        process = start(home, *TINY, "model=gmf", "trainer.max_epochs=1")
        database = home / "outputs" / ".mlflow.db.new"
        while not database.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(2 * chance.random())
        process.kill()
        finish(process)
        again = finish(start(home, *TINY, "model=gmf", "trainer.max_epochs=1"))
        assert again.status == 0, again.err
        statuses = sorted(
            run.info.status
            for run in runs_of(MlflowClient(f"sqlite:///{home}/outputs/mlflow.db"), "synthetic")
        )
        assert statuses[:1] == ["FINISHED"]
        assert set(statuses) <= {"FINISHED", "KILLED"}
    note("the first start killed while the database is made", tries)
