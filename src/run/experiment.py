"""One run: assemble, fit, test, record."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import OmegaConf

from src.config.durable import replacing, share, write_text
from src.evaluation.catalogue import describe_metrics
from src.evaluation.results_files import write_results
from src.models import Fitted
from src.reporting.pictures.curves import draw_curves
from src.run.assembly import Run, assemble, assemble_refit
from src.run.energy import measuring
from src.run.finished import REFIT, forget_parts, write_finished
from src.run.leading import Leader, leading
from src.run.lookup import BEST, CHOSEN
from src.run.options import Options
from src.run.provenance import check_data
from src.run.recording import RecordKeeping, recording
from src.run.recovery import name_results
from src.run.run_page import write_run_page
from src.run.selection import Selection, read_selection, write_selection
from src.run.summary import print_results
from src.run.validation import judge_users
from src.tracking import Tracker
from src.tracking.notes import NOTE
from src.training.checkpoint_files import find_start, read_epoch
from src.training.checkpoints import load_model
from src.training.trainer import checkpoints_in, find_history


def run(
    options: Options,
    folder: Path,
    tags: Mapping[str, str],
    *,
    callbacks: Sequence[pl.Callback] = (),
    testing: bool = True,
    resuming: bool = False,
) -> float:
    """Train, select, test and record one model in `folder`; return what selected the epoch.

    `callbacks` join the Trainer's own. Without `testing`, test is not looked at. `resuming` goes on
    with a run that was cut off in `folder`, if there is one, and with its record. Raises UserError
    for a mistake that only the data or the store show.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "config.yaml") as part:
        OmegaConf.save(options.plain, part)
    with (
        recording(options, folder, tags, testing=testing, resuming=resuming) as tracker,
        leading(options, folder) as leader,
    ):
        keeping = [RecordKeeping(tracker), *callbacks]
        processes = leader.for_trainer() if leader else None
        made = assemble(
            options, folder, logger=tracker.logger, callbacks=keeping, processes=processes
        )
        write_provenance(folder, tags, made, tracker)
        selection = read_selection(folder) if resuming else None
        whole = selection is None
        with measuring(options.tracking) as energy:
            if selection is None:
                seconds = _fit(made, folder, resuming=resuming)
                whole = find_history(made.trainer).seconds_before == 0
            # what follows imports too, which is not safe beside an import that is under way
            tracker.wait()
            if selection is None:
                selection = _select(made, options, folder, seconds)
                if options.data.options.latest:
                    selection.metrics.update(judge_users(made, options, folder))
            metrics = dict(selection.metrics)
            if options.protocol.refit:
                write_selection(folder, selection)
                made = _refit(options, folder, made, metrics, leader, resuming=resuming)
        # what a run took that was cut off, nobody knows
        metrics |= energy if whole else {}
        if testing:
            metrics |= test(made, folder, folder / BEST)
            if options.tracking["name"] != "none":
                tracker.set_tags({NOTE: write_run_page(folder, options, made, metrics)})
        write_finished(folder, metrics)
        forget_parts(folder)
        log_final(tracker, metrics, by_epoch=selection.by_epoch)
    print_results(options, metrics, folder, tracker.location, artifacts=tracker.artifacts)
    return metrics[options.protocol.monitor]


def write_provenance(folder: Path, tags: Mapping[str, str], made: Run, tracker: Tracker) -> None:
    """Keep what the run comes from, the data's fingerprint included, in its folder and record.

    Raises UserError for a run that goes on, but with other data.
    """
    prepared = made.data.prepared
    known = {
        **tags,
        "data_fingerprint": prepared.fingerprint,
        "split": prepared.how,
        "knows": made.module.model.knows,
    }
    check_data(folder, known["data_fingerprint"])
    own = describe_metrics(made.module.metrics)
    if own:
        known["metrics"] = json.dumps(own)
    tracker.set_tags(known)
    write_text(folder / "provenance.json", json.dumps(known, indent=2) + "\n")


def log_final(tracker: Tracker, metrics: Mapping[str, float], by_epoch: Container[str]) -> None:
    """Log what a run came to; `by_epoch`: what has a curve already."""
    tracker.log_metrics(name_results(metrics, by_epoch))


def _select(made: Run, options: Options, folder: Path, seconds: float) -> Selection:
    """Return what is known of the fit, and of the selected epoch.

    Every epoch is kept in `folder`, before testing takes back the best checkpoint with all that it
    remembers. `seconds`: what the fit took.
    """
    epochs, selected = find_history(made.trainer).epochs, read_epoch(folder / BEST)
    best = next(epoch for epoch in epochs if epoch["epoch"] == selected)
    part = f"{made.module.judged_part}/"
    judged = {name: value for name, value in best.items() if name.startswith(part)}
    fitted: dict[str, float] = {
        "fit/epochs": len(epochs),
        "fit/best_epoch": selected + 1,
        "fit/parameters": sum(p.numel() for p in made.module.model.parameters()),
    }
    fitted |= made.module.chosen
    speed = "train/examples_per_second"
    if speed in best:
        fitted["fit/examples_per_second"] = sum(epoch[speed] for epoch in epochs) / len(epochs)
    import pandas as pd  # not before there is a result

    with replacing(folder / "history.csv") as file:
        pd.DataFrame(epochs).to_csv(file, index=False)
    if len(epochs) > 1:
        part_judged = made.module.judged_part
        draw_curves(folder / "curves.png", options.title, epochs, selected, part_judged)
    return Selection(judged | fitted | {"fit/seconds": seconds}, list(judged))


def _refit(
    options: Options,
    folder: Path,
    made: Run,
    metrics: dict[str, float],
    leader: Leader | None,
    *,
    resuming: bool,
) -> Run:
    """Train a fresh model with validation in training, for as many epochs; adds its seconds.

    It takes the place of the best epoch's, which stays as `CHOSEN`. What was chosen on validation
    beside the epoch is kept.
    """
    epochs, own = int(metrics["fit/best_epoch"]), folder / REFIT
    print(f"fitting again with validation as part of training: {epochs} epochs")
    processes = leader.for_trainer(refit_epochs=epochs, folder=str(own)) if leader else None
    if not (folder / CHOSEN).exists():  # a run that goes on may have come so far before
        share(folder / BEST, folder / CHOSEN)
    again = assemble_refit(options, own, made.data, epochs, processes=processes)
    if again.module.model.chooses:
        chosen = load_model(folder / CHOSEN, trusted=options.trusted)
        again.module.model.choose_like(chosen)
    metrics["refit/seconds"] = _fit(again, own, resuming=resuming)
    share(own / BEST, folder / BEST)
    return again


def _fit(made: Run, folder: Path, *, resuming: bool) -> float:
    """Train, or go on from where training was cut off; return the seconds it took altogether.

    What is fitted in one piece begins anew.
    """
    model = made.module.model
    resumable = not isinstance(model, Fitted) or model.iterative
    start = find_start(checkpoints_in(folder)) if resuming and resumable else None
    started = time.perf_counter()
    with _passing_on_interrupts():
        made.trainer.fit(made.module, datamodule=made.data, ckpt_path=start)
    return time.perf_counter() - started + find_history(made.trainer).seconds_before


@contextmanager
def _passing_on_interrupts() -> Iterator[None]:
    """Let Ctrl-C come out of Lightning, which turns it into status 1 and ignores it afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        signal.signal(signal.SIGINT, handler)
        if end.code == 1:
            raise KeyboardInterrupt from end
        raise


def test(made: Run, folder: Path, checkpoint: Path | None) -> dict[str, float]:
    """Score test once, with the weights of `checkpoint` or the module's own; keep every rank."""
    module, data = made.module, made.data
    with _passing_on_interrupts():
        made.trainer.test(module, datamodule=data, ckpt_path=checkpoint, verbose=False)
    write_results(folder, data.prepared.part("test"), module.rankings, module.ks)
    return module.tested
