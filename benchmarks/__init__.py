"""The engine's speed side by side with its peers: `python -m benchmarks.eager`."""
