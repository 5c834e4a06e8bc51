"""From model files to the `rop` level."""
