"""Features made ready for classical models: thresholds, scales, norms, missing numbers, and linear regression."""

from collections.abc import Sequence
from math import isnan

import numpy as np
from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.generics import Read
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_DOMAIN = "ai.onnx.ml"


@onnx_op("Binarizer", domain=_DOMAIN)
def binarizer(node: Node, build: GraphBuilder) -> Value:
    """1 where x is above the threshold, else 0."""
    operand, threshold = node.input(0), node.floating("threshold", 0.0)

    def body(x: SSAValue) -> SSAValue:
        is_above = scalars.compare("gt", x, scalars.constant_like(threshold, x))
        return scalars.select(is_above, scalars.constant_like(1, x), scalars.constant_like(0, x))

    return build.pointwise([operand], operand.shape, body)


def _features(node: Node, build: GraphBuilder, name: str, given: Sequence[float], dtype: type[np.generic]) -> Value:
    """An attribute with a number for each of the last dimension's elements, or one for all."""
    features = node.input(0).shape[-1]
    if len(given) not in (1, features):
        raise node.error(f"has {len(given)} items in {name} for {features} features")
    return build.constant(np.array(given, dtype), name)


@onnx_op("Scaler", domain=_DOMAIN)
def scaler(node: Node, build: GraphBuilder) -> Value:
    """(x - offset) scale, as f32, with an offset and a scale for each feature."""
    operand = node.input(0)
    parameters = [
        _features(node, build, name, node.floats(name) or default, np.float32)
        for name, default in (("offset", (0.0,)), ("scale", (1.0,)))
    ]

    def body(x: SSAValue, offset: SSAValue, scale: SSAValue) -> SSAValue:
        return scalars.multiply(scalars.subtract(scalars.convert(x, f32), offset), scale)

    return build.pointwise([operand, *parameters], operand.shape, body, f32)


@onnx_op("Imputer", domain=_DOMAIN)
def imputer(node: Node, build: GraphBuilder) -> Value:
    """x, or the feature's number where x is the one that stands for none."""
    operand = node.input(0)
    is_float = node.has("imputed_value_floats")
    given = node.floats("imputed_value_floats") if is_float else node.integers("imputed_value_int64s")
    if given is None:
        raise node.error("lacks imputed values")
    missing = node.floating("replaced_value_float", 0.0) if is_float else float(node.integer("replaced_value_int64", 0))
    values = _features(node, build, "imputed_values", given, operand.dtype.type)

    def body(x: SSAValue, value: SSAValue) -> SSAValue:
        other = x if isnan(missing) else scalars.constant_like(missing, x)
        is_missing = scalars.compare("ne" if isnan(missing) else "eq", x, other)
        return scalars.select(is_missing, value, x)

    return build.pointwise([operand, values], operand.shape, body)


@onnx_op("Normalizer", domain=_DOMAIN)
def normalizer(node: Node, build: GraphBuilder) -> Value:
    """x, as f32, divided by the largest, the sum of sizes, or the length of its row; x where that is 0."""
    operand, norm = node.input(0), node.string("norm", "MAX")
    if norm not in ("MAX", "L1", "L2"):
        raise node.error(f"has a norm that is not known: {norm!r}")
    wide = build.pointwise([operand], operand.shape, lambda x: scalars.convert(x, f32), f32)

    def term(x: SSAValue) -> SSAValue:
        return scalars.multiply(x, x) if norm == "L2" else scalars.absolute(x)

    combiner = Combiner.MAXIMUM if norm == "MAX" else Combiner.ADD
    total = build.reduce(wide, [operand.rank - 1], combiner, body=term)
    size = build.pointwise([total], total.shape, scalars.square_root) if norm == "L2" else total

    def body(x: SSAValue, s: SSAValue) -> SSAValue:
        is_none = scalars.compare("eq", s, scalars.constant_like(0, s))
        return scalars.select(is_none, x, scalars.divide(x, s))

    return build.pointwise([wide, size], operand.shape, body)


@onnx_op("LinearRegressor", domain=_DOMAIN)
def linear_regressor(node: Node, build: GraphBuilder) -> Value:
    """x W' + b, as f32, for inputs [B, features]."""
    operand, targets = node.input(0), node.integer("targets", 1)
    coefficients = node.floats("coefficients")
    if operand.rank != 2 or coefficients is None or len(coefficients) != targets * operand.shape[1]:
        raise node.error("needs an input [rows, features] and coefficients for each target and feature")
    if node.string("post_transform", "NONE") != "NONE":
        raise node.error("with a post_transform is not supported")
    rows, features = operand.shape
    wide = build.pointwise([operand], operand.shape, lambda x: scalars.convert(x, f32), f32)
    weights = build.constant(np.array(coefficients, np.float32).reshape(targets, features), "coefficients")
    row, target, feature = loop_dims(3)
    result = contract(
        build,
        [rows, targets, features],
        Read(build.read(wide), [row, feature]),
        Read(build.read(weights), [target, feature]),
        [rows, targets],
        [row, target],
    )
    bias = node.floats("intercepts")
    if bias is None:
        return result
    if len(bias) != targets:
        raise node.error(f"has {len(bias)} intercepts for {targets} targets")
    return build.pointwise(
        [result, build.constant(np.array(bias, np.float32), "intercepts")], (rows, targets), scalars.add
    )
