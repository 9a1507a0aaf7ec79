"""A graph as array code: grouped, with its backward pass."""
