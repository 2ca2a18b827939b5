"""Compose configurations from the words of a command line, in the commands and outside of them.

Importing this file provides the resolvers ${outputs:}, ${choices:}, ${pid:}, ${run_name:} and, for
conf/data, ${stem:}, ${folder:} and ${candidates:}, also in the processes that a parallel launcher
starts.
Hydra's internals are used here, in completion.py, src/cli.py and hydra_plugins, and nowhere else.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.paths import CONF, OUTPUTS
from src.config.quoting import assign
from src.config.run_words import name_by_words
from src.errors import UserError, did_you_mean, shorten

# What no name of a folder has
UNNAMED = re.compile(r"[^\w+-]+")
# Letters, also of those that take several bytes
LONGEST_NAME = 48

Plain = dict[str, Any]
"""A composed configuration, resolved, as plain containers."""


def compose(
    words: Sequence[str] = (), *, command: str = "train", with_hydra: bool = False
) -> DictConfig:
    """Return the configuration of `python -m src.COMMAND WORDS`.

    Within a command the folders that its own command line names (--config-dir, hydra.searchpath)
    are searched too. `with_hydra` keeps Hydra's own node.
    """
    searched = _given_to_hydra("hydra.searchpath")
    with _loader():
        return hydra.compose(command, [*words, *searched], return_hydra_config=with_hydra)


def plain(cfg: DictConfig) -> Plain:
    """Return the configuration resolved, as plain containers."""
    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


def grid(words: Sequence[str], params: Mapping[str, Any] | None = None) -> list[list[str]]:
    """Return the words of each job of `python -m src.train -m WORDS`, one list a combination.

    `params`: what is swept beside the words; None: what the file that `experiment=FILE` names
    sweeps. Words of the command line take the place of those.
    """
    swept = params_of(words) if params is None else params
    if not isinstance(swept, Mapping):
        raise UserError(f"hydra.sweeper.params={shorten(swept)}: values by option are needed here")
    given = [f"{key}={value}" for key, value in swept.items()]
    overrides = OverridesParser.create().parse_overrides([*given, *words])
    (combinations,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return [list(combination) for combination in combinations]


def params_of(words: Sequence[str]) -> dict[str, str]:
    """Return what the experiment's file sweeps by itself, by option: {"seed": "0,1,2"}."""
    files = [word for word in words if word.startswith("experiment=") and "," not in word]
    if not files:
        return {}
    params = compose(files[:1], with_hydra=True).hydra.sweeper.get("params") or {}
    return {str(key): str(value) for key, value in params.items()}


def compose_jobs(combinations: Sequence[Sequence[str]], *more: str) -> Iterator[DictConfig]:
    """Yield the configuration of each combination, with the words `more` in all of them.

    Composing takes a tenth of a second: combinations that differ only in plain values share it.
    """
    composed: dict[tuple[str, ...], DictConfig] = {}
    swept = _swept_values(combinations)
    for words in combinations:
        own = [word for word in words if word.split("=", 1)[0] in swept]
        shared = tuple(word for word in words if word not in own)
        if shared not in composed:
            composed[shared] = compose([*shared, *more])
        cfg = composed[shared].copy()
        for override in OverridesParser.create().parse_overrides(own):
            OmegaConf.update(cfg, override.key_or_group, override.value())
        yield cfg


def _swept_values(combinations: Sequence[Sequence[str]]) -> set[str]:
    """Return the options in which combinations differ that are values, not choices of a group."""
    differing = [words[0] for words in zip(*combinations, strict=True) if len(set(words)) > 1]
    overrides = OverridesParser.create().parse_overrides(differing)
    return {override.key_or_group for override in overrides if _is_plain(override)}


def _is_plain(override: Override) -> bool:
    group = is_group(override.key_or_group)
    return override.type == OverrideType.CHANGE and override.package is None and not group


@contextmanager
def explained(words: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra says of words that can't be composed into a UserError that names the option.

    For words that a program made: a command's own are explained in src/cli.py.
    """
    try:
        yield
    except Exception as error:
        if wrong := find_wrong_choice(words):
            raise UserError(wrong) from error
        if not isinstance(error, HydraException | OmegaConfBaseException):
            raise
        cause = error.__cause__ or error
        key = getattr(cause, "full_key", None)
        line = f"no option {key}{_hint(key)}" if key else " ".join(str(cause).split())
        raise UserError(f"{line} (in {command_line('train', '-m', *words)})") from error


def find_wrong_choice(words: Sequence[str], command: str = "train") -> str | None:
    """Return what to say of the first word that chooses what is no name, if one does: model=5.

    Hydra itself ends there in errors of many kinds.
    """
    groups = group_choices()
    for word in words:
        name, _, value = word.partition("=")
        if name not in groups or _chooses_names(word):
            continue
        try:
            compose([word], command=command)
        except Exception:  # of any kind
            return f"no {name} {shorten(value)} ({name}: {', '.join(groups[name])})"
    return None


def _chooses_names(word: str) -> bool:
    """Tell whether a word gives a group names, or what is no choice at all."""
    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException:
        return True
    chosen = getattr(value, "list", value)  # of a sweep
    each = chosen if isinstance(chosen, list) else [chosen]
    return all(isinstance(one, str | Glob) for one in each)


def _hint(key: str) -> str:
    return did_you_mean(key, option_names(compose()))


def option_names(cfg: DictConfig) -> list[str]:
    """Return the whole name of every option: "model.factors"."""
    return list(_names(OmegaConf.to_container(cfg), ""))


def _names(node: Any, prefix: str) -> Iterator[str]:
    if not isinstance(node, dict):
        yield prefix.rstrip(".")
        return
    for key, value in node.items():
        yield from _names(value, f"{prefix}{key}.")


def refuse_unread(cfg: DictConfig, words: Sequence[str]) -> None:
    """Raise UserError for an addition, +NAME=VALUE, that no option of ours and no ${NAME} reads.

    Additions within a group are read by what the group chooses, which refuses others.
    """
    added = [word for word in words if word.startswith("+")]
    if not added:  # the options take a tenth of a second to compose
        return
    known = {name.partition(".")[0] for name in option_names(compose())} | set(group_choices())
    known.add("pretrain")  # stages that run before, which an experiment's file has
    for word in added:
        name = word.lstrip("+").partition("=")[0].partition("@")[0]
        if name.partition(".")[0].partition("/")[0] in known:
            continue
        if f"${{{name}" not in OmegaConf.to_yaml(cfg):
            raise UserError(f"{word}: nothing reads {name}{did_you_mean(name, known)}")


def parse_option(word: str) -> str:
    """Return the whole name of the option or group that a word of the command line sets."""
    return OverridesParser.create().parse_override(word).key_or_group


def keep_text(word: str, texts: Collection[str]) -> str:
    """Return a word, quoted if it gives one of the options `texts` what looks like a number.

    sweep.name=1e5 is a name, and so is a run's id of digits and an e; `true` counts as a number.
    """
    option, given, value = word.partition("=")
    if not given or option not in texts:
        return word
    try:
        number = OverridesParser.create().parse_override(f"text={value}").value()
    except HydraException:  # told where the whole command line is read
        return word
    return assign(option, value) if isinstance(number, int | float) else word


def given_words() -> list[str]:
    """Return the words of this command's own command line, without those for Hydra itself."""
    return list(HydraConfig.get().overrides.task)


def given_choice(group: str) -> str:
    """Return what this command's configuration chose of a group, whether it exists or not."""
    return str(HydraConfig.get().runtime.choices[group])


def is_job() -> bool:
    """Tell whether this is one of a sweep's jobs."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def choices_of(group: str) -> list[str]:
    """Return the choices of a group, those of the user's own folders among them."""
    with _loader() as loader:
        return list(loader.get_group_options(group))


def group_choices() -> dict[str, list[str]]:
    """Return every group at the top level with its choices."""
    with _loader() as loader:
        return {group: list(loader.get_group_options(group)) for group in loader.list_groups("")}


def choices_with(option: str) -> str:
    """Return the choices that have an option like "data.train", for a message; "" where none has.

    Those of the project's own folder.
    """
    group, _, key = option.partition(".")
    files = sorted((CONF / group).glob("*.yaml")) if group in group_choices() else []
    having = [
        f"{group}={file.stem}"
        for file in files
        if key in _names(OmegaConf.to_container(OmegaConf.load(file)), "")
    ]
    return f"add {having[0]}" if len(having) == 1 else ""


def is_group(name: str) -> bool:
    """Tell whether the name is a group's, of the project or of the user's own folders."""
    parent, _, last = name.rpartition("/")
    with _loader() as loader:
        return last in loader.list_groups(parent)


def add_search_words(*words: str) -> list[str]:
    """Return a command's words with the folders that this command was told to search."""
    folder = _config_dir()
    found = ["--config-dir", folder] if folder else []
    return [*found, *words, *_given_to_hydra("hydra.searchpath")]


def command_line(command: str, *words: str) -> str:
    """Return a command for the user to type, as the shell takes it, in the working folder.

    It is one of the console scripts if this command was started by one.
    """
    script = Path(sys.argv[0]).stem.startswith("ncf-")
    name = [f"ncf-{command}"] if script else ["python", "-m", f"src.{command}"]
    return shlex.join([*name, *add_search_words(*words)])


def _config_dir() -> str | None:
    """Return the folder that --config-dir named; None without one, or outside of a command."""
    running = GlobalHydra.instance()
    if not running.is_initialized():
        return None
    for place in running.config_loader().get_search_path().get_path():
        if place.provider == "command-line" and place.path:
            folder = Path(place.path.removeprefix("file://"))
            inside = folder.is_relative_to(Path.cwd())
            return str(folder.relative_to(Path.cwd()) if inside else folder)
    return None


def _given_to_hydra(prefix: str) -> list[str]:
    if not HydraConfig.initialized():
        return []
    return [word for word in HydraConfig.get().overrides.hydra if word.startswith(prefix)]


@contextmanager
def _loader() -> Iterator[ConfigLoader]:
    """Give Hydra's loader: that of the command under way, else one for the project's own folder."""
    running = GlobalHydra.instance()
    if running.is_initialized():
        yield running.config_loader()
        return
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def help_text(command: str) -> str:
    """Return what `python -m src.COMMAND --help` prints.

    Hydra's own way to it composes the whole configuration and lists every group several times.
    """
    shown = OmegaConf.load(CONF / "hydra" / "help" / f"{command}.yaml")
    return Template(OmegaConf.select(shown, "template")).substitute()


def _choices() -> str:
    """List each group and its choices for --help, in lines that fit a terminal."""
    aside = {CONF / "hydra" / name for name in ("help", "sweeper")} | {CONF / "search"}
    folders = sorted({file.parent for file in CONF.glob("*/**/*.yaml")} - aside)
    lines = []
    for folder in folders:
        names = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        line = f"{folder.relative_to(CONF).as_posix()}: {names}"
        lines += textwrap.wrap(line, 98, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)


def _stem(path: object) -> str:
    """Name data after their file, without its endings: ${stem:FILE}."""
    file = Path(str(path or "")).name
    return _make_name(file[:1] + file[1:].partition(".")[0], "file")


def _folder(path: object) -> str:
    """Name data after the folder that their file is in: ${folder:FILE}."""
    return _make_name(Path(str(path or "")).parent.name, "parts")


def _make_name(words: str, default: str) -> str:
    return UNNAMED.sub("-", words)[:LONGEST_NAME].strip("-.") or default


def _candidates(file: object) -> str | int:
    """Return what data.candidates is by default where a file of them may be given."""
    return "released" if file is not None else 99


def _run_name(model: object, seed: object) -> str:
    """Name a run after what its command line chooses: ${run_name:MODEL,SEED}."""
    # other commands' words are not about one run
    training = HydraConfig.initialized() and HydraConfig.get().job.config_name == "train"
    return name_by_words(str(model), given_words() if training else [], str(seed))


for _name, _resolver in (("stem", _stem), ("folder", _folder), ("candidates", _candidates)):
    OmegaConf.register_new_resolver(_name, _resolver, replace=True)
OmegaConf.register_new_resolver("choices", _choices, replace=True)
OmegaConf.register_new_resolver("outputs", lambda: str(OUTPUTS), replace=True)
OmegaConf.register_new_resolver("pid", os.getpid, replace=True)
OmegaConf.register_new_resolver("run_name", _run_name, replace=True)
