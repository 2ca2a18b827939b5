"""The arrays of a Keras file: HDF5, as `save_weights` and `save` wrote it, old and new.

Only here is h5py known. Read are numbers that lie in the file itself, and nothing that it links to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src.errors import UserError, shorten

if TYPE_CHECKING:
    import h5py

Layers = dict[str, list[NDArray[np.float32]]]
"""The weights of each layer that has some: kernel, then bias."""

# What h5py raises for damage in one place or another
DAMAGES = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError)
# Numbers pack to little less than they are: a small file that says it holds much more is damaged
MOST_PACKED = 100


def read_layers(file: Path) -> Layers:
    """Read all weights. Raises UserError for what Keras did not write, and without h5py."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            "reading a file of Keras needs one more package: pip install 'ncf-bench[keras]'"
        ) from error
    if not file.is_file():
        raise UserError(f"{file}: no such file")
    try:
        with h5py.File(file, "r") as content:
            found = _find_arrays(content, file)
            # a kernel has two dimensions and a bias one. The attribute weight_names tells their
            # order too, but of texts that are damaged HDF5 reads on for ever
            return {
                layer: sorted(map(_read_numbers, arrays), key=lambda array: -array.ndim)
                for layer, arrays in found.items()
            }
    except DAMAGES as error:
        raise UserError(f"{file} can't be read as HDF5: {shorten(error, 120)}") from error


def _find_arrays(content: h5py.File, file: Path) -> dict[str, list[h5py.Dataset]]:
    """Return each layer's arrays, unread. Raises UserError for what is no array of weights."""
    import h5py

    # of `save`, which keeps the network's description and the optimizer's state beside it
    saved = content.get("model_weights", getlink=True)
    root = content["model_weights"] if isinstance(saved, h5py.HardLink) else content
    if "layer_names" not in root.attrs:
        raise UserError(f"{file} has no layer_names: it is not what Keras' save_weights wrote")
    found: dict[str, list[h5py.Dataset]] = {}
    left = MOST_PACKED * file.stat().st_size

    def collect(path: str, one: h5py.Group | h5py.Dataset) -> None:
        nonlocal left
        if not isinstance(one, h5py.Dataset):
            return
        if one.external or one.is_virtual:
            raise UserError(f"{file}: {path} lies in another file")
        if one.shape is None or one.dtype.kind != "f":
            raise UserError(f"{file}: {path} holds no numbers with a fraction")
        left -= one.nbytes
        if left < 0:
            raise UserError(f"{file}: {path} can't be as large as {one.shape}: damaged")
        found.setdefault(path.partition("/")[0], []).append(one)

    root.visititems(collect)  # each once, and no links
    return found


def _read_numbers(array: h5py.Dataset) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # infinite then, which is looked for later
        return np.asarray(array[()], np.float32)
