"""The public names of the project, for use from Python: `from src.api import GMF, make_trainer`.

examples/quickstart.ipynb shows them at work. Other modules may be reorganized; these names stay.
"""

from __future__ import annotations

from pytorch_lightning import seed_everything

# The way by configuration: options composed from words, as on the command line
from src.config.compose import compose

# Data: where interactions come from, and how they are split and drawn
from src.data.data_options import DataOptions
from src.data.datamodule import InteractionDataModule
from src.data.interactions import Interactions
from src.data.sources.file import TableFile
from src.data.sources.movielens import MovieLens
from src.data.sources.parts import PartFiles
from src.data.sources.released import ReleasedNCF
from src.data.sources.source import ReleasedSplit, Source
from src.data.sources.synthetic import Synthetic

# What is wrong with a caller's options, in one line
from src.errors import UserError

# Evaluation: metrics, and whether a difference is more than luck
from src.evaluation.catalogue import METRICS, Metric
from src.evaluation.lists import RecommendedLists
from src.evaluation.metrics import RankedLists
from src.evaluation.significance import compare, holm, wilcoxon

# Models: those with gradients, and those that are fitted in one go or in sweeps
from src.models import (
    EASE,
    GCN,
    GFCF,
    GMF,
    IALS,
    MF,
    MLP,
    NCF,
    NMF,
    SLIM,
    Fitted,
    GeneralNCF,
    ItemKNN,
    ItemPop,
    LightGCN,
    MultDAE,
    MultVAE,
    NeuMF,
    PureSVD,
    Random,
    RecoHutNCF,
    Recommender,
    RecVAE,
    RP3beta,
    SVDpp,
    TurboCF,
    UserKNN,
)
from src.models.recommender import GradientLoss, Loss

# The way by configuration goes on: check the options, then make trainer, module and data of them
from src.run.assembly import Run, assemble
from src.run.checks import check_options

# Trained runs: what they recommend
from src.serving.loaded_run import LoadedRun
from src.serving.loading import load_run

# Training: losses, the optimizer, modules, the trainer, and checkpoints
from src.training.adam import Adam
from src.training.checkpoints import load_model
from src.training.fitting import FittedModule
from src.training.losses import (
    BCE,
    BPR,
    MSE,
    WARP,
    BalancedBCE,
    FullSoftmax,
    Hinge,
    RatingLoss,
    SampledSoftmax,
    Squared,
    UserLoss,
)
from src.training.module import RecommenderModule
from src.training.trainer import find_history, make_trainer
from src.training.trainer_options import TrainerOptions

__all__ = [
    "BCE",
    "BPR",
    "EASE",
    "GCN",
    "GFCF",
    "GMF",
    "IALS",
    "METRICS",
    "MF",
    "MLP",
    "MSE",
    "NCF",
    "NMF",
    "SLIM",
    "WARP",
    "Adam",
    "BalancedBCE",
    "DataOptions",
    "Fitted",
    "FittedModule",
    "FullSoftmax",
    "GeneralNCF",
    "GradientLoss",
    "Hinge",
    "InteractionDataModule",
    "Interactions",
    "ItemKNN",
    "ItemPop",
    "LightGCN",
    "LoadedRun",
    "Loss",
    "Metric",
    "MovieLens",
    "MultDAE",
    "MultVAE",
    "NeuMF",
    "PartFiles",
    "PureSVD",
    "RP3beta",
    "Random",
    "RankedLists",
    "RatingLoss",
    "RecVAE",
    "RecoHutNCF",
    "RecommendedLists",
    "Recommender",
    "RecommenderModule",
    "ReleasedNCF",
    "ReleasedSplit",
    "Run",
    "SVDpp",
    "SampledSoftmax",
    "Source",
    "Squared",
    "Synthetic",
    "TableFile",
    "TrainerOptions",
    "TurboCF",
    "UserError",
    "UserKNN",
    "UserLoss",
    "assemble",
    "check_options",
    "compare",
    "compose",
    "find_history",
    "holm",
    "load_model",
    "load_run",
    "make_trainer",
    "seed_everything",
    "wilcoxon",
]
