"""What writes the block-form bodies of kernels."""
