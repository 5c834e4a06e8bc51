"""Training with PyTorch: profiles of models, and plans that are run. PyTorch is the optional extra `torch`."""
