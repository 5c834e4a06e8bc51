"""Samples at computed positions: GridSample, AffineGrid, RoiAlign."""

from collections.abc import Sequence
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import math
from xdsl.dialects.builtin import Float32Type, Float64Type, TensorType, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, as_integer, loop_index, loop_indices
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.sampling import SampledAxis, Sampler, clamped, is_between
from rammer_ir.frontend.value import Value

_MODES: Final = {"bilinear": "linear", "bicubic": "cubic"}


def computing_type(*values: Value) -> Attribute:
    """The type to compute positions in: float64 where a value is, else float32."""
    return Float64Type() if any(value.element_type == Float64Type() for value in values) else Float32Type()


@onnx_op("GridSample", since=16)
def grid_sample(node: Node, build: GraphBuilder) -> Value:
    """Interpolation at positions from -1 to 1 along each dimension, the last one first."""
    operand, grid = node.input(0), node.input(1)
    spatial = operand.rank - 2
    mode = node.string("mode", "linear")
    mode = _MODES.get(mode, mode)
    padding = node.string("padding_mode", "zeros")
    if spatial < 1 or grid.rank != spatial + 2 or grid.shape[-1] != spatial or grid.shape[0] != operand.shape[0]:
        raise node.error(f"has a grid of shape {list(grid.shape)} for an input of shape {list(operand.shape)}")
    if mode not in ("nearest", "linear", "cubic") or padding not in ("zeros", "border", "reflection"):
        raise node.error(f"has mode {mode!r} and padding_mode {padding!r}, which is not supported")
    is_aligned = node.integer("align_corners", 0) != 0
    axes = [SampledAxis(extent, padding, is_aligned) for extent in operand.shape[2:]]
    kind = computing_type(operand, grid)
    positions = _positions(build, grid, axes, kind, is_nearest=mode == "nearest")
    return _sampled(build, operand, positions, Sampler(build.read(operand), axes, kind), mode)


def _positions(
    build: GraphBuilder, grid: Value, axes: Sequence[SampledAxis], kind: Attribute, *, is_nearest: bool
) -> list[Value]:
    """For each dimension, where in it the elements of the grid lie."""
    dims = loop_dims(grid.rank - 1)
    source = build.read(grid)

    def body(*numbers: SSAValue) -> list[SSAValue]:
        pairs = zip(numbers, axes, strict=True)
        return [_position(scalars.convert(number, kind), axis, is_nearest=is_nearest) for number, axis in pairs]

    reads = [Read(source, [*dims, AffineExpr.constant(len(axes) - 1 - number)]) for number in range(len(axes))]
    writes = [Write(TensorType(kind, grid.shape[:-1]), dims) for _ in axes]
    return build.generic(grid.shape[:-1], reads, writes, body)


def _position(number: SSAValue, axis: SampledAxis, *, is_nearest: bool) -> SSAValue:
    """From -1 to 1 to an element's number."""
    half, one = scalars.constant_like(0.5, number), scalars.constant_like(1, number)
    share = scalars.multiply(scalars.add(number, one), half)
    if axis.is_aligned:
        place = scalars.multiply(share, scalars.constant_like(axis.extent - 1, number))
    else:
        place = scalars.subtract(scalars.multiply(share, scalars.constant_like(axis.extent, number)), half)
    return axis.inside(math.RoundEvenOp(place).result if is_nearest else place)


def _sampled(build: GraphBuilder, operand: Value, positions: Sequence[Value], sampler: Sampler, mode: str) -> Value:
    shape = [*operand.shape[:2], *positions[0].shape[1:]]
    rank, spatial = len(shape), len(positions)
    dims = loop_dims(rank)
    reads = [Read(build.read(position), [dims[0], *dims[2:]]) for position in positions]

    def body(*places: SSAValue) -> SSAValue:
        first = loop_indices(2)
        if mode == "linear":
            value = sampler.linear(first, places)
        elif mode == "nearest":
            value = sampler.at(first, places)
        else:
            value = sampler.cubic_term(first, places, loop_indices(spatial, rank))
        return value if mode == "cubic" else scalars.convert(value, operand.element_type)

    if mode != "cubic":
        return build.generic(shape, reads, [Write(TensorType(operand.element_type, shape), dims)], body)[0]
    write = Write(TensorType(sampler.kind, shape), dims, Combiner.ADD)
    total = build.generic([*shape, *[4] * spatial], reads, [write], body)[0]
    if total.element_type == operand.element_type:
        return total
    return build.pointwise(
        [total], shape, lambda value: scalars.convert(value, operand.element_type), operand.element_type
    )


@onnx_op("AffineGrid", since=20)
def affine_grid(node: Node, build: GraphBuilder) -> Value:
    """The positions of an image's elements, from -1 to 1, by an affine map for each image."""
    maps = node.input(0)
    size = node.optional_integers(1, "size")
    spatial = 0 if size is None else len(size) - 2
    if size is None or spatial < 1 or min(size) < 1 or maps.shape != (size[0], spatial, spatial + 1):
        raise node.error(f"has maps of shape {list(maps.shape)} for images of shape {size}")
    is_aligned = node.integer("align_corners", 0) != 0
    shape = [size[0], *size[2:], spatial]
    dims = loop_dims(len(shape))
    rows = [
        build.constant(_normal_positions(extent, is_aligned=is_aligned).astype(maps.dtype), f"positions{number}")
        for number, extent in enumerate(size[2:])
    ]

    def body(*elements: SSAValue) -> SSAValue:
        places, factors = elements[:spatial], elements[spatial:]
        # The first column of a map goes with the last dimension.
        products = [scalars.multiply(*pair) for pair in zip(factors[:-1], places[::-1], strict=True)]
        return reduce(scalars.add, [*products, factors[-1]])

    reads = [Read(build.read(row), [dims[1 + number]]) for number, row in enumerate(rows)]
    source = build.read(maps)
    reads += [Read(source, [dims[0], dims[-1], AffineExpr.constant(column)]) for column in range(spatial + 1)]
    return build.generic(shape, reads, [Write(TensorType(maps.element_type, shape), dims)], body)[0]


def _normal_positions(extent: int, *, is_aligned: bool) -> NDArray[np.float64]:
    numbers = np.arange(extent, dtype=np.float64)
    if is_aligned:
        return numbers * (2.0 / max(extent - 1, 1)) - 1.0
    return (2 * numbers + 1) / extent - 1


@onnx_op("RoiAlign", since=10)
def roi_align(node: Node, build: GraphBuilder) -> Value:
    """Samples in the cells of regions of images, averaged or the greatest of each cell."""
    operand, regions, numbers = node.input(0), node.input(1), node.input(2)
    mode, samples = node.string("mode", "avg"), node.integer("sampling_ratio", 0)
    if operand.rank != 4 or regions.rank != 2 or regions.shape[1] != 4 or mode not in ("avg", "max"):
        raise node.error(f"has mode {mode!r}, images {list(operand.shape)} and regions {list(regions.shape)}")
    if samples < 1:
        raise node.error("needs a positive sampling_ratio: else the number of samples depends on data")
    cells = (node.integer("output_height", 1), node.integer("output_width", 1))
    default = "half_pixel" if node.opset >= 16 else "output_half_pixel"
    is_half = node.string("coordinate_transformation_mode", default) == "half_pixel"
    scale = node.floating("spatial_scale", 1.0)
    kind = computing_type(operand)
    shape = [regions.shape[0], operand.shape[1], *cells]
    dims = loop_dims(6)
    source = build.read(regions)
    reads = [Read(build.read(numbers), [dims[0]])]
    reads += [Read(source, [dims[0], AffineExpr.constant(column)]) for column in (1, 3, 0, 2)]
    sampler = Sampler(build.read(operand), [SampledAxis(extent, "border") for extent in operand.shape[2:]], kind)

    def body(number: SSAValue, *edges: SSAValue) -> SSAValue:
        first = [as_index(number), loop_index(1)]
        places: list[SSAValue] = []
        inside: list[SSAValue] = []
        for axis in range(2):
            start, end = (_scaled(edge, scale, kind, is_half=is_half) for edge in edges[2 * axis : 2 * axis + 2])
            place = _cell_place(start, end, cells[axis], samples, axis, is_half=is_half)
            inside.append(is_between(place, -1.0, float(operand.shape[2 + axis])))
            places.append(clamped(place, 0.0, operand.shape[2 + axis] - 1.0))
        terms = sampler.corners(first, places)
        value = reduce(scalars.add if mode == "avg" else scalars.maximum, terms)
        return scalars.select(scalars.both(*inside), value, scalars.constant_like(0, value))

    write = Write(TensorType(kind, shape), dims[:4], Combiner.ADD if mode == "avg" else Combiner.MAXIMUM)
    if samples == 1:
        write = Write(write.type, write.indices)
    total = build.generic([*shape, samples, samples], reads, [write], body)[0]
    divisor = samples**2 if mode == "avg" else 1

    def finished(value: SSAValue) -> SSAValue:
        return scalars.convert(scalars.divide(value, scalars.constant_like(divisor, value)), operand.element_type)

    return build.pointwise([total], shape, finished, operand.element_type)


def _scaled(edge: SSAValue, scale: float, kind: Attribute, *, is_half: bool) -> SSAValue:
    value = scalars.multiply(scalars.convert(edge, kind), scalars.constant(scale, kind))
    return scalars.subtract(value, scalars.constant(0.5, kind)) if is_half else value


def _cell_place(start: SSAValue, end: SSAValue, cells: int, samples: int, axis: int, *, is_half: bool) -> SSAValue:
    """Where a sample lies: loops 2 and 3 count cells, 4 and 5 samples."""
    length = scalars.subtract(end, start)
    if not is_half:
        length = scalars.maximum(length, scalars.constant_like(1, length))
    size = scalars.divide(length, scalars.constant_like(cells, length))
    cell, sample = (_number(loop_index(dim + axis), length.type) for dim in (2, 4))
    middle = scalars.divide(
        scalars.add(sample, scalars.constant_like(0.5, sample)), scalars.constant_like(samples, sample)
    )
    return scalars.add(start, scalars.multiply(scalars.add(cell, middle), size))


def _number(index: SSAValue, kind: Attribute) -> SSAValue:
    return scalars.convert(as_integer(index, i32), kind)
