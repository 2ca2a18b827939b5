"""Where the project's own folders are, whatever folder a command is started from."""

from __future__ import annotations

import os
from pathlib import Path

_PARENT = Path(__file__).resolve().parents[2]

CONF = _PARENT / "conf"
SOURCE = _PARENT / "src"

# An installed copy (not the repository itself) writes below the folder it is started from.
HOME = Path(os.environ.get("NCF_HOME") or (_PARENT if (_PARENT / "Makefile").exists() else "."))
OUTPUTS = HOME.resolve() / "outputs"
