"""PyTorch, which is imported where it is needed: the rest of the project does without."""

import os
from importlib import import_module
from typing import Any, TypeAlias

from rammer_ir.errors import InvalidInputError

Tensor: TypeAlias = Any
"""A torch.Tensor; an environment without PyTorch knows no more of it."""
Module: TypeAlias = Any
"""A torch.nn.Module."""
Node: TypeAlias = Any
"""A torch.fx.Node: a call in a model's forward function."""


def import_torch() -> Any:
    """
    The module torch, with its parts `distributed` and `fx`.

    Raises InvalidInputError where it is not installed.
    """
    # Its warnings of links that end are many lines each; ours name the rank in one.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        import_module("torch.distributed")
        import_module("torch.fx")
        return import_module("torch")
    except ImportError as error:
        raise InvalidInputError("this needs PyTorch: pip install 'rammer-ir[torch]'") from error
