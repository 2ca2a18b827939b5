"""The rows of the table: for each what it takes us, and what it takes the usual ways."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import reference
from benchmarks.assembled import compose, make
from benchmarks.commands import measured, python, train
from benchmarks.measure import Measured, alternate, seconds
from src.data.interactions import Interactions
from src.data.stream import TrainingStream
from src.data.targets import CandidateTargets
from src.evaluation.metrics import ranks
from src.evaluation.ranking import Ranking

ROUNDS = 5
EPOCHS = 6  # of the command that is timed: MLflow opens during the first
PART = 0.05  # of an epoch, where a whole one would take minutes
PER_SAMPLE_SHARE = 25  # the sample-by-sample loops are timed on one positive in so many


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    target: float | None
    unit: str
    measured: Measured


class Bench:
    """Everything is measured on `data`, below `home`, by one process at a time."""

    def __init__(self, data: tuple[str, ...], home: Path) -> None:
        """`data`: the options that choose the data, such as data=ncf-ml-1m."""
        self.data, self.home = data, home
        self.folder = Path(tempfile.mkdtemp(dir=home))
        torch.set_num_threads(1)
        self.train: Interactions = make(compose(*data), self.folder)[2].prepared.split.train
        n = len(self.train)
        kept = np.random.default_rng(0).choice(n, n // PER_SAMPLE_SHARE, replace=False)
        self.thinned = self.train.take(np.sort(kept))

    def epoch(self, batch_size: int, target: float) -> Row:
        """Seconds of an epoch of NeuMF-8 with everything a run does after it."""
        options = (f"data.batch_size={batch_size}",)

        def ours() -> float:
            epochs = (f"trainer.max_epochs={EPOCHS}", "trainer.patience=null")
            return train(self.home, *self.data, *options, *epochs).metrics["fit/seconds"] / EPOCHS

        samples = reference.PerSample(self.thinned, 4, seed=0)

        def per_sample() -> float:
            model = reference.PlainNeuMF(self.train.n_users, self.train.n_items)

            def epoch() -> None:
                samples.draw()
                reference.per_sample_epoch(samples, model, batch_size)

            return seconds(epoch) * PER_SAMPLE_SHARE

        found = alternate(
            3,
            ours,
            torch=lambda: self._by_torch(*options),
            plain=lambda: self._plainly(batch_size, reference.FACTORS, reference.LAYERS),
            per_sample=per_sample,
        )
        return Row(f"epoch of NeuMF-8 at batch {batch_size:,}", target, "s", found)

    def training(
        self, name: str, batch_size: int, factors: int, layers: list[int], target: float
    ) -> Row:
        """Seconds of training an epoch of another model; the other ways', from a part of one."""
        model = "neumf" if layers else "gmf"
        options = (f"data.batch_size={batch_size}", f"model={model}", f"model.factors={factors}")

        def ours() -> float:
            run = train(self.home, *self.data, "tracking=none", "trainer.max_epochs=2", *options)
            return run.epochs["train/seconds"].iloc[-1].item()

        found = alternate(
            3,
            ours,
            torch=lambda: self._by_torch(*options),
            plain=lambda: self._plainly(batch_size, factors, layers),
        )
        return Row(f"training epoch of {name} at batch {batch_size:,}", target, "s", found)

    def _by_torch(self, *options: str) -> float:
        """Train a part of an epoch with the steps taken by torch."""
        part = (f"+trainer.more.limit_train_batches={PART}", "trainer.max_epochs=1")
        run = train(self.home, *self.data, "compiled=false", "tracking=none", *part, *options)
        return run.epochs["train/seconds"].item() / PART

    def _plainly(self, batch_size: int, factors: int, layers: Sequence[int]) -> float:
        """Draw an epoch's negatives and train a part of it in the vectorized loop."""
        loop = reference.PlainLoop(self.train, 4, batch_size, 0, factors, layers)
        drawing = seconds(loop.draw)
        steps = max(1, round(PART * 5 * len(self.train) / batch_size))
        return drawing + (seconds(lambda: loop.epoch(steps)) - drawing) / PART

    def draw(self) -> Row:
        """Seconds of drawing an epoch's negatives."""
        stream = self._stream("data.batch_size=256")
        users = stream.users[torch.randperm(len(stream.users))].long().split(1 << 16)
        loop = reference.PlainLoop(self.train, 4, 256, seed=0)
        samples = reference.PerSample(self.thinned, 4, seed=0)
        generator = torch.Generator()

        def ours() -> float:
            return seconds(lambda: [stream.unseen.draw(part, 4, generator) for part in users])

        found = alternate(
            ROUNDS,
            ours,
            plain=lambda: seconds(loop.draw),
            per_sample=lambda: seconds(samples.draw) * PER_SAMPLE_SHARE,
        )
        return Row("drawing 4 negatives a positive", 0.05, "s", found)

    def evaluation(self) -> Row:
        """Seconds of ranking each test target among its candidates."""
        _, module, data = make(compose(*self.data), self.folder)
        targets, judged = data.targets("test"), module.model.eval()
        assert isinstance(targets, CandidateTargets)
        model = reference.PlainNeuMF(self.train.n_users, self.train.n_items)
        every_user, every_item = targets.users, targets.items

        def ours() -> None:
            ranking = Ranking(targets, torch.device("cpu"), None)
            for batch in targets:
                ranking.score(judged, batch)
            ranking.summarize([10])

        ours()

        @torch.inference_mode()
        def plain() -> None:
            for users, items in zip(every_user.split(512), every_item.split(512), strict=True):
                scores = model.score_grouped(users, items)
                ranks(scores[:, 0], scores[:, 1:])

        @torch.inference_mode()
        def per_user() -> None:
            for user, items in zip(every_user, every_item, strict=True):
                scores = model(user.expand(len(items)), items)
                torch.topk(scores, 10).indices.tolist()

        found = alternate(
            ROUNDS,
            lambda: seconds(ours),
            plain=lambda: seconds(plain),
            per_sample=lambda: seconds(per_user),
        )
        return Row(f"evaluating {every_item.numel():,} pairs", 0.05, "s", found)

    def catalogue(self) -> tuple[Row, Row]:
        """Seconds and MB of ranking each test target among all unknown items."""
        found: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
        for _ in range(3):
            for which, results in found.items():
                results.append(measured("benchmarks.catalogue", which, *self.data, home=self.home))

        def row(what: str, target: float, unit: str, field: str) -> Row:
            ours, plain = ([r[field] for r in found[which]] for which in ("ours", "plain"))
            return Row(what, target, unit, Measured(ours, {"plain": plain}))

        return (
            row("ranking the whole catalogue for all users", 0.4, "s", "seconds"),
            row("the same, memory above the idle process", 1000.0, "MB", "megabytes"),
        )

    def overhead(self) -> Row:
        """Seconds an epoch that Lightning, callbacks and MLflow add to our own work."""
        words = ("benchmarks.share", *self.data, "trainer.max_epochs=6", "trainer.patience=null")
        found = [measured(*words, home=self.home)["overhead"] for _ in range(3)]
        return Row("Lightning, callbacks and MLflow in an epoch", 0.15, "s", Measured(found))

    def sweep(self, options: tuple[str, ...]) -> Row:
        """Minutes of a sweep over models and sizes in two processes; once."""
        words = ("-m", "src.train", "-m", *self.data, *options, "hydra/launcher=joblib")
        took = seconds(lambda: python(*words, home=self.home))
        return Row("sweep of 3 models, 4 sizes", 10.0, "min", Measured([took / 60]))

    def two(self) -> Row:
        """How much more two processes do at the same time than one."""
        options = (*self.data, "tracking=none", "trainer.max_epochs=4", "trainer.patience=null")

        def rate(n: int) -> float:
            with ThreadPoolExecutor(n) as pool:
                runs = list(pool.map(lambda _: train(self.home, *options), range(n)))
            return sum(1 / run.metrics["fit/seconds"] for run in runs)

        found = [rate(2) / rate(1) for _ in range(3)]
        return Row("two processes against one", 1.6, "times", Measured(found))

    def startup(self) -> tuple[Row, Row]:
        """Seconds until help is shown, and until the first training step."""

        def until(*words: str) -> Callable[[], float]:
            return lambda: seconds(lambda: python("-m", *words, home=self.home))

        first_step = ("benchmarks.first_step", *self.data)
        until(*first_step)()  # makes the database
        return (
            Row("--help", 0.5, "s", alternate(ROUNDS, until("src.train", "--help"))),
            Row("command to first step", 3.0, "s", alternate(ROUNDS, until(*first_step))),
        )

    def quickly(self, name: str, options: tuple[str, ...], target: float) -> tuple[Row, Row]:
        """Seconds from the command to its end, and the test HR@10 of what it selected."""
        runs = [train(self.home, *self.data, *options, f"seed={seed}") for seed in range(ROUNDS)]
        hits = [run.metrics["test/hr@10"] for run in runs]
        return (
            Row(f"command to weights, {name}", target, "s", Measured([r.seconds for r in runs])),
            Row("their HR@10 on test", 0.68, "", Measured(hits)),
        )

    def large(self, large: tuple[str, ...]) -> tuple[Row, Row, Row]:
        """20M interactions: seconds to prepare, peak MB, cost per example against `data`'s."""
        found: dict[str, list[dict[str, float]]] = {"large": [], "small": []}
        for _ in range(3):
            for which, data in (("large", large), ("small", self.data)):
                with tempfile.TemporaryDirectory(dir=self.home) as cache:
                    words = ("benchmarks.large", "100", *data, f"data.cache={cache}")
                    found[which].append(measured(*words, home=self.home))
        ratios = [
            large["microseconds_per_example"] / small["microseconds_per_example"]
            for large, small in zip(found["large"], found["small"], strict=True)
        ]
        prepare, peak = (
            [r[field] for r in found["large"]] for field in ("prepare_seconds", "peak_megabytes")
        )
        return (
            Row("preparing 20M interactions", 30.0, "s", Measured(prepare)),
            Row("peak resident memory with 20M interactions", 2000.0, "MB", Measured(peak)),
            Row("an example's cost at 20M against 1M", 1.5, "times", Measured(ratios)),
        )

    def _stream(self, *options: str) -> TrainingStream:
        return make(compose(*self.data, *options), self.folder)[2].train_dataloader()
