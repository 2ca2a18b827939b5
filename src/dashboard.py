"""`make dashboard`: the MLflow UI over the embedded store that runs write to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import urlencode

from src.config.paths import OUTPUTS
from src.config.ports import check_port
from src.errors import UserError
from src.tracking.first_sight import SETTINGS, choose_app

HOST, PORT = "127.0.0.1", 5000


def main() -> None:
    """Serve the UI at 127.0.0.1 until Ctrl-C; arguments but port=N go to `mlflow ui`."""
    database = OUTPUTS / "mlflow.db"
    try:
        port, others = _take_port(sys.argv[1:])
        if not database.exists():
            raise UserError(f"no runs yet: {database} is made by the first one; try make demo")
        if "--help" not in others:
            if not {"--port", "-p", "--host", "-h"} & set(others):
                check_port(HOST, port)
            url = f"http://{HOST}:{port}"
            print(f"runs     {find_page(f'sqlite:///{database}', url)}", flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    # one process answers one person; a later --workers wins
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(port)]
    if "--app-name" not in others:
        command += choose_app()
    store = ["--backend-store-uri", f"sqlite:///{database}"]
    # in place of this process, so that whoever ends it ends the server
    os.execve(sys.executable, [*command, *store, *others], {**SETTINGS, **os.environ})


def _take_port(words: Sequence[str]) -> tuple[int, list[str]]:
    """Return the port that port=N names, and the other words."""
    named = [word.removeprefix("port=") for word in words if word.startswith("port=")]
    others = [word for word in words if not word.startswith("port=")]
    if not named:
        return PORT, others
    if not named[-1].isdecimal() or not 0 < int(named[-1]) < 65536:
        raise UserError(f"port={named[-1]}: a number from 1 to 65535")
    return int(named[-1]), others


def find_page(uri: str, url: str) -> str:
    """Return the address, at a server's `url`, of the latest sweep or search, else of all runs.

    MLflow's own first page is of language models.
    """
    from src.tracking.reading import Reader

    latest = Reader(uri).latest_view()
    page, shown = "experiments", {"workflowType": "machine_learning"}
    if latest is not None:
        experiment, view = latest
        page = f"experiments/{experiment}/runs"
        shown |= {"viewStateShareKey": view} if view else {}
    return f"{url}/#/{page}?{urlencode(shown)}"


if __name__ == "__main__":
    main()
