"""Einsum: sums of products over indices, as contractions of two operands at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import TensorType
from xdsl.ir.affine import AffineExpr

from rammer_ir.dialects.rop import Combiner
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.node import Node
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.einsum_equation import Equation, Label, parse_equation
from rammer_ir.frontend.registry import onnx_op
from rammer_ir.frontend.value import Value


@onnx_op("Einsum", since=12)
def einsum(node: Node, build: GraphBuilder) -> Value:
    """
    An equation such as `...ij,...jk->...ik`, with repeated labels (diagonals) and any number of operands.

    What one operand alone is summed over goes first; then operands are multiplied from left to right.
    """
    values = [node.input(position) for position in range(len(node.inputs))]
    equation = parse_equation(node.string("equation", ""), [value.rank for value in values])
    extents = _extents(node, equation, values)
    terms = [_Term(value, tuple(labels)) for value, labels in zip(values, equation.operands, strict=True)]
    terms = [
        _summed(build, term, _kept(term, [*terms[:number], *terms[number + 1 :]], equation.result))
        for number, term in enumerate(terms)
    ]
    product, *remaining = terms
    while remaining:
        factor, *remaining = remaining
        kept = equation.result if not remaining else _kept_of_product(product, factor, remaining, equation.result)
        product = _multiplied(build, product, factor, kept)
    return _arranged(build, product, equation.result, extents)


@dataclass(frozen=True)
class _Term:
    """A tensor with a label for each dimension; extents of 1 are spread to the label's."""

    value: Value
    labels: tuple[Label, ...]


def _extents(node: Node, equation: Equation, values: Sequence[Value]) -> dict[Label, int]:
    extents: dict[Label, int] = {}
    for value, labels in zip(values, equation.operands, strict=True):
        for label, extent in zip(labels, value.shape, strict=True):
            known = extents.setdefault(label, extent)
            if extent not in (1, known) and known != 1:
                raise node.error(f"has label {label!r} for {known} and for {extent} elements")
            extents[label] = max(known, extent)
    return extents


def _kept(term: _Term, others: Sequence[_Term], result: Sequence[Label]) -> tuple[Label, ...]:
    """The labels of a term, each once, that others need."""
    needed = {*result, *(label for other in others for label in other.labels)}
    return tuple(label for label in dict.fromkeys(term.labels) if label in needed)


def _kept_of_product(lhs: _Term, rhs: _Term, others: Sequence[_Term], result: Sequence[Label]) -> tuple[Label, ...]:
    return _kept(_Term(lhs.value, (*lhs.labels, *rhs.labels)), others, result)


def _indices(term: _Term, dims: dict[Label, AffineExpr], extents: dict[Label, int]) -> list[AffineExpr]:
    return [
        dims[label] if extent == extents[label] else AffineExpr.constant(0)
        for label, extent in zip(term.labels, term.value.shape, strict=True)
    ]


def _loops(kept: Sequence[Label], terms: Sequence[_Term]) -> list[Label]:
    """The loops: those that are kept, then those that are summed over."""
    return [*dict.fromkeys([*kept, *(label for term in terms for label in term.labels)])]


def _summed(build: GraphBuilder, term: _Term, kept: tuple[Label, ...]) -> _Term:
    """The term with the given labels alone; a label that stands twice selects a diagonal."""
    if kept == term.labels:
        return term
    own = {label: _own_extent(term, label) for label in term.labels}
    loops = _loops(kept, [term])
    dims = dict(zip(loops, loop_dims(len(loops)), strict=True))
    result = TensorType(term.value.element_type, [own[label] for label in kept])
    combiner = Combiner.ADD if len(loops) > len(kept) else Combiner.NONE
    value = build.generic(
        [own[label] for label in loops],
        [Read(build.read(term.value), _indices(term, dims, own))],
        [Write(result, [dims[label] for label in kept], combiner)],
        lambda element: element,
    )[0]
    return _Term(value, kept)


def _own_extent(term: _Term, label: Label) -> int:
    return max(extent for name, extent in zip(term.labels, term.value.shape, strict=True) if name == label)


def _multiplied(build: GraphBuilder, lhs: _Term, rhs: _Term, kept: Sequence[Label]) -> _Term:
    loops = _loops(kept, [lhs, rhs])
    both = {label: max(_own_extent(term, label) for term in (lhs, rhs) if label in term.labels) for label in loops}
    dims = dict(zip(loops, loop_dims(len(loops)), strict=True))
    value = contract(
        build,
        [both[label] for label in loops],
        Read(build.read(lhs.value), _indices(lhs, dims, both)),
        Read(build.read(rhs.value), _indices(rhs, dims, both)),
        [both[label] for label in kept],
        [dims[label] for label in kept],
    )
    return _Term(value, tuple(kept))


def _arranged(build: GraphBuilder, term: _Term, result: Sequence[Label], extents: dict[Label, int]) -> Value:
    """The term with its labels in the result's order."""
    dims = dict(zip(result, loop_dims(len(result)), strict=True))
    return build.view(term.value, [extents[label] for label in result], _indices(term, dims, extents))
