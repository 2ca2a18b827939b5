"""Judge lists that something else made, by the rules that runs are judged by, and record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from src.config.build import check
from src.config.compose import Plain
from src.config.durable import replacing
from src.data.sources.checksums import sha256
from src.errors import UserError
from src.run.assembly import Run, make_data
from src.run.experiment import log_final, test, write_provenance
from src.run.finished import write_finished
from src.run.options import Options
from src.run.recording import recording
from src.run.summary import print_results
from src.serving.outside_lists import OutsideLists
from src.training.fitting import FittedModule
from src.training.trainer import make_trainer

COLUMNS = ("user_column", "item_column", "score_column", "rank_column", "separator")
# All that a model has which is no model
MODEL = {"name", "_target_"}


def open_lists(own: Plain) -> OutsideLists:
    """Return the lists that a command's options name. Raises UserError for wrong options."""
    if own["lists"] is None:
        raise UserError("lists=FILE is needed: a table of user, item, and score or rank")
    if set(own["model"]) != MODEL:
        raise UserError("lists are judged, and nothing is trained: leave out model and experiment")
    given = {name: own[name] for name in COLUMNS}
    return OutsideLists(**check(OutsideLists, {"path": own["lists"], **given}, ""))


def judge_lists(
    lists: OutsideLists, options: Options, folder: Path, tags: Mapping[str, str]
) -> None:
    """Rank the test part by the lists, among the candidates and all unseen items, and record it.

    What is not listed comes after all that is. Raises UserError for lists that don't fit the data.
    """
    made = _assemble(lists, options, folder)
    with replacing(folder / "config.yaml") as part:
        OmegaConf.save(options.plain, part)
    known = {**tags, "lists": str(lists.file), "lists_sha256": sha256(lists.file)}
    with recording(options, folder, known, testing=True, resuming=False) as tracker:
        write_provenance(folder, known, made, tracker)
        tracker.begin()
        tracker.wait()
        metrics = test(made, folder, checkpoint=None)
        write_finished(folder, metrics)
        log_final(tracker, metrics, by_epoch=())
    print_results(options, metrics, folder, tracker.location, selected=False)


def _assemble(lists: OutsideLists, options: Options, folder: Path) -> Run:
    """Make what ranks the test part by the lists."""
    data = make_data(options)
    monitor = f"{data.judged_part}/ndcg@10"  # it has to have one, and chooses nothing
    model = lists.read(data.prepared)
    module = FittedModule(model, ks=options.ks, metrics=options.metrics, monitor=monitor)
    alone = replace(options.trainer, accelerator="cpu", devices=1, nodes=1)
    return Run(make_trainer(folder, alone, monitor=None), module, data)
