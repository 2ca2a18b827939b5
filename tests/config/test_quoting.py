"""What is quoted comes out of Hydra's own parser, and of OmegaConf, as it went in."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from src.config.compose import compose, keep_text
from src.config.quoting import assign, quote, take_text

# every text, and those of the characters that mean something to Hydra or OmegaConf
TEXTS = st.text() | st.text("\\'\"${}[]()ab ,=:.~+1e\n\t")


def read(word: str) -> Any:
    """Return the value of option=WORD as a configuration has it."""
    value = OverridesParser.create().parse_override(f"option={word}").value()
    return OmegaConf.to_container(OmegaConf.create({"option": value}), resolve=True)["option"]


@given(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.lists(st.integers(1, 512))
    | TEXTS.filter(lambda text: text != "???")  # which is a value that is missing
    | st.lists(TEXTS.filter(lambda text: text != "???"))
)
def test_what_is_quoted_is_read_as_it_was(value: Any) -> None:
    found = read(quote(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("bce", "bce"),
        ("bf16-mixed", "bf16-mixed"),
        ("9694e04467541234", "'9694e04467541234'"),
        ("null", "'null'"),
        ("it's", "'it\\'s'"),
        ("a\\", "'a\\\\'"),
        ("${seed}", "'\\${seed}'"),
        (["model.factors", "1e5"], "[model.factors,'1e5']"),
        (1e-05, "1e-05"),
    ],
)
def test_how_it_is_written(value: Any, written: str) -> None:
    assert quote(value) == written


@pytest.mark.parametrize("key", ["9694e04467541234", "1234567890123456", "00000000e0000000"])
def test_a_job_s_folder_is_its_key(key: str) -> None:
    words = [assign("hydra.sweep.subdir", key), assign("sweep.name", key)]
    cfg = compose(words, with_hydra=True)
    assert (cfg.hydra.sweep.subdir, cfg.sweep.name) == (key, key)


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("name=1e5", "name='1e5'"),
        ("name=007", "name=007"),  # Hydra's numbers don't begin so
        ("name=1_0", "name='1_0'"),
        ("name=true", "name='true'"),
        ("name=null", "name=null"),
        ("name=inf", "name='inf'"),
        ("name='1e5'", "name='1e5'"),
        ("name=${seed}", "name=${seed}"),
        ("name=1,2", "name=1,2"),
        ("name=(", "name=("),
        ("name=", "name="),
        ("seed=1", "seed=1"),
        ("name", "name"),
    ],
)
def test_numbers_in_names_are_names(word: str, kept: str) -> None:
    assert keep_text(word, {"name"}) == kept


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("keras=a_[64,32]_1.h5", "a_[64,32]_1.h5"),
        ("keras='a b.h5'", "a b.h5"),
        ("keras=5", "5"),
        ("keras=null", None),
    ],
)
def test_names_of_files_are_texts(word: str, value: str | None) -> None:
    assert read(take_text(word, ["keras"]).removeprefix("keras=")) == value


def test_other_options_are_left_alone() -> None:
    for word in ("data=[1]", "keras", "keras="):
        assert take_text(word, ["keras"]) == word
