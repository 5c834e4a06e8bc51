"""
The model to train, as a function of the user's makes it.

`model.py:make_model` names a function without arguments. It returns a tuple `(model, batch, loss)` or
`(model, batch, loss, optimizer)`:

- `model`, a torch.nn.Module, is called with the inputs of a batch, and returns a tensor;
- `batch(samples, step)` returns `(inputs, targets)` of a step: a tensor or a tuple of tensors each, whose first
  dimension is that of the samples;
- `loss(output, targets)` is the mean over the samples;
- `optimizer(parameters)` makes the optimizer; without it, there is SGD with learning rate 0.01.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rammer_ir.errors import InvalidInputError
from rammer_ir.training.torch_extra import Module, Tensor, import_torch


@dataclass(frozen=True, slots=True)
class TrainingModel:
    """A model with what training it needs; see the module's text."""

    module: Module
    batch: Callable[[int, int], tuple[Any, Any]]
    loss: Callable[[Tensor, Any], Tensor]
    optimizer: Callable[[Iterable[Tensor]], Any]

    def inputs(self, samples: int, step: int) -> tuple[tuple[Tensor, ...], Any]:
        """The inputs of a step as a tuple, and the targets."""
        inputs, targets = self.batch(samples, step)
        return (tuple(cast("tuple[Tensor, ...]", inputs)) if isinstance(inputs, tuple) else (inputs,)), targets


def load_model(spec: str, seed: int = 0) -> TrainingModel:
    """
    What the function `spec`, such as "model.py:make_model", makes, after seeding PyTorch.

    Raises OSError, and InvalidInputError where there is no such function or it returns something else.
    """
    torch = import_torch()
    path, _, name = spec.rpartition(":")
    if not path or not name:
        raise InvalidInputError(f"'{spec}' does not name a function such as model.py:make_model")
    function = _function(Path(path), name)
    torch.manual_seed(seed)
    made = function()
    if not isinstance(made, tuple) or len(cast("tuple[Any, ...]", made)) not in (3, 4):
        raise InvalidInputError(f"{name} has to return (model, batch, loss) or (model, batch, loss, optimizer)")
    module, batch, loss, *rest = cast("tuple[Any, ...]", made)
    if not isinstance(module, torch.nn.Module) or not all(callable(part) for part in (batch, loss, *rest)):
        raise InvalidInputError(f"{name} has to return a torch.nn.Module, and functions")
    return TrainingModel(module, batch, loss, rest[0] if rest else _sgd)


def _sgd(parameters: Iterable[Tensor]) -> Any:
    return import_torch().optim.SGD(parameters, lr=0.01)


def _function(path: Path, name: str) -> Callable[[], Any]:
    if not path.is_file():
        raise InvalidInputError("no such file", location=str(path))
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    if module_spec is None or module_spec.loader is None:
        raise InvalidInputError("not a Python file", location=str(path))
    module = importlib.util.module_from_spec(module_spec)
    # The file may import its neighbours, as it could if it were run.
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules[path.stem] = module
    module_spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidInputError(f"it has no function '{name}'", location=str(path))
    return function
