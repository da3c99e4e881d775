"""Datasets held in memory, and how their images become a network's input."""
