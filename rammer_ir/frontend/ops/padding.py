"""Pad."""

from collections.abc import Sequence
from typing import Final

from xdsl.dialects.builtin import TensorType
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import sliced
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Pad", since=2, until=10)
def pad_by_attributes(node: Node, build: GraphBuilder) -> Value:
    """Padding by attributes."""
    pads = node.integers_or("pads", [0] * (2 * node.input(0).rank))
    return _padded(node, build, pads, node.floating("value", 0.0))


@onnx_op("Pad", since=11)
def pad_by_inputs(node: Node, build: GraphBuilder) -> Value:
    """Padding by constant inputs; of the given dimensions, or of all."""
    rank = node.input(0).rank
    given = node.optional_integers(1, "pads")
    if given is None:
        raise node.error("lacks pads")
    value = node.optional_constant(2, "constant_value")
    axes = [node.normal_axis(axis, rank) for axis in node.optional_integers(3, "axes") or range(rank)]
    if len(given) != 2 * len(axes):
        raise node.error(f"has {len(given)} pads for {len(axes)} dimensions")
    pads = [0] * (2 * rank)
    for number, axis in enumerate(axes):
        pads[axis], pads[rank + axis] = given[number], given[len(axes) + number]
    return _padded(node, build, pads, 0.0 if value is None else float(value.reshape(())))


def _padded(node: Node, build: GraphBuilder, pads: Sequence[int], number: float) -> Value:
    """`pads` holds the elements that are added before, then after, each dimension; negative ones are taken away."""
    operand = node.input(0)
    rank = operand.rank
    mode = node.string("mode", "constant")
    for axis in range(rank):
        before, after = min(pads[axis], 0), min(pads[rank + axis], 0)
        if before or after:
            operand = sliced(build, operand, axis, -before, operand.shape[axis] + before + after)
    added = [(max(pads[axis], 0), max(pads[rank + axis], 0)) for axis in range(rank)]
    if mode == "constant":
        return _with_number(build, operand, added, number)
    if mode not in _SOURCES:
        raise node.error(f"has a mode that is not known: {mode!r}")
    for axis, (before, after) in enumerate(added):
        operand = _continued(node, build, operand, axis, before, after, mode)
    return operand


def _with_number(build: GraphBuilder, operand: Value, added: Sequence[tuple[int, int]], number: float) -> Value:
    if not any(count for pair in added for count in pair):
        return operand
    shape = [extent + before + after for extent, (before, after) in zip(operand.shape, added, strict=True)]
    dims = loop_dims(len(shape))
    indices = [dim - before for dim, (before, _) in zip(dims, added, strict=True)]
    value = number if is_floating(operand.dtype) else int(number)
    read = Read(build.read(operand), indices, pad=value)
    return build.generic(
        shape, [read], [Write(TensorType(operand.element_type, shape), dims)], lambda element: element
    )[0]


def _edge(position: AffineExpr, count: int, extent: int, *, is_before: bool) -> AffineExpr:
    return AffineExpr.constant(0 if is_before else extent - 1)


def _reflected(position: AffineExpr, count: int, extent: int, *, is_before: bool) -> AffineExpr:
    return position * -1 + (count if is_before else extent - 2)


def _wrapped(position: AffineExpr, count: int, extent: int, *, is_before: bool) -> AffineExpr:
    return position + (extent - count) if is_before else position


_SOURCES: Final = {"edge": _edge, "reflect": _reflected, "wrap": _wrapped}
"""By mode: where an element comes from, of its position among the `count` that are added to `extent` elements."""


def _continued(node: Node, build: GraphBuilder, operand: Value, axis: int, before: int, after: int, mode: str) -> Value:
    """The operand with elements of its own before and after one dimension."""
    extent = operand.shape[axis]
    most = {"edge": max(before, after), "reflect": extent - 1, "wrap": extent}[mode]
    if max(before, after) > most:
        raise node.error(f"pads {extent} elements by {max(before, after)} in mode {mode}, which is not supported")
    parts: list[Value] = []
    for count, is_before in ((before, True), (after, False)):
        shape = [count if dim == axis else size for dim, size in enumerate(operand.shape)]
        indices = list(loop_dims(operand.rank))
        indices[axis] = _SOURCES[mode](indices[axis], count, extent, is_before=is_before)
        if count:
            parts.append(build.view(operand, shape, indices))
        if is_before:
            parts.append(operand)
    return build.concatenate(parts, axis)
