"""The prepared data of a run: split, candidates and vocabularies, memory-mapped from disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from src.data.interactions import IntArray, Interactions
from src.data.seal import check_seal, seal
from src.data.splitting import Split

Part = Literal["val", "test"]


@dataclass(frozen=True)
class Prepared:
    """The arrays that training and judging need, and nothing that depends on a run's seed."""

    split: Split
    candidates: dict[Part, IntArray] | None
    """int32 [n, C] for each part, in the order of its rows; None to rank the whole catalogue.

    Of a part that is missing the metrics are expectations over all draws of as many candidates as
    test has.
    """
    fingerprint: str
    """Hex digest of the source's content and of every option that shaped the arrays."""
    how: str = ""
    """How the parts came about, for people: "split by time"."""

    def part(self, part: Part) -> Interactions:
        """Return the interactions of validation or of test."""
        return self.split.validation if part == "val" else self.split.test

    @property
    def n_candidates(self) -> int | None:
        """How many candidates each test target has; None where it is the whole catalogue."""
        return None if self.candidates is None else self.candidates["test"].shape[1]

    @property
    def n_users(self) -> int:
        return self.split.train.n_users

    @property
    def n_items(self) -> int:
        return self.split.train.n_items


def save(prepared: Prepared, folder: Path) -> None:
    """Write one .npy file for each array to `folder`, and what tells whether they are whole.

    Raises OSError when the disk is full.
    """
    split = prepared.split
    arrays: dict[str, Any] = {"user_ids": split.train.user_ids, "item_ids": split.train.item_ids}
    for name, part in (("train", split.train), ("val", split.validation), ("test", split.test)):
        for column in ("users", "items", "ratings", "timestamps"):
            if (array := getattr(part, column)) is not None:
                arrays[f"{name}_{column}"] = array
    for part_name, candidates in (prepared.candidates or {}).items():
        arrays[f"{part_name}_candidates"] = candidates
    for name, array in arrays.items():
        # numpy itself writes to a file without saying why that failed
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(_Writer(file), array, allow_pickle=False)
    seal(folder, prepared.fingerprint)


class _Writer:
    """A file to numpy only by its method to write."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def load(folder: Path, fingerprint: str) -> Prepared:
    """Map into memory the arrays that `save` wrote to `folder`.

    Raises DamageError unless every file is as it was written, for arrays of this fingerprint.
    """
    check_seal(folder, fingerprint)
    arrays = {file.stem: np.load(file, mmap_mode="r") for file in folder.glob("*.npy")}

    def gather_columns(name: str) -> Interactions:
        return Interactions(
            users=arrays[f"{name}_users"],
            items=arrays[f"{name}_items"],
            user_ids=arrays["user_ids"],
            item_ids=arrays["item_ids"],
            ratings=arrays.get(f"{name}_ratings"),
            timestamps=arrays.get(f"{name}_timestamps"),
        )

    parts: tuple[Part, ...] = ("val", "test")
    candidates = {
        name: arrays[f"{name}_candidates"] for name in parts if f"{name}_candidates" in arrays
    }
    split = Split(gather_columns("train"), gather_columns("val"), gather_columns("test"))
    return Prepared(split, candidates or None, fingerprint)
