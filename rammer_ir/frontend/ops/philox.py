"""Random numbers by counter: Philox-2x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC'11)."""

from collections.abc import Sequence
from math import pi
from typing import Final

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import f32, f64, i64
from xdsl.ir import Attribute, SSAValue

from rammer_ir.frontend import scalars

_ROUNDS: Final = 10
_MULTIPLIER: Final = 0xD256D193
_WEYL: Final = 0x9E3779B9
_WORD: Final = 0xFFFFFFFF


def random_words(index: Sequence[SSAValue], shape: Sequence[int], key: int) -> tuple[SSAValue, SSAValue]:
    """
    Two random words of 32 bits, as i64, for an index (i64) of a tensor of this shape: the same for the same key.

    The counter is the element's number in row-major order.
    """
    counter = scalars.constant(0, i64)
    for position, extent in zip(index, shape, strict=True):
        counter = scalars.add(scalars.multiply(counter, scalars.constant(extent, i64)), position)
    low, high = _low(counter), _high(counter)
    for number in range(_ROUNDS):
        product = scalars.multiply(low, scalars.constant(_MULTIPLIER, i64))
        key_of_round = scalars.constant((key + number * _WEYL) & _WORD, i64)
        low, high = scalars.differ(scalars.differ(_high(product), key_of_round), high), _low(product)
    return low, high


def _low(value: SSAValue) -> SSAValue:
    return scalars.both(value, scalars.constant(_WORD, i64))


def _high(value: SSAValue) -> SSAValue:
    return arith.ShRUIOp(value, scalars.constant(32, i64)).result


def uniform(words: tuple[SSAValue, SSAValue], element: Attribute) -> SSAValue:
    """A number of [0, 1), of 24 bits, or as f64 of 53."""
    first, second = words
    if element != f64:
        bits = arith.ShRUIOp(first, scalars.constant(8, i64)).result
        number = scalars.multiply(scalars.convert(bits, f32), scalars.constant(2.0**-24, f32))
        return scalars.convert(number, element)
    upper = arith.ShLIOp(first, scalars.constant(21, i64)).result
    bits = scalars.either(upper, arith.ShRUIOp(second, scalars.constant(11, i64)).result)
    return scalars.multiply(scalars.convert(bits, f64), scalars.constant(2.0**-53, f64))


def normal(words: tuple[SSAValue, SSAValue], element: Attribute) -> SSAValue:
    """A number of the normal distribution of mean 0 and deviation 1, by the method of Box and Muller."""
    computed = f64 if element == f64 else f32
    first, second = (
        scalars.multiply(scalars.convert(word, computed), scalars.constant(2.0**-32, computed)) for word in words
    )
    # Not 0, of which there is no logarithm.
    distance = scalars.add(first, scalars.constant(2.0**-33, computed))
    length = scalars.square_root(scalars.multiply(scalars.constant(-2, computed), scalars.logarithm(distance)))
    cosine = math.CosOp(scalars.multiply(scalars.constant(2 * pi, computed), second)).result
    return scalars.convert(scalars.multiply(length, cosine), element)
