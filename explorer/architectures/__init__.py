"""The catalogue: one file of builders a family, with a card of the same name in `resources/cards/`."""
