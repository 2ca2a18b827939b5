"""What the commands say about themselves, and what they do with their command lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from src.config.build import locate
from src.config.paths import CONF
from tests.commands import MODELS, REPOSITORY, TINY

if TYPE_CHECKING:
    from tests.conftest import Call

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())
GROUPS = [group for group in GROUPS if group not in ("hydra", "search")]
COMMANDS = ("train", "evaluate")
# Experiments called by what they know
FUSIONS = ("best", "best-times", "fused-neumf", "order")


def composed(
    call: Call, *words: str, command: str = "train", resolve: bool = False
) -> dict[str, Any]:
    """The configuration that the command would run with."""
    flags = ["--cfg", "job", *(["--resolve"] if resolve else [])]
    shown = call(*flags, *words, command=command)
    assert shown.status == 0, shown.err
    return yaml.safe_load(shown.out)


def option(cfg: dict[str, Any], path: str) -> Any:
    value: Any = cfg
    for key in path.split("."):
        assert key in value, f"{path} is no option"
        value = value[key]
    return value


def examples(help_text: str, command: str) -> list[list[str]]:
    """The words of each example at the end of the help."""
    lines = help_text.split("Examples:")[1].splitlines()
    start = f"python -m src.{command} "
    found = [line.split(start)[1] for line in lines if line.strip().startswith(start)]
    return [example.split() for example in found]


def test_a_terminal_is_told_at_once_what_the_command_does(tmp_path: Path) -> None:
    ours, its = os.openpty()
    env = {**os.environ, "NCF_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "src.train", "model=nothing"]
    try:
        subprocess.run(words, cwd=REPOSITORY, env=env, stdout=its, stderr=its, check=False)
        first = os.read(ours, 4096).decode().splitlines()[0]
    finally:
        os.close(ours)
        os.close(its)
    assert first == "train: reading options, loading libraries"


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, call: Call) -> None:
    shown = call("--help", command=command)
    assert (shown.status, shown.err) == (0, "")
    assert f"python -m src.{command}" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 100


def test_help_lists_every_group_with_its_choices(call: Call) -> None:
    out = call("--help").out.replace("\n    ", " ")  # a long list goes on in the next line
    for group in [*GROUPS, "experiment/ncf-ml-1m"]:
        choices = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
        assert f"\n{group}: {', '.join(choices)}\n" in out


def test_help_states_the_groups_defaults(call: Call) -> None:
    stated = re.search(r"Defaults: (.*?)\n\n", call("--help").out, re.DOTALL)
    assert stated is not None
    shown = dict(choice.split("=") for choice in stated[1].split())
    listed = yaml.safe_load((CONF / "train.yaml").read_text())["defaults"]
    defaults = {
        group: choice for entry in listed if entry != "_self_" for group, choice in entry.items()
    }
    assert shown == {group: choice for group, choice in defaults.items() if group in shown}
    assert set(shown) == set(GROUPS) - {"experiment"}


@pytest.mark.parametrize("command", COMMANDS)
def test_options_in_the_help_exist_with_the_stated_defaults(command: str, call: Call) -> None:
    body = call("--help", command=command).out.split("Options")[1].split("Examples:")[0]
    stated = re.findall(r"^ +((?:[\w.]+=\S+ ?)+)", body, re.MULTILINE)
    pairs = [pair.split("=", 1) for words in stated for pair in words.split()]
    assert len(pairs) >= {"train": 18, "evaluate": 3}[command]
    cfg = composed(call, command=command)
    for name, default in pairs:
        if name in GROUPS:
            continue
        value = option(cfg, name)
        if "${" not in str(value) and default != "...":
            assert value == yaml.safe_load(default), name


def test_other_options_named_in_the_help_exist(call: Call) -> None:
    text = call("--help").out
    cfg = composed(call)
    for name in set(re.findall(r"\b((?:data|model|trainer|optimizer|tracking)\.[a-z_.]+)=", text)):
        option(cfg, name)


def test_the_examples_compose(call: Call) -> None:
    shown = examples(call("--help").out, "train")
    assert len(shown) == 8
    for words in [words for words in shown if not words[0].startswith("run=")]:
        one_job = [word.split(",")[0] for word in words if word != "-m"]
        cfg = composed(call, *one_job)
        for word in one_job:
            name, value = word.split("=")
            if name not in (*GROUPS, "hydra/launcher"):
                assert option(cfg, name) == yaml.safe_load(value)
    for words in examples(call("--help", command="evaluate").out, "evaluate"):
        assert composed(call, *words, command="evaluate")["run"] == words[0].split("=")[1]


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_composes(group: str, call: Call) -> None:
    for choice in sorted(path.stem for path in (CONF / group).glob("*.yaml")):
        cfg = composed(call, f"{group}={choice}", resolve=True)
        if group in ("data", "model", "protocol", "tracking"):
            assert cfg[group]["name"] == choice


def nested_experiments() -> list[str]:
    """Those in a folder named after the data."""
    files = (CONF / "experiment").glob("*/*.yaml")
    data = {file.stem for file in (CONF / "data").glob("*.yaml")}
    return sorted(f"{f.parent.name}/{f.stem}" for f in files if f.parent.name in data)


@pytest.mark.parametrize("experiment", nested_experiments())
def test_every_experiment_on_a_data_set_composes(experiment: str, call: Call) -> None:
    data, model = experiment.split("/")
    cfg = composed(call, f"experiment={experiment}", resolve=True)
    assert cfg["data"]["name"] == data
    assert cfg["model"]["name"] == ("fusion" if model in FUSIONS else model)


def test_every_model_has_an_experiment_on_the_released_split() -> None:
    tuned = {name.split("/")[1] for name in nested_experiments() if name.startswith("ncf-ml-1m/")}
    # some models are there in several ways; what wants times is not tuned on data without them
    assert tuned >= {name for name in MODELS if _knows_pairs(name)}


def _knows_pairs(name: str) -> bool:
    text = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text())
    kind: Any = locate(text.get("model", text)["_target_"])
    return kind.knows == "pairs" and not kind.free_parts


def test_defaults_write_below_outputs(call: Call, tmp_path: Path) -> None:
    cfg = composed(call, resolve=True)
    outputs = tmp_path / "outputs"
    assert cfg["data"]["cache"] == f"{outputs}/prepared"
    assert cfg["tracking"]["uri"] == f"sqlite:///{outputs}/mlflow.db"
    assert cfg["tracking"]["artifacts"] == f"{outputs}/mlartifacts"


def test_data_root_by_environment(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCF_DATA_ROOT", "/somewhere")
    assert composed(call, resolve=True)["data"]["source"]["root"] == "/somewhere"
    assert composed(call, "data.root=/else", resolve=True)["data"]["source"]["root"] == "/else"


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "src.train", "--help"]
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "hydra" in shown.stderr
    for heavy in ("torch", "pandas", "mlflow", "pytorch_lightning"):
        assert not re.search(rf"\| +{heavy}$", shown.stderr, re.MULTILINE), heavy


def test_a_reader_that_goes_away_is_no_bug() -> None:
    # as head does in `--help | head -n 1`
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "src.train", "--help"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (shown.returncode, shown.stderr) == (141, b"")


def test_the_version_is_the_project_s(call: Call) -> None:
    said = call("--version")
    assert (said.status, said.out) == (0, f"ncf-bench {version('ncf-bench')}\n")


def test_an_addition_that_nothing_reads_is_refused(call: Call) -> None:
    said = call("+optimzer=sgd", *TINY)
    assert said.status == 2
    assert said.err == "error: +optimzer=sgd: nothing reads optimzer; did you mean optimizer?\n"


def test_an_addition_that_an_option_reads_is_taken(call: Call) -> None:
    said = call("+size=4", "model=gmf", "model.factors=${size}", *TINY, "tracking=none")
    assert said.status == 0, said.err
    assert yaml.safe_load((said.folder / "config.yaml").read_text())["model"]["factors"] == 4


def test_one_cutoff_is_a_list_of_one(call: Call) -> None:
    said = call("ks=5", "model=itempop", *TINY, "tracking=none", "ks=5")
    assert said.status == 0, said.err
    assert "test/hr@5" in (said.folder / "metrics.json").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full")
def test_a_log_that_has_no_room_is_no_traceback(call: Call) -> None:
    full = "hydra.job_logging.handlers.file.filename=/dev/full"
    done = call(*TINY, "trainer.max_epochs=1", "tracking=none", full)
    assert done.status == 0
    assert done.err == ""
