"""Runs beside each other: what is better, by how much, and whether it means anything."""
