"""Models that people run, defined in PyTorch and exported to ONNX as a user would; weights are random, from a seed."""
