"""MLflow's models: a packaged run as one, in a folder or in the registry."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from src.errors import UserError
from src.tracking.store import check_server, first_line, load_mlflow, open_client, store_errors


def bad_request(message: str) -> Exception:
    """Return what MLflow's server answers with status 400 and this message."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


def save_mlflow_model(
    folder: Path,
    *,
    package: Path,
    loader: str,
    code: Path,
    example: tuple[pd.DataFrame, pd.DataFrame],
    params: Mapping[str, Any],
    requirements: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Write an MLflow model to `folder`, which is not there yet.

    `loader`: the module below `code` whose `_load_pyfunc` reads `package`. `example`: what goes in
    and what comes out. `facts`: metadata.
    """
    load_mlflow()
    from mlflow import pyfunc
    from mlflow.models.signature import infer_signature

    given, returned = example
    with warnings.catch_warnings(action="ignore"):  # of integers, which can't be missing
        signature = infer_signature(given, returned, dict(params))
        pyfunc.save_model(
            str(folder),
            loader_module=loader,
            data_path=str(package),
            code_paths=[str(code)],
            signature=signature,
            input_example=(given, dict(params)),
            pip_requirements=list(requirements),
            metadata=dict(facts),
        )


def register_mlflow_model(
    folder: Path, name: str, uri: str, run_id: str, tags: Mapping[str, str]
) -> str:
    """Add the model in `folder` to the run's artifacts, register it, and return its version.

    Raises UserError when the store can't be used.
    """
    from mlflow.exceptions import MlflowException

    try:
        check_server(uri)
        client = open_client(uri)
        client.log_artifacts(run_id, str(folder), "model")
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return str(client.create_model_version(name, source, run_id, tags=dict(tags)).version)
    except store_errors() as error:
        raise UserError(f"tracking.uri={uri} can't be used: {first_line(error)}") from error
