"""The recommenders. A configuration names its class: `_target_: src.models.NeuMF`."""

from src.models.autoencoders import MultDAE, MultVAE
from src.models.factorization import NMF, PureSVD
from src.models.fitted import Fitted
from src.models.fusion import Fusion
from src.models.graph_convolution import GCN, LightGCN
from src.models.graph_filters import GFCF, TurboCF
from src.models.ials import IALS
from src.models.lateness import Lateness
from src.models.linear import EASE, SLIM
from src.models.mf import MF, SVDpp
from src.models.ncf import GMF, MLP, NCF, NeuMF
from src.models.neighbours import ItemKNN, RP3beta, UserKNN
from src.models.neumf_seq import NeuMFSeq
from src.models.next_item import SLIST, Markov, NextItemRidge, RecentEASE
from src.models.popularity import ItemPop, Random
from src.models.recommender import Recommender
from src.models.recvae import RecVAE
from src.models.sequential import SASRec
from src.models.variants import GeneralNCF, RecoHutNCF

__all__ = [
    "EASE",
    "GCN",
    "GFCF",
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
    "MultDAE",
    "MultVAE",
    "NeuMF",
    "NeuMFSeq",
    "NextItemRidge",
    "PureSVD",
    "RP3beta",
    "Random",
    "RecVAE",
    "RecentEASE",
    "RecoHutNCF",
    "Recommender",
    "SASRec",
    "SVDpp",
    "TurboCF",
    "UserKNN",
]
