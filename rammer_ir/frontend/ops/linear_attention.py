"""Linear attention: a recurrence whose state is a matrix of keys and values for each head."""

from math import sqrt

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IndexType, IntegerAttr, TensorType, f32
from xdsl.ir import Attribute, Block, Region
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import ScanOp, YieldOp
from rammer_ir.frontend import scalars
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.linear_attention_step import LinearAttentionSizes, LinearAttentionStep
from rammer_ir.frontend.ops.views import reshaped, transposed
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_RULES = {"linear": (False, False), "gated": (True, False), "delta": (False, True), "gated_delta": (True, True)}
"""By update rule: whether the state decays, and whether values are corrected by what the state has for their key."""


@onnx_op("LinearAttention", since=27)
def linear_attention(node: Node, build: GraphBuilder) -> list[Value | None]:
    """
    S' = exp(g) S + k (b (v - exp(g) S k)) and o = scale q S', step by step, with a state S for each head of keys.

    Inputs are [B, T, heads * size], the state is [B, heads, size of keys, size of values]. All is computed as f32, or
    as f64 where the inputs are. Results: o, and the last state.
    """
    sizes = _sizes(node)
    element = node.input(0).element_type if node.input(0).dtype == np.float64 else f32
    scale = node.floating("scale", 0.0)
    step = LinearAttentionStep(sizes, scale if scale != 0 else 1 / sqrt(sizes.key), element)
    decays, corrects = _RULES[node.string("update_rule", "gated_delta")]
    inputs = {
        "q": _by_step(node, build, 0, (sizes.heads, sizes.key), element),
        "k": _by_step(node, build, 1, (sizes.shared, sizes.key), element),
        "v": _by_step(node, build, 2, (sizes.shared, sizes.value), element),
    }
    if decays:
        inputs["g"] = _spread(node, build, 4, (sizes.shared, sizes.key), element)
    if corrects:
        inputs["b"] = _spread(node, build, 5, (sizes.shared, 1), element)
    past = node.optional_input(3)
    state = _converted(build, _zeros(build, sizes, element) if past is None else past, element)
    outputs, last = _scanned(build, step, inputs, state)
    width = sizes.heads * sizes.value
    joined = reshaped(build, transposed(build, outputs, (1, 0, 2, 3)), (sizes.batch, sizes.steps, width))
    kept = node.input(0) if past is None else past
    return [_converted(build, joined, node.input(0).element_type), _converted(build, last, kept.element_type)]


def _sizes(node: Node) -> LinearAttentionSizes:
    """The sizes, checked; so are the rule and its inputs."""
    queries, keys, values = (node.input(position) for position in range(3))
    heads, shared = node.integer("q_num_heads", 0), node.integer("kv_num_heads", 0)
    rule = node.string("update_rule", "gated_delta")
    if rule not in _RULES:
        raise node.error(f"has an update rule that is not known: {rule!r}")
    for given, position, name in zip(_RULES[rule], (4, 5), ("decay", "beta"), strict=True):
        if given != (node.optional_input(position) is not None):
            raise node.error(f"with rule {rule} {'needs' if given else 'takes no'} {name}")
    if any(value.rank != 3 or value.shape[:2] != queries.shape[:2] for value in (queries, keys, values)):
        raise node.error("needs query, key and value of three dimensions, all of one batch and length")
    if heads <= 0 or shared <= 0 or heads % shared != 0:
        raise node.error(f"has {heads} heads of queries for {shared} of keys")
    batch, steps, width = queries.shape
    sizes = LinearAttentionSizes(batch, steps, heads, shared, width // heads, values.shape[2] // shared)
    wanted = (heads * sizes.key, shared * sizes.key, shared * sizes.value)
    past = node.optional_input(3)
    if (queries.shape[2], keys.shape[2], values.shape[2]) != wanted or (past is not None and past.shape != sizes.state):
        raise node.error("has inputs that do not fall into heads of one size")
    return sizes


def _converted(build: GraphBuilder, value: Value, element: Attribute) -> Value:
    if value.element_type == element:
        return value
    return build.pointwise([value], value.shape, lambda item: scalars.convert(item, element), element)


def _zeros(build: GraphBuilder, sizes: LinearAttentionSizes, element: Attribute) -> Value:
    return build.constant(np.zeros(sizes.state, np.float32 if element == f32 else np.float64), "zeros")


def _by_step(node: Node, build: GraphBuilder, position: int, inner: tuple[int, int], element: Attribute) -> Value:
    """An input [B, T, n] as [T, B, *inner]."""
    operand = node.input(position)
    batch, steps, _ = operand.shape
    parts = transposed(build, reshaped(build, operand, (batch, steps, *inner)), (1, 0, 2, 3))
    return _converted(build, parts, element)


def _spread(node: Node, build: GraphBuilder, position: int, inner: tuple[int, int], element: Attribute) -> Value:
    """The same of an input that may have one number a head, or one for all heads."""
    operand = node.input(position)
    heads, size = inner
    shapes = {heads * size: inner, heads: (heads, 1), 1: (1, 1)}
    if operand.rank != 3 or operand.shape[2] not in shapes:
        raise node.error(f"has input {position} of shape {list(operand.shape)} for {heads} heads")
    return _by_step(node, build, position, shapes[operand.shape[2]], element)


def _scanned(
    build: GraphBuilder, step: LinearAttentionStep, inputs: dict[str, Value], state: Value
) -> tuple[Value, Value]:
    """The outputs [T, B, heads, size of values], and the last state."""
    sizes = step.sizes
    outputs = TensorType(step.element, (sizes.steps, sizes.batch, sizes.heads, sizes.value))
    scanned = [build.read(value) for value in inputs.values()]
    rows = [TensorType(step.element, value.shape[1:]) for value in inputs.values()]
    block = Block(arg_types=[IndexType(), *rows, state.type])
    _, *slices, before = block.args
    builder = Builder(InsertPoint.at_end(block))
    following, row = step.run(builder, dict(zip(inputs, slices, strict=True)), before)
    builder.insert(YieldOp(following, row))
    length = build.builder.insert(ConstantOp(IntegerAttr(sizes.steps, IndexType()))).result
    scan = ScanOp(length, scanned, [build.read(state)], [], [state.type, outputs], Region(block))
    last, results = build.builder.insert(scan).results
    return Value.of_ssa(build.label, results), Value.of_ssa(build.label, last)
