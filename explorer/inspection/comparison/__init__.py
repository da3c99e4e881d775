"""Two networks beside each other: which layers they share and where they differ."""
