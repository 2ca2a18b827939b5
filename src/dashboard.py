"""`make dashboard`: the MLflow UI over the embedded store that runs write to."""

from __future__ import annotations

import os
import subprocess
import sys

from src.paths import OUTPUTS


def main() -> None:
    """Serves the UI at 127.0.0.1:5000 until Ctrl-C; further arguments go to `mlflow ui`."""
    database = OUTPUTS / "mlflow.db"
    if not database.exists():
        print(
            f"error: no runs yet: {database} is made by the first one; try make demo",
            file=sys.stderr,
        )
        sys.exit(2)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{database}"]
    try:
        environment = {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ}
        ended = subprocess.run([*command, *sys.argv[1:]], env=environment, check=False)
        sys.exit(ended.returncode)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
