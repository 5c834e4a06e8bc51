"""ConvTranspose: what a convolution does backwards, from its results to its image."""

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("ConvTranspose", since=1)
def conv_transpose(node: Node, build: GraphBuilder) -> Value:
    """
    The transposed convolution of x [N, C, spatial] with w [C, O/groups, kernel], and an optional bias [O].

    y[p] is the sum of x[j] w[k] over all j and k with `p = j * stride + k * dilation - before`: a convolution of x with
    `stride - 1` zeros between its elements. The loops are as those of Conv.
    """
    operand, filters, bias = node.input(0), node.input(1), node.optional_input(2)
    groups, shape = node.integer("group", 1), node.output_shape()
    if operand.rank < 3 or filters.rank != operand.rank:
        raise node.error(f"needs tensors of the same three or more dimensions, not {operand.rank} and {filters.rank}")
    if groups <= 0 or operand.shape[1] % groups or operand.shape[1] != filters.shape[0]:
        raise node.error(f"has {groups} groups for {operand.shape[1]} channels and filters {list(filters.shape)}")
    if bias is not None and bias.shape != (shape[1],):
        raise node.error(f"has a bias of shape {list(bias.shape)} for {shape[1]} channels")
    spatial = operand.rank - 2
    strides = node.integers_or("strides", [1] * spatial)
    dilations = node.integers_or("dilations", [1] * spatial)
    if any(item <= 0 for item in (*strides, *dilations)):
        raise node.error("has strides or dilations that are out of range")
    before = _padding_before(node, operand, filters, strides, dilations)
    spread = _spread(build, operand, strides)
    outputs, inputs = filters.shape[1], operand.shape[1] // groups
    image, group, output, *rest = loop_dims(4 + 2 * spatial)
    places, channel, taps = rest[:spatial], rest[spatial], rest[spatial + 1 :]
    indices = [
        place - tap * dilation + start
        for place, tap, dilation, start in zip(places, taps, dilations, before, strict=True)
    ]
    result = contract(
        build,
        [shape[0], groups, outputs, *shape[2:], inputs, *filters.shape[2:]],
        Read(build.read(spread), [image, group * inputs + channel, *indices], pad=0.0),
        Read(build.read(filters), [group * inputs + channel, output, *taps]),
        shape,
        [image, group * outputs + output, *places],
    )
    if bias is None:
        return result
    dims = loop_dims(len(shape))
    reads = [Read(build.read(result), dims), Read(build.read(bias), [dims[1]])]
    return build.generic(shape, reads, [Write(result.type, dims)], scalars.add)[0]


def _padding_before(
    node: Node, operand: Value, filters: Value, strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """For each spatial dimension, how many of the results before the first are left out."""
    spatial = operand.rank - 2
    pads = node.integers_or("pads", [0] * (2 * spatial))
    extra = node.integers_or("output_padding", [0] * spatial)
    mode = node.string("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise node.error(f"has an auto_pad that is not known: {mode!r}")
    if mode == "VALID":
        return [0] * spatial
    if mode == "NOTSET" and not node.has("output_shape"):
        return list(pads[:spatial])
    before: list[int] = []
    for dim, (extent, size, outputs) in enumerate(
        zip(operand.shape[2:], filters.shape[2:], node.output_shape()[2:], strict=True)
    ):
        whole = (extent - 1) * strides[dim] + extra[dim] + (size - 1) * dilations[dim] + 1
        total = max(0, whole - outputs)
        before.append(total // 2 if mode == "SAME_UPPER" else total - total // 2)
    return before


def _spread(build: GraphBuilder, operand: Value, strides: Sequence[int]) -> Value:
    """The operand with `stride - 1` zeros between the elements of its spatial dimensions."""
    if all(stride == 1 for stride in strides):
        return operand
    factors = (1, 1, *strides)
    shape = [(extent - 1) * factor + 1 for extent, factor in zip(operand.shape, factors, strict=True)]
    spread, dims = TensorType(operand.element_type, shape), loop_dims(operand.rank)

    def zero(*_: SSAValue) -> SSAValue:
        return scalars.constant(0, operand.element_type)

    zeros = build.generic(shape, [], [Write(spread, dims)], zero)[0]
    written: list[AffineExpr] = [dim * factor for dim, factor in zip(dims, factors, strict=True)]
    write = Write(spread, written, into=build.read(zeros))
    return build.generic(operand.shape, [Read(build.read(operand), dims)], [write], lambda element: element)[0]
