"""Compile, load and run program images on a CUDA device."""
