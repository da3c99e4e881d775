"""The Train page: a recipe, live curves and the runs so far."""
