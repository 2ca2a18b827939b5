"""The order of the house: imports run one way, names are plain and unique, files are short."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import REPOSITORY

SRC = REPOSITORY / "src"
FILES = sorted([*SRC.rglob("*.py"), *(REPOSITORY / "hydra_plugins").rglob("*.py")])
LONGEST = 400

# From the top down; a room imports from those below it, and from those that stand beside them all
ROOMS = (
    "papers",
    "tuning",
    "serving",
    "sweeping",
    "run",
    "reporting",
    "training",
    "evaluation",
    "models",
    "data",
)
BESIDE = ("tracking", "config", "errors", "kernels")
# None imports another
APART = (("papers", "tuning"), ("papers", "serving"), ("tuning", "serving"))
# Where Hydra's internals are known
HYDRA = ("src/cli.py", "src/config/completion.py", "src/config/compose.py", "hydra_plugins/")
COMMANDS = {
    "train",
    "evaluate",
    "recommend",
    "export",
    "convert",
    "serve",
    "judge",
    "tune",
    "report",
    "runs",
    "paper",
    "plot",
    "dashboard",
    "sync",
}
SHARED = {"__init__", "api", "cli", "errors"}


def imports(file: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    return module.split(".")[1]


def name_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("room", [*ROOMS, "tracking", "config", "kernels"])
def test_imports_run_one_way(room: str) -> None:
    below = ROOMS[ROOMS.index(room) + 1 :] if room in ROOMS else ()
    allowed = {room, *below, *BESIDE} if room in ROOMS else {*BESIDE}
    allowed -= {other for pair in APART if room in pair for other in pair if other != room}
    if room == "config":
        allowed = {"config", "errors"}
    for file in sorted((SRC / room).rglob("*.py")):
        used = {room_of(module) for module in imports(file) if module.startswith("src.")}
        assert used <= allowed, f"{name_of(file)} imports {used - allowed}"


def test_the_root_holds_the_commands_and_what_they_share() -> None:
    assert {file.stem for file in SRC.glob("*.py")} == COMMANDS | SHARED


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("mlflow", "tracking"),
        ("optuna", "tuning"),
        ("jinja2", "reporting"),
        ("fastapi", "serving"),
        ("uvicorn", "serving"),
        ("h5py", "run"),
    ],
)
def test_a_library_is_known_in_one_room(library: str, room: str) -> None:
    for file in FILES:
        if any(module.split(".")[0] == library for module in imports(file)):
            assert room_of(name_of(file).replace("/", ".")) == room, name_of(file)


def test_a_model_knows_no_lightning() -> None:
    for file in (SRC / "models").rglob("*.py"):
        assert not any(module.startswith("pytorch_lightning") for module in imports(file)), file


def test_hydra_s_internals_are_known_in_few_places() -> None:
    for file in FILES:
        inner = [
            module
            for module in imports(file)
            if module.startswith(("hydra._internal", "hydra.core", "hydra.plugins"))
        ]
        assert not inner or name_of(file).startswith(HYDRA), f"{name_of(file)}: {inner}"


def test_files_are_short() -> None:
    lengths = {name_of(file): len(file.read_text().splitlines()) for file in FILES}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_no_two_files_or_classes_have_one_name() -> None:
    # of papers the order of the house asks for a file of that name
    stems = Counter(file.stem for file in FILES)
    assert {n: c for n, c in stems.items() if c > 1} == {
        "__init__": stems["__init__"],
        "provenance": 2,
    }
    classes = Counter(
        node.name
        for file in FILES
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert {name: n for name, n in classes.items() if n > 1} == {}


# How a docstring of a function begins: with a verb in the imperative; a new one joins the list
VERBS = set(
    re.findall(
        r"\w+",
        """
    Add Adjust Append Apply Ask Average Begin Bring Build Call Change Check Choose Close Collect
    Combine
    Compare Compile Compose Compute Convert Copy Count Cut Derive Describe Discount Divide Download
    Draw
    Drop End Estimate Exchange Execute Explain Fill Find Fit Flatten Flush
    Follow Format Fuse Generate Give
    Go
    Group Hold Import Index Interrupt Invert Join Judge Keep Label Learn Leave Let List Load Locate
    Log Look Make Map Mark Measure Merge Move Multiply Name Note Number Observe Open Order Parse
    Pick Place Predict Prepare Print Put Raise Rank Read Record Reduce Refuse Remove Rename
    Render Renumber Replace Resolve Restore Return Run Save Say Score Select Send Serve Set
    Shorten Show Silence Sort Split Stack Stand Start State Step Stop Store Strip Sum Summarize
    Tabulate Take Teach Tell Test Train Transpose Turn Update Use Wait Weight Write Yield
    """,
    )
)


def functions(file: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and not any(
            "property" in ast.unparse(decorator) for decorator in node.decorator_list
        ):
            yield node


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_docstrings_begin_with_a_verb(file: Path) -> None:
    for function in functions(file):
        text = ast.get_docstring(function)
        if text is None or function.name == "__init__":
            continue
        first = text.split()[0].strip(".,:;")
        assert first in VERBS, f"{name_of(file)}: {function.name}: {text.splitlines()[0]}"
