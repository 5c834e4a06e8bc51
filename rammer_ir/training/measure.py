"""
What each layer of a model costs on the device at hand: a profile of one's own.

The whole model runs, and the device notes when it begins each layer. So a layer takes what it does among the others: on
a GPU, the time of its kernels, or that of the CPU to launch them where that is longer.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, cast

from rammer_ir.errors import InvalidInputError, describe_exception
from rammer_ir.planner.profile import Profile
from rammer_ir.training.layers import ModelGraph, NodeRunner, trace_layers
from rammer_ir.training.model_file import TrainingModel
from rammer_ir.training.stage import move, rows_of
from rammer_ir.training.torch_extra import Node, Tensor, import_torch

REPEATS = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """
    A profile of `samples` samples.

    `whole` is seconds of the whole model's forward and backward pass when nothing is noted; its layers do not add up to
    more. `peak_activation` is bytes a sample that it keeps for the backward pass.
    """

    profile: Profile
    samples: int
    whole: float
    peak_activation: float


def measure_model(model: TrainingModel, samples: int, device: Any, repeats: int = REPEATS) -> Measured:
    """
    Measures the layers on batches of `samples`.

    Raises UnsupportedModelError where the model cannot be traced, InvalidInputError where it does not run.
    """
    if samples < 1 or repeats < 1:
        raise InvalidInputError("a batch has one sample or more, and is measured once or more")
    graph = trace_layers(model)
    model.module.to(device)
    for node in graph.nodes:
        move(graph, node, device)
    inputs, targets = model.inputs(samples, 0)
    inputs, targets = rows_of(inputs, 0, samples, device), rows_of(targets, 0, samples, device)
    measurement = _Measurement(graph, model, inputs, targets, device)
    try:
        # The first passes choose kernels and make the gradients that the others add to.
        peak = measurement.peak()
        found = [measurement.passes() for _ in range(repeats + 1)][1:]
        whole = statistics.median(measurement.seconds() for _ in range(repeats))
    except RuntimeError as error:
        raise InvalidInputError(f"the model does not run on {device}: {describe_exception(error)}") from error
    finally:
        model.module.zero_grad()
    costs = measurement.costs(found)
    # Noting takes time, which counts where the CPU is what takes longest.
    scale = min(1.0, whole / sum(forward + backward for forward, backward, _, _ in costs))
    costs = [(forward * scale, backward * scale, kept, weights) for forward, backward, kept, weights in costs]
    return Measured(graph.profile(costs), samples, whole, peak / samples)


class _Measurement:
    """Runs a model's passes, as a stage of a plan does: gradients are added to those of the passes before."""

    def __init__(self, graph: ModelGraph, model: TrainingModel, inputs: Sequence[Tensor], targets: Any, device: Any):
        self._graph = graph
        self._model = model
        self._inputs = inputs
        self._targets = targets
        self._clock = _Clock(device)
        self._torch = import_torch()
        self._nodes = [self._own_nodes(position) for position in range(len(graph.layers))]
        self._results = [self._own_results(position) for position in range(len(graph.layers))]
        self._sizes = [0.0] * len(graph.layers)
        self._begun: list[tuple[int, Any]] = []

    def _own_nodes(self, position: int) -> list[Node]:
        """What a layer computes, in order."""
        nodes = self._graph.layers[position].nodes
        own = {*nodes, *self._graph.free(nodes)}
        return [node for node in self._graph.nodes if node in own]

    def _own_results(self, position: int) -> list[Node]:
        """The values that other layers take of a layer, or all where none does."""
        layer = self._graph.layers[position]
        others = [other for other in self._graph.layers if other is not layer]
        taken = {value for other in others for value in self._graph.needs(other.nodes) if value in layer.nodes}
        return [node for node in layer.nodes if node in taken or not taken]

    def passes(self) -> tuple[list[float], list[float]]:
        """Seconds of each layer's forward and backward pass."""
        self._begun.clear()
        self._clock.wait()
        marks = [self._clock.mark()]
        values: dict[Node, Any] = {}
        runner = NodeRunner(self._graph, self._inputs)
        for position, nodes in enumerate(self._nodes):
            for node in nodes:
                values[node] = runner.value(node, values)
            if position < len(self._nodes) - 1:
                self._note(position, values)
                marks.append(self._clock.mark())
        loss = self._model.loss(values[self._graph.output], self._targets)
        marks.append(self._clock.mark())
        self._begun.append((len(self._nodes) - 1, marks[-1]))
        loss.backward()
        end = self._clock.mark()
        self._clock.wait()
        backward = [0.0] * len(self._nodes)
        for (position, begin), (_, done) in pairwise([*self._begun, (-1, end)]):
            backward[position] += self._clock.between(begin, done)
        return [self._clock.between(*pair) for pair in pairwise(marks)], backward

    def _note(self, position: int, values: dict[Node, Any]) -> None:
        """Counts the bytes of a layer's results, and has their gradients say when its backward pass begins."""
        tensors = [tensor for node in self._results[position] for tensor in _tensors(values[node])]
        self._sizes[position] = float(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
        for tensor in tensors:
            if tensor.requires_grad:
                tensor.register_hook(partial(self._begin, position))

    def _begin(self, position: int, _: Tensor) -> None:
        if self._begun[-1][0] != position:
            self._begun.append((position, self._clock.mark()))

    def costs(self, found: Sequence[tuple[list[float], list[float]]]) -> list[tuple[float, float, float, float]]:
        """Of each layer: median forward and backward seconds, activation and parameter bytes."""
        forward, backward = (
            [statistics.median(times) for times in zip(*(passes[kind] for passes in found), strict=True)]
            for kind in (0, 1)
        )
        parameters = [
            float(sum(value.numel() * value.element_size() for value in self._graph.parameters(layer.nodes).values()))
            for layer in self._graph.layers
        ]
        return list(zip(forward, backward, self._sizes, parameters, strict=True))

    def peak(self) -> float:
        """Bytes that the model keeps between its passes."""
        kept: dict[int, int] = {}

        def keep(value: Tensor) -> Tensor:
            storage = value.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return value

        own = {value.untyped_storage().data_ptr() for value in self._model.module.parameters()}
        with self._torch.autograd.graph.saved_tensors_hooks(keep, _same):
            self._iterate()
        return float(sum(size for place, size in kept.items() if place not in own))

    def seconds(self) -> float:
        """Seconds of the whole model's passes."""
        self._clock.wait()
        begin = self._clock.mark()
        self._iterate()
        end = self._clock.mark()
        self._clock.wait()
        return self._clock.between(begin, end)

    def _iterate(self) -> None:
        self._model.loss(self._model.module(*self._inputs), self._targets).backward()


class _Clock:
    """Marks points in a device's work, between which it tells the seconds once the device is done."""

    def __init__(self, device: Any):
        self._cuda = import_torch().cuda if device.type == "cuda" else None
        self._device = device

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        if self._cuda is not None:
            self._cuda.synchronize(self._device)

    def mark(self) -> Any:
        if self._cuda is None:
            return time.perf_counter()
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, begin: Any, end: Any) -> float:
        return end - begin if self._cuda is None else begin.elapsed_time(end) * 1e-3


def _same(value: Tensor) -> Tensor:
    return value


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in a value."""
    if isinstance(value, tuple | list):
        return [found for part in cast("Sequence[Any]", value) for found in _tensors(part)]
    return [value] if import_torch().is_tensor(value) else []
