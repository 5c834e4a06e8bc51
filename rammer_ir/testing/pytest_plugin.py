"""A pytest plugin, installed with the package."""
