"""`python -m src.convert`: weights of the paper's released code become a run of ours."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from src.api import load_model, load_run
from src.errors import UserError
from src.run.keras_model import read_keras_model
from src.run.provenance import check_part
from tests.commands import ONE_THREAD
from tests.data.sources.test_released import write as write_split

if TYPE_CHECKING:
    from tests.conftest import Call

h5py = pytest.importorskip("h5py")

Array = NDArray[np.float32]
Layers = dict[str, list[Any]]

USERS, ITEMS = 6, 40
KINDS = ("gmf", "mlp", "neumf")
INPUTS = ("user_input", "item_input", "flatten_1", "merge_1")
"""Layers of Keras' that have no weights."""


def values(seed: int, *shape: int) -> Array:
    """Numbers that tell every place and every array from the others."""
    count = np.arange(np.prod(shape), dtype=np.float64) + 100 * seed
    return np.sin(count * 0.7).reshape(shape).astype(np.float32)


def dense(seed: int, n_in: int, n_out: int) -> list[Array]:
    return [values(seed, n_in, n_out), values(seed + 1, n_out)]


def layers_of(kind: str) -> Layers:
    """Weights as GMF.py, MLP.py and NeuMF.py name them: 4 factors, layers [12, 6, 4]."""
    if kind == "gmf":
        return {
            "user_embedding": [values(1, USERS, 4)],
            "item_embedding": [values(2, ITEMS, 4)],
            "prediction": dense(3, 4, 1),
        }
    tower = {"layer1": dense(7, 12, 6), "layer2": dense(9, 6, 4)}
    if kind == "mlp":
        return {
            "user_embedding": [values(5, USERS, 6)],
            "item_embedding": [values(6, ITEMS, 6)],
            **tower,
            "prediction": dense(11, 4, 1),
        }
    return {
        "mf_embedding_user": [values(1, USERS, 3)],
        "mf_embedding_item": [values(2, ITEMS, 3)],
        "mlp_embedding_user": [values(5, USERS, 6)],
        "mlp_embedding_item": [values(6, ITEMS, 6)],
        **tower,
        "prediction": dense(13, 7, 1),
    }


def keras_logits(layers: Layers) -> Array:
    """What the network gives each user and item before its sigmoid: [USERS, ITEMS]."""

    def rows(user: str, item: str) -> tuple[Array, Array]:
        (users,), (items,) = layers[user], layers[item]
        shape = (USERS, ITEMS, users.shape[1])
        return np.broadcast_to(users[:, None], shape), np.broadcast_to(items[None], shape)

    fused = "mf_embedding_user" in layers
    vectors = []
    if fused or "layer1" not in layers:
        names = "mf_embedding_user mf_embedding_item" if fused else "user_embedding item_embedding"
        user, item = rows(*names.split())
        vectors.append(user * item)
    if "layer1" in layers:
        names = "mlp_embedding_user mlp_embedding_item"
        user, item = rows(*(names if fused else "user_embedding item_embedding").split())
        vector = np.concatenate([user, item], axis=-1)
        for name in ("layer1", "layer2"):
            kernel, bias = layers[name]
            vector = np.maximum(vector @ kernel + bias, 0)
        vectors.append(vector)
    kernel, bias = layers["prediction"]
    return (np.concatenate(vectors, axis=-1) @ kernel + bias)[..., 0]


def write_older(file: Path, layers: Layers) -> Path:
    """What `save_weights` of Keras 1 wrote: names as bytes of one length, none as no floats."""
    with h5py.File(file, "w") as content:
        content.attrs["layer_names"] = np.array([*INPUTS, *layers], "S")
        for name in (*INPUTS, *layers):
            group, arrays = content.create_group(name), layers.get(name, [])
            names = [f"{name}_{end}" for end, _ in zip("Wb", arrays, strict=False)]
            group.attrs["weight_names"] = np.array(names, "S") if names else np.array([])
            for one, array in zip(names, arrays, strict=True):
                group[one] = array
    return file


def write_newer(file: Path, layers: Layers) -> Path:
    """What `save` of Keras 2 wrote: names as texts, and a group within that of each layer."""
    with h5py.File(file, "w") as content:
        content.attrs["keras_version"] = "2.15.0"
        content.create_group("optimizer_weights")["iterations:0"] = 5
        root = content.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in (*INPUTS, *layers)]
        root.create_group("top_level_model_weights").attrs["weight_names"] = []
        for name in (*INPUTS, *layers):
            group, arrays = root.create_group(name), layers.get(name, [])
            ends = ["embeddings:0"] if len(arrays) == 1 else ["kernel:0", "bias:0"]
            names = [f"{name}/{end}" for end, _ in zip(ends, arrays, strict=False)]
            group.attrs["weight_names"] = [one.encode() for one in names]
            for one, array in zip(names, arrays, strict=True):
                group[one] = array
    return file


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A small split in the released format: each user has four training items and one of test."""
    folder = tmp_path / "released"
    train = "".join(f"{u}\t{(5 * u + n) % ITEMS}\t4\t{n}\n" for u in range(USERS) for n in range(4))
    tests = [(u, (5 * u + 4) % ITEMS) for u in range(USERS)]
    negative = "".join(
        f"({u},{i})\t" + "\t".join(str((i + 1 + n) % ITEMS) for n in range(30)) + "\n"
        for u, i in tests
    )
    write_split(folder, train, "".join(f"{u}\t{i}\t4\t9\n" for u, i in tests), negative)
    return folder


@pytest.fixture
def convert(call: Call, released: Path) -> Callable[..., Any]:
    def converted(file: Path, *words: str) -> Any:
        return call(f"keras={file}", f"data.path={released}", *words, command="convert")

    return converted


@pytest.mark.parametrize("write", [write_older, write_newer])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_released_network(
    kind: str, write: Callable[..., Path], convert: Callable[..., Any], tmp_path: Path
) -> None:
    layers = layers_of(kind)
    out = tmp_path / "new" / "own.ckpt"
    done = convert(write(tmp_path / "weights.h5", layers), f"out={out}")
    assert done.status == 0, done.err
    assert done.said("written") == str(out)
    assert [path.name for path in out.parent.iterdir()] == ["own.ckpt"]
    model = load_model(out, USERS, ITEMS)
    expected = keras_logits(layers)
    users, items = torch.arange(USERS), torch.arange(ITEMS)
    with torch.no_grad():
        pairs = model.score(users[:, None], items[None])
        every = model.score_all(users)
    np.testing.assert_allclose(pairs.numpy(), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(every.numpy(), expected, rtol=0, atol=1e-6)
    assert type(model).__name__.lower() == kind
    assert expected.std() > 0.1


def test_a_run_s_folder_is_judged_served_and_exported(
    convert: Callable[..., Any], call: Call, tmp_path: Path
) -> None:
    layers = layers_of("neumf")
    # as NeuMF.py names its files
    file = write_newer(tmp_path / "ml-1m_NeuMF_3_[12,6,4]_1501652038.h5", layers)
    done = convert(file)
    assert done.status == 0, done.err
    folder = tmp_path / "outputs" / "runs" / "ml-1m_NeuMF_3_12-6-4_1501652038"
    assert done.out.endswith(  # after warnings that the data are others
        "model    neumf on ncf-ml-1m: factors 3, layers [12, 6, 4]\n"
        f"written  {folder}/checkpoints/best.ckpt\n"
    )
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["protocol"]["name"], config["model"]["layers"]) == ("ncf2017", [12, 6, 4])
    known = json.loads((folder / "provenance.json").read_text())
    assert known["converted_from"] == str(file)

    logits = keras_logits(layers)
    ranks = [
        1 + sum(logits[u, (i + 1 + n) % ITEMS] >= logits[u, i] for n in range(30))
        for u, i in ((u, (5 * u + 4) % ITEMS) for u in range(USERS))
    ]
    for reference in (folder, folder.name, done.said("written")):
        judged = call(f"run={reference}", "trainer=cpu", command="evaluate")
        assert judged.status == 0, judged.err
        measured = json.loads((judged.folder / "metrics.json").read_text())
        assert measured["test/hr@10"] == pytest.approx(np.mean([rank <= 10 for rank in ranks]))
        assert measured["test/mrr@20"] == pytest.approx(
            np.mean([(rank <= 20) / rank for rank in ranks])
        )
    assert "epoch chosen by HR@10 on TEST" in judged.out

    best = load_run(folder).recommend([2], k=1, seen=True)
    assert best["item"].tolist() == [logits[2].argmax()]
    exported = call(f"run={folder}", "format=safetensors", command="export")
    assert exported.status == 0, exported.err


def test_neumf_starts_from_a_run_and_from_a_checkpoint(
    convert: Callable[..., Any], call: Call, released: Path, tmp_path: Path
) -> None:
    gmf, mlp = layers_of("gmf"), layers_of("mlp")
    assert convert(write_older(tmp_path / "gmf.h5", gmf)).status == 0
    own = tmp_path / "mlp.ckpt"
    assert convert(write_older(tmp_path / "mlp.h5", mlp), f"out={own}").status == 0
    done = call(
        *("model=neumf", "model.factors=4", "model.layers=[12,6,4]", "data=ncf-ml-1m"),
        *(f"data.path={released}", "protocol=ncf2017", "tracking=none", *ONE_THREAD),
        *("model.pretrained.gmf=gmf", f"model.pretrained.mlp={own}", "model.alpha=0.25"),
        *("optimizer.lr=0", "trainer.max_epochs=1"),
    )
    assert done.status == 0, done.err
    model = load_model(done.folder / "checkpoints" / "best.ckpt")
    with torch.no_grad():
        fused = model.score_all(torch.arange(USERS)).numpy()
    expected = 0.25 * keras_logits(gmf) + 0.75 * keras_logits(mlp)
    np.testing.assert_allclose(fused, expected, rtol=0, atol=1e-6)


def test_what_chooses_on_validation_does_not_start_from_it(
    convert: Callable[..., Any], tmp_path: Path
) -> None:
    # the released code trains on what is validation here
    assert convert(write_older(tmp_path / "gmf.h5", layers_of("gmf"))).status == 0
    with pytest.raises(UserError, match="may hold what is validation here"):
        check_part(tmp_path / "outputs" / "runs" / "gmf", "any", again=False)


def test_without_hidden_layers_the_output_tells_which_it_is(tmp_path: Path) -> None:
    for kind, n_in in (("gmf", 4), ("mlp", 8)):
        layers = {**layers_of("gmf"), "prediction": dense(3, n_in, 1)}
        model = read_keras_model(write_older(tmp_path / f"{kind}.h5", layers))
        assert model.kind == kind
    assert model.options == {"factors": 8, "layers": [8]}


def test_double_precision_is_taken(tmp_path: Path) -> None:
    layers = {
        name: [a.astype(np.float64) for a in arrays] for name, arrays in layers_of("gmf").items()
    }
    model = read_keras_model(write_older(tmp_path / "gmf.h5", layers))
    assert {array.dtype for array in model.state.values()} == {np.dtype(np.float32)}


def without(name: str, kind: str = "gmf") -> Layers:
    return {key: arrays for key, arrays in layers_of(kind).items() if key != name}


NAN = np.full((4, 1), np.nan, np.float32)
MISTAKES: list[tuple[Layers, str]] = [
    (
        without("prediction"),
        "no weights of prediction, only of item_embedding, user_embedding: GMF.py, MLP.py and "
        "NeuMF.py write all",
    ),
    (without("mf_embedding_item", "neumf"), "no weights of mf_embedding_item, only of layer1, "),
    (without("layer1", "mlp"), "no weights of layer1, only of "),
    ({}, "no weights of user_embedding, item_embedding, prediction: GMF.py, "),
    (
        {"dense_1": dense(1, 3, 2)},
        "no weights of user_embedding, item_embedding, prediction, only of dense_1: GMF.py, ",
    ),
    (
        {**layers_of("gmf"), "dense_1": dense(1, 3, 2)},
        "dense_1: none of GMF.py, MLP.py and NeuMF.py has such layers",
    ),
    (
        {**layers_of("mlp"), "layer2": dense(1, 5, 4)},
        "weights of layer2 have the shape (5, 4), not (6, 4)",
    ),
    (
        {**layers_of("mlp"), "layer2": [values(1, 6, 4), values(2, 5)]},
        "weights of layer2 have the shape (5,), not (4)",
    ),
    (
        {**layers_of("gmf"), "prediction": dense(1, 4, 2)},
        "weights of prediction have the shape (4, 2), not (4, 1)",
    ),
    (
        {**layers_of("gmf"), "prediction": dense(1, 5, 1)},
        "weights of prediction have the shape (5, 1), not (8, 1)",
    ),
    (
        {**layers_of("gmf"), "item_embedding": [values(1, ITEMS, 5)]},
        "weights of item_embedding have the shape (40, 5), not (n, 4)",
    ),
    (
        {**layers_of("neumf"), "mlp_embedding_user": [values(1, 5, 6)]},
        "weights of mlp_embedding_user have the shape (5, 6), not (6, n)",
    ),
    (
        {**layers_of("gmf"), "user_embedding": [values(1, 6)]},
        "weights of user_embedding have the shape (6,), not (n, n)",
    ),
    (
        {**layers_of("gmf"), "user_embedding": [values(1, 0, 4)]},
        "weights of user_embedding have the shape (0, 4), not (n, n)",
    ),
    (
        {**layers_of("gmf"), "prediction": [values(1, 4, 1)]},
        "prediction has so many arrays of weights: 1, not 2",
    ),
    (
        {**layers_of("gmf"), "prediction": [NAN, values(1, 1)]},
        "weights of prediction are no numbers, or infinite",
    ),
]


@pytest.mark.parametrize(("layers", "line"), MISTAKES)
def test_other_networks(
    layers: Layers, line: str, convert: Callable[..., Any], tmp_path: Path
) -> None:
    file = write_older(tmp_path / "w.h5", layers)
    done = convert(file)
    assert done.status == 2
    assert done.err.startswith(f"error: {file}: {line}")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_other_numbers_of_users_and_items(convert: Callable[..., Any], tmp_path: Path) -> None:
    file = write_older(tmp_path / "w.h5", {**layers_of("gmf"), "item_embedding": [values(1, 9, 4)]})
    done = convert(file)
    assert (done.status, done.err) == (
        2,
        f"error: {file} is of 6 users and 9 items, but data=ncf-ml-1m has 6 and 40\n",
    )
    assert not (tmp_path / "outputs" / "runs").exists()


def test_data_that_count_otherwise(call: Call, tmp_path: Path) -> None:
    """As MovieLens-1M itself: of the same size, but its films are in another order."""
    table = tmp_path / "plays.csv"
    rows = [f"{1 + n % USERS},{1 + n % 151}" for n in range(151)]
    table.write_text("user,item\n" + "\n".join(rows) + "\n")
    layers = {**layers_of("gmf"), "item_embedding": [values(2, 151, 4)]}
    file = write_older(tmp_path / "w.h5", layers)
    words = ("data=file", f"data.path={table}")
    done = call(f"keras={file}", *words, command="convert")
    assert done.status == 2
    assert done.err.startswith("error: data=plays does not number users and items from 0, as the ")


def test_what_is_there_stays(convert: Callable[..., Any], tmp_path: Path) -> None:
    file = write_older(tmp_path / "w.h5", layers_of("gmf"))
    (tmp_path / "a.ckpt").write_text("precious")
    for place in (tmp_path / "a.ckpt", tmp_path):
        done = convert(file, f"out={place}")
        assert (done.status, done.err) == (
            2,
            f"error: {place} is there already: name another by out=..., or remove it\n",
        )
    assert (tmp_path / "a.ckpt").read_text() == "precious"
    assert convert(file).status == 0
    assert convert(file).err.startswith(f"error: {tmp_path}/outputs/runs/w is there already: ")


def test_mistakes_of_the_command_line(call: Call, tmp_path: Path) -> None:
    def line(*words: str) -> str:
        done = call(*words, command="convert")
        assert done.status == 2
        assert done.err.count("\n") == 1
        return done.err

    assert line() == "error: keras=... must be given; --help says what it is\n"
    assert line(f"keras={tmp_path}/no[1,2].h5") == f"error: {tmp_path}/no[1,2].h5: no such file\n"
    assert line(f"keras={tmp_path}") == f"error: {tmp_path}: no such file\n"
    file = write_older(tmp_path / "w.h5", layers_of("gmf"))
    assert line(f"keras={file}", "modle=gmf") == "error: no option modle; did you mean model?\n"
    gone = f"data.path={tmp_path}/gone"
    assert line(f"keras={file}", gone) == f"error: {gone}: no such file\n"


def test_files_that_keras_did_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def line(file: Path) -> str:
        with pytest.raises(UserError) as caught:
            read_keras_model(file)
        return str(caught.value)

    text = tmp_path / "text.h5"
    text.write_text("no weights at all")
    assert line(text).startswith(f"{text} can't be read as HDF5: ")
    with h5py.File(tmp_path / "bare.h5", "w") as content:
        content["numbers"] = [1.0]
    assert line(tmp_path / "bare.h5") == (
        f"{tmp_path}/bare.h5 has no layer_names: it is not what Keras' save_weights wrote"
    )
    file = write_older(tmp_path / "w.h5", layers_of("gmf"))
    whole = file.read_bytes()
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole[: len(whole) // 2])
    assert line(cut).startswith(f"{cut} can't be read as HDF5: ")
    file.write_bytes(whole)
    with h5py.File(file, "r+") as content:
        del content["prediction/prediction_b"]
        content["prediction/prediction_b"] = [1]
    assert line(file) == f"{file}: prediction/prediction_b holds no numbers with a fraction"
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert line(file) == (
        "reading a file of Keras needs one more package: pip install 'ncf-bench[keras]'"
    )


def test_a_file_leads_to_no_other(tmp_path: Path) -> None:
    other = write_older(tmp_path / "other.h5", layers_of("gmf"))
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    where = "prediction/prediction_W"
    layout = h5py.VirtualLayout(shape=(4, 1), dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), where, shape=(4, 1))
    crafts: list[tuple[Callable[[Any], object], str]] = [
        (
            lambda group: group.__setitem__("prediction_W", h5py.ExternalLink(str(other), where)),
            "prediction has so many arrays of weights: 1, not 2",
        ),
        (
            lambda group: group.__setitem__("prediction_W", h5py.SoftLink("/user_embedding")),
            "prediction has so many arrays of weights: 1, not 2",
        ),
        (
            lambda group: group.create_dataset(
                "prediction_W", (4, 1), "f4", external=[(str(secret), 0, 16)]
            ),
            f"{where} lies in another file",
        ),
        (
            lambda group: group.create_virtual_dataset("prediction_W", layout),
            f"{where} lies in another file",
        ),
        (
            lambda group: group.create_dataset(
                "prediction_W", (1 << 20, 1 << 20), "f4", chunks=(1, 1 << 20)
            ),
            f"{where} can't be as large as (1048576, 1048576): damaged",
        ),
    ]
    for craft, line in crafts:
        file = write_older(tmp_path / "crafted.h5", layers_of("gmf"))
        with h5py.File(file, "r+") as content:
            del content[where]
            craft(content["prediction"])
        with pytest.raises(UserError) as caught:
            read_keras_model(file)
        assert str(caught.value) == f"{file}: {line}"
