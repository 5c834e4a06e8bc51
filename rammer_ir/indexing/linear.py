"""Linear forms of index expressions: a constant plus a multiple of every dimension and symbol."""

from dataclasses import dataclass, field

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)


@dataclass(frozen=True)
class LinearForm:
    """`constant + sum(dims[i] * d_i) + sum(symbols[j] * s_j)`; absent positions have coefficient 0."""

    constant: int = 0
    dims: dict[int, int] = field(default_factory=dict[int, int])
    symbols: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def only_dim(self) -> int | None:
        """The dimension that this form is, times 1 and plus nothing, if it is one."""
        match list(self.dims.items()):
            case [(dim, 1)] if not self.symbols and self.constant == 0:
                return dim
            case _:
                return None

    def scaled(self, factor: int) -> "LinearForm":
        return LinearForm(
            self.constant * factor,
            {position: value * factor for position, value in self.dims.items() if value * factor},
            {position: value * factor for position, value in self.symbols.items() if value * factor},
        )

    def plus(self, other: "LinearForm") -> "LinearForm":
        return LinearForm(
            self.constant + other.constant,
            _add(self.dims, other.dims),
            _add(self.symbols, other.symbols),
        )


def _add(left: dict[int, int], right: dict[int, int]) -> dict[int, int]:
    total = {position: left.get(position, 0) + right.get(position, 0) for position in (*left, *right)}
    return {position: value for position, value in total.items() if value}


def linear_form(expression: AffineExpr) -> LinearForm | None:
    """The expression as a linear form, or None where it has a division or modulus of something that varies."""
    match expression:
        case AffineConstantExpr(value):
            return LinearForm(value)
        case AffineDimExpr(position):
            return LinearForm(dims={position: 1})
        case AffineSymExpr(position):
            return LinearForm(symbols={position: 1})
        case AffineBinaryOpExpr(kind, lhs, rhs):
            return _binary_form(kind, linear_form(lhs), linear_form(rhs))
        case _:
            return None


def _binary_form(kind: AffineBinaryOpKind, lhs: LinearForm | None, rhs: LinearForm | None) -> LinearForm | None:
    if lhs is None or rhs is None:
        return None
    if kind is AffineBinaryOpKind.Add:
        return lhs.plus(rhs)
    if kind is AffineBinaryOpKind.Mul:
        if not rhs.dims and not rhs.symbols:
            return lhs.scaled(rhs.constant)
        return rhs.scaled(lhs.constant) if not lhs.dims and not lhs.symbols else None
    if lhs.dims or lhs.symbols or rhs.dims or rhs.symbols or rhs.constant <= 0:
        return None
    quotient, remainder = divmod(lhs.constant, rhs.constant)
    if kind is AffineBinaryOpKind.Mod:
        return LinearForm(remainder)
    return LinearForm(quotient + (1 if kind is AffineBinaryOpKind.CeilDiv and remainder else 0))


def result_dims(affine_map: AffineMap) -> tuple[frozenset[int], ...]:
    """For each result of a map, the dimensions that it depends on, as written."""
    return tuple(frozenset(result.used_dims()) for result in affine_map.results)


def expression_size(affine_map: AffineMap) -> int:
    """How many operations, variables and constants the map's results are written with."""
    return sum(1 for result in affine_map.results for _ in result.dfs())
