"""From a source to prepared arrays: filter, split, draw candidates, cache."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from src.data.candidates import draw_candidates
from src.data.data_options import PreparationOptions
from src.data.filtering import filter_interactions, refuse_filters
from src.data.interactions import IntArray, Interactions
from src.data.prepared import Part, Prepared, load, save
from src.data.seal import DamageError
from src.data.sources.source import ReleasedSplit, Source
from src.data.splitting import (
    WITHOUT_TIMES,
    Split,
    describe_split,
    hold_out_validation,
    leave_one_out,
    split_by_global_time,
    split_by_ratio,
)
from src.errors import UserError

log = logging.getLogger(__name__)

# Part of the cache key: raise it whenever the same options give other arrays.
FORMAT = 2

# Ends the name of a folder that is being written
UNFINISHED = ".part"


def prepare(name: str, source: Source, options: PreparationOptions, cache: Path) -> Prepared:
    """Load the prepared arrays from `cache`; make them first if they are not there, or damaged.

    Processes that ask for the same arrays at once wait for the first of them. Raises UserError
    for whatever is wrong with the source or the options.
    """
    key = {"format": FORMAT, "source": source.fingerprint(), **_cache_key(options)}
    fingerprint = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = cache / f"{name}-{fingerprint[:16]}"
    try:
        prepared = load(folder, fingerprint)
    except DamageError:
        prepared = _prepare_alone(name, source, options, folder, fingerprint)
    given = getattr(source, "given_parts", ())
    prepared = replace(prepared, how=describe_split(prepared.split, options.split, given))
    _log_sizes(prepared)
    return prepared


def _prepare_alone(
    name: str, source: Source, options: PreparationOptions, folder: Path, fingerprint: str
) -> Prepared:
    """Make the folder's arrays, in place of damaged ones, while other processes wait for them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        _remove_orphans(folder)
        try:
            return load(folder, fingerprint)  # another process has made them meanwhile
        except DamageError as damage:
            if folder.exists():
                log.warning("%s is damaged (%s): preparing it again", folder, damage)
            else:
                log.info("preparing %s, once for these options", name)
        _write_atomically(_make_arrays(source, options, fingerprint), folder)
        return load(folder, fingerprint)


def _lock(folder: Path) -> FileLock:
    """Return the lock that whoever makes the folder holds."""
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def _working_folder(folder: Path) -> Path:
    """Return where the arrays are written that become `folder`."""
    return folder.with_name(f".{folder.name}{UNFINISHED}")


def _remove_orphans(folder: Path) -> None:
    """Remove what preparations left that were killed; the lock of `folder` is held."""
    own = _working_folder(folder)
    _remove(own)
    for working in set(folder.parent.glob(f".*{UNFINISHED}")) - {own}:
        other = working.with_name(working.name[1:].removesuffix(UNFINISHED))
        with suppress(Timeout), _lock(other).acquire(timeout=0):
            _remove(working)


def _cache_key(options: PreparationOptions) -> dict[str, Any]:
    """Return the options that decide the prepared arrays, without those that a subclass adds."""
    found = {field.name: getattr(options, field.name) for field in fields(PreparationOptions)}
    # what was prepared before there was this option stays what it is
    return {name: value for name, value in found.items() if name != "latest" or value}


def _make_arrays(source: Source, options: PreparationOptions, fingerprint: str) -> Prepared:
    data = source.read()
    split = _split_source(data, options)
    if not len(split.test):
        raise UserError("the test part is empty: use more data, or another data.split")
    if options.validation and not len(split.validation):
        raise UserError("the validation part is empty: use more data, or another data.split")
    released = data.negatives if isinstance(data, ReleasedSplit) else None
    del data  # the split has copies of what it needs
    return Prepared(split, _choose_candidates(split, released, options), fingerprint)


def _write_atomically(prepared: Prepared, folder: Path) -> None:
    """Fill a working folder and rename it to `folder`, so that `folder` is never half made."""
    working = _working_folder(folder)
    try:
        working.mkdir()
        save(prepared, working)
        _remove(folder)
        working.rename(folder)
    except BaseException as error:
        _remove(working)
        if isinstance(error, OSError):
            error.filename = error.filename or str(folder)
        raise


def _remove(path: Path) -> None:
    """Remove what is there, if anything is: a folder, or what lies in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _log_sizes(prepared: Prepared) -> None:
    split = prepared.split
    tested = int((np.bincount(split.test.users) > 0).sum())
    log.info(
        "%d users, %d items: %d training, %d validation and %d test interactions; "
        "%d users are in training only; %s",
        prepared.n_users,
        prepared.n_items,
        len(split.train),
        len(split.validation),
        len(split.test),
        prepared.n_users - tested,
        prepared.how,
    )


def _split_source(data: Interactions | ReleasedSplit, options: PreparationOptions) -> Split:
    if isinstance(data, ReleasedSplit):
        if options.split != "leave-one-out":
            raise UserError(
                f"data.split={options.split}: this data set comes with its split; "
                "use data.split=leave-one-out, or the raw data set"
            )
        refuse_filters(options.threshold, options.k_core)
        if options.validation and data.validation is not None:
            return Split(data.train, data.validation, data.test)
        if options.validation:
            return hold_out_validation(
                data.train, data.test, options.split_seed, latest=options.latest
            )
        return Split(data.train, data.train.take(np.zeros(len(data.train), bool)), data.test)
    if options.latest and data.timestamps is None:
        raise UserError(f"data.latest=true: this data has no times; {WITHOUT_TIMES}")
    data = filter_interactions(data, options.threshold, options.k_core)
    if options.split == "leave-one-out":
        return leave_one_out(data, options.validation, options.split_seed)
    validation_ratio = options.validation_ratio if options.validation else 0.0
    if options.test_ratio + validation_ratio >= 1:
        raise UserError(
            f"data.test_ratio={options.test_ratio} and data.validation_ratio="
            f"{options.validation_ratio} leave nothing for training"
        )
    if options.split == "ratio":
        return split_by_ratio(data, options.test_ratio, validation_ratio, options.split_seed)
    return split_by_global_time(data, options.test_ratio, validation_ratio)


def _choose_candidates(
    split: Split, released: IntArray | None, options: PreparationOptions
) -> dict[Part, IntArray] | None:
    if options.candidates == "all":
        return None
    if options.candidates == "released":
        if released is None:
            raise UserError(
                "data.candidates=released: only ncf-ml-1m and ncf-pinterest come with candidates, "
                "and data=parts with data.candidates_file; use a number, or all"
            )
        if options.latest:
            return {"test": released}
        drawn = draw_candidates(split, ["val"], released.shape[1], options.split_seed)
        return {**drawn, "test": released}
    parts: list[Part] = ["test"] if options.latest else ["val", "test"]
    return draw_candidates(split, parts, options.candidates, options.split_seed)
