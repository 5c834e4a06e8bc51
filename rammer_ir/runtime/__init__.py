"""Compile, load and run program images on a device."""
