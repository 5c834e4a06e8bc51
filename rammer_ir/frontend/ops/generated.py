"""Tensors made of nothing but their indices: constants, ranges, windows and filters."""

from collections.abc import Callable, Sequence
from math import expm1, log1p, pi
from typing import Final

import numpy as np
import onnx
from xdsl.dialects import math
from xdsl.dialects.arith import IndexCastOp
from xdsl.dialects.builtin import TensorType, f64, i64
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import IndexOp
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import Array, dtype_of_onnx, element_type
from rammer_ir.frontend.generics import Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def generated(build: GraphBuilder, shape: Sequence[int], element: Attribute, body: Callable[[], SSAValue]) -> Value:
    """The tensor that has what `body` gives for each index; it finds the index by `index`."""

    def of_nothing(*elements: SSAValue) -> SSAValue:
        return body()

    return build.generic(shape, [], [Write(TensorType(element, shape), loop_dims(len(shape)))], of_nothing)[0]


def index(dim: int) -> SSAValue:
    """The index along a dimension as i64, inside the body of a generic."""
    return IndexCastOp(IndexOp(dim), i64).result


def _known(node: Node, position: int, what: str) -> Array:
    """A constant input of one element, as an array without dimensions."""
    array = node.optional_constant(position, what)
    if array is None or array.size != 1:
        raise node.error(f"needs one number as {what}")
    return array.reshape(())


def _attribute_type(node: Node, name: str, default: int) -> Attribute:
    what = f"attribute {name}"
    return element_type(dtype_of_onnx(node.integer(name, default), what), what)


@onnx_op("ConstantOfShape", since=9)
def constant_of_shape(node: Node, build: GraphBuilder) -> Value:
    """One value everywhere, by default 0 of f32."""
    node.optional_constant(0, "shape")
    given = node.tensor("value")
    value = np.zeros((), np.float32) if given is None else onnx.numpy_helper.to_array(given)
    if value.size != 1:
        raise node.error(f"has {value.size} values")
    known = Value.of_array("value", value.reshape(()))
    return build.pointwise([known], node.output_shape(), lambda element: element)


@onnx_op("Range", since=11)
def number_range(node: Node, build: GraphBuilder) -> Value:
    """start, start + delta and so on."""
    start, _, delta = (_known(node, position, what) for position, what in enumerate(("start", "limit", "delta")))
    known = [Value.of_array("start", start), Value.of_array("delta", delta)]
    element = known[0].element_type

    def body(first: SSAValue, step: SSAValue) -> SSAValue:
        return scalars.add(first, scalars.multiply(scalars.convert(index(0), element), step))

    return build.pointwise(known, node.output_shape(), body)


_WINDOWS: Final = {
    "BlackmanWindow": (0.42, -0.5, 0.08),
    "HammingWindow": (25 / 46, -21 / 46),
    "HannWindow": (0.5, -0.5),
}
"""By op: the factors of cos(0), cos(2 pi n / N), cos(4 pi n / N)."""


def _window_importer(factors: Sequence[float]) -> Callable[[Node, GraphBuilder], Value]:
    def import_window(node: Node, build: GraphBuilder) -> Value:
        size = int(_known(node, 0, "size"))
        period = size if node.integer("periodic", 1) != 0 else size - 1
        element = _attribute_type(node, "output_datatype", onnx.TensorProto.FLOAT)

        def body() -> SSAValue:
            angle = scalars.multiply(scalars.convert(index(0), f64), scalars.constant(2 * pi / max(period, 1), f64))
            result = scalars.constant(factors[0], f64)
            for multiple, factor in enumerate(factors[1:], 1):
                cosine = math.CosOp(scalars.multiply(angle, scalars.constant(multiple, f64))).result
                result = scalars.add(result, scalars.multiply(cosine, scalars.constant(factor, f64)))
            return scalars.convert(result, element)

        return generated(build, node.output_shape(), element, body)

    return import_window


for _name, _factors in _WINDOWS.items():
    onnx_op(_name, since=17)(_window_importer(_factors))


@onnx_op("MelWeightMatrix", since=17)
def mel_weight_matrix(node: Node, build: GraphBuilder) -> Value:
    """The matrix [bins of a spectrum, mel bins] of triangular filters that overlap by half."""
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    bins, length, rate, lowest, highest = (float(_known(node, number, name)) for number, name in enumerate(names))
    corners = _mel_corners(int(bins), length, rate, lowest, highest)
    element = _attribute_type(node, "output_datatype", onnx.TensorProto.FLOAT)
    rows = [build.constant(corners[part : part + int(bins)], f"corners_{part}") for part in range(3)]

    def body(lower: SSAValue, center: SSAValue, upper: SSAValue) -> SSAValue:
        return scalars.convert(_mel_weight(index(0), lower, center, upper), element)

    return build.pointwise(rows, (int(length) // 2 + 1, int(bins)), body, element)


def _mel_corners(bins: int, length: float, rate: float, lowest: float, highest: float) -> Array:
    """The bins of the spectrum at which filters begin, peak and end: evenly spaced on the mel scale."""
    low, high = (2595 * log1p(edge / 700) / np.log(10) for edge in (lowest, highest))
    step = (high - low) / (bins + 2)
    hertz = [700 * expm1((low + number * step) / 2595 * np.log(10)) for number in range(bins + 2)]
    return np.array([(length + 1) * value // rate for value in hertz], np.int64)


def _mel_weight(row: SSAValue, lower: SSAValue, center: SSAValue, upper: SSAValue) -> SSAValue:
    """The filter's value at a row, f64: up from `lower` to `center`, and down to `upper`, which it does not reach."""

    def share(distance: SSAValue, of: SSAValue) -> SSAValue:
        # Where there is no side, its one point is the peak.
        is_none = scalars.compare("eq", of, scalars.constant(0, i64))
        value = scalars.divide(scalars.convert(distance, f64), scalars.convert(of, f64))
        return scalars.select(is_none, scalars.constant(1, f64), value)

    rising = share(scalars.subtract(row, lower), scalars.subtract(center, lower))
    falling = share(scalars.subtract(upper, row), scalars.subtract(upper, center))
    is_falling = scalars.both(scalars.compare("ge", row, center), scalars.compare("lt", row, upper))
    is_rising = scalars.both(scalars.compare("ge", row, lower), scalars.compare("le", row, center))
    zero = scalars.constant(0, f64)
    return scalars.select(is_falling, falling, scalars.select(is_rising, rising, zero))
