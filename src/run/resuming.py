"""Go on with a single run that was cut off."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from src.config.compose import compose, plain
from src.config.durable import write_text
from src.config.trust import refuse_foreign_code, trusted_modules
from src.errors import UserError
from src.run.finished import read_finished
from src.run.identity import make_key
from src.run.lease import holding, is_held
from src.run.options import check_groups

STARTED = "started.json"
AUTO = "auto"


def take_up(cfg: DictConfig, words: Sequence[str], folder: Path) -> tuple[DictConfig, Path]:
    """Return the configuration and the folder of the run that `resume` names, or of a new one.

    cfg: of the command line `words`, for which `folder` was made. Raises UserError for a run that
    is finished, that another process is at, or that would not come to the same end.
    """
    reference, own = str(cfg.resume), _own_words(words)
    if reference == AUTO:
        found = _find_latest(folder.parent, _key_of(cfg))
        print(f"going on with {found}" if found else "nothing to go on with: a new run", flush=True)
        return cfg, found or folder
    found = Path(reference)
    if not (found / STARTED).is_file():
        raise UserError(f"resume={reference} is no folder of a run that was cut off")
    if read_finished(found) is not None:
        raise UserError(f"resume={reference} is finished: there is nothing to go on with")
    chosen = cfg
    if not own:
        trusting = [word for word in words if word.startswith("trust=")]
        chosen = compose([*_words_of(found), *trusting])
        # the folder may be somebody else's
        refuse_foreign_code(plain(chosen), trusted_modules(plain(cfg)), found / STARTED)
    if _key_of(chosen) != _read_key(found):
        raise UserError(
            f"resume={reference} was started with other options or another version of the code, "
            f"and would not come to the same end; its options were {' '.join(_words_of(found))}"
        )
    return chosen, found


@contextmanager
def started(cfg: DictConfig, words: Sequence[str], folder: Path, made: Path) -> Iterator[bool]:
    """Hold the folder of a run while it goes; yield whether it has been there before.

    `made`: the folder that was made for this command; when it is another, its log goes to `folder`
    too and it is removed. When the run is cut off, the command that goes on is printed.
    """
    with holding(folder, wait=False):
        again = (folder / STARTED).exists()
        if not again:
            about = {"key": _key_of(cfg), "words": _own_words(words)}
            write_text(folder / STARTED, json.dumps(about, indent=2) + "\n")
        if made != folder:
            _move_log(made, folder)
        try:
            yield again
        except (KeyboardInterrupt, SystemExit):
            trusted = ",".join(trusted_modules(plain(cfg)))
            more = f" trust=[{trusted}]" if trusted else ""
            print(f"to go on: python -m src.train resume={folder}{more}", flush=True)
            raise


def _own_words(words: Sequence[str]) -> list[str]:
    """Return the words that choose the run, not how it is gone on with."""
    return [word for word in words if not word.startswith(("resume=", "trust="))]


def _find_latest(runs: Path, key: str) -> Path | None:
    """Return the folder of the latest run of this key that is cut off."""
    for file in sorted(runs.glob(f"*/{STARTED}"), key=lambda it: it.stat().st_mtime, reverse=True):
        folder = file.parent
        if _read_key(folder) == key and read_finished(folder) is None and not is_held(folder):
            return folder
    return None


def _key_of(cfg: DictConfig) -> str:
    """Return the digest of options and code; data are compared when they are there."""
    options = plain(cfg)
    check_groups(options)
    return make_key(options, None)


def _read_started(folder: Path) -> dict[str, object]:
    try:
        return dict(json.loads((folder / STARTED).read_text()))
    except (ValueError, TypeError):
        return {}


def _read_key(folder: Path) -> object:
    return _read_started(folder).get("key")


def _words_of(folder: Path) -> list[str]:
    words = _read_started(folder).get("words", [])
    return [str(word) for word in words] if isinstance(words, list) else []


def _move_log(made: Path, folder: Path) -> None:
    """Let log lines go on in the run's own folder, and remove the one that was made."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == made:
            handler.close()
            handler.baseFilename = str(folder / Path(handler.baseFilename).name)
    shutil.rmtree(made)
