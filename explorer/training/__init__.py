"""Trains a network by a recipe, as a stream of events, with no window in sight."""
