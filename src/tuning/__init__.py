"""The search for a model's best settings: Optuna's ask and tell around runs that never see test."""
