"""Pooling."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.pooled_positions import greatest_positions
from rammer_ir.frontend.ops.windows import Window, sliding_windows
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def _windows(node: Node, operand: Value) -> list[Window]:
    kernel = node.integers("kernel_shape")
    if operand.rank < 3 or kernel is None:
        raise node.error("needs a kernel_shape and an input of three or more dimensions")
    return sliding_windows(node, operand.shape[2:], kernel, node.output_shape()[2:])


def _pooled(
    build: GraphBuilder,
    operand: Value,
    windows: Sequence[Window],
    combiner: Combiner,
    pad: float,
    body: Callable[[SSAValue], SSAValue] = lambda element: element,
) -> Value:
    """The elements of every window, each through `body`, combined; loops: image, channel, spatial outputs, taps."""
    shape = [*operand.shape[:2], *(window.outputs for window in windows)]
    dims = loop_dims(len(shape) + len(windows))
    places, taps = dims[2 : len(shape)], dims[len(shape) :]
    read = Read(
        build.read(operand),
        [*dims[:2], *(window.index(place, tap) for window, place, tap in zip(windows, places, taps, strict=True))],
        pad=pad if any(window.leaves_range for window in windows) else None,
    )
    write = Write(TensorType(operand.element_type, shape), dims[: len(shape)], combiner)
    bounds = [*shape, *(window.size for window in windows)]
    return build.generic(bounds, [read], [write], body)[0]


def lowest(value: Value) -> float:
    """What is below or equal to every element of the value's type."""
    return float("-inf") if is_floating(value.dtype) else int(np.iinfo(str(value.dtype)).min)


@onnx_op("MaxPool", since=1)
def max_pool(node: Node, build: GraphBuilder) -> list[Value]:
    """The greatest element of every window, and where it is; padding counts as the lowest number."""
    operand = node.input(0)
    windows = _windows(node, operand)
    greatest = _pooled(build, operand, windows, Combiner.MAXIMUM, lowest(operand))
    if not node.is_used(1):
        return [greatest]
    by_columns = node.integer("storage_order", 0) != 0
    return [greatest, greatest_positions(build, operand, windows, greatest, by_columns=by_columns)]


@onnx_op("AveragePool", since=1)
def average_pool(node: Node, build: GraphBuilder) -> Value:
    """The sum of every window by the number of its elements: all, or (by default) those that are not padding."""
    operand = node.input(0)
    windows = _windows(node, operand)
    with_padding = node.integer("count_include_pad", 0) != 0
    total = _pooled(build, operand, windows, Combiner.ADD, 0.0)
    counts = [window.counts(with_padding=with_padding) for window in windows]
    per_window = reduce(np.multiply.outer, counts)
    is_uniform = bool((per_window == per_window.flat[0]).all())
    divisor = per_window.flat[0].reshape(()) if is_uniform else per_window[np.newaxis]
    count = build.constant(np.asarray(divisor, operand.dtype), "counts")
    return build.pointwise([total, count], total.shape, scalars.divide)


@onnx_op("GlobalAveragePool")
def global_average_pool(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    spatial = range(2, operand.rank)
    total = build.reduce(operand, spatial, Combiner.ADD)
    elements = build.constant(np.asarray(prod(operand.shape[2:]), operand.dtype), "count")
    return build.pointwise([total, elements], total.shape, scalars.divide)


@onnx_op("GlobalMaxPool")
def global_max_pool(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    return build.reduce(operand, range(2, operand.rank), Combiner.MAXIMUM)


@onnx_op("LpPool", since=2)
def lp_pool(node: Node, build: GraphBuilder) -> Value:
    """The p-norm of every window."""
    operand = node.input(0)
    into, back = _norm(node)
    total = _pooled(build, operand, _windows(node, operand), Combiner.ADD, 0.0, into)
    return build.pointwise([total], total.shape, back)


@onnx_op("GlobalLpPool", since=2)
def global_lp_pool(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    into, back = _norm(node)
    total = build.reduce(operand, range(2, operand.rank), Combiner.ADD, body=into)
    return build.pointwise([total], total.shape, back)


def _norm(node: Node) -> tuple[Callable[[SSAValue], SSAValue], Callable[[SSAValue], SSAValue]]:
    """What a p-norm does with each element, and with their sum: |x|^p and s^(1/p)."""
    p = node.integer("p", 2)
    match p:
        case 1:
            return scalars.absolute, lambda total: total
        case 2:
            return lambda x: scalars.multiply(x, x), scalars.square_root
        case _:
            return (
                lambda x: scalars.power(scalars.absolute(x), scalars.constant_like(p, x)),
                lambda total: scalars.power(total, scalars.constant_like(1 / p, total)),
            )
