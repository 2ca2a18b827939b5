"""Whole training steps as one compiled function, for the models and losses that are served."""
