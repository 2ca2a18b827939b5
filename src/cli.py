"""What every command shares: Hydra around a task, and one line instead of a traceback."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    InterpolationKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from src.config.completion import answer
from src.config.compose import (
    choices_with,
    compose,
    find_wrong_choice,
    group_choices,
    help_text,
    is_job,
    keep_text,
    option_names,
)
from src.config.paths import CONF, SOURCE
from src.config.processes import launched_rank, see_working_folder
from src.errors import (
    INTERRUPTED,
    LONGEST_LINE,
    TERMINATED,
    USER_ERROR,
    UserError,
    did_you_mean,
    shorten,
)

log = logging.getLogger(__name__)

# Options of all commands whose values are texts, also where they look like numbers
TEXTS = {
    "run",
    "lists",
    "resume",
    "name",
    "sweep",
    "sweep.name",
    "model.name",
    "model.pretrained.gmf",
    "model.pretrained.mlp",
    "data.name",
    "data.path",
    "data.train",
    "data.test",
    "data.candidates_file",
    "data.times",
    "data.root",
    "data.cache",
    "tracking.experiment",
    "tracking.run_name",
    "trust",
    "out",
}

READER_GONE = 128 + 13  # SIGPIPE, which Windows does not have

# How numpy and torch say that an array is larger than memory, or than anything can be
TOO_LARGE = (
    "allocate memory",
    "Storage size calculation overflowed",
    "Overflow when unpacking",
    "Maximum allowed dimension exceeded",
)

# Where errors are ours
OURS = (SOURCE, SOURCE.parent / "hydra_plugins")

# What the system says when a folder can't be written or the disk is full
_FILE_ERRORS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOENT,
    errno.ENAMETOOLONG,
    errno.EFBIG,
    errno.EIO,
    errno.ELOOP,
    errno.EMFILE,
}


def run(task: Callable[[DictConfig], Any], config_name: str) -> None:
    """Compose the configuration from the command line, call `task` with it, and exit.

    Status 0 when all went well, 2 with one line on stderr for a mistake of the user's, 130 after
    Ctrl-C, 143 after SIGTERM; a traceback and status 1 are for bugs.
    """
    # Hydra then raises what it would have printed, and leaves the printing to us
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # a line that the log's disk has no room for is told by what else fails there
    logging.raiseExceptions = False
    signal.signal(signal.SIGTERM, _terminate)
    see_working_folder()
    rank, several = launched_rank()
    if rank > 0:  # the first of these processes has the command line
        from src.run.following import follow_launched

        follow_launched()
        return
    if "--version" in sys.argv[1:]:  # Hydra would print its own
        print(f"ncf-bench {version('ncf-bench')}", flush=True)
        return
    sys.argv[1:] = [keep_text(word, TEXTS) for word in sys.argv[1:]]
    given, unknown = get_args_parser().parse_known_args()
    if unknown:
        fail(_explain_unknown(unknown[0]))
    app = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)
    try:
        if given.help:
            print(help_text(config_name), flush=True)
        elif not (given.shell_completion and answer(config_name, given.overrides)):
            _say_at_once(config_name, given)
            app(_end_in_one_line(task))()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output, such as head, has gone, and what Python still wants to write too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
    except Exception as error:
        line = explain_words(error, config_name)
        if line is None:
            raise
        fail(line, error)
    finally:
        if several and rank == 0:
            from src.run.leading import dismiss

            dismiss()


def _say_at_once(config_name: str, given: Namespace) -> None:
    """Tell a terminal what goes on: one that stays blank for seconds looks like a hang."""
    if sys.stderr.isatty() and not (given.shell_completion or given.cfg or given.info):
        print(f"{config_name}: reading options, loading libraries", file=sys.stderr)


@contextmanager
def ending_in_one_line(config_name: str) -> Iterator[None]:
    """End the process with one line for a mistake that shows before Hydra has the command line."""
    try:
        yield
    except Exception as error:
        line = explain_words(error, config_name)
        if line is None:
            raise
        fail(line, error)


def _end_in_one_line(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Let a mistake end a single run here; in a multirun it ends the job and the others go on."""

    def wrapped(cfg: DictConfig) -> Any:
        try:
            return task(cfg)
        except Exception as error:
            line = user_line(error)
            if line is None:
                raise
            if not is_job():
                fail(line, error)
            log.error("%s", line)
            raise (type(error) if isinstance(error, UserError) else UserError)(line) from error

    return wrapped


def given_multirun() -> bool:
    """Tell whether the command line asks for several runs, -m."""
    return bool(get_args_parser().parse_known_args()[0].multirun)


def split_words(words: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """Return a command line's flags and its options, NAME=VALUE; by default this command's own."""
    every = sys.argv[1:] if words is None else list(words)
    given = get_args_parser().parse_known_args(every)[0]
    # what the shell asks for completion is none of the command's own
    options = [] if given.shell_completion else given.overrides
    return [word for word in every if word not in options], options


def rewrite_words(change: Callable[[str], str]) -> None:
    """Put `change(word)` in the place of each option of this command's command line."""
    for word in split_words()[1]:
        sys.argv[sys.argv.index(word, 1)] = change(word)


def output_folder() -> Path:
    """Return the folder that Hydra made for this run or job."""
    return Path(HydraConfig.get().runtime.output_dir)


def shares_terminal() -> bool:
    """Tell whether other jobs run beside this one."""
    return not HydraConfig.get().launcher._target_.endswith(".BasicLauncher")


def is_worker() -> bool:
    """Tell whether this is one of the processes that a sweep keeps for its jobs."""
    return HydraConfig.get().launcher._target_.endswith(".JoblibLauncher")


def _terminate(*_: object) -> NoReturn:
    # Lightning's own handler would let the process end with status 0
    sys.exit(TERMINATED)


def fail(line: str, error: Exception | None = None) -> NoReturn:
    """End the process with one line on stderr and the error's status, or a user's mistake's."""
    sys.stdout.flush()
    print(f"error: {shorten(line, LONGEST_LINE)}", file=sys.stderr)
    sys.exit(error.status if isinstance(error, UserError) else USER_ERROR)


def user_line(error: Exception, config_name: str | None = None) -> str | None:
    """Return the line to show for a user's mistake; None for a bug."""
    if isinstance(error, UserError):
        line = str(error)
    elif isinstance(error, OSError) and error.errno in _FILE_ERRORS:
        line = f"{error.strerror}: {error.filename or 'while writing'}"
    elif isinstance(error, MissingConfigException) and error.missing_cfg_file:
        line = _unknown_choice(error)
    elif isinstance(error, OverrideParseException):
        line = (
            f"can't read {error.override}: options are NAME=VALUE, and a value with special "
            "characters is quoted twice, 'NAME=\"VALUE\"'"
        )
    elif isinstance(error, ConfigCompositionException) and config_name:
        line = _unknown_option(error, config_name)
    elif isinstance(error, MissingMandatoryValue):
        line = f"{error.full_key}=... must be given; --help says what it is"
    elif isinstance(error, InterpolationKeyError):
        missing = str(error).split("'")[1]
        line = f"{missing} is not given, but {error.full_key} needs it"
    elif isinstance(error, HydraException | OmegaConfBaseException):
        line = str(error)
    elif isinstance(error, MemoryError) or any(words in str(error) for words in TOO_LARGE):
        line = f"not enough memory for these sizes: {error}"
    else:
        return None
    return shorten(line, LONGEST_LINE)


def _explain_unknown(word: str) -> str:
    if word.startswith("-"):
        return f"no option {word}: options are NAME=VALUE, such as model=gmf; --help lists them"
    return f"{word} stands apart from the other options: put flags such as -m before them all"


def explain_words(error: Exception, config_name: str) -> str | None:
    """Return the line for an error that came before a command's task; None for a bug of ours.

    What Hydra itself stumbles over is on the command line.
    """
    line = user_line(error, config_name)
    if line is not None:
        return line
    wrong = find_wrong_choice(split_words()[1], config_name)
    if wrong is not None:
        return wrong
    frames = traceback.extract_tb(error.__traceback__)[1:]
    if any(Path(frame.filename).is_relative_to(folder) for frame in frames for folder in OURS):
        return None
    words = split_words()[1]
    its_own = [word for word in words if word.lstrip("+~").startswith("hydra")]
    said = str(error) or type(error).__name__
    return shorten(f"Hydra can't use {' '.join(its_own or words)}: {said}", LONGEST_LINE)


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or [])
    listed = f" ({group}: {', '.join(options)})" if options else ""
    return f"no {group or 'configuration'} {choice}{did_you_mean(choice, options)}{listed}"


def _unknown_option(error: ConfigCompositionException, config_name: str) -> str:
    message = str(error)
    cause = error.__cause__
    key = re.match(r"Could not override '([^']+)'", message)
    if key and not (
        isinstance(cause, OmegaConfBaseException) and "not in struct" not in str(cause)
    ):
        elsewhere = choices_with(key[1])
        if elsewhere:
            return f"no option {key[1]} here: {elsewhere}"
        return f"no option {key[1]}{did_you_mean(key[1], _known_options(config_name))}"
    return f"{message} {cause or ''}"


def _known_options(config_name: str) -> list[str]:
    """Return every option and group that the command line's choices compose."""
    groups = group_choices()
    choices = [word for word in sys.argv[1:] if word.split("=")[0] in groups and "," not in word]
    try:
        cfg = compose(choices, command=config_name)
    except ConfigCompositionException:  # a group that this command has not
        cfg = compose(command=config_name)
    return sorted({*groups, *option_names(cfg)})
