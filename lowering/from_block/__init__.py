"""What the lowerings of kernel bodies in block form share, to CUDA and to the host."""
