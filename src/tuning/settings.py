"""The best settings as an experiment file, which one command of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from src.config.compose import compose
from src.config.quoting import assign
from src.run.identity import RECORDING


def write_settings(file: Path, words: Sequence[str], comment: Sequence[str]) -> None:
    """Write the options that `words` choose on training's command line, under lines of comment.

    The options of recording are left to the command that runs the experiment.
    """
    cfg = compose(words, with_hydra=True)
    choices = {
        group: choice
        for group, choice in reversed(cfg.hydra.runtime.choices.items())
        if not group.startswith("hydra/") and group not in ("experiment", *RECORDING)
    }
    default = compose([assign(group, choice) for group, choice in choices.items()])
    # interpolations stay what they are: an option that follows another one still does
    chosen, given = (OmegaConf.to_container(one, resolve=False) for one in (cfg, default))
    assert isinstance(chosen, dict)
    assert isinstance(given, dict)
    for key in ("hydra", *RECORDING):
        chosen.pop(key, None)
    content = {
        "defaults": [{f"override /{group}": choice} for group, choice in choices.items()],
        **_find_differences(chosen, given),
    }
    lines = ["# @package _global_", *(f"# {line}" for line in comment)]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    file.write_text("\n".join([*lines, text]), encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """A dumper that writes lists of numbers in one line, as in the project's own files."""


def _represent(dumper: yaml.SafeDumper, entries: list[Any]) -> yaml.Node:
    plain = not any(isinstance(entry, list | dict) for entry in entries)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", entries, flow_style=plain)


_Dumper.add_representer(list, _represent)


def _find_differences(chosen: Mapping[Any, Any], given: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the entries of `chosen` that are different in `given`, or missing there."""
    found: dict[Any, Any] = {}
    for key, value in chosen.items():
        if key in given and isinstance(value, Mapping) and isinstance(given[key], Mapping):
            if inner := _find_differences(value, given[key]):
                found[key] = inner
        elif key not in given or value != given[key]:
            found[key] = value
    return found
