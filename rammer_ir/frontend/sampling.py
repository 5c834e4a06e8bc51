"""
Samples of a tensor between its elements, for bodies of generics: positions are floating-point numbers.

All ops are added to the implicit builder's block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import i32
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.computed_indices import as_index, extract

Padding = Literal["zeros", "border", "reflection"]


def floor(value: SSAValue) -> SSAValue:
    return math.FloorOp(value).result


def clamped(value: SSAValue, low: float, high: float) -> SSAValue:
    """The nearest number from low to high; of NaN, low."""
    least = arith.MaxnumfOp(value, scalars.constant_like(low, value)).result
    return arith.MinnumfOp(least, scalars.constant_like(high, value)).result


def is_between(value: SSAValue, low: float, high: float) -> SSAValue:
    """Whether low <= value <= high."""
    above = scalars.compare("ge", value, scalars.constant_like(low, value))
    return scalars.both(above, scalars.compare("le", value, scalars.constant_like(high, value)))


@dataclass(frozen=True)
class SampledAxis:
    """
    A dimension of `extent` elements, and what lies beyond them.

    With `padding` "reflection" it is mirrored at the centres of the outermost elements (`is_aligned`), or half an
    element beyond.
    """

    extent: int
    padding: Padding
    is_aligned: bool = False

    @property
    def _borders(self) -> tuple[float, float]:
        return (0.0, self.extent - 1.0) if self.is_aligned else (-0.5, self.extent - 0.5)

    def inside(self, position: SSAValue) -> SSAValue:
        """
        A position where the same is found, within the borders; with zeros beyond them, at most two elements off.

        The nearest element is found beyond a border, and on the way to it what interpolation makes of it.
        """
        if self.padding == "zeros":
            return clamped(position, -2.0, self.extent + 1.0)
        low, high = self._borders
        is_border = self.padding == "border"
        beyond = clamped(position, 0.0, self.extent - 1.0) if is_border else self._reflected(position)
        return scalars.select(is_between(position, low, high), position, beyond)

    def _reflected(self, position: SSAValue) -> SSAValue:
        low, high = self._borders
        if high == low:
            return scalars.constant_like(low, position)
        start, period = scalars.constant_like(low, position), scalars.constant_like(2 * (high - low), position)
        distance = scalars.subtract(position, start)
        rounds = floor(scalars.divide(distance, period))
        rest = scalars.subtract(distance, scalars.multiply(rounds, period))
        forth, back = scalars.add(start, rest), scalars.subtract(scalars.add(start, period), rest)
        is_back = scalars.compare("gt", forth, scalars.constant_like(high, forth))
        return clamped(scalars.select(is_back, back, forth), low, high)

    def element(self, position: SSAValue) -> tuple[SSAValue, SSAValue | None]:
        """The index of the element at a whole number, and whether there is one (None: always)."""
        place = position
        is_there = None
        if self.padding == "zeros":
            is_there = is_between(position, 0.0, self.extent - 1.0)
        elif self.padding == "reflection":
            place = self.inside(position)
        return whole_index(clamped(place, 0.0, self.extent - 1.0)), is_there


def whole_index(position: SSAValue) -> SSAValue:
    """A whole floating-point number as an index."""
    return as_index(scalars.convert(position, i32))


@dataclass(frozen=True)
class Sampler:
    """Elements of a tensor whose first indices are given, and whose last are positions along `axes`."""

    tensor: SSAValue
    axes: Sequence[SampledAxis]
    kind: Attribute
    """The floating-point type in which is computed, that of positions."""

    def at(self, first: Sequence[SSAValue], positions: Sequence[SSAValue]) -> SSAValue:
        """The element at whole numbers, or 0 where there is none."""
        indices: list[SSAValue] = []
        conditions: list[SSAValue] = []
        for axis, position in zip(self.axes, positions, strict=True):
            index, is_there = axis.element(position)
            indices.append(index)
            conditions += [] if is_there is None else [is_there]
        value = scalars.convert(extract(self.tensor, [*first, *indices]), self.kind)
        for condition in conditions:
            value = scalars.select(condition, value, scalars.constant_like(0, value))
        return value

    def corners(self, first: Sequence[SSAValue], positions: Sequence[SSAValue]) -> list[SSAValue]:
        """The elements around positions, each times its share in linear interpolation."""
        starts = [floor(position) for position in positions]
        shares = [scalars.subtract(position, start) for position, start in zip(positions, starts, strict=True)]
        terms: list[SSAValue] = []
        for corner in product((0, 1), repeat=len(positions)):
            places: list[SSAValue] = []
            weight: SSAValue | None = None
            for is_upper, start, share in zip(corner, starts, shares, strict=True):
                one = scalars.constant_like(1, start)
                places.append(scalars.add(start, one) if is_upper else start)
                part = share if is_upper else scalars.subtract(one, share)
                weight = part if weight is None else scalars.multiply(weight, part)
            value = self.at(first, places)
            terms.append(value if weight is None else scalars.multiply(weight, value))
        return terms

    def linear(self, first: Sequence[SSAValue], positions: Sequence[SSAValue]) -> SSAValue:
        """The linear interpolation at positions."""
        total, *rest = self.corners(first, positions)
        for term in rest:
            total = scalars.add(total, term)
        return total

    def cubic_term(
        self, first: Sequence[SSAValue], positions: Sequence[SSAValue], steps: Sequence[SSAValue]
    ) -> SSAValue:
        """One of the terms that sum up to the cubic interpolation; `steps`, indices, go from 0 to 3 along each axis."""
        places: list[SSAValue] = []
        weights: list[SSAValue] = []
        for position, step in zip(positions, steps, strict=True):
            integer = arith.IndexCastOp(step, i32).result
            offset = scalars.subtract(scalars.convert(integer, self.kind), scalars.constant(1, self.kind))
            place = scalars.add(floor(position), offset)
            places.append(place)
            weights.append(cubic_weight(scalars.absolute(scalars.subtract(position, place))))
        value = self.at(first, places)
        for weight in weights:
            value = scalars.multiply(weight, value)
        return value


def cubic_weight(distance: SSAValue, a: float = -0.75) -> SSAValue:
    """Keys' cubic convolution (IEEE Trans. ASSP 29, 1981) at a distance from 0 to 2."""

    def polynomial(*coefficients: float) -> SSAValue:
        value = scalars.constant_like(coefficients[0], distance)
        for coefficient in coefficients[1:]:
            value = scalars.add(scalars.multiply(value, distance), scalars.constant_like(coefficient, distance))
        return value

    is_near = scalars.compare("le", distance, scalars.constant_like(1, distance))
    return scalars.select(is_near, polynomial(a + 2, -(a + 3), 0, 1), polynomial(a, -5 * a, 8 * a, -4 * a))
