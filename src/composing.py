"""What composing a configuration needs: values for ${outputs:}, ${choices:} and the like.

Importing this file provides them, also in the processes that a parallel launcher starts.
"""

from __future__ import annotations

import os
import textwrap

from omegaconf import OmegaConf

from src.paths import CONF, OUTPUTS


def _choices() -> str:
    """For --help: each group and its choices, in lines that fit a terminal."""
    aside = {CONF / "hydra" / name for name in ("help", "sweeper")} | {CONF / "search"}
    folders = sorted({file.parent for file in CONF.glob("*/**/*.yaml")} - aside)
    lines = []
    for folder in folders:
        names = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        line = f"{folder.relative_to(CONF).as_posix()}: {names}"
        lines += textwrap.wrap(line, 98, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)


OmegaConf.register_new_resolver("choices", _choices, replace=True)
OmegaConf.register_new_resolver("outputs", lambda: str(OUTPUTS), replace=True)
OmegaConf.register_new_resolver("pid", os.getpid, replace=True)
