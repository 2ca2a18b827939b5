from src.models.graph import GCN, LightGCN
from tests.models.contract import N_ITEMS, N_USERS, RecommenderContract

class TestLightGCN(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> LightGCN:
        return LightGCN(n_users, n_items, factors=4)

class TestGCN(RecommenderContract):
    def make(self, n_users: int = N_USERS, n_items: int = N_ITEMS) -> GCN:
        return GCN(n_users, n_items, factors=4)
