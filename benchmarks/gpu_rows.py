"""What `benchmarks.gpu` measures: training and ranking, each in several ways."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal, cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from benchmarks.generated import GeneratedData, Shape, generate
from benchmarks.half_precision import HalfPrecision
from src.data.data_options import DataOptions
from src.data.prepared import Prepared
from src.data.stream import TrainingStream
from src.data.targets import CandidateTargets, CatalogueTargets
from src.evaluation.ranking import Ranking
from src.models import NeuMF
from src.training.cuda_graph import CapturedSteps, CudaRecorder, Recorder
from src.training.losses import BCE
from src.training.module import RecommenderModule
from src.training.steps import TorchSteps
from src.training.trainer import make_trainer
from src.training.trainer_options import TrainerOptions

Name = Literal["20M", "1M"]
Way = Literal["steps", "graph", "half", "fused half", "compiled"]

SHAPES: dict[Name, Shape] = {
    "20M": Shape(138_493, 26_744, 20_000_263, skew=4),
    "1M": Shape(6_040, 3_706, 1_000_209),
}
SMALL: dict[Name, Shape] = {"20M": Shape(300, 500, 6_000), "1M": Shape(100, 300, 2_000)}

# NVIDIA's configuration (DeepLearningExamples, PyTorch/Recommendation/NCF), and the paper's
MODELS: dict[Name, dict[str, Any]] = {
    "20M": {"factors": 64, "layers": [256, 256, 128, 64], "dropout": 0.5},
    "1M": {"factors": 8},
}
SMALL_MODELS: dict[Name, dict[str, Any]] = {
    "20M": {"factors": 4, "layers": [16, 16, 8, 4], "dropout": 0.5},
    "1M": {"factors": 2},
}

EPOCHS = 4
"""Of training or ranking; the first, in which allocators and caches settle, does not count."""
STEPS = 2000
"""Of an epoch, where it has more."""
CATALOGUE_BATCHES = 200
"""Of a ranking of the whole catalogue, 39 users each at 20M."""


@dataclass
class Bench:
    """Where everything is measured, and the data, which rows share."""

    device: torch.device
    small: bool
    """Whether sizes are those of a trial."""

    _prepared: dict[Name, Prepared] = field(default_factory=dict)
    _data: dict[tuple[Name, int], GeneratedData] = field(default_factory=dict)

    def prepared(self, name: Name) -> Prepared:
        if name not in self._prepared:
            shapes = SMALL if self.small else SHAPES
            self._prepared[name] = generate(shapes[name], self.device)
        return self._prepared[name]

    def data(self, row: Training) -> GeneratedData:
        """The data module of the row's data and batch size."""
        batch_size = min(row.batch_size, 2000) if self.small else row.batch_size
        key = row.data, batch_size
        if key not in self._data:
            options = DataOptions(batch_size=batch_size)
            self._data[key] = GeneratedData(self.prepared(row.data), options)
        return self._data[key]

    def model(self, name: Name) -> NeuMF:
        prepared = self.prepared(name)
        options = SMALL_MODELS if self.small else MODELS
        return NeuMF(prepared.n_users, prepared.n_items, **options[name])

    def synchronize(self) -> None:
        """Waits for what the device was given to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], object]) -> float:
        self.synchronize()
        started = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - started


@dataclass(frozen=True)
class Found:
    """What a row has measured."""

    n: int
    """Examples or pairs in each round."""
    seconds: list[float]
    """What each round took."""

    @property
    def rates(self) -> list[float]:
        """A second, of each round."""
        return [self.n / seconds for seconds in self.seconds]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Training:
    """Epochs of the real module under the real Trainer, data and negatives included."""

    data: Name
    batch_size: int
    precision: Literal["32", "bf16-mixed"] = "32"
    matmul: Literal["highest", "high"] = "high"
    way: Way = "steps"

    steps: int = STEPS
    epochs: int = EPOCHS

    unit = "examples"

    def measure(self, bench: Bench) -> Found:
        clock = Clock(bench)
        options = TrainerOptions(
            accelerator="gpu" if bench.device.type == "cuda" else "cpu",
            precision=self.precision,
            matmul=self.matmul,
            deterministic=False,
            max_epochs=self.epochs,
            more={"limit_train_batches": -(-self.steps // bench.data(self).steps_per_call)},
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer = make_trainer(folder, options, monitor=None)
            # no checkpoints: writing a table of 20M's size takes longer than an epoch
            trainer.callbacks = [clock]  # type: ignore[attr-defined]
            pl.seed_everything(0, verbose=False)
            module = MODULES[self.way](bench.model(self.data), BCE(), compiled=False)
            trainer.fit(module, datamodule=bench.data(self))
        return Found(module.n_examples, clock.seconds[1:])


@dataclass(frozen=True)
class Judging:
    """Ranks of validation targets, from the batches to the metrics, by an untrained model."""

    data: Name
    among: Literal["candidates", "catalogue"] = "candidates"
    precision: Literal["32", "bf16-mixed", "bf16"] = "32"
    """bf16: the weights themselves."""
    matmul: Literal["highest", "high"] = "high"
    compiled: bool = False

    unit = "pairs"

    def measure(self, bench: Bench) -> Found:
        torch.set_float32_matmul_precision(self.matmul)
        prepared, device = bench.prepared(self.data), bench.device
        model = bench.model(self.data).to(device).eval()
        if self.precision == "bf16":
            model.bfloat16()
        if self.compiled:
            model.compile()
        n_batches = None
        targets: CandidateTargets | CatalogueTargets
        if self.among == "candidates":
            targets = CandidateTargets(prepared, "val", device)
            n = targets.items.numel()
        else:
            targets = CatalogueTargets(prepared, "val", device)
            n_batches = min(CATALOGUE_BATCHES, len(targets))
            n = min(n_batches * targets.users_per_batch, len(targets.unique_users))
            n *= targets.n_items

        def rank() -> None:
            ranking = Ranking(targets, device, None)
            for batch in islice(targets, n_batches):
                ranking.score(model, batch)
            if n_batches is None:
                ranking.summarize([10])

        mixed = torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")
        with mixed:
            return Found(n, [bench.seconds(rank) for _ in range(EPOCHS)][1:])


class Clock(pl.Callback):
    """The seconds of each epoch's training."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.bench.synchronize()
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.bench.synchronize()
        self.seconds.append(time.perf_counter() - self.started)


class GraphModule(RecommenderModule):
    """Replays a CUDA graph of the step; on a CPU takes the same steps without one."""

    def on_train_start(self) -> None:
        stream = cast("TrainingStream", self.trainer.train_dataloader)
        recorder = CudaRecorder() if self.device.type == "cuda" else Recorder()
        optimizer = cast("Any", self.optimizers(use_pl_optimizer=False))
        self.steps = CapturedSteps(self.choose_gradients(), optimizer, stream.per_batch, recorder)

    def choose_gradients(self) -> Callable[[Tensor, Tensor], Tensor]:
        if self.trainer.precision == "32-true":
            return partial(self.model.differentiate, loss=cast("Any", self.loss))
        return self._by_autograd

    def _by_autograd(self, users: Tensor, items: Tensor) -> Tensor:
        for parameter in self.parameters():
            parameter.grad = None
        loss = cast("Any", self.loss)(self.model(users, items))
        loss.backward()
        return loss.detach()


class HalfModule(GraphModule):
    """The same with the written-out gradients in bfloat16."""

    def choose_gradients(self) -> Callable[[Tensor, Tensor], Tensor]:
        return HalfPrecision(cast("NeuMF", self.model), cast("Any", self.loss))


class FusedHalfModule(GraphModule):
    """The same, with what follows each layer fused by torch.compile."""

    def choose_gradients(self) -> Callable[[Tensor, Tensor], Tensor]:
        return HalfPrecision(cast("NeuMF", self.model), cast("Any", self.loss), compiled=True)


class CompiledModule(RecommenderModule):
    """Trains by autograd of a forward pass that torch.compile has fused."""

    def on_train_start(self) -> None:
        self.model.compile()
        optimizer = cast("torch.optim.Optimizer", self.optimizers(use_pl_optimizer=False))
        self.steps = TorchSteps(self, optimizer, explicit=False)


MODULES: dict[Way, type[RecommenderModule]] = {
    "steps": RecommenderModule,
    "graph": GraphModule,
    "half": HalfModule,
    "fused half": FusedHalfModule,
    "compiled": CompiledModule,
}

# The most important first: a machine may be there for minutes. What is under "graph" replays a CUDA
# graph of the step; "bf16" alone is trainer.precision=bf16-mixed, by autograd.
ROWS: dict[str, Training | Judging] = {
    "20M, training, TF32": Training("20M", 1 << 20),
    "20M, training, bf16": Training("20M", 1 << 20, "bf16-mixed"),
    "20M, training, bf16 written out, graph": Training("20M", 1 << 20, way="half"),
    "20M, ranking 101, TF32": Judging("20M"),
    "20M, ranking 101, bf16": Judging("20M", precision="bf16-mixed"),
    "20M, ranking 101, bf16 weights": Judging("20M", precision="bf16"),
    "20M, ranking all items, TF32": Judging("20M", "catalogue"),
    "20M, ranking all items, bf16": Judging("20M", "catalogue", "bf16-mixed"),
    "1M, training at 256": Training("1M", 256, matmul="highest"),
    "1M, training at 16,384": Training("1M", 16_384, matmul="highest"),
    "1M, training at 256, graph": Training("1M", 256, matmul="highest", way="graph"),
    "1M, training at 16,384, graph": Training("1M", 16_384, matmul="highest", way="graph"),
    "20M, training, TF32, graph": Training("20M", 1 << 20, way="graph"),
    "20M, training, bf16, graph": Training("20M", 1 << 20, "bf16-mixed", way="graph"),
    "1M, training at 256, TF32, graph": Training("1M", 256, way="graph"),
    "1M, training at 16,384, TF32, graph": Training("1M", 16_384, way="graph"),
    "20M, training, bf16, compiled": Training("20M", 1 << 20, "bf16-mixed", way="compiled"),
    "20M, training, bf16 written out, compiled, graph": Training("20M", 1 << 20, way="fused half"),
    "20M, ranking 101, bf16 weights, compiled": Judging("20M", precision="bf16", compiled=True),
    "20M, training, float32": Training("20M", 1 << 20, matmul="highest"),
    "20M, ranking 101, float32": Judging("20M", matmul="highest"),
}
