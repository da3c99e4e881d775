"""Runs a network once on the meta device and says what is in it."""
