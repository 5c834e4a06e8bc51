"""RotaryEmbedding: pairs of elements of each head turned by an angle that belongs to their position."""

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, extract, index_constant, loop_index, quotient, remainder
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.views import reshaped, transposed
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value

_ELEMENT = 3
"""The loop over the elements of a head; those before it count batches, steps and heads."""


@onnx_op("RotaryEmbedding", since=23)
def rotary_embedding(node: Node, build: GraphBuilder) -> Value:
    """Elements behind the first `rotary_embedding_dim` of each head stay."""
    operand = node.input(0)
    if operand.rank == 4:
        rows = transposed(build, operand, (0, 2, 1, 3))
        return transposed(build, _rotated(node, build, rows), (0, 2, 1, 3))
    heads = node.integer("num_heads", 0)
    if operand.rank != 3 or heads < 1 or operand.shape[2] % heads:
        raise node.error(f"has {heads} heads for an input of shape {list(operand.shape)}")
    rows = reshaped(build, operand, (*operand.shape[:2], heads, operand.shape[2] // heads))
    return reshaped(build, _rotated(node, build, rows), operand.shape)


def _rotated(node: Node, build: GraphBuilder, rows: Value) -> Value:
    """Of rows [batch, step, head, element]."""
    size = rows.shape[_ELEMENT]
    turned = node.integer("rotary_embedding_dim", 0) or size
    half = turned // 2
    is_interleaved = node.integer("interleaved", 0) != 0
    cosines, sines, steps = node.input(1), node.input(2), node.optional_input(3)
    wanted = (cosines.shape[:1] if steps is not None else rows.shape[:2]) + (half,)
    if turned % 2 or turned > size or cosines.shape != wanted or sines.shape != wanted:
        raise node.error(f"turns {turned} of {size} elements by angles of shape {list(cosines.shape)}")
    dims = loop_dims(4)
    element = dims[_ELEMENT]
    if is_interleaved:
        pair, partner = (element // 2) % half, (element // 2) * 2 + (element % 2) * -1 + 1
        partner = partner % turned
    else:
        pair, partner = element % half, (element + half) % turned
    source = build.read(rows)
    reads = [Read(source, dims), Read(source, [*dims[:_ELEMENT], partner])]
    if steps is None:
        reads += [Read(build.read(table), [*dims[:2], pair]) for table in (cosines, sines)]
    else:
        reads.append(Read(build.read(steps), list(dims[:2])))
    tables = [build.read(cosines), build.read(sines)]

    def body(own: SSAValue, other: SSAValue, *angle: SSAValue) -> SSAValue:
        if len(angle) == 1:
            place = [as_index(angle[0]), _pair_index(half, is_interleaved=is_interleaved)]
            cosine, sine = (extract(table, place) for table in tables)
        else:
            cosine, sine = angle
        straight, across = scalars.multiply(cosine, own), scalars.multiply(sine, other)
        first, second = scalars.subtract(straight, across), scalars.add(across, straight)
        result = scalars.select(_is_first(half, is_interleaved=is_interleaved), first, second)
        if turned == size:
            return result
        return scalars.select(scalars.compare("lt", loop_index(_ELEMENT), index_constant(turned)), result, own)

    return build.generic(rows.shape, reads, [Write(TensorType(rows.element_type, rows.shape), dims)], body)[0]


def _pair_index(half: int, *, is_interleaved: bool) -> SSAValue:
    element = loop_index(_ELEMENT)
    if is_interleaved:
        return quotient(element, 2)
    return remainder(element, half)


def _is_first(half: int, *, is_interleaved: bool) -> SSAValue:
    """Whether an element is the first of its pair."""
    element = loop_index(_ELEMENT)
    if is_interleaved:
        return scalars.compare("eq", remainder(element, 2), index_constant(0))
    return scalars.compare("lt", element, index_constant(half))
