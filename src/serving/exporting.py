"""Write a trained run for other programs: ONNX, TorchScript, safetensors, an MLflow model."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from src.config.durable import write_text
from src.config.paths import SOURCE
from src.errors import UserError, shorten
from src.models import Fitted
from src.serving.loaded_run import LoadedRun
from src.serving.package import save_package
from src.serving.top_k import TopK

OPSET = 18
IDS = "ids.json"
# Users of the check of what was written, and how near its scores have to be
CHECKED = 64
CLOSE = 1e-5
# What a packaged run is served with, beside MLflow itself
NEEDED = (
    *("torch", "numpy", "pandas", "scipy", "pyarrow", "safetensors", "pydantic", "omegaconf"),
    *("hydra-core", "numba", "llvmlite", "psutil", "filelock", "tqdm"),
)


def export_onnx(run: LoadedRun, folder: Path, k: int) -> Path:
    """Write model.onnx, users and what they have seen in, the k best out; and ids.json beside it.

    Raises UserError for a model that ONNX can't hold, or if onnx isn't installed.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            "format=onnx needs more packages: pip install 'ncf-bench[export]'"
        ) from error
    module, file = _make_module(run, k, "onnx"), folder / "model.onnx"
    users, seen = _example(run)
    for chatty in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        try:
            torch.onnx.export(
                module,
                (users, seen),
                str(file),
                input_names=["users", "seen"],
                output_names=["items", "scores"],
                dynamic_shapes={"users": {0: "batch"}, "seen": {0: "batch", 1: "n_seen"}},
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            session = onnxruntime.InferenceSession(str(file))
            _check(module, lambda *given: session.run(None, _name_inputs(*given)))
        except Exception as error:  # of many kinds, by what the model does
            raise _refusal(run, "onnx", error) from error
    _write_ids(run, folder, k)
    return file


def export_torchscript(run: LoadedRun, folder: Path, k: int) -> Path:
    """Write model.pt, a traced module with the same inputs and outputs as `export_onnx`.

    Raises UserError for a model that can't be traced.
    """
    module, file = _make_module(run, k, "torchscript"), folder / "model.pt"
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        try:
            traced = torch.jit.trace(module, _example(run))
            torch.jit.save(traced, str(file))
            _check(module, torch.jit.load(str(file)))
        except Exception as error:  # of many kinds, by what the model does
            raise _refusal(run, "torchscript", error) from error
    _write_ids(run, folder, k)
    return file


def export_safetensors(run: LoadedRun, folder: Path, k: int) -> Path:
    """Write weights, ids, histories and titles to a folder that `load_package` reads."""
    save_package(run, folder)
    return folder


def export_mlflow(run: LoadedRun, folder: Path, k: int) -> Path:
    """Write a model that MLflow serves: code, package, signature, example and requirements."""
    from src.serving.packaged_model import PARAMS, PackagedModel
    from src.tracking.model_store import save_mlflow_model

    params = {**PARAMS, "k": k}
    with TemporaryDirectory(prefix="ncf-") as scratch:
        package = Path(scratch, "package")
        package.mkdir()
        save_package(run, package)
        save_mlflow_model(
            folder / "model",
            package=package,
            loader="src.serving.packaged_model",
            code=SOURCE,
            example=(run.example, PackagedModel(run).predict(run.example, params)),
            params=params,
            requirements=[f"{name}=={version(name)}" for name in NEEDED],
            facts={"name": run.name, "metrics": _pick_metrics(run)},
        )
    return folder / "model"


def _pick_metrics(run: LoadedRun) -> dict[str, float]:
    """Return the metrics that runs are compared by: HR@10 and NDCG@10 of each part."""
    kept = ("hr@10", "ndcg@10")
    return {name: value for name, value in run.metrics.items() if name.split("/")[-1] in kept}


EXPORTS: dict[str, Callable[[LoadedRun, Path, int], Path]] = {
    "onnx": export_onnx,
    "torchscript": export_torchscript,
    "safetensors": export_safetensors,
    "mlflow": export_mlflow,
}


def _make_module(run: LoadedRun, k: int, kind: str) -> TopK:
    if isinstance(run.model, Fitted):
        name = type(run.model).__name__
        raise UserError(f"{name} is no model of torch operations alone: take format=safetensors")
    return TopK(run.model, min(k, run.prepared.n_items)).eval()


def _example(run: LoadedRun) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two users, and three items to leave out for each."""
    n = min(2, run.prepared.n_users)
    return torch.arange(n), torch.tensor([[0, 1, -1]]).repeat(n, 1) % run.prepared.n_items


def _check(module: TopK, written: Callable[..., Sequence[Any]]) -> None:
    """Raise AssertionError unless what was written gives the module's numbers, for any batch.

    Tracing keeps what it saw: a model whose work depends on who is asked for needs another format.
    """
    n_users = module.model.n_users
    for size in (1, min(CHECKED, n_users)):
        users = torch.arange(n_users - size, n_users)
        seen = torch.full((size, 1), -1)
        items, scores = (torch.as_tensor(one) for one in written(users, seen))
        with torch.no_grad():
            _, best = module(users, seen)
            own = module.model(users, items).float()
        # of items with equal scores either may come first
        for expected in (best, own):
            torch.testing.assert_close(scores, expected, atol=CLOSE, rtol=CLOSE)


def _name_inputs(users: torch.Tensor, seen: torch.Tensor) -> dict[str, Any]:
    return {"users": users.numpy(), "seen": seen.numpy()}


def _write_ids(run: LoadedRun, folder: Path, k: int) -> None:
    """Write the raw id of each number, and what goes in and comes out."""
    split = run.prepared.split.train
    about = {
        "name": run.name,
        "k": k,
        "inputs": {"users": "int64 [batch]", "seen": "int64 [batch, n], -1 for none"},
        "outputs": {"items": "int64 [batch, k]", "scores": "float32 [batch, k]"},
        "users": np.asarray(split.user_ids).tolist(),
        "items": np.asarray(split.item_ids).tolist(),
    }
    write_text(folder / IDS, json.dumps(about, ensure_ascii=False) + "\n")


def _refusal(run: LoadedRun, kind: str, error: Exception) -> UserError:
    name, reason = type(run.model).__name__, shorten(error, 80)
    return UserError(f"{name} can't be written as {kind} ({reason}): take format=safetensors")
