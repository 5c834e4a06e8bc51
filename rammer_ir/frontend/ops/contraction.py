"""Matrix products."""

from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import is_floating
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import broadcast_indices, loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


def contract(
    build: GraphBuilder,
    bounds: Sequence[int],
    lhs: Read,
    rhs: Read,
    shape: Sequence[int],
    written: Sequence[AffineExpr],
) -> Value:
    """The sum of products over the loop dimensions that `written` leaves out."""
    used = {dim for index in written for dim in index.used_dims()}
    combiner = Combiner.ADD if len(used) < len(bounds) else Combiner.NONE
    write = Write(TensorType(lhs.element_type, shape), written, combiner)
    return build.generic(bounds, [lhs, rhs], [write], scalars.multiply)[0]


@onnx_op("MatMul", since=1)
def matmul(node: Node, build: GraphBuilder) -> Value:
    """NumPy's matmul."""
    return matrix_product(node, build, node.input(0), node.input(1))


def matrix_product(node: Node, build: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    """Products of the last two dimensions, the others broadcast; vectors are one row or column."""
    if lhs.rank == 0 or rhs.rank == 0:
        raise node.error("needs inputs of at least one dimension")
    if lhs.shape[-1] != rhs.shape[max(rhs.rank - 2, 0)]:
        raise node.error(f"multiplies {list(lhs.shape)} by {list(rhs.shape)}")
    shape = node.output_shape()
    rows, columns = lhs.shape[-2:-1], rhs.shape[-1:] if rhs.rank > 1 else ()
    batch = shape[: len(shape) - len(rows) - len(columns)]
    dims = loop_dims(len(shape) + 1)
    batch_dims, row, column = dims[: len(batch)], dims[len(batch) :][: len(rows)], dims[:-1][len(batch) + len(rows) :]
    inner = dims[-1]
    lhs_batch = broadcast_indices(lhs.shape[: max(lhs.rank - 2, 0)], batch, batch_dims)
    rhs_batch = broadcast_indices(rhs.shape[: max(rhs.rank - 2, 0)], batch, batch_dims)
    return contract(
        build,
        [*shape, lhs.shape[-1]],
        Read(build.read(lhs), [*lhs_batch, *row, inner]),
        Read(build.read(rhs), [*rhs_batch, inner, *column]),
        shape,
        dims[:-1],
    )


@onnx_op("Gemm", since=1)
def gemm(node: Node, build: GraphBuilder) -> Value:
    """alpha A' B' + beta C, where ' is an optional transposition and C is broadcast."""
    lhs, rhs, addend = node.input(0), node.input(1), node.optional_input(2)
    is_lhs_transposed, is_rhs_transposed = node.integer("transA", 0) != 0, node.integer("transB", 0) != 0
    if lhs.rank != 2 or rhs.rank != 2:
        raise node.error("needs matrices")
    row, column, inner = loop_dims(3)
    shape = node.output_shape()
    depth = lhs.shape[0 if is_lhs_transposed else 1]
    if depth != rhs.shape[1 if is_rhs_transposed else 0]:
        raise node.error(f"multiplies {list(lhs.shape)} by {list(rhs.shape)} (transposed or not)")
    product = contract(
        build,
        [*shape, depth],
        Read(build.read(lhs), [inner, row] if is_lhs_transposed else [row, inner]),
        Read(build.read(rhs), [column, inner] if is_rhs_transposed else [inner, column]),
        shape,
        [row, column],
    )
    return _scaled_sum(node, build, product, addend)


def _scaled_sum(node: Node, build: GraphBuilder, product: Value, addend: Value | None) -> Value:
    alpha = node.floating("alpha", 1.0)
    beta = node.floating("beta", 1.0)
    if not (alpha.is_integer() and beta.is_integer()) and not is_floating(product.dtype):
        raise node.error("has factors that are no integers for a product of integers")
    operands = [product] if addend is None or beta == 0 else [product, addend]
    if len(operands) == 1 and alpha == 1:
        return product

    def body(element: SSAValue, *added: SSAValue) -> SSAValue:
        result = element if alpha == 1 else scalars.multiply(scalars.constant_like(alpha, element), element)
        for item in added:
            scaled = item if beta == 1 else scalars.multiply(scalars.constant_like(beta, item), item)
            result = scalars.add(result, scaled)
        return result

    return build.pointwise(operands, product.shape, body)
