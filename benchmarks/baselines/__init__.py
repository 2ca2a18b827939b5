"""Every model on one split: docs/baselines.md, its tables and its pictures."""
