"""Every mistake of a user's ends in one line on stderr and status 2, and damages nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import torch

from tests.commands import MODELS, ONE_THREAD, SMALL_DATA, TINY, Finished

if TYPE_CHECKING:
    from tests.conftest import Call, TrainedHome

Mistake = Callable[..., str]
LISTED = ", ".join(MODELS)
UNTRACKED = (*ONE_THREAD, "tracking=none", "trainer.max_epochs=1")


@pytest.fixture
def mistake(call: Call, tmp_path: Path) -> Mistake:
    """A call that has to end in one line, which it returns without its "error: "."""
    earlier = tmp_path / "outputs" / "runs" / "earlier" / "metrics.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text('{"test/hr@10": 0.7}')

    def mistaken(*words: str, command: str = "train", home: Path | None = None) -> str:
        finished = call(*words, command=command, home=home)
        assert finished.status == 2, finished
        assert "Traceback" not in finished.out
        (line,) = finished.err.splitlines()
        assert line.startswith("error: ")
        assert list(earlier.parents[1].rglob("*")) == [earlier.parent, earlier]
        assert earlier.read_text() == '{"test/hr@10": 0.7}'
        for prepared in (tmp_path / "outputs" / "prepared").glob("*/"):
            assert not prepared.name.startswith("."), "half made"
        return line.removeprefix("error: ")

    return mistaken


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=nuemf", "no model nuemf; did you mean neumf or nmf? (model: ease, "),
        ("model=transformer", f"no model transformer (model: {LISTED})"),
        ("model=", f"no model (model: {LISTED})"),
        ("experiment=demp", "no experiment demp; did you mean demo? (experiment: "),
        ("data=ml-1", "no data ml-1; did you mean ml-1m or ml-"),
        ("modle=gmf", "no option modle; did you mean model"),
        ("data.negatvies=3", "no option data.negatvies; did you mean data.negatives"),
        ("model=gmf model.factor=3", "no option model.factor; did you mean model.factors"),
        ("model=gmf model.dropout=0.5", "no option model.dropout"),
        ("--model=gmf", "no option --model=gmf: options are NAME=VALUE, such as model=gmf"),
        ("--seed 3 model=gmf", "no option --seed: options are NAME=VALUE"),
        ("model=gmf -m seed=0,1", "seed=0,1 stands apart from the other options: put flags"),
        ("gmf", "can't read gmf: options are NAME=VALUE"),
        ("data.path=a(b).csv", "can't read data.path=a(b).csv: options are NAME=VALUE"),
        ("model=gmf,mlp", "To sweep over it, add --multirun to your command line"),
        ("-m model=gmf,nope", f"no model nope (model: {LISTED})"),
    ],
)
def test_command_line(words: str, line: str, mistake: Mistake, tmp_path: Path) -> None:
    assert line in mistake(*words.split())
    assert not (tmp_path / "outputs" / "prepared").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model.factors=abc", "model.factors=abc: Input should be a valid integer"),
        ("model.factors=0", "model.factors=0: Input should be greater than or equal to 1"),
        ("model.factors=1.5", "model.factors=1.5: Input should be a valid integer"),
        ("model.dropout=1.5", "model.dropout=1.5: Input should be less than 1"),
        ("model.layers=8", "model.layers=8: Input should be a valid list"),
        ("model.layers=[9,4]", "model.layers=[9, 4]: the first width is shared"),
        ("model.layers=[]", "model.layers=[]: the first width is shared"),
        ("model.layers=[8,0]", "model.layers=[8, 0]: Input should be greater than 0"),
        ("+model.foo=1", "no option model.foo"),
        ("data.negatives=0", "data.negatives=0: Input should be greater than or equal to 1"),
        ("data.batch_size=many", "data.batch_size=many: Input should be a valid integer"),
        ("data.split=timely", "data.split=timely: Input should be 'leave-one-out', 'ratio'"),
        ("data.candidates=some", "data.candidates=some: Input should be a valid integer"),
        ("data.candidates=101", "data.candidates=101 is more than the catalogue allows"),
        ("data.candidates=released", "data.candidates=released: only ncf-ml-1m and ncf-"),
        ("data.k_core=1000", "no interactions are left after "),
        ("data.source.n_items=10", "min_per_user=20 distinct items can't be had from n_items=10"),
        ("optimizer.lr=fast", "optimizer.lr=fast: Input should be a valid number"),
        ("optimizer.lr=-1", "optimizer.lr=-1: Input should be greater than or equal to 0"),
        ("l2=-1", "l2=-1: Input should be greater than or equal to 0"),
        ("loss=squared loss.negative_weight=-1", "loss.negative_weight=-1: Input should be"),
        ("ks=[0,10]", "ks=[0, 10]: Input should be greater than or equal to 1"),
        ("seed=abc", "seed=abc: "),
        ("seed=-1", "seed=-1: "),
        ("trainer.max_epochs=0", "trainer.max_epochs=0: Input should be greater than or equal"),
        ("trainer.precision=64", "trainer.precision=64: Input should be '32' or 'bf16-mixed'"),
    ],
)
def test_values(words: str, line: str, mistake: Mistake) -> None:
    assert line in mistake(*SMALL_DATA, *UNTRACKED, *words.split())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("model=5", f"no model 5 (model: {LISTED})"),
        ("data=-inf", "no data -inf (data: file, gowalla, ml-100k"),
        ("scheduler=[0]", "no scheduler [0] (scheduler: cosine, "),
        ("trainer=null", "no trainer null (trainer: auto, cpu, ddp, gpu)"),
        ("-m model=5,gmf", "no model 5,gmf (model: "),
        ("hydra.verbose=0", "Hydra can't use hydra.verbose=0 "),
        ("=5", "Hydra can't use "),
        ("data.source=1.5", "data.source=1.5: a choice, or options, are needed here"),
        ("~data.source", "data.source=None: a choice, or options, are needed here"),
        ("~protocol.name", "protocol.name has to be given"),
        ("~tracking", "tracking=None: a choice, or options, are needed here"),
        ("model._target_=5", "model._target_=5: no dotted path"),
        ("loss._target_=../../x", "loss._target_=../../x: no dotted path"),
        ("loss._target_=math.pi", "loss._target_=math.pi: no class and no function"),
        ("loss._target_=os.getcwd", "loss._target_=os.getcwd: no loss of logits"),
        ("loss._target_=builtins.int", "loss: <class 'int'> does not say what it is called with"),
        ("protocol.monitor=[1]", "protocol.monitor=[1]: Input should be a valid string"),
        ("data.popularity_power=inf", "data.popularity_power=inf: Input should be a finite number"),
        ("data.popularity_power=50", "data.popularity_power=50: Input should be less than or equ"),
        ("l2=inf", "l2=inf: Input should be a finite number"),
        ("model.pretrained=9", "model.pretrained=9: runs by part, as model.pretrained.gmf=RUN"),
        ("model.name=[]", "model.name=[]: letters, digits and . _ + - only"),
        ("model.name=../x", "model.name=../x: letters, digits and . _ + - only"),
        ("data.name=../x", "data.name=../x: letters, digits and . _ + - only"),
        ("data.cache=[]", "data.cache=[]: the name of a file is needed"),
        ("protocol.refit=-1", "protocol.refit=-1: Input should be a valid boolean"),
        ("protocol.full_ranking=-5", "protocol.full_ranking=-5: Input should be a valid boolean"),
        ("model.factors=true", "model.factors=True: Input should be a valid integer"),
        ("model.num_layers=500", "model.num_layers=500: Input should be less than or equal to 100"),
        ("trainer.threads=100000000", "trainer.threads=100000000: Input should be less than"),
        ("+pretrain=5", "pretrain=5: options by stage, as pretrain.gmf.model"),
        ("+pretrain.gmf=5", "pretrain.gmf=5: options of the stage, as its model"),
        ("trust=[1]", "trust=[1]: modules of your own, as trust=mymodels"),
        ("-m sweep.name=..", "sweep.name=..: letters, digits and . _ + - only"),
        ("-m sweep.name=.", "sweep.name=.: letters, digits and . _ + - only"),
        ("-m sweep.name=a/b", "sweep.name=a/b: letters, digits and . _ + - only"),
        ("-m sweep.name=.a", "sweep.name=.a: letters, digits and . _ + - only"),
        ("-m sweep=5", "sweep=5: options are needed here"),
        ("-m sweep.jobs=5", "sweep.jobs=5: Input should be a valid string"),
        ("-m hydra.sweeper.params=5", "hydra.sweeper.params=5: values by option are needed here"),
        ("-m data.source=5", "data.source=5: a choice, or options, are needed here"),
    ],
)
def test_values_of_another_kind(words: str, line: str, mistake: Mistake) -> None:
    flags = [word for word in words.split() if word == "-m"]
    options = [word for word in words.split() if word != "-m"]
    assert mistake(*flags, *SMALL_DATA, *UNTRACKED, *options).startswith(line)


@pytest.mark.parametrize("name", ["..", ".", ".a", "a/b", "a b", "''", "[]"])
def test_names_of_searches(name: str, mistake: Mistake, tmp_path: Path) -> None:
    line = mistake(*SMALL_DATA, *UNTRACKED, f"name={name}", command="tune")
    assert line.startswith(f"name={name.strip(chr(39))}: letters, digits and . _ + - only")
    assert not (tmp_path / "outputs" / "prepared").exists()


def test_a_long_line_is_shortened(mistake: Mistake) -> None:
    line = mistake("data=file", f"data.path={'x' * 250}/{'x' * 250}", *UNTRACKED)
    assert line.startswith("data.path=xxxxx")
    assert line.endswith("xxx: no such file")
    assert len(line) == 300


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(mistake: Mistake) -> None:
    line = mistake(*SMALL_DATA, "tracking=none", "trainer=gpu")
    assert "this machine has 0 CUDA devices that torch can use; try trainer=cpu" in line


GOOD = "user,item,rating\n" + "".join(
    f"u{u},i{(u + i) % 9},5\n" for u in range(9) for i in range(4)
)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (None, "", "data.path={file}: no such file"),
        ("", "", "{file} is empty"),
        ("user,item,rating\n", "", "{file} has no rows below its header"),
        (
            GOOD.replace(",", ";"),
            "",
            "{file}, line 1: only one column when split at ',': it looks separated by ';' "
            "(data=file data.source.separator reads that)",
        ),
        (
            GOOD,
            "data.source.item_column=film",
            "{file} has no column 'film', only 'item', 'rating', 'user': see "
            "data.source.item_column",
        ),
        (
            GOOD.replace("u2,i4,5", "u2,i4,good"),
            "data.source.rating_column=rating",
            "{file}, line 12: rating 'good' is not a number",
        ),
        (
            GOOD,
            "data.split=global-time",
            "data.split=global-time needs timestamps, and this data has none",
        ),
    ],
)
def test_own_files(
    text: str | None, words: str, line: str, mistake: Mistake, tmp_path: Path
) -> None:
    file = tmp_path / "ratings.csv"
    if text is not None:
        write(file, text)
    options = ("data=file", f"data.path={file}", *UNTRACKED, *words.split())
    assert mistake(*options) == line.format(file=file)
    assert text is None or file.read_text() == text
    assert list((tmp_path / "outputs").glob("prepared/*/")) == []


@pytest.mark.parametrize("data", ["ml-1m", "ncf-ml-1m"])
def test_own_file_without_data_file(data: str, mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / "plays.parquet"
    pd.read_csv(io.StringIO(GOOD)).to_parquet(file)
    line = mistake(f"data={data}", f"data.path={file}", *UNTRACKED)
    assert line.startswith(f"data.path={file}: no ")
    assert line.endswith("; for a table of your own add data=file")


def test_own_file_not_named(mistake: Mistake) -> None:
    line = mistake("data=file", *UNTRACKED)
    assert line == "data=file needs data.path=<your .csv, .tsv, .parquet or .json file>"


def test_a_corrupt_archive(mistake: Mistake, tmp_path: Path) -> None:
    archive = tmp_path / "ratings.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ratings.csv", GOOD)
    archive.write_bytes(archive.read_bytes()[:100])
    line = mistake("data=ml-1m", f"data.path={archive}", *UNTRACKED)
    assert line.startswith(f"{archive} is damaged (")
    assert line.endswith("): delete it and get it again")


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (10, 99, "{file} can't be unpacked here: zip file version 9.9"),  # needed to unpack
        (14, 99, "r.csv in {file} can't be unpacked here: "),  # the method
        (14, 14, "{file} is damaged ("),  # LZMA, which it is not
    ],
)
def test_a_zip_that_can_t_be_unpacked(
    place: int, value: int, line: str, mistake: Mistake, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("r.csv", GOOD)
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + place - 4] = value  # where the directory has it
    if place == 14:
        content[8] = value
    file.write_bytes(content)
    assert mistake("data=file", f"data.path={file}", *UNTRACKED).startswith(line.format(file=file))


def test_a_parquet_file_with_broken_metadata(mistake: Mistake, tmp_path: Path) -> None:
    file = tmp_path / "r.parquet"
    pd.read_csv(io.StringIO(GOOD)).to_parquet(file)
    content = file.read_bytes()
    start = content.rindex(b"ARROW:schema")
    file.write_bytes(content[:start] + b"\xff" * 40 + content[start + 40 :])
    line = mistake("data=file", f"data.path={file}", *UNTRACKED)
    assert line.startswith(f"{file} can't be read as Parquet: ")


def test_an_archive_of_another_checksum(mistake: Mistake, tmp_path: Path) -> None:
    archive = write(tmp_path / "data" / "ml-1m.zip", "not what GroupLens published")
    line = mistake("data=ml-1m", f"data.root={archive.parent}", *UNTRACKED)
    assert line.startswith(f"{archive} is not ml-1m as released: SHA-256 expected a6898adb50b9ca05")
    assert archive.read_text() == "not what GroupLens published"


def test_a_test_user_who_is_not_in_train(mistake: Mistake, tmp_path: Path) -> None:
    write(tmp_path / "ml-1m.train.rating", "0\t1\t5\t1\n0\t2\t5\t2\n1\t1\t5\t3\n1\t2\t5\t4\n")
    write(tmp_path / "ml-1m.test.rating", "0\t0\t5\t9\n7\t0\t5\t9\n")
    write(tmp_path / "ml-1m.test.negative", "(0,0)\t3\t4\n(7,0)\t3\t4\n")
    line = mistake("data=ncf-ml-1m", f"data.path={tmp_path}", *UNTRACKED)
    assert line == (
        f"{tmp_path}/ml-1m.test.rating, line 2: user 7 is not in {tmp_path}/ml-1m.train.rating"
    )


def test_one_pretrained_model_is_not_enough(mistake: Mistake) -> None:
    line = mistake(*SMALL_DATA, *UNTRACKED, "model.pretrained.gmf=somewhere")
    assert line == "model.pretrained needs both gmf and mlp"


def pretrained(path: Path) -> tuple[str, str]:
    return f"model.pretrained.gmf={path}", f"model.pretrained.mlp={path}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nowhere", "no run {path}: neither a folder, nor a name in {runs}"),
        ("nowhere.ckpt", "no checkpoint at {path}"),
        ("empty", "{path} is not a run's folder: it has no config.yaml"),
        ("text.ckpt", "{path} is not a checkpoint of this project"),
        ("numbers.ckpt", "{path} is not a checkpoint of this project"),
    ],
)
def test_no_checkpoint(name: str, line: str, mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "text.ckpt", "weights")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "numbers.ckpt")
    path = tmp_path / name
    runs = tmp_path / "outputs" / "runs"
    assert mistake(*SMALL_DATA, *UNTRACKED, *pretrained(path)) == line.format(path=path, runs=runs)


def test_a_checkpoint_of_another_model(trained: TrainedHome, mistake: Mistake) -> None:
    line = mistake(*SMALL_DATA, *UNTRACKED, *pretrained(trained.run.folder))
    assert line.startswith("model.pretrained wants a gmf and an mlp, but ")


def test_a_checkpoint_of_other_data(trained: TrainedHome, mistake: Mistake) -> None:
    larger = ("data.source.n_users=201", *pretrained(trained.run.folder))
    line = mistake(*SMALL_DATA, *UNTRACKED, *larger)
    assert line == (
        f"{trained.run.folder}/checkpoints/best.ckpt was trained on 200 users and 100 items, "
        "but this data has 201 and 100"
    )


def test_checkpoints_of_other_sizes(call: Call, mistake: Mistake) -> None:
    def part(model: str, *words: str) -> Path:
        finished = call(*SMALL_DATA, *UNTRACKED, f"model={model}", *words)
        assert finished.status == 0
        return finished.folder

    gmf, mlp = part("gmf", "model.factors=4"), part("mlp")
    words = (f"model.pretrained.gmf={gmf}", f"model.pretrained.mlp={mlp}")
    line = mistake(*SMALL_DATA, *UNTRACKED, *words)
    assert line.startswith("model.pretrained.gmf doesn't fit: it has table (300, 4), ")
    assert "this model needs table (300, 8)" in line


def test_an_output_folder_that_can_t_be_made(mistake: Mistake, tmp_path: Path) -> None:
    file = write(tmp_path / "file", "precious")
    line = mistake(*SMALL_DATA, *UNTRACKED, f"hydra.run.dir={file}/run")
    assert line == f"Not a directory: {file}/run"
    assert file.read_text() == "precious"


def test_a_cache_that_can_t_be_written(mistake: Mistake, tmp_path: Path) -> None:
    file = write(tmp_path / "file", "precious")
    assert str(file) in mistake(*SMALL_DATA, *UNTRACKED, f"data.cache={file}/prepared")
    assert file.read_text() == "precious"


@pytest.mark.parametrize("place", ["", "/file/mlflow.db", "/file"])
def test_a_database_that_can_t_be_opened(place: str, mistake: Mistake, tmp_path: Path) -> None:
    file = write(tmp_path / "file", "precious " * 500)
    uri = f"sqlite:///{tmp_path}{place}"
    line = mistake(*TINY, f"tracking.uri={uri}")
    assert line.startswith(f"tracking.uri={uri} can't be used: ")
    assert line.endswith("give another, or tracking=none")
    assert file.read_text() == "precious " * 500


def test_evaluating_nothing(mistake: Mistake, tmp_path: Path) -> None:
    assert mistake(command="evaluate") == "run=... must be given; --help says what it is"
    assert mistake("rnu=1", command="evaluate") == "no option rnu; did you mean run?"
    line = mistake(f"run={tmp_path}", command="evaluate")
    assert line == f"{tmp_path} is not a run's folder: it has no config.yaml"


def test_a_bug_is_no_mistake(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Finished:
        raise ZeroDivisionError

    monkeypatch.setattr("src.run.assembly.make_data", broken)
    with pytest.raises(ZeroDivisionError):
        call(*SMALL_DATA, *UNTRACKED)
