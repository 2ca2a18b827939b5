"""The recommenders. A configuration names its class: `_target_: src.models.NeuMF`."""

from src.models.factorization import NMF, PureSVD
from src.models.fitted import Fitted
from src.models.fusion import Fusion
from src.models.graph_convolution import GCN, LightGCN
from src.models.ials import IALS
from src.models.lateness import Lateness
from src.models.linear import EASE, SLIM
from src.models.mf import MF, SVDpp
from src.models.ncf import GMF, MLP, NCF, NeuMF
from src.models.neighbours import ItemKNN, RP3beta, UserKNN
from src.models.next_item import SLIST, Markov, NextItemRidge, RecentEASE
from src.models.popularity import ItemPop, Random
from src.models.recommender import Recommender
from src.models.variants import GeneralNCF, RecoHutNCF

__all__ = [
    "EASE",
    "GCN",
    "GMF",
    "IALS",
    "MF",
    "MLP",
    "NCF",
    "NMF",
    "SLIM",
    "SLIST",
    "Fitted",
    "Fusion",
    "GeneralNCF",
    "ItemKNN",
    "ItemPop",
    "Lateness",
    "LightGCN",
    "Markov",
    "NeuMF",
    "NextItemRidge",
    "PureSVD",
    "RP3beta",
    "Random",
    "RecentEASE",
    "RecoHutNCF",
    "Recommender",
    "SVDpp",
    "UserKNN",
]
