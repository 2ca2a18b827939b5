"""The recommenders. A configuration names its class: `_target_: src.models.NeuMF`."""

from src.models.base import Recommender
from src.models.ncf import GMF, MLP, NCF, NeuMF

__all__ = ["GMF", "MLP", "NCF", "NeuMF", "Recommender"]
