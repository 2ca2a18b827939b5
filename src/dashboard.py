"""`make dashboard`: the MLflow UI over the embedded store that runs write to."""

from __future__ import annotations

import os
import sys

from src.config.paths import OUTPUTS

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # of language models' jobs: ten processes and 1.2 GB that no run of ours has a use for
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def main() -> None:
    """Serve the UI at 127.0.0.1:5000 until Ctrl-C; further arguments go to `mlflow ui`."""
    database = OUTPUTS / "mlflow.db"
    if not database.exists():
        print(
            f"error: no runs yet: {database} is made by the first one; try make demo",
            file=sys.stderr,
        )
        sys.exit(2)
    if "--help" not in sys.argv:
        print('runs and sweeps: choose "Model training" at the top left', flush=True)
    # one process answers one person; a later --workers wins
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{database}"]
    # in place of this process, so that whoever ends it ends the server
    os.execve(sys.executable, [*command, *store, *sys.argv[1:]], {**SETTINGS, **os.environ})


if __name__ == "__main__":
    main()
