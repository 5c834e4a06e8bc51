"""Windows and single elements: where MaxPool found its results, MaxUnpool, Col2Im."""

from collections.abc import Sequence
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import TensorType, i32, i64
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import (
    as_index,
    as_integer,
    delinearized_index,
    extract,
    index_constant,
    is_within,
    linearized_index,
    loop_index,
    loop_indices,
)
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.windows import Window
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_NOWHERE = 2**31 - 1


def greatest_positions(
    build: GraphBuilder, operand: Value, windows: Sequence[Window], greatest: Value, *, by_columns: bool
) -> Value:
    """
    The position in the whole operand, as i64, of the first element of each window that is its greatest one.

    Rows are counted in row-major order, or (`by_columns`) in column-major order.
    """
    rank, spatial = greatest.rank, len(windows)
    dims = loop_dims(rank + spatial)
    extents = operand.shape[2:]
    indices = [window.index(dims[2 + axis], dims[rank + axis]) for axis, window in enumerate(windows)]
    # Padding is no element: where it is read, the position is ruled out.
    read = Read(build.read(operand), [*dims[:2], *indices], pad=0)

    def body(element: SSAValue, found: SSAValue) -> SSAValue:
        places = [_place(window, loop_index(2 + axis), loop_index(rank + axis)) for axis, window in enumerate(windows)]
        fits = scalars.compare("eq", element, found)
        if scalars.is_float(element):
            fits = scalars.either(fits, scalars.compare("ne", element, element))
        for place, extent in zip(places, extents, strict=True):
            fits = scalars.both(fits, is_within(place, extent))
        position = as_integer(linearized_index(places, extents), i32)
        return scalars.select(fits, position, scalars.constant(_NOWHERE, i32))

    is_reduction = prod(window.size for window in windows) > 1
    write = Write(TensorType(i32, greatest.shape), dims[:rank], Combiner.MINIMUM if is_reduction else Combiner.NONE)
    bounds = [*greatest.shape, *(window.size for window in windows)]
    first = build.generic(bounds, [read, Read(build.read(greatest), dims[:rank])], [write], body)[0]

    def in_operand(position: SSAValue) -> SSAValue:
        place = as_index(position)
        if by_columns:
            parts = delinearized_index(place, extents)
            place = linearized_index(parts[::-1], extents[::-1])
        image = linearized_index(loop_indices(2), operand.shape[:2])
        start = scalars.multiply(as_integer(image, i64), scalars.constant(prod(extents), i64))
        return scalars.add(start, as_integer(place, i64))

    return build.pointwise([first], first.shape, in_operand, i64)


def _place(window: Window, output: SSAValue, tap: SSAValue) -> SSAValue:
    start = scalars.multiply(output, index_constant(window.stride))
    offset = scalars.multiply(tap, index_constant(window.dilation))
    return scalars.subtract(scalars.add(start, offset), index_constant(window.before))


@onnx_op("MaxUnpool", since=9)
def max_unpool(node: Node, build: GraphBuilder) -> Value:
    """Elements put back where MaxPool found them, each in its own channel; 0 elsewhere."""
    operand, positions = node.input(0), node.input(1)
    spatial = operand.rank - 2
    kernel = node.integers("kernel_shape")
    if spatial < 1 or kernel is None or len(kernel) != spatial or positions.shape != operand.shape:
        raise node.error(f"has positions of shape {list(positions.shape)} for elements of {list(operand.shape)}")
    strides, pads = node.integers_or("strides", [1] * spatial), node.integers_or("pads", [0] * (2 * spatial))
    inner = [
        (extent - 1) * strides[axis] - pads[axis] - pads[spatial + axis] + kernel[axis]
        for axis, extent in enumerate(operand.shape[2:])
    ]
    given = node.optional_integers(2, "output_shape")
    shape = (*operand.shape[:2], *inner) if given is None else given
    if shape[:2] != operand.shape[:2] or any(e < 1 or e > o for e, o in zip(inner, shape[2:], strict=True)):
        raise node.error(f"makes images of {inner} in a result of shape {list(shape)}")
    result = _put_back(build, operand, positions, inner)
    if tuple(shape[2:]) == tuple(inner):
        return result
    dims = loop_dims(len(shape))
    read = Read(build.read(result), dims, pad=0)
    return build.generic(shape, [read], [Write(TensorType(operand.element_type, shape), dims)], lambda x: x)[0]


def _put_back(build: GraphBuilder, operand: Value, positions: Value, inner: Sequence[int]) -> Value:
    """Each place looks through the positions of its channel for the last one that names it."""
    shape = [*operand.shape[:2], *inner]
    rank, count = len(shape), prod(operand.shape[2:])
    dims = loop_dims(rank)
    taps = loop_dims(rank - 2, rank)
    read = Read(build.read(positions), [*dims[:2], *taps])

    def number(position: SSAValue) -> SSAValue:
        here = as_integer(linearized_index(loop_indices(rank), shape), i64)
        own = as_integer(linearized_index(loop_indices(rank - 2, rank), operand.shape[2:]), i32)
        return scalars.select(scalars.compare("eq", position, here), own, scalars.constant(-1, i32))

    write = Write(TensorType(i32, shape), dims, Combiner.MAXIMUM if count > 1 else Combiner.NONE)
    found = build.generic([*shape, *operand.shape[2:]], [read], [write], number)[0]
    source = build.read(operand)

    def element(last: SSAValue) -> SSAValue:
        place = delinearized_index(scalars.maximum(as_index(last), index_constant(0)), operand.shape[2:])
        value = extract(source, [*loop_indices(2), *place])
        is_there = scalars.compare("ge", last, scalars.constant(0, i32))
        return scalars.select(is_there, value, scalars.constant_like(0, value))

    return build.pointwise([found], shape, element, operand.element_type)


@onnx_op("Col2Im", since=18)
def columns_to_image(node: Node, build: GraphBuilder) -> Value:
    """For each element of an image the sum of what columns, [image, channel and place, block], hold of it."""
    columns = node.input(0)
    image, block = node.optional_integers(1, "image_shape"), node.optional_integers(2, "block_shape")
    if not image or not block or len(image) != len(block) or columns.rank != 3 or columns.shape[1] % prod(block):
        raise node.error(f"has columns of shape {list(columns.shape)} for blocks of {block} in images of {image}")
    spatial = len(image)
    strides, dilations = node.integers_or("strides", [1] * spatial), node.integers_or("dilations", [1] * spatial)
    pads = node.integers_or("pads", [0] * (2 * spatial))
    if any(item < 1 for item in (*strides, *dilations, *image, *block)):
        raise node.error("has strides, dilations or sizes that are out of range")
    counts = [
        (image[axis] + pads[axis] + pads[spatial + axis] - dilations[axis] * (block[axis] - 1) - 1) // strides[axis] + 1
        for axis in range(spatial)
    ]
    if prod(counts) != columns.shape[2]:
        raise node.error(f"has {columns.shape[2]} blocks, where {counts} go into the image")
    shape = [columns.shape[0], columns.shape[1] // prod(block), *image]
    rank, source = len(shape), build.read(columns)

    def body(*_: SSAValue) -> SSAValue:
        taps = loop_indices(spatial, rank)
        numbers: list[SSAValue] = []
        is_there: SSAValue | None = None
        for axis, tap in enumerate(taps):
            offset = scalars.multiply(tap, index_constant(dilations[axis]))
            start = scalars.subtract(scalars.add(loop_index(2 + axis), index_constant(pads[axis])), offset)
            number = arith.DivSIOp(start, index_constant(strides[axis])).result
            again = scalars.multiply(number, index_constant(strides[axis]))
            fits = scalars.both(scalars.compare("eq", again, start), is_within(number, counts[axis]))
            is_there = fits if is_there is None else scalars.both(is_there, fits)
            numbers.append(number)
        assert is_there is not None
        row = linearized_index([loop_index(1), *taps], [shape[1], *block])
        value = extract(source, [loop_index(0), row, linearized_index(numbers, counts)])
        return scalars.select(is_there, value, scalars.constant_like(0, value))

    combiner = Combiner.ADD if prod(block) > 1 else Combiner.NONE
    write = Write(TensorType(columns.element_type, shape), loop_dims(rank), combiner)
    return build.generic([*shape, *block], [], [write], body)[0]
