"""Datasets, by name or any folder, in memory or streamed, and how their images become a network's input."""
