"""What each layer of a model costs on the device at hand: a profile of one's own."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from rammer_ir.errors import InvalidInputError, describe_exception
from rammer_ir.planner.profile import Profile
from rammer_ir.training.layers import ModelGraph, ModelLayer, NodeRunner, trace_layers
from rammer_ir.training.model_file import TrainingModel
from rammer_ir.training.stage import move, rows_of
from rammer_ir.training.torch_extra import Node, Tensor, import_torch

REPEATS = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """
    A profile of `samples` samples.

    `whole` is seconds of the whole model's forward and backward pass, which its layers are to add up to;
    `peak_activation` bytes a sample that it keeps for the backward pass.
    """

    profile: Profile
    samples: int
    whole: float
    peak_activation: float


def measure_model(model: TrainingModel, samples: int, device: Any, repeats: int = REPEATS) -> Measured:
    """
    Measures every layer alone, on batches of `samples`.

    Raises UnsupportedModelError where the model cannot be traced, InvalidInputError where it does not run.
    """
    if samples < 1 or repeats < 1:
        raise InvalidInputError("a batch has one sample or more, and is measured once or more")
    graph = trace_layers(model)
    model.module.to(device)
    for node in graph.nodes:
        move(graph, node, device)
    inputs, targets = model.inputs(samples, 0)
    measure = _Measurement(graph, model, rows_of(inputs, 0, samples, device), device, repeats)
    targets = rows_of(targets, 0, samples, device)
    try:
        costs = [measure.layer(layer, targets) for layer in graph.layers]
        whole, peak = measure.whole(targets)
    except RuntimeError as error:
        raise InvalidInputError(f"the model does not run on {device}: {describe_exception(error)}") from error
    return Measured(graph.profile(costs), samples, whole, peak / samples)


class _Measurement:
    """Runs layers one after the other, each from the values that those in front of it have left."""

    def __init__(self, graph: ModelGraph, model: TrainingModel, inputs: Sequence[Tensor], device: Any, repeats: int):
        self._graph = graph
        self._model = model
        self._inputs = inputs
        self._device = device
        self._repeats = repeats
        self._torch = import_torch()
        self._values: dict[Node, Any] = {}

    def layer(self, layer: ModelLayer, targets: Any) -> tuple[float, float, float, float]:
        """Forward and backward seconds, activation and parameter bytes; keeps the layer's values."""
        graph = self._graph
        is_loss = layer is graph.layers[-1]
        given = set(graph.needs(layer.nodes)) - set(layer.nodes)
        if is_loss and graph.output not in layer.nodes:
            given.add(graph.output)
        own = {*layer.nodes, *graph.free(layer.nodes)}
        nodes = [node for node in graph.nodes if node in own]
        parameters = [value for value in graph.parameters(layer.nodes).values() if value.requires_grad]
        forward: list[float] = []
        backward: list[float] = []
        results: dict[Node, Any] = {}
        for _ in range(self._repeats + 1):
            leaves = {node: self._leaf(node) for node in given}
            # Layers may write their inputs, which leaves forbid.
            values = {node: leaf.clone() for node, leaf in leaves.items()}
            seconds, outputs = self._timed(partial(self._run, nodes, values, targets, is_loss=is_loss))
            forward.append(seconds)
            roots = [value for value in outputs if value.requires_grad]
            wanted = [*(leaf for leaf in leaves.values() if leaf.requires_grad), *parameters]
            backward.append(self._backward(roots, wanted))
            results = values
        self._values.update((node, _detached(results[node])) for node in layer.nodes)
        size = 0.0 if is_loss else sum(value.numel() * value.element_size() for value in self._results(layer))
        return (
            statistics.median(forward[1:]),
            statistics.median(backward[1:]),
            float(size),
            float(sum(value.numel() * value.element_size() for value in graph.parameters(layer.nodes).values())),
        )

    def _leaf(self, node: Node) -> Tensor:
        """A value as the layer in front has given it, but with nothing behind it."""
        return self._values[node].detach().requires_grad_(self._graph.shapes[node].requires_grad)

    def _run(self, nodes: Sequence[Node], values: dict[Node, Any], targets: Any, *, is_loss: bool) -> list[Tensor]:
        runner = NodeRunner(self._graph, self._inputs)
        for node in nodes:
            values[node] = runner.value(node, values)
        if is_loss:
            return [self._model.loss(values[self._graph.output], targets)]
        return [value for node in nodes if node in self._graph.owner for value in _tensors(values[node])]

    def _backward(self, roots: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
        if not roots or not wanted:
            return 0.0
        gradients = [self._torch.ones_like(value) for value in roots]

        def run() -> Any:
            return self._torch.autograd.grad(roots, wanted, gradients, allow_unused=True)

        return self._timed(run)[0]

    def _timed(self, run: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds until the device is done, and what the function returns."""
        self._synchronize()
        start = time.perf_counter()
        result = run()
        self._synchronize()
        return time.perf_counter() - start, result

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize(self._device)

    def _results(self, layer: ModelLayer) -> list[Tensor]:
        """The tensors that other layers take of a layer, or all where none does."""
        taken = {
            value
            for other in self._graph.layers
            if other is not layer
            for value in self._graph.needs(other.nodes)
            if value in layer.nodes
        }
        return [value for node in taken or layer.nodes for value in _tensors(self._values[node])]

    def whole(self, targets: Any) -> tuple[float, float]:
        """Seconds of the whole model's passes, and bytes kept between them."""
        kept: dict[int, int] = {}

        def keep(value: Tensor) -> Tensor:
            storage = value.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return value

        own = {value.untyped_storage().data_ptr() for value in self._model.module.parameters()}
        with self._torch.autograd.graph.saved_tensors_hooks(keep, _same):
            self._iterate(targets)
        seconds = [self._timed(partial(self._iterate, targets))[0] for _ in range(self._repeats)]
        return statistics.median(seconds), float(sum(size for place, size in kept.items() if place not in own))

    def _iterate(self, targets: Any) -> None:
        loss = self._model.loss(self._model.module(*self._inputs), targets)
        self._model.module.zero_grad()
        loss.backward()


def _same(value: Tensor) -> Tensor:
    return value


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in a value."""
    if isinstance(value, tuple | list):
        return [found for part in cast("Sequence[Any]", value) for found in _tensors(part)]
    return [value] if import_torch().is_tensor(value) else []


def _detached(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_detached(part) for part in cast("Sequence[Any]", value))
    return value.detach() if import_torch().is_tensor(value) else value
