"""Options that are wrong, of every kind: composed and checked as src.train does, or refused."""

from __future__ import annotations

import random
from pathlib import Path

import hydra
import pytest

from src.cli import explain_words
from src.config.compose import compose, group_choices, option_names
from src.config.paths import CONF
from src.run.checks import check_options
from src.run.pretraining import take_stages
from tests.chaos.conftest import Note
from tests.chaos.damage import assert_one_line, numbers, told_in_one_line

BASES = (
    ("model=neumf", "data=synthetic"),
    ("model=lightgcn", "data=file"),
    ("model=ials", "data=ncf-ml-1m"),
    ("model=svdpp", "data=ml-100k", "protocol=ratings"),
    ("experiment=neumf-pretrained", "data=ml-25m", "tracking=csv"),
    ("model=mf", "scheduler=plateau", "optimizer=sgd", "loss=warp"),
)
VALUES = (
    *("5", "-1", "0", "1.5", "-0.0", "1e400", "-1e400", "nan", "inf", "-inf", "1e5", "1_000"),
    *("99999999999999999999", "-99999999999999999999", "2147483648", "true", "false", "null", ""),
    *("'5'", "''", "' '", "x", "A²", "../../x", "/etc/passwd", ".", "..", "~", "*", "a b", "a=b"),
    *("'a\\nb'", "'\x1b[31m'", '"x', "(x)", "[", "]", "{", "[]", "[1]", "[[]]", "[null]", "[a,b]"),
    *("{}", "{a:1}", "{_target_:os.system}", "{_target_:5}", "[{_target_:os.getcwd}]", "[{}]"),
    *("???", "${x}", "${seed}", "${oc.env:NOPE}", "${nope:1}", "${", "os.system", "os.getcwd"),
    *("math.pi", "builtins.int", "src.models.GMF", "src.errors", "torch.optim.Adam", "a..b"),
    *("x" * 5000, "[" * 30, "a,b", "range(3)", "glob(*)", "choice(1,2)", "int(x)", "str(5)"),
)
SIGNS = ("", "", "", "", "+", "++", "~")


def make_words(number: int) -> list[tuple[str, ...]]:
    """Return command lines with one or two wrong options each."""
    rng = random.Random(0)
    names = {base: [*option_names(compose(base)), *group_choices()] for base in BASES}
    made = []
    for _ in range(number):
        base = rng.choice(BASES)
        wrong = []
        for _ in range(rng.choice((1, 1, 1, 2))):
            name = rng.choice(names[base])
            if rng.random() < 0.1:
                name = rng.choice((f"{name}.x", f"{name}x", name.rpartition(".")[0] or name))
            sign = rng.choice(SIGNS)
            wrong.append(f"{sign}{name}" if sign == "~" else f"{sign}{name}={rng.choice(VALUES)}")
        made.append((*base, *wrong))
    return made


def try_words(words: tuple[str, ...]) -> None:
    """Compose and check a command line as src.train does."""
    with told_in_one_line(words):
        try:
            cfg = hydra.compose("train", list(words))
        except Exception as error:
            line = explain_words(error, "train")
            assert line is not None, words
            assert_one_line(line)
            return
        take_stages(cfg)
        check_options(cfg)


@numbers(60, 2_000, "OPTIONS")
def test_options(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: Note) -> None:
    monkeypatch.chdir(tmp_path)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for words in make_words(number):
            monkeypatch.setattr("sys.argv", ["train", *words])
            try_words(words)
    assert list(tmp_path.iterdir()) == []
    note("wrong options: taken, or refused in one line", number)
