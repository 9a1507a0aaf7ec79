"""Array code, or a graph, as something that runs or that is read."""
