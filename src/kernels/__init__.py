"""Code that is compiled on the machine it runs on, by numba: knows nothing of recommenders."""
