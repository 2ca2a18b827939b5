"""What a job is known by: a digest of its options, its data and the code that computes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from src.config.compose import Plain
from src.errors import UserError
from src.run.assembly import make_data
from src.run.code_identity import code_version, own_code_version
from src.run.options import PARTS, read_options

KEY_LENGTH = 16
# Options that say how runs are recorded and kept, and change none
RECORDING = ("tracking", "sweep", "resume", "checkpoint_every", "check")
# and those that decide no more than whether a run may start
ASIDE = (*RECORDING, "trust")
# Options of the trainer that share the work out
PROCESSES = ("devices", "nodes")


def read_fingerprint(options: Plain) -> str | None:
    """Return the fingerprint of the data, prepared on the way; None when options are mistaken."""
    try:
        return make_data(read_options(options)).prepared.fingerprint
    except (UserError, OSError):
        return None  # the run itself will say why


def decisive(options: Plain) -> Plain:
    """Return those of a run's options that may change its results.

    Where things lie does not, and what lies there is in the data's fingerprint; nor does how many
    processes share a batch, but for rounding.
    """
    trainer = {k: v for k, v in options.get("trainer", {}).items() if k not in PROCESSES}
    places = ("root", "path", "cache", *PARTS)
    data = {k: v for k, v in options["data"].items() if k not in places}
    data["source"] = {
        key: value
        for key, value in data["source"].items()
        if key not in ("root", "path") and not key.endswith("_path")
    }
    own = {k: v for k, v in options.items() if k not in ASIDE}
    return own | {"data": data, "trainer": trainer}


def digest_code(options: Plain) -> dict[str, str]:
    """Return digests of the code that computes a run with these options: ours, and the user's."""
    own = own_code_version({key: options[key] for key in options if key not in ASIDE})
    return {"code": code_version(), **({} if own is None else {"own_code": own})}


def make_key(options: Plain, fingerprint: str | None) -> str:
    """Return the digest of all that decides a run's results: options, data and code."""
    key = {**decisive(options), "fingerprint": fingerprint, **digest_code(options)}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:KEY_LENGTH]


def name_kind(options: Plain) -> str:
    """Return what decides how long a run with these options takes, as text to compare.

    Its seed and the number of threads don't count, nor which runs a pre-trained model starts from.
    """
    model = dict(options["model"])
    starts = model.get("pretrained")
    if isinstance(starts, Mapping):  # models of the user's own may call something else so
        model["pretrained"] = sorted(name for name, run in starts.items() if run is not None)
    data = [options["data"].get(option) for option in ("name", "batch_size", "negatives")]
    trainer = {name: value for name, value in options["trainer"].items() if name != "threads"}
    others = [options.get(group) for group in ("loss", "optimizer", "protocol")]
    return json.dumps([model, data, trainer, *others], sort_keys=True)


def name_shape(options: Plain) -> str:
    """Return what decides how long a step of a run with these options takes, as text to compare."""
    return name_kind({**options, "protocol": None, "trainer": {}})
