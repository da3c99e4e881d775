"""Reads images that may be anything, and says what a trained network sees in them."""
