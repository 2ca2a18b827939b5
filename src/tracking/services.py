"""`make services`: MLflow's server on PostgreSQL, both on this machine, for many runs at once.

An SQLite database has one writer at a time, and breaks on a network file system; PostgreSQL has
neither trouble. Both listen on the loopback interface alone: docs/cluster.md says how a group
lets its machines in.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from src.config.paths import OUTPUTS
from src.errors import USER_ERROR, UserError
from src.tracking.first_sight import SETTINGS, choose_app
from src.tracking.store import check_server

HOST = "127.0.0.1"
USER = "mlflow"
# PostgreSQL refuses to be run by root, and Debian's package makes this user for it
SERVER_USER = "postgres"
STARTING = 60.0
"""Seconds that either has to start."""


class Services:
    """PostgreSQL with its data in `folder`, and MLflow's server, as child processes."""

    def __init__(self, folder: Path, port: int, database_port: int, workers: int = 4) -> None:
        self.folder, self.port, self.database_port = folder.resolve(), port, database_port
        self.workers = workers
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def uri(self) -> str:
        """What runs are given as tracking.uri."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start both, the database made at the first time. Raises UserError if that fails."""
        if find_spec("psycopg") is None:
            raise UserError("MLflow needs psycopg for PostgreSQL: pip install 'psycopg[binary]'")
        for port in (self.port, self.database_port):
            _check_free(port)
        self.folder.mkdir(parents=True, exist_ok=True)
        password = self._make_database()
        listening = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
        place = ["-D", str(self._data), "-p", str(self.database_port)]
        self._launch("postgres", [_find("postgres"), *place, *listening])
        store = f"postgresql+psycopg://{USER}:{password}@{HOST}:{self.database_port}/postgres"
        self._wait_for(store)
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST]
        command += ["--port", str(self.port), "--workers", str(self.workers)]
        command += choose_app()
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        # not among the words, which everybody on this machine can list
        self._launch("mlflow", command, MLFLOW_BACKEND_STORE_URI=store)
        self._wait_for(self.uri)

    def wait(self) -> None:
        """Wait until one of them ends."""
        while all(process.poll() is None for process in self._processes):
            time.sleep(0.5)

    def stop(self) -> None:
        """End both, MLflow's server first."""
        for process in reversed(self._processes):
            # to PostgreSQL: at once, but orderly
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STARTING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    @property
    def _data(self) -> Path:
        return self.folder / "postgres"

    def _make_database(self) -> str:
        """Make the database where there is none; return its password."""
        secret = self.folder / "password"
        if (self._data / "PG_VERSION").exists():
            return secret.read_text()
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(16))
        if os.geteuid() == 0:
            for path in (self._data, secret):
                shutil.chown(path, SERVER_USER, SERVER_USER)
        how = ["--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256"]
        command = [_find("initdb"), "-D", str(self._data), "--encoding", "UTF8", *how]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **_user())
        if made.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            reason = (made.stderr.strip().splitlines() or ["initdb failed"])[0]
            raise UserError(f"no database can be made in {self._data}: {reason}")
        return secret.read_text()

    def _launch(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Start a child process whose lines go to a file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**SETTINGS, **os.environ, **environment},
                start_new_session=True,  # Ctrl-C is for this process, which ends them in order
                **(_user() if name == "postgres" else {}),
            )
        self._processes.append(process)

    def _wait_for(self, uri: str) -> None:
        """Wait until the process that was launched last answers."""
        until = time.monotonic() + STARTING
        while time.monotonic() < until and self._processes[-1].poll() is None:
            try:
                check_server(uri)
                return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise UserError(f"{uri.rpartition('@')[2]} does not start: see the logs in {self.folder}")


def _find(program: str) -> str:
    """Return the path of one of PostgreSQL's programs, which Debian keeps out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [os.environ.get("PATH", ""), *map(str, versions)]
    found = shutil.which(program, path=os.pathsep.join(places))
    if found is None:
        raise UserError(f"PostgreSQL's {program} is not there: apt install postgresql")
    return found


def _user() -> dict[str, Any]:
    """Return how a child process is started as a user that may run PostgreSQL."""
    if os.geteuid() != 0:
        return {}
    return {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []}


def _check_free(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise UserError(f"port {port} is taken: give another with --port") from error


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Serve until Ctrl-C."""
    given = argparse.ArgumentParser(prog="make services", description=main.__doc__)
    given.add_argument("--folder", type=Path, default=OUTPUTS / "services")
    given.add_argument("--port", type=int, default=5001, help="of MLflow's server")
    given.add_argument("--database-port", type=int, default=5433)
    given.add_argument("--workers", type=int, default=4, help="processes that answer")
    services = Services(**vars(given.parse_args()))
    signal.signal(signal.SIGTERM, _end)
    try:
        services.start()
        print(f"runs     python -m src.train tracking.uri={services.uri} ...", flush=True)
        print(f"pages    {services.uri}", flush=True)
        print(f"folder   {services.folder}", flush=True)
        services.wait()
        print(f"error: one of them has ended: see the logs in {services.folder}", file=sys.stderr)
        sys.exit(1)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        pass
    finally:
        services.stop()


if __name__ == "__main__":
    main()
