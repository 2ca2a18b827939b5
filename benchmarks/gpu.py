"""`make bench-gpu`: examples a second in training and pairs a second in ranking, on a GPU.

NVIDIA's configuration of NCF on generated data of MovieLens-20M's shape, then NeuMF-8 on data of
MovieLens-1M's. Every row is printed and kept as soon as it is measured, the most important first.
benchmarks/gpu-requirements.txt lists what is needed beside torch and pytorch-lightning.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_kernels import PROFILED, longest_kernels
from benchmarks.gpu_rows import ROWS, Bench
from src.config.paths import OUTPUTS

# NVIDIA's figures for one A100 (eight train 142.9 million), and what is aimed at on one H100 or
# H200; both are of 20M's shape, ranking among 100 sampled candidates
PUBLISHED = {"training": 34.1e6, "ranking 101": 83e6}
TARGETS = {"training": 100e6, "ranking 101": 300e6}


FILE = "gpu.json"
# Seconds that the last row may take, and the kernels after it
GRACE = 120
# The worker's exit status where it wants a process of its own for the rows that are left
AGAIN = 3


def main(words: Sequence[str] | None = None) -> None:
    """Measures in a process of its own, and in another after a row that failed.

    What was recorded half, or read where it may not be, can spoil a process's device for good.
    """
    options = parse(words)
    if options.worker:
        sys.exit(work(options))
    if not torch.cuda.is_available() and not options.small:
        print(
            "error: bench-gpu needs a CUDA GPU that torch can use; --small tries it on a CPU",
            file=sys.stderr,
        )
        sys.exit(2)
    deadline = time.monotonic() + options.seconds
    if not options.resume:
        (options.out / FILE).unlink(missing_ok=True)
    while (left := deadline - time.monotonic()) > 0:
        given = ["--rows", options.rows, "--out", str(options.out), "--seconds", str(left)]
        given += ["--worker", *(["--small"] if options.small else [])]
        command = [sys.executable, "-m", "benchmarks.gpu", *given]
        try:
            status = subprocess.run(command, check=False, timeout=left + GRACE).returncode
        except subprocess.TimeoutExpired:
            print(f"stopped: still busy {GRACE} s after its time", flush=True)
            break
        if status >= 0 and status != AGAIN:
            sys.exit(status)
        if status < 0:
            print(f"the process was ended by signal {-status}", flush=True)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny sizes: a trial, also on a CPU")
    parser.add_argument("--rows", default="", help="only rows whose name has one of these, by |")
    parser.add_argument("--seconds", type=float, default=390, help="start no row after so many")
    parser.add_argument("--out", type=Path, default=OUTPUTS / "gpu", help="the folder of gpu.json")
    parser.add_argument("--resume", action="store_true", help="leave out what gpu.json has")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def work(options: argparse.Namespace) -> int:
    """Measures the rows that are not in the file yet; returns the exit status."""
    started = time.monotonic()
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    bench, kept = Bench(device, options.small), Kept(options.out)
    chosen = [name for name in ROWS if any(part in name for part in options.rows.split("|"))]
    left = [name for name in chosen if name not in kept.rows]
    if len(left) == len(chosen):
        print(", ".join(f"{name} {value}" for name, value in kept.machine.items()), flush=True)
    for place, name in enumerate(left):
        if time.monotonic() - started > options.seconds:
            print(f"no time left for: {'; '.join(left[place:])}", flush=True)
            return 0
        # so that it is not tried again should it end this process
        kept.add(name, {"error": "it ended its process"})
        found = measure(bench, name)
        kept.add(name, found)
        print(describe(name, found, compared=not options.small), flush=True)
        if "error" in found and device.type == "cuda":
            return AGAIN
    for name in () if options.rows else PROFILED:
        if time.monotonic() - started < options.seconds:
            kept.add_kernels(name, kernels(bench, name))
    print(f"kept in {kept.file}", flush=True)
    return 0


class Kept:
    """The file of what has been measured, written anew after every row."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there."""
        self.file, self.machine = folder / FILE, machine()
        there = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.rows: dict[str, dict[str, Any]] = there.get("rows", {})
        self.kernels: dict[str, list[str]] = there.get("kernels", {})

    def add(self, name: str, found: dict[str, Any]) -> None:
        self.rows[name] = found
        self._write()

    def add_kernels(self, name: str, lines: list[str]) -> None:
        self.kernels[name] = lines
        self._write()

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": self.machine, "rows": self.rows, "kernels": self.kernels}
        self.file.write_text(json.dumps(content, indent=1))


def measure(bench: Bench, name: str) -> dict[str, Any]:
    """What a row found, or why it found nothing: the rows after it have their turn all the same."""
    row = ROWS[name]
    cuda = bench.device.type == "cuda"
    started = time.monotonic()
    try:
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        found = row.measure(bench)
        result: dict[str, Any] = {
            "unit": row.unit,
            "per_second": found.median,
            "all_per_second": found.rates,
            "n": found.n,
            "seconds": found.seconds,
            "gpu_gigabytes": torch.cuda.max_memory_allocated() / 1e9 if cuda else None,
        }
    except Exception as error:  # out of memory, something that this torch or card lacks
        lines = str(error).strip().splitlines() or [""]
        result = {"error": f"{type(error).__name__}: {lines[0]}"}
    gc.collect()
    if cuda and "error" not in result:
        torch.cuda.empty_cache()
    return {**result, "whole_seconds": time.monotonic() - started}


def kernels(bench: Bench, name: str) -> list[str]:
    """Prints and returns what a step consists of, or why that can't be told."""
    try:
        lines = longest_kernels(bench, name)
    except Exception as error:  # out of memory, a profiler that doesn't work there
        lines = [f"{name}: no list of kernels: {error}"]
    print("\n".join(lines), flush=True)
    return lines


def describe(name: str, found: Mapping[str, Any], compared: bool) -> str:
    """One line."""
    if "error" in found:
        return f"{name:<48} failed: {found['error']}"
    millions = [rate / 1e6 for rate in found["all_per_second"]]
    words = [
        f"{name:<48} {found['per_second'] / 1e6:9.2f} million {found['unit']}/s",
        f"({min(millions):.2f} to {max(millions):.2f})",
        f"{sorted(found['seconds'])[len(found['seconds']) // 2]:.3f} s",
    ]
    if found["gpu_gigabytes"] is not None:
        words.append(f"{found['gpu_gigabytes']:.1f} GB")
    _, what, *_ = name.split(", ")
    if compared and name.startswith("20M") and what in PUBLISHED:
        words.append(f"{found['per_second'] / PUBLISHED[what]:.2f} × A100")
        words.append(f"{found['per_second'] / TARGETS[what]:.2f} of the target")
    return "  ".join(words)


def machine() -> dict[str, str]:
    """The card, its driver and what runs on it."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    return {
        "card": card or platform.machine(),
        "driver": _answer("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "commit": _answer("git", "rev-parse", "--short", "HEAD"),
    }


def _answer(*words: str) -> str:
    """The first line that a program prints; a dash where it isn't there or fails."""
    if shutil.which(words[0]) is None:
        return "-"
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else "-"


if __name__ == "__main__":
    main()
