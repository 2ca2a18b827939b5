"""Exports of a trained run, read back by the programs that they are made for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import load_model as load_mlflow_model
from mlflow.tracking import MlflowClient

from src.errors import UserError
from src.models import GMF, MF, MLP, LightGCN, NeuMF, Recommender, SVDpp
from src.serving.exporting import export_onnx, export_torchscript
from src.serving.loaded_run import LoadedRun
from src.serving.loading import load_run
from src.serving.package import load_package, save_package
from tests.serving.test_loaded_run import NAMES, PREPARED, make

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

MODELS: dict[str, Callable[[], Recommender]] = {
    "gmf": lambda: GMF(3, 4, factors=4),
    "mlp": lambda: MLP(3, 4, layers=[8, 4]),
    "neumf": lambda: NeuMF(3, 4, factors=4),
    "mf": lambda: MF(3, 4, factors=4),
    "lightgcn": lambda: LightGCN(3, 4),
    "svdpp": lambda: SVDpp(3, 4, factors=4),
}


def trained_run(name: str) -> LoadedRun:
    torch.manual_seed(0)
    model = MODELS[name]()
    model.observe(PREPARED.split.train)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return make(model.eval(), NAMES)


def expected(run: LoadedRun, users: list[int], seen: list[list[int]], k: int) -> tuple[list, list]:
    """The k best by the model's own scores, in plain Python."""
    with torch.no_grad():
        scores = run.model.score_all(torch.tensor(users)).double().tolist()
    items, values = [], []
    for row, left_out in zip(scores, seen, strict=True):
        order = sorted((i for i in range(4) if i not in left_out), key=lambda i: -row[i])
        order += [i for i in range(4) if i in left_out]
        items.append(order[:k])
        values.append([-np.inf if i in left_out else row[i] for i in order[:k]])
    return items, values


USERS = [2, 0, 1]
SEEN = [[1, -1], [0, 3], [-1, -1]]


@pytest.mark.parametrize("name", ["gmf", "mlp", "neumf", "mf"])
def test_onnx_gives_the_model_s_best_to_onnxruntime(name: str, tmp_path: Path) -> None:
    import onnxruntime

    run = trained_run(name)
    session = onnxruntime.InferenceSession(str(export_onnx(run, tmp_path, k=2)))
    for rows in ([0], [0, 1, 2]):
        users, seen = [USERS[i] for i in rows], [SEEN[i] for i in rows]
        given = {"users": np.array(users), "seen": np.array(seen)}
        items, scores = session.run(["items", "scores"], given)
        best, values = expected(run, users, seen, 2)
        assert items.tolist() == best
        np.testing.assert_allclose(scores, values, atol=1e-5)
    about = json.loads((tmp_path / "ids.json").read_text())
    assert (about["users"], about["items"], about["k"]) == (
        ["ann", "bob", "cid"],
        [10, 20, 30, 40],
        2,
    )


@pytest.mark.parametrize("name", ["gmf", "mlp", "neumf", "mf"])
def test_torchscript_gives_the_model_s_best(name: str, tmp_path: Path) -> None:
    run = trained_run(name)
    traced = torch.jit.load(str(export_torchscript(run, tmp_path, k=2)))
    for rows in ([0], [0, 1, 2]):
        users, seen = [USERS[i] for i in rows], [SEEN[i] for i in rows]
        items, scores = traced(torch.tensor(users), torch.tensor(seen))
        best, values = expected(run, users, seen, 2)
        assert items.tolist() == best
        np.testing.assert_allclose(scores.detach(), values, atol=1e-5)


@pytest.mark.parametrize("name", ["svdpp", "lightgcn"])
def test_whose_work_depends_on_who_is_asked_for_says_what_to_take(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"can't be written as torchscript .*: take format=saf"):
        export_torchscript(trained_run(name), tmp_path, 2)


def test_what_is_no_graph_says_what_to_take(trained_ease: LoadedRun, tmp_path: Path) -> None:
    for write in (export_onnx, export_torchscript):
        with pytest.raises(UserError, match="EASE is no model of torch operations alone"):
            write(trained_ease, tmp_path, 2)


@pytest.fixture
def trained_ease() -> LoadedRun:
    from src.models import EASE

    model = EASE(3, 4, regularization=1.0)
    model.fit(PREPARED.split.train)
    return make(model, NAMES)


def test_a_package_recommends_the_same(trained_ease: LoadedRun, tmp_path: Path) -> None:
    for run in (trained_run("neumf"), trained_ease):
        folder = tmp_path / type(run.model).__name__
        folder.mkdir()
        save_package(run, folder)
        again = load_package(folder)
        before = run.recommend(k=3).drop(columns="held_out")
        pd.testing.assert_frame_equal(again.recommend(k=3).drop(columns="held_out"), before)
        pd.testing.assert_frame_equal(again.similar_items(20, 2), run.similar_items(20, 2))
        assert b"pickle" not in b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("name", ["package.json", "weights.safetensors", "data.npz"])
def test_a_damaged_package_is_one_line(name: str, tmp_path: Path) -> None:
    save_package(trained_run("gmf"), tmp_path)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(UserError) as error:
        load_package(tmp_path)
    assert "\n" not in str(error.value)


def test_a_package_names_no_foreign_code(tmp_path: Path) -> None:
    save_package(trained_run("gmf"), tmp_path)
    about = json.loads((tmp_path / "package.json").read_text())
    about["model"]["_target_"] = "os.system"
    (tmp_path / "package.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"names os\.system as model"):
        load_package(tmp_path)


def test_the_mlflow_model_answers_and_is_registered(
    call: Call, trained: TrainedHome, tmp_path: Path
) -> None:
    words = (f"run={trained.run.folder}", "format=mlflow", f"out={tmp_path}/out", "register=true")
    said = call(*words, command="export", home=trained.home)
    assert said.status == 0, said.err
    folder = tmp_path / "out" / "model"
    assert f"written  {folder}" in said.out
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in files if file.suffix in (".pkl", ".pickle", ".pt", ".ckpt")]

    model = load_mlflow_model(str(folder))
    found = model.predict(pd.DataFrame({"user": [7, 3]}), params={"k": 2})
    run = load_run(trained.run.folder)
    expected = run.recommend([7, 3], k=2).drop(columns="held_out")
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(MlflowException, match="k=0: from 1 to 1000") as refused:
        model.predict(pd.DataFrame({"user": [7]}), params={"k": 0})
    assert refused.value.get_http_status_code() == 400

    client = MlflowClient(trained.uri)
    (version,) = client.search_model_versions("name='ncf-bench.synthetic.neumf'")
    assert version.run_id == trained.run.run_id


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("format=pickle",), "format=pickle"),
        (("format=onnx", "register=true"), "register=true goes with format=mlflow, not with onnx"),
        (("k=0",), "k=0: Input should be greater than or equal to 1"),
        (("out={there}",), "{there} is there already: name another by out=FOLDER, or remove it"),
    ],
)
def test_mistakes(
    words: tuple[str, ...], line: str, call: Call, trained: TrainedHome, tmp_path: Path
) -> None:
    chosen = [word.format(there=tmp_path) for word in words]
    said = call(f"run={trained.run.folder}", *chosen, command="export", home=trained.home)
    assert said.status == 2
    assert said.err.startswith(f"error: {line.format(there=tmp_path)}"), said.err
    assert said.err.count("\n") == 1
