"""Boxes of weights in contiguous pieces, against NumPy."""

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rammer_ir.lowering.emission.pins import box_pieces

Box = tuple[list[int], list[int], list[list[int]]]


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """A shape, the sizes of boxes, and the origins of one to three."""
    rank = draw(st.integers(1, 4))
    shape = draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank))
    sizes = [draw(st.one_of(st.just(extent), st.integers(1, extent + 2))) for extent in shape]
    origin = st.tuples(*(st.one_of(st.just(0), st.integers(-3, extent + 1)) for extent in shape)).map(list)
    return shape, sizes, draw(st.lists(origin, min_size=1, max_size=3))


@given(boxes())
def test_pieces_fill_boxes(box: Box) -> None:
    shape, sizes, origins = box
    tensor = np.arange(1, prod(shape) + 1)
    pieces = box_pieces(np.array(origins), sizes, shape)
    filled = np.zeros((len(origins), prod(sizes)), np.int64)
    for owner, to, origin, length in zip(pieces.owners, pieces.in_box, pieces.in_tensor, pieces.lengths, strict=True):
        assert length > 0
        assert not filled[owner, to : to + length].any()
        filled[owner, to : to + length] = tensor[origin : origin + length]
    for number, origin in enumerate(origins):
        assert np.array_equal(filled[number], box_of(tensor.reshape(shape), origin, sizes).reshape(-1))


def box_of(tensor: NDArray[np.int64], origin: list[int], sizes: list[int]) -> NDArray[np.int64]:
    """A box of a tensor, with zeros where it leaves it."""
    margin = max(sizes) + max(map(abs, origin))
    cuts = [slice(start + margin, start + margin + size) for start, size in zip(origin, sizes, strict=True)]
    return np.pad(tensor, margin)[tuple(cuts)]


def test_a_box_of_whole_rows_is_one_piece() -> None:
    pieces = box_pieces(np.array([[8, 0, 0], [16, 0, 0]]), [8, 4, 6], [24, 4, 6])
    assert pieces.lengths.tolist() == [8 * 24, 8 * 24]
    assert pieces.in_tensor.tolist() == [8 * 24, 16 * 24]
    assert pieces.in_box.tolist() == [0, 0]


def test_rows_of_several_matrices_are_a_piece_each() -> None:
    """Each of 13 vEUs keeps 20 rows of 4 matrices of 256: the last ones have 16."""
    origins = np.array([[0, 20 * p, 0] for p in range(13)])
    pieces = box_pieces(origins, [4, 20, 512], [4, 256, 512])
    assert len(pieces.lengths) == 13 * 4
    assert pieces.lengths.sum() == 4 * 256 * 512
    assert pieces.lengths[pieces.owners == 12].tolist() == [16 * 512] * 4
