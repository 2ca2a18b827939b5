"""`make bench-gpu` where there is no GPU: small sizes, the same code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from benchmarks import gpu, gpu_rows
from benchmarks.generated import N_CANDIDATES, Shape, generate
from benchmarks.gpu_kernels import longest_kernels
from benchmarks.gpu_rows import MODULES, ROWS, SMALL, Bench, Judging, Training
from benchmarks.half_precision import HalfPrecision
from src.data.stream import Batch
from src.models import NeuMF
from src.training.losses import BCE
from tests.commands import REPOSITORY

REQUIREMENTS = REPOSITORY / "benchmarks" / "gpu-requirements.txt"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(torch.device("cpu"), small=True)


def kept(folder: Path) -> dict:
    return json.loads((folder / "gpu.json").read_text())


def test_generated_pairs_are_distinct_and_candidates_unseen() -> None:
    shape = Shape(60, 300, 1500)
    prepared = generate(shape, torch.device("cpu"))
    train, val = prepared.split.train, prepared.split.validation
    assert len(train) + len(val) == shape.n_interactions
    assert len(np.unique(val.users)) == len(val)
    known = set(zip(train.users, train.items, strict=True)) | set(
        zip(val.users, val.items, strict=True)
    )
    assert len(known) == shape.n_interactions
    candidates = prepared.candidates["val"]
    assert candidates.shape == (len(val), N_CANDIDATES)
    for user, row in zip(val.users, candidates, strict=True):
        assert len(set(row)) == N_CANDIDATES
        assert not known & {(user, item) for item in row}


@pytest.mark.parametrize("name", [name for name in ROWS if "compiled" not in name])
def test_every_row_measures(name: str, bench: Bench) -> None:
    row = ROWS[name]
    found = (replace(row, steps=1, epochs=2) if isinstance(row, Training) else row).measure(bench)
    assert found.median > 0
    shape = SMALL[row.data]
    if isinstance(row, Judging) and row.among == "candidates":
        assert found.n == shape.n_users * (1 + N_CANDIDATES)
    if isinstance(row, Judging) and row.among == "catalogue":
        assert found.n == shape.n_users * shape.n_items


def test_with_a_graph_training_comes_to_the_same_weights(bench: Bench) -> None:
    weights = []
    for way in ("steps", "graph"):
        module = MODULES[way](NeuMF(100, 300, factors=2), BCE())
        torch.manual_seed(0)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
        )
        trainer.fit(module, datamodule=bench.data(Training("1M", 256)))
        weights.append(module.model.table.weight)
    torch.testing.assert_close(*weights)


def test_half_precision_has_the_gradients_of_full_precision() -> None:
    torch.manual_seed(0)
    model = NeuMF(20, 30, factors=4, layers=[16, 8, 4])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    batch = Batch(torch.randint(20, (64,)), torch.randint(30, (64, 5)))
    loss = model.differentiate(*batch, BCE())
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    in_half = HalfPrecision(model, BCE())(*batch)
    assert in_half.item() == pytest.approx(loss.item(), rel=0.01)
    for name, parameter in model.named_parameters():
        assert parameter.grad.dtype == torch.float32
        error = (parameter.grad - expected[name]).norm() / expected[name].norm()
        assert error < 0.02, name


class Failing(Training):
    def measure(self, bench: Bench) -> gpu_rows.Found:
        raise torch.OutOfMemoryError("CUDA out of memory.\nand a page more")


def run(folder: Path, *words: str) -> int:
    return gpu.work(gpu.parse(["--small", "--rows", "1M", "--out", str(folder), *words]))


def test_a_row_that_fails_leaves_the_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"1M, too large": Failing("1M", 256), "1M, ranking": Judging("1M")}
    monkeypatch.setattr(gpu, "ROWS", rows)
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "failed: OutOfMemoryError: CUDA out of memory.\n" in printed
    assert re.search(r"1M, ranking +[\d.]+ million pairs/s", printed)
    assert kept(tmp_path)["rows"]["1M, ranking"]["per_second"] > 0

    # another process goes on with what is left
    run(tmp_path)
    assert "1M" not in capsys.readouterr().out


def test_a_row_that_ends_the_process_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Ending(Training):
        def measure(self, bench: Bench) -> gpu_rows.Found:
            raise SystemExit(1)

    monkeypatch.setattr(gpu, "ROWS", {"1M, bad": Ending("1M", 256), "1M, ranking": Judging("1M")})
    with pytest.raises(SystemExit):
        run(tmp_path)
    assert run(tmp_path) == 0
    rows = kept(tmp_path)["rows"]
    assert rows["1M, bad"] == {"error": "it ended its process"}
    assert rows["1M, ranking"]["per_second"] > 0


def test_a_process_that_asks_for_it_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = iter([gpu.AGAIN, -11, 0])
    commands = []

    def start(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=next(statuses))

    monkeypatch.setattr(subprocess, "run", start)
    monkeypatch.setattr(gpu, "machine", dict)
    with pytest.raises(SystemExit, match="0"):
        gpu.main(["--small", "--out", str(tmp_path)])
    assert len(commands) == 3
    assert all("--worker" in command for command in commands)


def test_no_row_starts_after_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--seconds", "-1") == 0
    assert "no time left for: 1M, training at 256; " in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        gpu.main([])
    assert "--small" in capsys.readouterr().err


def test_kernels_of_a_step_are_listed(bench: Bench) -> None:
    head, *lines = longest_kernels(bench, "1M, training at 256")
    assert re.match(r"1M, training at 256: [\d,]+ microseconds in \d+ kernels a step", head)
    assert any("aten::mm" in line for line in lines)


def find_imports(module: str, seen: set[str]) -> Iterator[str]:
    """Yield the packages of others that a module of ours brings with it when it is imported."""
    file = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")
    if not file.exists():
        file = file.with_suffix("") / "__init__.py"
    if module in seen or not file.exists():
        return
    seen.add(module)
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in ("src", "benchmarks"):
                yield from find_imports(name, seen)
            else:
                yield name.split(".")[0]


def test_it_needs_only_what_its_requirements_say() -> None:
    listed = set(re.findall(r"^([\w-]+)==", REQUIREMENTS.read_text(), re.M))
    used = set(find_imports("benchmarks.gpu", set())) - set(sys.stdlib_module_names)
    assert "torch" in used
    # these come along with torch and Lightning
    there = {"torch", "pytorch_lightning", "lightning_fabric", "numpy", "tqdm", "filelock"}
    assert used <= there | {name.replace("-", "_") for name in listed}


def test_the_requirements_are_of_the_versions_tested_together() -> None:
    constraints = (REPOSITORY / "constraints.txt").read_text().splitlines()
    for line in REQUIREMENTS.read_text().splitlines():
        assert line.startswith("#") or line in constraints
