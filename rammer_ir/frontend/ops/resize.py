"""Resize and Upsample: interpolation along one dimension after the other, by tables made at import."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import floor, isclose

import numpy as np
from xdsl.dialects import math
from xdsl.dialects.builtin import Float32Type, Float64Type, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, extract, loop_index
from rammer_ir.frontend.element_types import dtype_of_element, is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.gather import taken
from rammer_ir.frontend.ops.resize_axis import AxisTaps, Interpolation
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

MOST_UNROLLED = 4
"""Taps of an element that are read one by one; more are summed up in a loop."""


@dataclass(frozen=True)
class _Stretch:
    """What becomes of a dimension: how many elements it has then, the scale, and which part of it is cropped."""

    axis: int
    outputs: int
    scale: float
    region: tuple[float, float] = (0.0, 1.0)

    def is_identity(self, extent: int) -> bool:
        is_whole = isclose(self.region[0], 0.0) and isclose(self.region[1], 1.0)
        return self.outputs == extent and isclose(self.scale, 1.0) and is_whole


@onnx_op("Upsample", since=7, until=9)
@onnx_op("Resize", since=10, until=10)
def resize_from_the_corner(node: Node, build: GraphBuilder) -> Value:
    """The older form: element i of the result lies at i / scale."""
    operand = node.input(0)
    if node.op_type == "Upsample" and node.opset < 9:
        scales: Sequence[float] | None = node.floats("scales")
    else:
        scales = _constant_floats(node, 1, "scales")
    stretches = _by_scales(node, operand, range(operand.rank), scales or ())
    how = Interpolation(_mode(node), "floor", "asymmetric")
    return _interpolated(node, build, operand, stretches, how, 0.0)


@onnx_op("Resize", since=11)
def resize(node: Node, build: GraphBuilder) -> Value:
    operand = node.input(0)
    axes = [node.normal_axis(axis, operand.rank) for axis in node.integers("axes") or range(operand.rank)]
    scales, sizes = _constant_floats(node, 2, "scales"), node.optional_integers(3, "sizes")
    if bool(scales) == bool(sizes):
        raise node.error("needs either scales or sizes")
    stretches = _by_scales(node, operand, axes, scales) if scales else _by_sizes(node, operand, axes, sizes or ())
    how = Interpolation(
        _mode(node),
        node.string("nearest_mode", "round_prefer_floor"),
        node.string("coordinate_transformation_mode", "half_pixel"),
        node.floating("cubic_coeff_a", -0.75),
        node.integer("exclude_outside", 0) != 0,
        node.integer("antialias", 0) != 0,
    )
    if how.coordinate_transformation_mode == "tf_crop_and_resize":
        region = _constant_floats(node, 1, "roi")
        if len(region) != 2 * len(axes):
            raise node.error(f"has {len(region)} numbers in roi for {len(axes)} dimensions")
        ends = zip(region[: len(axes)], region[len(axes) :], strict=True)
        stretches = [
            _Stretch(stretch.axis, stretch.outputs, stretch.scale, part)
            for stretch, part in zip(stretches, ends, strict=True)
        ]
    return _interpolated(node, build, operand, stretches, how, node.floating("extrapolation_value", 0.0))


def _mode(node: Node) -> str:
    mode = node.string("mode", "nearest")
    return "linear" if mode == "bilinear" else mode


def _constant_floats(node: Node, position: int, what: str) -> tuple[float, ...]:
    array = node.optional_constant(position, what)
    return () if array is None else tuple(float(item) for item in np.ravel(array))


def _by_scales(node: Node, operand: Value, axes: Sequence[int], scales: Sequence[float]) -> list[_Stretch]:
    if len(scales) != len(axes) or any(not scale > 0 for scale in scales):
        raise node.error(f"needs a positive scale for each of {len(axes)} dimensions")
    stretches = [
        _Stretch(axis, floor(operand.shape[axis] * scale), scale) for axis, scale in zip(axes, scales, strict=True)
    ]
    return _checked(node, stretches)


def _by_sizes(node: Node, operand: Value, axes: Sequence[int], sizes: Sequence[int]) -> list[_Stretch]:
    if len(sizes) != len(axes):
        raise node.error(f"has {len(sizes)} sizes for {len(axes)} dimensions")
    scales = [size / operand.shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    policy = node.string("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        chosen = {"not_larger": min, "not_smaller": max}.get(policy)
        if chosen is None:
            raise node.error(f"has a keep_aspect_ratio_policy that is not known: {policy!r}")
        scales = [chosen(scales)] * len(axes)
        sizes = [floor(operand.shape[axis] * scale + 0.5) for axis, scale in zip(axes, scales, strict=True)]
    return _checked(node, [_Stretch(*each) for each in zip(axes, sizes, scales, strict=True)])


def _checked(node: Node, stretches: list[_Stretch]) -> list[_Stretch]:
    if any(stretch.outputs < 1 for stretch in stretches):
        raise node.error("leaves no elements of a dimension, which is not supported")
    return stretches


def _interpolated(
    node: Node, build: GraphBuilder, operand: Value, stretches: Sequence[_Stretch], how: Interpolation, outside: float
) -> Value:
    """The operand stretched along one dimension after the other; in between, elements are float32 or float64."""
    changes = [stretch for stretch in stretches if not stretch.is_identity(operand.shape[stretch.axis])]
    shape = [operand.shape[dim] for dim in range(operand.rank)]
    for stretch in changes:
        shape[stretch.axis] = stretch.outputs
    checked_bytes(shape, np.dtype(np.float64).itemsize, "the result")
    try:
        taps = [how.taps(operand.shape[change.axis], change.outputs, change.scale, change.region) for change in changes]
    except ValueError as error:
        raise node.error(f"is not supported: {error}") from None
    if how.mode == "nearest" and not any(tap.outside.any() for tap in taps):
        return reduce(
            lambda value, step: taken(build, value, step[0].axis, step[1].places[:, 0]),
            zip(changes, taps, strict=True),
            operand,
        )
    kind = operand.element_type if operand.element_type == Float64Type() else Float32Type()
    result = operand
    for change, tap in zip(changes, taps, strict=True):
        result = _along(build, result, change.axis, tap, kind, outside)
    if result.element_type == operand.element_type:
        return result
    return build.pointwise([result], result.shape, lambda value: _rounded(value, operand), operand.element_type)


def _rounded(value: SSAValue, like: Value) -> SSAValue:
    """The number as an element of another value's type: the nearest one there is."""
    if is_floating(like.dtype):
        return scalars.convert(value, like.element_type)
    limits = np.iinfo(str(like.dtype))
    low, high = scalars.constant_like(limits.min, value), scalars.constant_like(limits.max, value)
    nearest = math.RoundEvenOp(value).result
    return scalars.convert(scalars.minimum(scalars.maximum(nearest, low), high), like.element_type)


def _along(build: GraphBuilder, operand: Value, axis: int, taps: AxisTaps, kind: Attribute, outside: float) -> Value:
    """A pass along one dimension; results are of type `kind`."""
    outputs, count = taps.places.shape
    shape = [outputs if dim == axis else extent for dim, extent in enumerate(operand.shape)]
    dims = loop_dims(operand.rank)
    source = build.read(operand)
    places = build.read(build.constant(taps.places.astype(np.int32), "places"))
    weights = build.read(build.constant(taps.weights.astype(dtype_of_element(kind)), "weights"))
    is_unrolled = count <= MOST_UNROLLED

    def term(place: SSAValue, weight: SSAValue) -> SSAValue:
        index = [as_index(place) if dim == axis else loop_index(dim) for dim in range(operand.rank)]
        return scalars.multiply(weight, scalars.convert(extract(source, index), kind))

    columns = [AffineExpr.constant(tap) for tap in range(count)] if is_unrolled else [AffineExpr.dimension(len(shape))]
    tables = [Read(table, [dims[axis], column]) for column in columns for table in (places, weights)]

    def body(*elements: SSAValue) -> SSAValue:
        terms = [term(*pair) for pair in zip(elements[::2], elements[1::2], strict=True)]
        return reduce(scalars.add, terms)

    write = Write(TensorType(kind, shape), dims, Combiner.NONE if is_unrolled else Combiner.ADD)
    result = build.generic(shape if is_unrolled else [*shape, count], tables, [write], body)[0]
    return _with_outside(build, result, axis, taps, outside) if taps.outside.any() else result


def _with_outside(build: GraphBuilder, result: Value, axis: int, taps: AxisTaps, outside: float) -> Value:
    mask = taps.outside.reshape([-1 if dim == axis else 1 for dim in range(result.rank)])

    def body(value: SSAValue, is_outside: SSAValue) -> SSAValue:
        return scalars.select(is_outside, scalars.constant_like(outside, value), value)

    return build.pointwise([result, build.constant(mask, "outside")], result.shape, body)
