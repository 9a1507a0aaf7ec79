"""The site of the project, from its README, docs, notebooks and docstrings: `make docs` (mkdocs.yml)."""
