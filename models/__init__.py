"""Models of the course, built on the public names of `autodiff` alone."""
