"""
Discrete Fourier transforms of any length, as products with matrices of roots of unity.

A length with divisors is transformed in two stages (J. W. Cooley, J. W. Tukey, An Algorithm for the Machine
Calculation of Complex Fourier Series, 1965): n = a b takes n (a + b) products instead of n n. Tensors are
[before, n, behind, parts]: of complex numbers, real and imaginary part come last; real numbers have one part.
"""

from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from rammer_ir.frontend import scalars
from rammer_ir.frontend.element_types import Array
from rammer_ir.frontend.generics import Read, Write
from rammer_ir.frontend.graph_builder import GraphBuilder
from rammer_ir.frontend.indices import loop_dims
from rammer_ir.frontend.ops.contraction import contract
from rammer_ir.frontend.ops.views import reshaped, sliced, transposed
from rammer_ir.frontend.value import Value

_LONGEST_DIRECT: Final = 64
"""Up to here one product is as good as two stages."""


def transform(build: GraphBuilder, value: Value, length: int, kept: int, *, inverse: bool) -> Value:
    """
    The first `kept` elements of the transform of this length over dimension 1, [before, kept, behind, 2].

    What the value lacks to the length is 0, and what it has more is left out. The inverse is divided by the length.
    """
    factor = 1 / length if inverse else 1.0
    split = _largest_divisor(length)
    if length <= _LONGEST_DIRECT or split == 1:
        used = min(length, value.shape[1])
        roots = _roots(np.outer(np.arange(used), np.arange(kept)), length, inverse=inverse) * factor
        return _product(build, value, _complex_table(roots, value.shape[3]))
    whole = _fitted(build, value, length)
    result = _in_two_stages(build, whole, split, inverse=inverse)
    return sliced(build, result, 1, 0, kept)


def real_inverse(build: GraphBuilder, value: Value, length: int) -> Value:
    """The real numbers [before, length, behind, 1] of which a value has the first half of the transform."""
    used = min(length // 2 + 1, value.shape[1])
    angles = 2 * np.pi * np.outer(np.arange(used), np.arange(length)) / length
    # Each but the first, and that in the middle, stands for its conjugate too.
    weights = np.where((np.arange(used) == 0) | (2 * np.arange(used) == length), 1, 2)[:, None] / length
    table = np.stack([np.cos(angles) * weights, -np.sin(angles) * weights], axis=1)[..., None]
    return _product(build, value, table[:, : value.shape[3]])


def _largest_divisor(length: int) -> int:
    """The largest divisor that is not above the square root."""
    return next(divisor for divisor in range(isqrt(length), 0, -1) if length % divisor == 0)


def _roots(exponents: NDArray[np.int64], length: int, *, inverse: bool) -> NDArray[np.complex128]:
    """exp(-2 pi i exponent / length), or its conjugate."""
    return np.exp((2j if inverse else -2j) * np.pi * (exponents % length) / length)


def _complex_table(roots: NDArray[np.complex128], parts: int) -> Array:
    """The matrix [t, k] as one of real numbers, [t, parts, k, 2]."""
    of_real = np.stack([roots.real, roots.imag], axis=-1)
    of_imaginary = np.stack([-roots.imag, roots.real], axis=-1)
    return np.stack([of_real, of_imaginary][:parts], axis=1)


def _product(build: GraphBuilder, value: Value, table: Array) -> Value:
    """The value [before, t, behind, parts] times a table [t, parts, k, results]: [before, k, behind, results]."""
    before, _, behind, parts = value.shape
    used, _, columns, results = table.shape
    shape = (before, columns, behind, results)
    outer, column, inner, result, item, part = loop_dims(6)
    known = build.constant(table.astype(value.dtype), f"roots_{used}_{columns}_{parts}_{results}")
    return contract(
        build,
        [*shape, used, parts],
        Read(build.read(value), [outer, item, inner, part]),
        Read(build.read(known), [item, part, column, result]),
        shape,
        [outer, column, inner, result],
    )


def _fitted(build: GraphBuilder, value: Value, length: int) -> Value:
    """The value cut or filled up with 0 to a length."""
    before, extent, behind, parts = value.shape
    if extent >= length:
        return sliced(build, value, 1, 0, length)
    dims = loop_dims(4)
    shape = (before, length, behind, parts)
    read = Read(build.read(value), dims, pad=0.0)
    (filled,) = build.generic(
        shape, [read], [Write(TensorType(value.element_type, shape), dims)], lambda element: element
    )
    return filled


def _in_two_stages(build: GraphBuilder, value: Value, rows: int, *, inverse: bool) -> Value:
    """With t = columns t1 + t2 and k = k1 + rows k2: transforms over t1, factors, and transforms over t2."""
    before, length, behind, parts = value.shape
    columns = length // rows
    apart = reshaped(build, value, (before, rows, columns * behind, parts))
    first = transform(build, apart, rows, rows, inverse=inverse)
    turned = _turned(build, reshaped(build, first, (before, rows, columns, behind, 2)), inverse=inverse)
    second = reshaped(build, turned, (before * rows, columns, behind, 2))
    result = transform(build, second, columns, columns, inverse=inverse)
    in_order = transposed(build, reshaped(build, result, (before, rows, columns, behind, 2)), (0, 2, 1, 3, 4))
    return reshaped(build, in_order, (before, length, behind, 2))


def _turned(build: GraphBuilder, value: Value, *, inverse: bool) -> Value:
    """Each element [before, k1, t2, behind, 2] times the root of unity with exponent k1 t2."""
    _, rows, columns, _, _ = value.shape
    roots = _roots(np.outer(np.arange(rows), np.arange(columns)), rows * columns, inverse=inverse)
    cosines = build.constant(roots.real.astype(value.dtype), f"cosines_{rows}_{columns}")
    signed = np.stack([-roots.imag, roots.imag], axis=-1).astype(value.dtype)
    sines = build.constant(signed, f"sines_{rows}_{columns}")
    outer, row, column, inner, part = dims = loop_dims(5)
    read = build.read(value)

    def body(*elements: SSAValue) -> SSAValue:
        own, other, cosine, sine = elements
        return scalars.add(scalars.multiply(own, cosine), scalars.multiply(other, sine))

    reads = [
        Read(read, dims),
        Read(read, [outer, row, column, inner, part * -1 + 1]),
        Read(build.read(cosines), [row, column]),
        Read(build.read(sines), [row, column, part]),
    ]
    return build.generic(value.shape, reads, [Write(value.type, dims)], body)[0]
