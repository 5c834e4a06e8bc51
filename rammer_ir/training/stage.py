"""The part of a model that a rank holds: its forward pass, on its device."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any, cast

from rammer_ir.training.layers import ModelGraph, NodeRunner, attribute
from rammer_ir.training.partition import Part
from rammer_ir.training.torch_extra import Node, Tensor, import_torch


class StagePart:
    """A part of a model on a device; with `recompute`, its forward pass is computed again for the backward pass."""

    def __init__(self, graph: ModelGraph, part: Part, device: Any, *, recompute: bool):
        self._graph = graph
        self._recompute = recompute
        self.part = part
        self.device = device
        self._writes = any(_writes_in_place(graph, node) for node in part.nodes)
        for node in part.nodes:
            move(graph, node, device)

    def forward(self, inputs: Sequence[Tensor], batch: Sequence[Tensor]) -> list[Tensor]:
        """
        The values that stages behind need, or of the last stage the model's output.

        `inputs` come from the stages in front, `batch` are the model's own inputs for the same rows.
        """
        if not self._recompute:
            return self._run(*inputs, batch=batch)
        torch = import_torch()
        checkpoint = torch.utils.checkpoint.checkpoint
        return checkpoint(self._run, *inputs, batch=batch, use_reentrant=False)

    def _run(self, *inputs: Tensor, batch: Sequence[Tensor]) -> list[Tensor]:
        runner = NodeRunner(self._graph, batch)
        # What is written in place must not be a leaf.
        given = [value.clone() for value in inputs] if self._writes else inputs
        values: dict[Node, Any] = dict(zip((value.node for value in self.part.inputs), given, strict=True))
        for node in self.part.nodes:
            values[node] = runner.value(node, values)
        if self.part.is_last:
            return [values[self._graph.output]]
        return [values[value.node] for value in self.part.outputs]


def _writes_in_place(graph: ModelGraph, node: Node) -> bool:
    """Whether a call may write what it is given."""
    name = str(getattr(node.target, "__name__", node.target))
    match node.op:
        case "call_module":
            called = graph.module.get_submodule(node.target)
            return any(getattr(module, "inplace", False) for module in called.modules())
        case "call_method":
            return name.endswith("_")
        case _:
            return (name in dir(operator) and name.startswith("i")) or bool(node.kwargs.get("inplace", False))


def move(graph: ModelGraph, node: Node, device: Any) -> None:
    """Takes the weights that a call uses to the device."""
    torch = import_torch()
    if node.op == "call_module":
        graph.module.get_submodule(node.target).to(device)
    elif node.op == "get_attr":
        owner_path, _, name = node.target.rpartition(".")
        owner = graph.module.get_submodule(owner_path)
        value = attribute(owner, name)
        if isinstance(value, torch.nn.Parameter):
            value.data = value.data.to(device)
        elif torch.is_tensor(value):
            setattr(owner, name, value.to(device))


def rows_of(value: Any, first: int, end: int, device: Any) -> Any:
    """The rows of a tensor, or of all in a tuple, list or dictionary, on the device."""
    if isinstance(value, Mapping):
        return {name: rows_of(part, first, end, device) for name, part in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple | list):
        return tuple(rows_of(part, first, end, device) for part in cast("Sequence[Any]", value))
    return value[first:end].to(device) if import_torch().is_tensor(value) else value
