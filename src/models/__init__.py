"""The recommenders. A configuration names its class: `_target_: src.models.NeuMF`."""

from src.models.base import Recommender
from src.models.fitted import Fitted
from src.models.graph import GCN, LightGCN
from src.models.mf import MF, SVDpp
from src.models.ncf import GMF, MLP, NCF, NeuMF
from src.models.popularity import ItemPop, Random
from src.models.variants import GeneralNCF, RecoHutNCF

__all__ = [
    "GCN",
    "GMF",
    "MF",
    "MLP",
    "NCF",
    "Fitted",
    "GeneralNCF",
    "ItemPop",
    "LightGCN",
    "NeuMF",
    "Random",
    "RecoHutNCF",
    "Recommender",
    "SVDpp",
]
