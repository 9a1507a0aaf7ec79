"""The page that runs the package in a browser, with nothing to install: `python -m browser` assembles it."""
