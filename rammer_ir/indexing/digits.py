"""
The normal form of quasi-affine expressions: a constant plus coefficients times digits.

A digit of a number x is `(x floordiv divisor) mod modulus`, x being a loop dimension, a symbol, or a sum that could not
be taken apart.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from xdsl.ir.affine import AffineExpr

from rammer_ir.indexing.ranges import Range

SortKey = tuple[object, ...]


@dataclass(frozen=True)
class Variable:
    """A loop dimension or a symbol."""

    position: int
    is_symbol: bool = False

    @property
    def sort_key(self) -> SortKey:
        return (int(self.is_symbol), self.position)


@dataclass(frozen=True)
class Digit:
    """`(number floordiv divisor) mod modulus`, or without the modulus."""

    number: "Variable | Sum"
    divisor: int = 1
    modulus: int | None = None

    @cached_property
    def sort_key(self) -> SortKey:
        return (*self.number.sort_key, self.divisor, self.modulus or 0)

    @cached_property
    def _hash(self) -> int:
        return hash((self.number, self.divisor, self.modulus))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True)
class Sum:
    """`coefficient * digit` for each term, in the order of the digits' keys, plus a constant."""

    terms: tuple[tuple[Digit, int], ...]
    constant: int

    @cached_property
    def sort_key(self) -> SortKey:
        # Sums come after variables; the rest of the key is text because keys of different lengths must compare.
        return (2, repr([(digit.sort_key, coefficient) for digit, coefficient in self.terms]), self.constant)

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.constant))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def size(self) -> int:
        """How many terms it is written with, those of its digits' numbers included."""
        nested = (digit.number.size for digit, _ in self.terms if isinstance(digit.number, Sum))
        return len(self.terms) + sum(nested)

    @property
    def single(self) -> Digit | None:
        """The digit that this sum is, if it is one."""
        match self.terms:
            case ((digit, 1),) if self.constant == 0:
                return digit
            case _:
                return None


def constant(value: int) -> Sum:
    """The sum with no terms."""
    return Sum((), value)


def variable(position: int, *, is_symbol: bool = False) -> Sum:
    """The sum that is one dimension or symbol."""
    return Sum(((Digit(Variable(position, is_symbol)), 1),), 0)


class _Parts(NamedTuple):
    """`factor * multiple + rest`, where the rest is from 0 to factor - 1."""

    factor: int
    multiple: Sum
    rest: Sum


class _Quotient(NamedTuple):
    """`number floordiv divisor`."""

    number: Sum
    divisor: int


def _nested_quotient(number: Sum) -> _Quotient | None:
    """`x floordiv a + y` as `(x + a * y) floordiv a`; None for sums with no such quotient in them."""
    for digit, coefficient in number.terms:
        if coefficient == 1 and digit.divisor > 1 and digit.modulus is None:
            inner = _as_sum(digit.number)
            rest = [(other, digit.divisor * c) for other, c in number.terms if other != digit]
            terms = _merged((*inner.terms, *rest))
            return _Quotient(Sum(terms, inner.constant + digit.divisor * number.constant), digit.divisor)
    return None


def _as_sum(number: Variable | Sum) -> Sum:
    return number if isinstance(number, Sum) else Sum(((Digit(number), 1),), 0)


def _exchanged(number: Sum, removed: Iterable[tuple[Digit, int]], added: Sequence[tuple[Sum, int]]) -> Sum:
    """The sum without some terms and with some multiples of other sums."""
    terms = [*number.terms, *((digit, -coefficient) for digit, coefficient in removed)]
    total = number.constant
    for other, factor in added:
        terms += [(digit, coefficient * factor) for digit, coefficient in other.terms]
        total += other.constant * factor
    return Sum(_merged(terms), total)


def _merged(terms: Iterable[tuple[Digit, int]]) -> tuple[tuple[Digit, int], ...]:
    """The terms with one coefficient a digit, in order."""
    coefficients: defaultdict[Digit, int] = defaultdict(int)
    for digit, coefficient in terms:
        coefficients[digit] += coefficient
    return _in_order(coefficients)


def _in_order(coefficients: Mapping[Digit, int]) -> tuple[tuple[Digit, int], ...]:
    kept = [(digit, coefficient) for digit, coefficient in coefficients.items() if coefficient]
    return tuple(sorted(kept, key=lambda term: term[0].sort_key))


def _number_of(total: Sum) -> Variable | Sum:
    """What a digit of the sum is a digit of: the sum, or the variable that it is."""
    single = total.single
    is_whole = single is not None and single.divisor == 1 and single.modulus is None
    return single.number if single is not None and is_whole else total


class Arithmetic:
    """Sums, products, quotients and remainders of sums whose dims and symbols have the given ranges."""

    def __init__(self, dims: Sequence[Range], symbols: Sequence[Range]) -> None:
        self.dims = dims
        self.symbols = symbols
        self._ranges: dict[Digit, Range] = {}
        self._quotients: dict[tuple[Sum, int], Sum] = {}

    def range_of(self, number: Sum) -> Range:
        """An enclosing range of the sum's values."""
        low = high = number.constant
        for digit, coefficient in number.terms:
            values = self._digit_range(digit)
            bounds = (coefficient * values.low, coefficient * values.high)
            low, high = low + min(bounds), high + max(bounds)
        return Range(low, high)

    def _digit_range(self, digit: Digit) -> Range:
        known = self._ranges.get(digit)
        if known is None:
            known = self._ranges[digit] = self._compute_digit_range(digit)
        return known

    def _compute_digit_range(self, digit: Digit) -> Range:
        match digit.number:
            case Variable(position, is_symbol):
                values = self.symbols[position] if is_symbol else self.dims[position]
            case Sum() as number:
                values = self.range_of(number)
        low, high = values.low // digit.divisor, values.high // digit.divisor
        if digit.modulus is None:
            return Range(low, high)
        if low // digit.modulus == high // digit.modulus:
            return Range(low % digit.modulus, high % digit.modulus)
        return Range(0, digit.modulus - 1)

    def normalized(self, number: Sum) -> Sum:
        """The sum with digits of one value as constants and digits that belong together joined."""
        return self._build(number.terms, number.constant)

    def _build(self, terms: Iterable[tuple[Digit, int]], total: int) -> Sum:
        coefficients: defaultdict[Digit, int] = defaultdict(int)
        for digit, coefficient in terms:
            values = self._digit_range(digit)
            if values.low == values.high:
                total += coefficient * values.low
            else:
                coefficients[digit] += coefficient
        number = Sum(_in_order(coefficients), total)
        while (joined := self._join_once(number)) is not None:
            number = joined
        return number

    def _join_once(self, number: Sum) -> Sum | None:
        """The sum with some digits of one number joined; None if there are none."""
        if len(number.terms) < 2:
            return None
        for digit, coefficient in number.terms:
            joined = self._join_remainder(number, digit, coefficient)
            joined = joined or self._join_quotient(number, digit, coefficient)
            if joined is not None and joined.size < number.size:
                return joined
        return None

    def _join_remainder(self, number: Sum, digit: Digit, coefficient: int) -> Sum | None:
        """`x mod m + m * (x floordiv m) = x`, for a digit `x mod m` of the sum; the quotient may have a modulus too."""
        if digit.modulus is None:
            return None
        whole = self.floordiv(_as_sum(digit.number), digit.divisor)
        above = self.floordiv(whole, digit.modulus)
        factor = coefficient * digit.modulus
        known = dict(number.terms)
        if all(other in known for other, _ in above.terms):
            return _exchanged(number, [(digit, coefficient)], [(above, -factor), (whole, coefficient)])
        for other, other_factor in number.terms:
            joined = self._joined(digit, other) if other_factor == factor else None
            if joined is not None:
                return _exchanged(number, [(digit, coefficient), (other, factor)], [(joined, coefficient)])
        return None

    def _joined(self, low: Digit, high: Digit) -> Sum | None:
        """`low + low.modulus * high`, if both are digits of the number of one of them."""
        modulus = low.modulus
        if modulus is None:
            return None
        for number in (low.number, high.number):
            whole = self.floordiv(_as_sum(number), low.divisor)
            above = self.floordiv(whole, modulus)
            top = above if high.modulus is None else self.mod(above, high.modulus)
            if top.single == high and self.mod(whole, modulus).single == low:
                return whole if high.modulus is None else self.mod(whole, modulus * high.modulus)
        return None

    def _join_quotient(self, number: Sum, digit: Digit, coefficient: int) -> Sum | None:
        """`x - m * (x floordiv m) = x mod m`, for a digit x of the sum."""
        for other, factor in number.terms:
            if other.number != digit.number or other.divisor <= digit.divisor or other.divisor % digit.divisor:
                continue
            ratio = other.divisor // digit.divisor
            top = None if other.modulus is None else ratio * other.modulus
            if factor == -ratio * coefficient and digit.modulus == top:
                remainder = Sum(((Digit(digit.number, digit.divisor, ratio), 1),), 0)
                return _exchanged(number, [(digit, coefficient), (other, factor)], [(remainder, coefficient)])
        return None

    def _one_digit(self, digit: Digit) -> Sum:
        return self._build([(digit, 1)], 0)

    def add(self, left: Sum, right: Sum) -> Sum:
        return self._build((*left.terms, *right.terms), left.constant + right.constant)

    def multiply(self, number: Sum, factor: int) -> Sum:
        return self._build([(digit, c * factor) for digit, c in number.terms], number.constant * factor)

    def floordiv(self, number: Sum, divisor: int) -> Sum:
        """`number floordiv divisor`, for a positive divisor."""
        if divisor == 1:
            return number
        known = self._quotients.get((number, divisor))
        if known is None:
            known = self._quotients[number, divisor] = self._floordiv(number, divisor)
        return known

    def _floordiv(self, number: Sum, divisor: int) -> Sum:
        values = self.range_of(number)
        if values.low // divisor == values.high // divisor:
            return constant(values.low // divisor)
        parts = self._separate(number, divisor)
        if parts is not None:
            return self.floordiv(parts.multiple, divisor // parts.factor)
        whole, rest = _divisible_part(number, divisor)
        if whole.terms or whole.constant:
            return self.add(whole, self.floordiv(rest, divisor))
        return self._quotient(rest, divisor)

    def _quotient(self, number: Sum, divisor: int) -> Sum:
        nested = _nested_quotient(number)
        if nested is not None:
            return self.floordiv(nested.number, nested.divisor * divisor)
        digit = number.single
        if digit is not None and digit.modulus is not None and digit.modulus % divisor == 0:
            return self._one_digit(Digit(digit.number, digit.divisor * divisor, digit.modulus // divisor))
        return self._one_digit(Digit(_number_of(number), divisor))

    def mod(self, number: Sum, modulus: int) -> Sum:
        """`number mod modulus`, for a positive modulus."""
        if modulus == 1:
            return constant(0)
        values = self.range_of(number)
        if values.low // modulus == values.high // modulus:
            return self.add(number, constant(-(values.low // modulus) * modulus))
        parts = self._separate(number, modulus)
        if parts is not None:
            remainder = self.mod(parts.multiple, modulus // parts.factor)
            return self.add(self.multiply(remainder, parts.factor), parts.rest)
        whole, rest = _divisible_part(number, modulus)
        if whole.terms or whole.constant:
            return self.mod(rest, modulus)
        return self._remainder(rest, modulus)

    def _remainder(self, number: Sum, modulus: int) -> Sum:
        nested = _nested_quotient(number)
        if nested is not None:
            return self._one_digit(Digit(_number_of(nested.number), nested.divisor, modulus))
        single = number.single
        if single is not None and (single.modulus is None or single.modulus % modulus == 0):
            return self._one_digit(Digit(single.number, single.divisor, modulus))
        return self._one_digit(Digit(_number_of(number), 1, modulus))

    def _separate(self, number: Sum, divisor: int) -> _Parts | None:
        """Parts of the number by the largest factor of the divisor by which it comes apart."""
        factors = {math.gcd(coefficient, divisor) for _, coefficient in number.terms} - {1}
        factors.add(math.gcd(divisor, *(coefficient for _, coefficient in number.terms)))
        for factor in sorted(factors - {1}, reverse=True):
            multiple, rest = _divisible_part(Sum(number.terms, 0), factor)
            rest = Sum(rest.terms, number.constant)
            values = self.range_of(rest)
            offset = values.low // factor
            if multiple.terms and offset == values.high // factor:
                shifted = Sum(multiple.terms, multiple.constant + offset)
                return _Parts(factor, shifted, Sum(rest.terms, rest.constant - offset * factor))
        return None


def _divisible_part(number: Sum, divisor: int) -> tuple[Sum, Sum]:
    """`(q, r)` with `number = divisor * q + r`: q takes the terms that divide evenly; r's constant is 0..divisor-1."""
    whole = tuple((digit, c // divisor) for digit, c in number.terms if c % divisor == 0)
    rest = tuple((digit, c) for digit, c in number.terms if c % divisor)
    quotient, remainder = divmod(number.constant, divisor)
    return Sum(whole, quotient), Sum(rest, remainder)


def to_expression(number: Sum) -> AffineExpr:
    """The sum as an expression."""
    result: AffineExpr | None = None
    for digit, coefficient in number.terms:
        term = _digit_expression(digit) * coefficient
        result = term if result is None else result + term
    if result is None:
        return AffineExpr.constant(number.constant)
    return result + number.constant


def _digit_expression(digit: Digit) -> AffineExpr:
    match digit.number:
        case Variable(position, is_symbol):
            result = AffineExpr.symbol(position) if is_symbol else AffineExpr.dimension(position)
        case Sum() as number:
            result = to_expression(number)
    if digit.divisor > 1:
        result = result // digit.divisor
    return result if digit.modulus is None else result % digit.modulus
