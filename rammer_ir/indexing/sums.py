"""Index expressions as sums of terms."""

from collections.abc import Iterator

from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineExpr


def additive_terms(expression: AffineExpr) -> Iterator[AffineExpr]:
    """The terms whose sum the expression is; products with a constant are distributed over sums."""
    match expression:
        case AffineBinaryOpExpr(AffineBinaryOpKind.Add, lhs, rhs):
            yield from additive_terms(lhs)
            yield from additive_terms(rhs)
        case AffineBinaryOpExpr(AffineBinaryOpKind.Mul, lhs, AffineConstantExpr() as factor):
            yield from (term * factor for term in additive_terms(lhs))
        case _:
            yield expression


def sum_of(terms: Iterator[AffineExpr] | list[AffineExpr]) -> AffineExpr:
    """The sum of the terms, 0 if there are none."""
    total: AffineExpr = AffineConstantExpr(0)
    for term in terms:
        total = total + term
    return total
