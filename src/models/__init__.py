"""The recommenders. A configuration names its class: `_target_: src.models.NeuMF`."""

from src.models.base import Recommender
from src.models.fitted import Fitted
from src.models.mf import MF, SVDpp
from src.models.ncf import GMF, MLP, NCF, NeuMF
from src.models.variants import GeneralNCF, RecoHutNCF

__all__ = ["GMF", "MF", "MLP", "NCF", "Fitted", "GeneralNCF", "NeuMF", "RecoHutNCF", "Recommender", "SVDpp"]
