"""The Explore page: the list of networks, the shape flow and the layer table."""
