"""This machine, as LLVM sees it."""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import binding


class TileShape(NamedTuple):
    """How much of a matrix product stays in registers: rows times vectors of so many lanes."""

    rows: int
    vectors: int
    lanes: int


def choose_tiles() -> tuple[TileShape, TileShape, TileShape]:
    """Return what fills this machine's registers, widest first: 32 of 16 lanes, or 16 of 8."""
    if binding.get_host_cpu_features().get("avx512f"):
        return TileShape(8, 2, 16), TileShape(8, 1, 16), TileShape(8, 1, 8)
    return TileShape(4, 2, 8), TileShape(8, 1, 8), TileShape(8, 1, 8)


TILES = choose_tiles()
LANES = 8
"""Floats in a vector of operations on rows."""
ROWS = 8
"""What the rows of a product are padded to."""
WIDE = TILES[0].vectors * TILES[0].lanes
"""Columns of the widest tile. What is left of a matrix's columns takes narrower ones."""


def pad(n: int, to: int) -> int:
    """Return the next multiple of `to`."""
    return -(-n // to) * to


def pad_columns(n: int) -> int:
    """Return how many columns to store n in: rows that lie 512 bytes apart would share cache lines.

    With 256 columns of float32, say, every row begins in one of four sets of the nearest cache.
    """
    padded = pad(n, LANES)
    return padded + LANES if padded % 128 == 0 else padded


def target_machine() -> Any:
    """Return what makes code for just this processor; an engine that is given one owns it."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )


def describe() -> str:
    """Return all that code made here depends on beside its source."""
    host = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return " ".join([*map(str, binding.llvm_version_info), *host, binding.get_process_triple()])


def load(name: str, content: bytes) -> tuple[Any, int]:
    """Load an object file; return what keeps its code in memory, and the address of a function."""
    machine = target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(content))
    engine.finalize_object()
    return engine, engine.get_function_address(name)
