"""Convolutions of any number of spatial dimensions."""

from xdsl.ir.affine import AffineExpr

from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.windows import sliding_windows
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


class _Loops:
    """Loop dimensions in the making."""

    def __init__(self) -> None:
        self.bounds: list[int] = []

    def keep(self, extent: int) -> AffineExpr:
        """A loop dimension."""
        self.bounds.append(extent)
        return AffineExpr.dimension(len(self.bounds) - 1)

    def add(self, extent: int) -> AffineExpr:
        """A loop dimension, or 0 where there would be one iteration."""
        return AffineExpr.constant(0) if extent == 1 else self.keep(extent)


@onnx_op("Conv", since=1)
def conv(node: Node, build: GraphBuilder) -> Value:
    """
    A convolution (cross-correlation) of x [N, C, spatial] with w [O, C/groups, kernel], and an optional bias [O].

    The loops are n, group, output channel of the group, spatial outputs, input channel of the group, kernel taps;
    with one group, the group's loop is left out, as are channels and taps of which there is one.
    """
    bias = node.optional_input(2)
    result = convolution(node, build, node.input(0), node.input(1))
    return result if bias is None else biased(node, build, result, bias)


def convolution(node: Node, build: GraphBuilder, operand: Value, filters: Value) -> Value:
    """The convolution that the node's attributes say."""
    groups, shape = node.integer("group", 1), node.output_shape()
    if operand.rank < 3 or filters.rank != operand.rank:
        raise node.error(f"needs tensors of the same three or more dimensions, not {operand.rank} and {filters.rank}")
    if groups <= 0 or filters.shape[0] % groups or operand.shape[1] != filters.shape[1] * groups:
        raise node.error(f"has {groups} groups for {operand.shape[1]} channels and filters {list(filters.shape)}")
    kernel = node.integers_or("kernel_shape", filters.shape[2:])
    if kernel != filters.shape[2:]:
        raise node.error(f"has kernel_shape {list(kernel)} but filters {list(filters.shape)}")
    return _convolved(node, build, operand, filters, groups, shape)


def biased(node: Node, build: GraphBuilder, result: Value, bias: Value) -> Value:
    """The convolution with a number added for each channel."""
    shape = result.shape
    if bias.shape != (shape[1],):
        raise node.error(f"has a bias of shape {list(bias.shape)} for {shape[1]} channels")
    dims = loop_dims(len(shape))
    reads = [Read(build.read(result), dims), Read(build.read(bias), [dims[1]])]
    return build.generic(shape, reads, [Write(result.type, dims)], scalars.add)[0]


def _convolved(
    node: Node, build: GraphBuilder, operand: Value, filters: Value, groups: int, shape: tuple[int, ...]
) -> Value:
    windows = sliding_windows(node, operand.shape[2:], filters.shape[2:], shape[2:])
    outputs, inputs = filters.shape[0] // groups, filters.shape[1]
    loops = _Loops()
    image = loops.keep(shape[0])
    group = loops.add(groups)
    output = loops.keep(outputs) if groups == 1 else loops.add(outputs)
    places = [loops.keep(extent) for extent in shape[2:]]
    channel = loops.add(inputs)
    taps = [loops.add(window.size) for window in windows]
    read = [window.index(place, tap) for window, place, tap in zip(windows, places, taps, strict=True)]
    return contract(
        build,
        loops.bounds,
        Read(
            build.read(operand),
            [image, group * inputs + channel, *read],
            pad=0.0 if any(window.leaves_range for window in windows) else None,
        ),
        Read(build.read(filters), [group * outputs + output, channel, *taps]),
        shape,
        [image, group * outputs + output, *places],
    )
