"""Which layers of a model each stage of a plan computes, and which values travel between stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.planner.saved_plan import SavedPlan
from rammer_ir.planner.states import model_states, state_layers
from rammer_ir.training.layers import ModelGraph
from rammer_ir.training.torch_extra import Node, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """
    What travels between stages for each sample.

    `shape` is without the samples' dimension; gradients travel back where `has_gradient`.
    """

    node: Node
    shape: tuple[int, ...]
    dtype: Any
    has_gradient: bool


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """
    The part of a model that a stage computes: `nodes` in order, from `inputs` to `outputs`.

    What a stage behind it needs of one in front of it goes through. The last part has no outputs, but the loss.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: tuple[Tensor, ...]
    is_last: bool


def model_parts(graph: ModelGraph, plan: SavedPlan) -> list[Part]:
    """
    The part of each stage.

    Raises InvalidInputError where the plan is of another model, UnsupportedModelError where stages share parameters.
    """
    stage_of = _layer_stages(graph, plan)
    owned: list[list[Node]] = [[] for _ in plan.stages]
    for node in graph.nodes:
        if node in graph.owner:
            owned[stage_of[graph.owner[node]]].append(node)
    needed = [set(graph.needs(nodes)) for nodes in owned]
    needed[-1].add(graph.output)
    crossing = [_crossing(graph, stage_of, needed, cut) for cut in range(1, len(owned))]
    parameters = [graph.parameters(nodes) for nodes in owned]
    _check_sharing(parameters)
    return [
        Part(
            tuple(node for node in graph.nodes if node in {*nodes, *graph.free(nodes)}),
            crossing[number - 1] if number else (),
            crossing[number] if number < len(crossing) else (),
            tuple({id(value): value for value in parameters[number].values()}.values()),
            number == len(owned) - 1,
        )
        for number, nodes in enumerate(owned)
    ]


def _layer_stages(graph: ModelGraph, plan: SavedPlan) -> list[int]:
    """The stage of each layer."""
    profile = graph.profile([(0.0, 0.0, 0.0, 0.0)] * len(graph.layers))
    names = model_states(profile).names
    if names != plan.states:
        differing = next((n for n, (a, b) in enumerate(zip(names, plan.states, strict=False)) if a != b), None)
        where = (
            f"{len(plan.states)} states, the model {len(names)}"
            if differing is None
            else f"'{plan.states[differing]}' as state {differing}, the model '{names[differing]}'"
        )
        raise InvalidInputError(f"the plan is for another model: it has {where}")
    done = state_layers(profile)
    return [
        next(number for number, stage in enumerate(plan.stages) if layer.name in done[stage.last])
        for layer in graph.layers
    ]


def _crossing(graph: ModelGraph, stage_of: Sequence[int], needed: Sequence[set[Node]], cut: int) -> tuple[Value, ...]:
    """The values made in front of stage `cut` and needed there or behind."""
    behind = {node for nodes in needed[cut:] for node in nodes}
    found = [node for node in graph.nodes if node in behind and stage_of[graph.owner[node]] < cut]
    shapes = [graph.shapes[node] for node in found]
    return tuple(
        Value(node, tuple(shape.shape[1:]), shape.dtype, bool(shape.requires_grad))
        for node, shape in zip(found, shapes, strict=True)
    )


def _check_sharing(parameters: Sequence[dict[str, Tensor]]) -> None:
    first: dict[int, tuple[int, str]] = {}
    for number, named in enumerate(parameters):
        for name, value in named.items():
            other, other_name = first.setdefault(id(value), (number, name))
            if other != number:
                raise UnsupportedModelError(
                    f"stages {other} and {number} share the parameter {other_name} (as {name}): "
                    "the plan has to keep its layers in one stage"
                )
