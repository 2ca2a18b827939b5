"""Tab completion of every command, in bash and zsh.

Hydra's own knows one program at a time, no `python -m`, and no choices in folders of a group.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.metadata import distribution

import hydra
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType

from src.config.paths import CONF

PROJECT = "ncf-bench"
# What of src.train a command takes beside its own options
TAKES_TRAIN = {"paper"}

SCRIPT = r"""
_ncf_bench() {
    local words=($COMP_LINE) command
    if [[ ${words[0]} == *python* ]]; then
        [[ ${words[1]} == -m && ${words[2]} == src.* ]] || return
        command="${words[*]:0:3}"
    else
        command="${words[0]}"
    fi
    local choices=$(COMP_LINE="$COMP_LINE" $command -sc query=bash 2> /dev/null)
    COMPREPLY=($(compgen -o default -W "$choices" -- "${COMP_LINE##* }"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
"""
ZSH = "autoload -Uz bashcompinit && bashcompinit\n"


def script(shell: str) -> str | None:
    """Return what the shell evaluates, for all commands; None for a shell that Hydra knows."""
    if shell not in ("bash", "zsh"):
        return None
    commands = [entry.name for entry in distribution(PROJECT).entry_points]
    register = "complete -o nospace -o default -F _ncf_bench"
    line = f"{register} {' '.join(sorted(commands))} python python3\n"
    return (ZSH if shell == "zsh" else "") + SCRIPT + line


def suggest(command: str, line: str) -> list[str]:
    """Return what the last word of a command line may become: `python -m src.train model=n`."""
    words = line.split()
    begun = 3 if "-m" in words[1:2] and "python" in words[0] else 1
    if len(words) < begun or (len(words) == begun and not line.endswith(" ")):
        return []
    last = "" if line.endswith(" ") else words[-1]
    asked = " ".join(words[begun:]) + " " * line.endswith(" ")
    commands = [command, *(["train"] if command in TAKES_TRAIN else [])]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        found = {
            word
            for name in commands
            for word in (*BashCompletion(loader)._query(name, asked), *_in_folders(loader, last))
        }
    return sorted(found)


def _in_folders(loader: ConfigLoader, word: str) -> Iterator[str]:
    """Yield the choices that lie in folders of a group, and the folders: experiment=sweep/."""
    group, chosen, value = word.partition("=")
    if not chosen:
        return
    inside = value.rpartition("/")[0]
    parent = f"{group}/{inside}" if inside else group
    ahead = f"{group}={inside}/" if inside else f"{group}="
    names = [f"{name}/" for name in loader.get_group_options(parent, ObjectType.GROUP)]
    if inside:
        names += loader.get_group_options(parent, ObjectType.CONFIG)
    yield from (ahead + name for name in names if (ahead + name).startswith(word))


def answer(command: str, asked: Sequence[str]) -> bool:
    """Print the answer to -sc install=SHELL or -sc query=SHELL; False leaves it to Hydra."""
    verb, _, shell = (asked[0] if asked else "").partition("=")
    text = script(shell)
    if text is None or verb not in ("install", "query"):
        return False
    print(text if verb == "install" else " ".join(suggest(command, os.environ["COMP_LINE"])))
    return True
