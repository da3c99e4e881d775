"""The shape flow as a graph: folded groups, layered layout, drawings of it. No Qt."""
