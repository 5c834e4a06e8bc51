"""DeformConv: a convolution whose taps are moved by offsets that are computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

from xdsl.dialects.builtin import TensorType, i32
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_integer, index_constant, loop_index, loop_indices
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import linearized, loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.sample import computing_type
from rammer_ir.frontend.ops.windows import Window, sliding_windows
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.sampling import SampledAxis, Sampler
from rammer_ir.frontend.value import Value


@onnx_op("DeformConv", since=19)
def deformable_convolution(node: Node, build: GraphBuilder) -> Value:
    """The taps are gathered by linear interpolation, 0 outside the image; the rest is a convolution."""
    operand, filters, offsets = node.input(0), node.input(1), node.input(2)
    bias, mask = node.optional_input(3), node.optional_input(4)
    groups, offset_groups = node.integer("group", 1), node.integer("offset_group", 1)
    if operand.rank < 3 or filters.rank != operand.rank or offsets.rank != operand.rank:
        raise node.error("needs an image, filters and offsets of the same three or more dimensions")
    outputs, kernel = offsets.shape[2:], filters.shape[2:]
    channels, spatial, taps = operand.shape[1], len(kernel), prod(kernel)
    windows = sliding_windows(node, operand.shape[2:], kernel, outputs)
    fits = (
        groups > 0
        and offset_groups > 0
        and channels == filters.shape[1] * groups
        and filters.shape[0] % groups == 0
        and channels % offset_groups == 0
        and offsets.shape[:2] == (operand.shape[0], offset_groups * taps * spatial)
        and (mask is None or mask.shape == (operand.shape[0], offset_groups * taps, *outputs))
    )
    if not fits:
        raise node.error(f"has filters {list(filters.shape)}, offsets {list(offsets.shape)} and {groups} groups")
    columns = _Columns(build, operand, windows, channels // offset_groups).gathered(offsets, mask)
    inputs, filters_each = filters.shape[1], filters.shape[0] // groups
    image, group, output, *rest = loop_dims(4 + 2 * spatial)
    places, channel, kernel_dims = rest[:spatial], rest[spatial], rest[spatial + 1 :]
    shape = [operand.shape[0], filters.shape[0], *outputs]
    result = contract(
        build,
        [shape[0], groups, filters_each, *outputs, inputs, *kernel],
        Read(build.read(columns), [image, group * inputs + channel, *kernel_dims, *places]),
        Read(build.read(filters), [group * filters_each + output, channel, *kernel_dims]),
        shape,
        [image, group * filters_each + output, *places],
    )
    if bias is None:
        return result
    dims = loop_dims(len(shape))
    reads = [Read(build.read(result), dims), Read(build.read(bias), [dims[1]])]
    return build.generic(shape, reads, [Write(result.type, dims)], scalars.add)[0]


@dataclass(frozen=True)
class _Columns:
    """The elements under the taps; loops count image, channel, taps, outputs. `sharing` channels have one offset."""

    build: GraphBuilder
    operand: Value
    windows: Sequence[Window]
    sharing: int

    def gathered(self, offsets: Value, mask: Value | None) -> Value:
        build, operand, spatial = self.build, self.operand, len(self.windows)
        kernel, outputs = [w.size for w in self.windows], [w.outputs for w in self.windows]
        shape = [*operand.shape[:2], *kernel, *outputs]
        dims = loop_dims(len(shape))
        places = dims[2 + spatial :]
        tap = (dims[1] // self.sharing) * prod(kernel) + linearized(dims[2 : 2 + spatial], kernel)
        source = build.read(offsets)
        reads = [Read(source, [dims[0], tap * spatial + axis, *places]) for axis in range(spatial)]
        if mask is not None:
            reads.append(Read(build.read(mask), [dims[0], tap, *places]))
        kind = computing_type(operand)
        axes = [SampledAxis(extent, "zeros") for extent in operand.shape[2:]]
        sampler = Sampler(build.read(operand), axes, kind)

        def body(*elements: SSAValue) -> SSAValue:
            moved = [
                axis.inside(scalars.add(scalars.convert(self._start(number), kind), scalars.convert(offset, kind)))
                for number, (axis, offset) in enumerate(zip(axes, elements, strict=False))
            ]
            value = sampler.linear(loop_indices(2), moved)
            factors = [scalars.convert(element, kind) for element in elements[spatial:]]
            return scalars.convert(reduce(scalars.multiply, factors, value), operand.element_type)

        return build.generic(shape, reads, [Write(TensorType(operand.element_type, shape), dims)], body)[0]

    def _start(self, axis: int) -> SSAValue:
        """Where a tap lies without its offset, as i32."""
        window, spatial = self.windows[axis], len(self.windows)
        output = scalars.multiply(loop_index(2 + spatial + axis), index_constant(window.stride))
        tap = scalars.multiply(loop_index(2 + axis), index_constant(window.dilation))
        return as_integer(scalars.subtract(scalars.add(output, tap), index_constant(window.before)), i32)
