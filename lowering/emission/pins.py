"""Pinned weights: which contiguous pieces each vEU copies where in its shared memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from rammer_ir.dialects.block import memref_type
from rammer_ir.dialects.vdevice import PinOp, enclosing_veus
from rammer_ir.lowering.element_types import element_bytes, static_shape
from rammer_ir.lowering.emission.evaluation import evaluate
from rammer_ir.lowering.emission.tables import OUTSIDE, IntArray, Rows, instruction_rows, low_and_high
from rammer_ir.runtime.program_image import Opcode, Space


@dataclass(frozen=True)
class Pieces:
    """
    Contiguous pieces of a box, of shape [pieces], in elements: where each lies in the box and in the tensor.

    `owners` says whose box it is, by position in the origins given.
    """

    owners: IntArray
    in_box: IntArray
    in_tensor: IntArray
    lengths: IntArray


def box_pieces(origins: IntArray, sizes: Sequence[int], shape: Sequence[int]) -> Pieces:
    """
    The contiguous pieces of boxes of `sizes` at `origins`, of shape [boxes, rank], in a row-major tensor of `shape`.

    What of a box lies out of the tensor is left out.
    """
    split = _contiguous_from(origins, sizes, shape)
    inner = prod(shape[split + 1 :])
    outer = np.indices(tuple(sizes[:split])).reshape(split, prod(sizes[:split])).T
    places = origins[:, None, :split] + outer[None, :, :]
    inside = ((places >= 0) & (places < np.asarray(shape[:split]))).all(axis=2)
    start = np.maximum(origins[:, split], 0)
    end = np.minimum(origins[:, split] + sizes[split], shape[split])
    inside &= (end > start)[:, None]
    owners, rows = np.nonzero(inside)
    in_tensor = np.zeros(len(owners), np.int64)
    for dim in range(split):
        in_tensor = in_tensor * shape[dim] + places[owners, rows, dim]
    in_tensor = (in_tensor * shape[split] + start[owners]) * inner
    in_box = (rows * sizes[split] + (start - origins[:, split])[owners]) * inner
    return Pieces(owners, in_box, in_tensor, (end - start)[owners] * inner)


def _contiguous_from(origins: IntArray, sizes: Sequence[int], shape: Sequence[int]) -> int:
    """The first dimension from which on a box is contiguous: those behind it are whole."""
    split = len(shape) - 1
    while split > 0 and sizes[split] == shape[split] and not origins[:, split].any():
        split -= 1
    return split


def pin_rows(op: PinOp, weight_offset: int, shared_offset: int) -> Rows:
    """
    The copies that fill a pinned weight, which lies `shared_offset` bytes into each vEU's pinned memory.

    `weight_offset` is where the weight lies in the weight arena.
    """
    first, last = enclosing_veus(op)
    weight = memref_type(op.weight)
    size = element_bytes(weight.element_type)
    numbers = np.arange(last - first)
    origins = np.stack(evaluate(op.box.origin.data, [numbers], ()), axis=1)
    pieces = box_pieces(origins, op.box.sizes, static_shape(weight))
    low, high = low_and_high(weight_offset + pieces.in_tensor * size)
    words = (Space.WEIGHTS, shared_offset + pieces.in_box * size, pieces.lengths * size, low, high)
    return instruction_rows(pieces.owners + first, Opcode.PIN, words, OUTSIDE)
