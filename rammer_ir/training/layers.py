"""
A model as a graph of layers: the calls in its forward function.

A layer is a submodule that is called, whole, or a function of tensors between them; containers (Sequential, ModuleList,
ModuleDict) are looked through. The last layer ends with the loss. What does not depend on the data of a batch, such as
a size or a mask, is no layer: whoever needs it computes it again.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rammer_ir.errors import RammerError, UnsupportedModelError, describe_exception
from rammer_ir.planner.profile import Layer, Profile
from rammer_ir.training.model_file import TrainingModel
from rammer_ir.training.torch_extra import Module, Node, Tensor, import_torch

SAMPLES = 5
"""The batch with which shapes are found."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelLayer:
    """Some calls of a model's forward function, in order; the loss may have none."""

    name: str
    description: str
    nodes: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class ModelGraph:
    """
    A traced model.

    `shapes` has a tensor without data for each value of SAMPLES samples; `owner` is the position of each value's layer.
    `output` is the model's result.
    """

    module: Module
    nodes: tuple[Node, ...]
    output: Node
    layers: list[ModelLayer] = field(default_factory=list["ModelLayer"])
    owner: dict[Node, int] = field(default_factory=dict[Node, int])
    shapes: dict[Node, Any] = field(default_factory=dict[Node, Any])

    def needs(self, nodes: Sequence[Node]) -> Iterator[Node]:
        """The values of layers that the nodes take, directly or through what is no layer; each as often as it is."""
        for node in nodes:
            for needed in node.all_input_nodes:
                if needed in self.owner:
                    yield needed
                else:
                    yield from self.needs([needed])

    def free(self, nodes: Sequence[Node]) -> Iterator[Node]:
        """What is no layer and the nodes take, directly or through each other."""
        for node in nodes:
            for needed in node.all_input_nodes:
                if needed not in self.owner:
                    yield needed
                    yield from self.free([needed])

    def producers(self, layer: int) -> list[int]:
        """The layers whose values a layer takes."""
        values = set(self.needs(self.layers[layer].nodes))
        if layer == len(self.layers) - 1:
            values.add(self.output)
        return sorted({self.owner[value] for value in values} - {layer})

    def parameters(self, nodes: Sequence[Node]) -> dict[str, Tensor]:
        """The parameters that the nodes use, by name."""
        found: dict[str, Tensor] = {}
        for node in [*nodes, *self.free(nodes)]:
            if node.op == "call_module":
                owner = self.module.get_submodule(node.target)
                found.update((f"{node.target}.{name}", value) for name, value in owner.named_parameters())
            elif node.op == "get_attr":
                value = attribute(self.module, node.target)
                if isinstance(value, import_torch().nn.Parameter):
                    found[node.target] = value
        return found

    def profile(self, costs: Sequence[tuple[float, float, float, float]]) -> Profile:
        """
        The layers as those of a profile, behind an input that HPGO and PipeDream expect.

        `costs` has forward and backward seconds, activation and parameter bytes of each.
        """
        found = [Layer("node1", "Input", 0.0, 0.0, 0.0, 0.0)]
        edges: list[tuple[int, int]] = []
        for position, (layer, cost) in enumerate(zip(self.layers, costs, strict=True)):
            found.append(Layer(layer.name, layer.description, *cost))
            producers = self.producers(position)
            edges += [(producer + 1, position + 1) for producer in producers] or [(0, position + 1)]
        return Profile(tuple(found), tuple(edges))


def attribute(module: Module, path: str) -> Any:
    """What a dotted name stands for in a module."""
    for part in path.split("."):
        module = getattr(module, part)
    return module


def trace_layers(model: TrainingModel) -> ModelGraph:
    """
    The layers of a model.

    Raises UnsupportedModelError where its forward function depends on values, or a layer fails.
    """
    torch = import_torch()
    containers = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)
    tracer = torch.fx.Tracer()

    def is_layer(module: Module, _: str) -> bool:
        return not isinstance(module, containers)

    tracer.is_leaf_module = is_layer
    try:
        traced = torch.fx.GraphModule(model.module, tracer.trace(model.module)).graph
    except Exception as error:
        raise UnsupportedModelError(
            f"the model's forward function cannot be traced: {describe_exception(error)}"
        ) from error
    traced.eliminate_dead_code()
    output = next(node for node in traced.nodes if node.op == "output").args[0]
    graph = ModelGraph(model.module, tuple(node for node in traced.nodes if node.op != "output"), output)
    if not isinstance(output, torch.fx.Node):
        raise UnsupportedModelError("the model has to return one tensor")
    inputs, _ = model.inputs(SAMPLES, 0)
    graph.shapes.update(_shapes(graph, inputs))
    _find_layers(graph)
    if output not in graph.owner or not torch.is_tensor(graph.shapes[output]):
        raise UnsupportedModelError("the model has to return a tensor that it computes")
    return graph


def _shapes(graph: ModelGraph, inputs: Sequence[Tensor]) -> Mapping[Node, Any]:
    """Every value without its data."""
    torch = import_torch()

    def without_data(module: Module) -> dict[str, Tensor]:
        return {
            name: value.detach().to("meta").requires_grad_(value.requires_grad)
            for name, value in [*module.named_parameters(), *module.named_buffers()]
        }

    def call(module: Module, *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(module, without_data(module), args, kwargs)

    values: dict[Node, Any] = {}
    run = NodeRunner(graph, [value.to("meta") for value in inputs], call)
    for node in graph.nodes:
        try:
            values[node] = run.value(node, values)
        except RammerError:
            raise
        except Exception as error:
            raise UnsupportedModelError(
                f"layer {node.name} fails on tensors without data: {describe_exception(error)}"
            ) from error
        if node.op == "get_attr" and torch.is_tensor(values[node]):
            values[node] = values[node].detach().to("meta").requires_grad_(values[node].requires_grad)
    return values


class NodeRunner:
    """Computes the values of a model's nodes from those of others; `inputs` are the model's."""

    def __init__(self, graph: ModelGraph, inputs: Sequence[Tensor], call: Callable[..., Any] | None = None):
        self._module = graph.module
        placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        self._inputs = dict(zip(placeholders, inputs, strict=False))
        self._call = call
        self._map_arg = import_torch().fx.node.map_arg

    def value(self, node: Node, values: Mapping[Node, Any]) -> Any:
        """A node's value, from those that it takes."""
        if node.op == "placeholder":
            if node not in self._inputs and not node.args:
                raise UnsupportedModelError(f"the batch has no input for '{node.target}' of the model")
            return self._inputs[node] if node in self._inputs else node.args[0]
        args = self._map_arg(node.args, values.__getitem__)
        kwargs = self._map_arg(node.kwargs, values.__getitem__)
        match node.op:
            case "get_attr":
                return attribute(self._module, node.target)
            case "call_module":
                module = self._module.get_submodule(node.target)
                return module(*args, **kwargs) if self._call is None else self._call(module, *args, **kwargs)
            case "call_method":
                return getattr(args[0], node.target)(*args[1:], **kwargs)
            case _:
                return node.target(*args, **kwargs)


def _find_layers(graph: ModelGraph) -> None:
    """Makes a layer of each call that computes tensors; taking a result apart belongs to the layer that made it."""
    of_batch: set[Node] = set()
    groups: list[list[Node]] = []
    for node in graph.nodes:
        if not _holds_tensors(graph.shapes[node]):
            continue
        if node.op == "placeholder" or any(needed in of_batch for needed in node.all_input_nodes):
            of_batch.add(node)
        if node.op == "placeholder" or node not in of_batch:
            continue
        taken = node.args[0] if node.target is operator.getitem else None
        if taken in graph.owner and not import_torch().is_tensor(graph.shapes[taken]):
            graph.owner[node] = graph.owner[taken]
            groups[graph.owner[node]].append(node)
            continue
        graph.owner[node] = len(groups)
        groups.append([node])
    groups = _merged(graph, [*groups, []])
    for number, nodes in enumerate(groups):
        graph.owner.update((node, number) for node in nodes)
        described = _description(graph, nodes[0]) if nodes else "loss"
        graph.layers.append(ModelLayer(f"node{number + 2}", described, tuple(nodes)))


def _merged(graph: ModelGraph, groups: list[list[Node]]) -> list[list[Node]]:
    """
    The calls of the layers, of which those are one that a value connects which has no row for each sample.

    Such a value cannot be split over replicas, so that no stage may end where it is needed.
    """
    ends = list(range(len(groups)))
    for number, nodes in enumerate(groups):
        for value in graph.needs(nodes) if nodes else [graph.output]:
            if not _has_rows(graph.shapes[value]):
                ends[graph.owner[value]] = max(ends[graph.owner[value]], number)
    merged: list[list[Node]] = []
    end = -1
    for number, nodes in enumerate(groups):
        if number <= end:
            merged[-1] += nodes
        else:
            merged.append(list(nodes))
        end = max(end, ends[number])
    return merged


def _has_rows(value: Any) -> bool:
    return bool(import_torch().is_tensor(value)) and value.dim() > 0 and value.shape[0] == SAMPLES


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(_holds_tensors(part) for part in value)  # pyright: ignore[reportUnknownVariableType]
    return bool(import_torch().is_tensor(value))


def _description(graph: ModelGraph, node: Node) -> str:
    if node.op == "call_module":
        return f"{type(graph.module.get_submodule(node.target)).__name__}({node.name})"
    return f"{getattr(node.target, '__name__', node.target)}({node.name})"
