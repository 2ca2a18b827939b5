"""Carry out one request for an export: a folder that is whole or not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le

from src.config.build import check
from src.config.compose import Plain
from src.config.durable import making
from src.errors import UserError
from src.run.options import read_options
from src.run.saved import read_changed_options
from src.serving.exporting import EXPORTS
from src.serving.loaded_run import LoadedRun

Format = Literal["onnx", "torchscript", "safetensors", "mlflow"]


@dataclass(frozen=True)
class ExportRequest:
    """What is to be written, checked."""

    format: Format
    k: int
    out: str | None
    register: bool
    items: str | None


def check_request(own: Plain) -> ExportRequest:
    """Return the request of a command's options. Raises UserError for what is mistaken."""

    def options(
        format: Format,
        k: Annotated[int, Ge(1), Le(1000)],
        out: str | None,
        register: bool,
        items: str | None,
    ) -> None: ...

    names = ("format", "k", "out", "register", "items")
    request = ExportRequest(**check(options, {name: own[name] for name in names}, ""))
    if request.register and request.format != "mlflow":
        raise UserError(f"register=true goes with format=mlflow, not with {request.format}")
    return request


def write_export(run: LoadedRun, request: ExportRequest) -> Path:
    """Write the export beside its place, then rename; return where what was asked for lies.

    Raises UserError if the folder is there already.
    """
    given = Path(request.out).expanduser() if request.out else None
    folder = given or run.folder / f"export-{request.format}"
    if folder.exists():
        raise UserError(f"{folder} is there already: name another by out=FOLDER, or remove it")
    with making(folder) as working:
        written = EXPORTS[request.format](run, working, request.k)
    return folder / written.relative_to(working)


def register(run: LoadedRun, model: Path, own: Plain) -> tuple[str, str]:
    """Place the MLflow model in the registry, by data and model; return its name and version.

    own: the command's options. Raises UserError where MLflow has no record of the run, or can't be
    used.
    """
    from src.tracking.model_store import register_mlflow_model
    from src.tracking.reading import Reader

    options = read_options(read_changed_options(run.folder, own))
    uri = own["tracking"]["uri"]
    name = f"ncf-bench.{options.data.name}.{options.model.name}"
    record = Reader(uri).that_wrote_to(run.folder)
    if record is None:
        raise UserError(f"register=true: MLflow has no record of {run.folder} in {uri}")
    tags = {"run": run.folder.name, "monitor": options.protocol.monitor}
    return name, register_mlflow_model(model, name, uri, record.run_id, tags)
