"""Passes on tasks: costs, choice of kernels, waves and placement."""
