"""
Random tensors.

A program has no state: every run gives the same numbers. They depend on the node's seed, or on its name where it has
none, and on nothing else: not on the device, nor on how the work is cut.
"""

import struct
import zlib
from collections.abc import Callable, Sequence

import onnx
from xdsl.dialects.builtin import TensorType, f32, i64
from xdsl.ir import Attribute, SSAValue

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import dtype_of_onnx, element_type
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.generated import generated, index
from rammer_ir.frontend.ops.philox import normal, random_words, uniform
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def random_key(node: Node) -> int:
    """32 bits that stand for the node's seed, or for its name."""
    data = struct.pack("<f", node.floating("seed", 0.0)) if node.has("seed") else node.label.encode()
    return zlib.crc32(data)


def element_words(shape: Sequence[int], key: int) -> tuple[SSAValue, SSAValue]:
    """The random words of the element at hand, inside the body of a generic over a tensor of this shape."""
    return random_words([index(dim) for dim in range(len(shape))], shape, key)


def _element(node: Node, default: int) -> Attribute:
    what = f"the result of {node.op_type}"
    return element_type(dtype_of_onnx(node.integer("dtype", default), what), what)


def _uniform(node: Node, build: GraphBuilder, shape: Sequence[int], element: Attribute) -> Value:
    """Numbers of [low, high)."""
    low, high, key = node.floating("low", 0.0), node.floating("high", 1.0), random_key(node)

    def body() -> SSAValue:
        share = uniform(element_words(shape, key), element)
        scaled = scalars.multiply(share, scalars.constant(high - low, element))
        return scalars.add(scaled, scalars.constant(low, element))

    return generated(build, shape, element, body)


def _normal(node: Node, build: GraphBuilder, shape: Sequence[int], element: Attribute) -> Value:
    """Numbers of a normal distribution."""
    mean, deviation, key = node.floating("mean", 0.0), node.floating("scale", 1.0), random_key(node)

    def body() -> SSAValue:
        scaled = scalars.multiply(normal(element_words(shape, key), element), scalars.constant(deviation, element))
        return scalars.add(scaled, scalars.constant(mean, element))

    return generated(build, shape, element, body)


_Draw = Callable[[Node, GraphBuilder, Sequence[int], Attribute], Value]


def _of_shape(draw: _Draw) -> Callable[[Node, GraphBuilder], Value]:
    def import_random(node: Node, build: GraphBuilder) -> Value:
        return draw(node, build, node.output_shape(), _element(node, onnx.TensorProto.FLOAT))

    return import_random


def _like(draw: _Draw) -> Callable[[Node, GraphBuilder], Value]:
    def import_random(node: Node, build: GraphBuilder) -> Value:
        operand = node.input(0)
        own = int(onnx.helper.np_dtype_to_tensor_dtype(operand.dtype))
        return draw(node, build, operand.shape, _element(node, own))

    return import_random


for _name, _draw in (("RandomUniform", _uniform), ("RandomNormal", _normal)):
    onnx_op(_name, since=1)(_of_shape(_draw))
    onnx_op(f"{_name}Like", since=1)(_like(_draw))


@onnx_op("Bernoulli", since=15)
def bernoulli(node: Node, build: GraphBuilder) -> Value:
    """1 with the probability that the input gives, else 0."""
    operand, key = node.input(0), random_key(node)
    element = _element(node, int(onnx.helper.np_dtype_to_tensor_dtype(operand.dtype)))

    def body(probability: SSAValue) -> SSAValue:
        share = uniform(element_words(operand.shape, key), probability.type)
        return scalars.convert(scalars.compare("lt", share, probability), element)

    return build.pointwise([operand], operand.shape, body, element)


@onnx_op("Multinomial", since=7)
def multinomial(node: Node, build: GraphBuilder) -> Value:
    """
    Classes [B, samples], drawn by their logarithmic weights [B, classes], which need not be normal.

    A sample is the class of the greatest weight after a number of Gumbel's distribution is added to each (E. J. Gumbel,
    Statistical Theory of Extreme Values and Some Practical Applications, 1954).
    """
    weights, samples, key = node.input(0), node.integer("sample_size", 1), random_key(node)
    if weights.rank != 2 or samples <= 0:
        raise node.error("needs weights of two dimensions and a positive sample_size")
    batch, classes = weights.shape
    shape = (batch, samples, classes)
    row, sample, column = loop_dims(3)
    scores = build.generic(
        shape,
        [Read(build.read(weights), [row, column])],
        [Write(TensorType(f32, shape), loop_dims(3))],
        lambda weight: scalars.add(scalars.convert(weight, f32), _gumbel(shape, key)),
    )[0]
    highest = build.reduce(scores, [2], Combiner.MAXIMUM)

    def position(score: SSAValue, top: SSAValue) -> SSAValue:
        return scalars.select(scalars.compare("eq", score, top), index(2), scalars.constant(classes - 1, i64))

    write = Write(TensorType(i64, (batch, samples)), [row, sample], Combiner.MINIMUM)
    reads = [Read(build.read(scores), loop_dims(3)), Read(build.read(highest), [row, sample, row * 0])]
    chosen = build.generic(shape, reads, [write], position)[0]
    element = _element(node, onnx.TensorProto.INT32)
    if chosen.element_type == element:
        return chosen
    return build.pointwise([chosen], chosen.shape, lambda item: scalars.convert(item, element), element)


def _gumbel(shape: Sequence[int], key: int) -> SSAValue:
    """-log(-log u) of a u between 0 and 1, neither included."""
    share = scalars.add(uniform(element_words(shape, key), f32), scalars.constant(2.0**-25, f32))
    return scalars.negative(scalars.logarithm(scalars.negative(scalars.logarithm(share))))
