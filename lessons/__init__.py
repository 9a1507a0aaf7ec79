"""The course as code that runs."""
