"""Reference semantics of every level, on NumPy arrays: what the tests of passes and lowerings compare with."""
