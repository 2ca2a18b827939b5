"""What a search is about: the options that all trials share, and those that are searched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from src.config.compose import (
    Plain,
    choices_of,
    command_line,
    compose,
    given_choice,
    given_words,
    group_choices,
    parse_option,
    plain,
)
from src.config.names import check_name
from src.errors import UserError, did_you_mean
from src.evaluation.catalogue import lower_is_better
from src.run.assembly import make_data
from src.run.identity import decisive, digest_code
from src.run.options import read_options
from src.tracking.tracker import flatten
from src.tuning.space import Space, check_names, read_space, split_fixed

# The options that src.train has not
OWN = ("trials", "workers", "name", "prune", "sampler_seed", "search")


@dataclass(frozen=True)
class SearchPlan:
    """A search before its first trial."""

    name: str
    words: list[str]
    """The command line of training, before anything is searched."""
    options: Plain
    """What they compose."""
    space: Space
    fixed: list[str]
    """What the command line took out of the space."""
    about: dict[str, Any]
    """All that trials have in common, by name, to tell one study from another."""

    @property
    def metric(self) -> str:
        """What selects epochs and trials alike."""
        return self.options["protocol"]["monitor"]

    @property
    def description(self) -> str:
        """For people: what is searched, and what the command line has decided."""
        order = "lower" if lower_is_better(self.metric) else "higher"
        lines = [f"search   {self.name}: {self.metric}, {order} is better"]
        lines += [f"         {name}: {searched}" for name, searched in self.space.items()]
        if self.fixed:
            lines.append(f"given    {', '.join(self.fixed)}: not searched")
        return "\n".join(lines)


def make_plan(cfg: DictConfig) -> SearchPlan:
    """Read the command's configuration and prepare the data.

    Raises UserError for a search that sees test, has nothing to search, or names what is no option.
    """
    given = None if cfg.name is None else check_name("name", cfg.name)
    words = [word for word in given_words() if _option(word) not in OWN]
    options: Plain = plain(compose(words))
    read_options(options)
    _refuse_test(options)
    space, fixed = _space(cfg, options, [parse_option(word) for word in words])
    about = {**_about(options, space), "sampler_seed": cfg.sampler_seed}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:6]
    name = given or f"{options['data']['name']}-{options['model']['name']}-{digest}"
    return SearchPlan(name, words, options, space, fixed, about)


def _option(word: str) -> str:
    return parse_option(word).split(".")[0]


def _refuse_test(options: Plain) -> None:
    """Refuse a search that looks at test, or trains anew what each trial starts from."""
    protocol = options["protocol"]
    if not protocol["validation"]:
        raise UserError(
            f"protocol={protocol['name']} chooses on test, which a search must not see: "
            "leave it out, or choose protocol=leave-one-out"
        )
    if options.get("pretrain"):
        raise UserError(
            "pre-training again in every trial is no search: train the parts once and give "
            "model.pretrained.gmf=RUN model.pretrained.mlp=RUN"
        )


def _space(cfg: DictConfig, options: Plain, given: Sequence[str]) -> tuple[Space, list[str]]:
    model = options["model"]["name"]
    if "search" not in cfg:
        choice = given_choice("search")
        known = choices_of("search")
        near = did_you_mean(choice, known)
        raise UserError(f"no search {choice}{near}: conf/search has {', '.join(known)}")
    space = read_space(OmegaConf.to_container(cfg.search, resolve=True))  # type: ignore[arg-type]
    if not space:
        train = command_line("train", f"model={model}")
        raise UserError(f"{model} has nothing to tune: {train} is all")
    check_names(space, list(flatten(options)), group_choices())
    left, fixed = split_fixed(space, given)
    if not left:
        raise UserError(f"nothing is left to search: the command line gives {', '.join(fixed)}")
    return left, fixed


def _about(options: Plain, space: Space) -> dict[str, Any]:
    fingerprint = make_data(read_options(options)).prepared.fingerprint
    # workers share the cores
    trainer = {key: value for key, value in options["trainer"].items() if key != "threads"}
    kept = {**decisive(options), "trainer": trainer}
    about = {name: value for name, value in flatten(kept).items() if name not in space}
    about |= {"data_fingerprint": fingerprint, **digest_code(options)}
    about |= {f"search.{name}": asdict(searched) for name, searched in space.items()}
    # as the study's database gives it back
    return json.loads(json.dumps(about))
