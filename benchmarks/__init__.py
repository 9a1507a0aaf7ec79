"""How fast the engine is, side by side with its peers: `python -m benchmarks.eager`."""
