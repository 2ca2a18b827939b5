"""MLflow's server as a process that can be killed, frozen and slowed, and the waits of a run."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytorch_lightning as pl


class Server:
    """An MLflow server with an SQLite database and artifacts below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        store = ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        place = ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *address, *store, *place],
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                with urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError((self.folder / "server.log").read_text())

    def signal(self, sent: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        if self._process is not None:
            os.killpg(self._process.pid, sent)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class SlowProxy:
    """Passes everything on to a server, each answer after `delay` seconds."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self._behind = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._socket.accept()
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._behind)) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(1 << 16)
                        if not data:
                            return
                        if ready is server:
                            time.sleep(self.delay)
                        (client if ready is server else server).sendall(data)
                    except OSError:
                        return


class StepTimes(pl.Callback):
    """Makes each epoch last as long as one of MovieLens-1M, and measures the longest step.

    A step is the time from one of Lightning's hooks of the training to the next.
    """

    def __init__(self, file: str, pause: float = 0.5) -> None:
        self.file, self.pause = Path(file), pause
        self.longest = self.last = 0.0

    def _look(self, *_: Any) -> None:
        now = time.monotonic()
        if self.last:
            self.longest = max(self.longest, now - self.last)
        self.last = now

    on_train_batch_start = on_train_batch_end = _look  # type: ignore[assignment]
    on_validation_start = on_validation_end = on_train_epoch_start = _look  # type: ignore

    def on_train_epoch_end(self, *_: Any) -> None:
        self._look()
        time.sleep(self.pause)
        self.last = time.monotonic()

    def on_train_end(self, *_: Any) -> None:
        self._look()
        self.file.write_text(json.dumps(self.longest))
