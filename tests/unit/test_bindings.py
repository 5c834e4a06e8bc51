"""What may be bound to a program, and what is said of what may not."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from rammer_ir.errors import InvalidInputError
from rammer_ir.runtime.bindings import check_names, host_array, scalar_values, visible_shape
from rammer_ir.runtime.program_image import Binding, ProgramImage
from rammer_ir.testing.program_images import ImageBuilder

X = Binding("x", (2, 3), "float32")
SEQUENCE = Binding("sequence", (10, 3), "float32", "length")
MASK = Binding("mask", (10,), "int64", "length")
RESULT = Binding("result", (7, 2), "float32", "beams")


@pytest.fixture
def image() -> ProgramImage:
    return ImageBuilder("net", (X, SEQUENCE, MASK), (RESULT,), scalars=("beams", "length", "seed")).image()


class Foreign:
    """An array of another library, in host memory or not."""

    def __init__(self, array: np.ndarray, *, readable: bool):
        self._array = array
        self._readable = readable

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __dlpack__(self, **options: object) -> object:
        if not self._readable:
            raise BufferError("this array is on a GPU\nand more")
        return self._array.__dlpack__()


def bind(image: ProgramImage, inputs: Mapping[str, object]) -> tuple[int, ...]:
    check_names(image, inputs)
    shapes = {binding.name: host_array(binding, inputs[binding.name]).shape for binding in image.inputs}
    return scalar_values(image, shapes, inputs)


def good() -> dict[str, object]:
    return {
        "x": np.zeros((2, 3), np.float32),
        "sequence": np.zeros((4, 3), np.float32),
        "mask": np.zeros(4, np.int64),
        "beams": np.int64(5),
        "seed": 2**31 - 1,
    }


def test_scalars_come_in_order_from_lengths_and_integers(image: ProgramImage) -> None:
    scalars = bind(image, good())
    assert scalars == (5, 4, 2**31 - 1)
    values = dict(zip(image.scalars, scalars, strict=True))
    assert visible_shape(RESULT, values) == (5, 2)
    assert visible_shape(X, values) == (2, 3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sequense", 1, "net: there is no input 'sequense': did you mean 'sequence'?"),
        ("zzz", 1, "net: there is no input 'zzz': the inputs are 'x', 'sequence', 'mask', 'beams', 'seed'"),
        (
            "x",
            [[1.0]],
            "input 'x' is of type list, expected float32 array of shape [2, 3]: convert it with "
            "numpy.asarray(value, 'float32')",
        ),
        (
            "x",
            np.zeros((2, 3)),
            "input 'x' has dtype float64, expected float32: convert it with .astype('float32')",
        ),
        ("x", np.zeros((2, 3), ">f4"), "input 'x' has dtype >f4, expected float32: convert"),
        ("x", np.zeros((3, 2), np.float32), "input 'x' has shape [3, 2], expected float32 array of shape [2, 3]"),
        ("x", np.float32(1), "input 'x' has shape [], expected float32 array of shape [2, 3]"),
        (
            "sequence",
            np.zeros((11, 3), np.float32),
            "input 'sequence' has shape [11, 3], expected float32 array of shape [length <= 10, 3]",
        ),
        ("sequence", np.zeros((4, 2), np.float32), "input 'sequence' has shape [4, 2], expected"),
        ("sequence", np.zeros(3, np.float32), "input 'sequence' has shape [3], expected"),
        (
            "mask",
            np.zeros(5, np.int64),
            "net: inputs 'sequence' and 'mask' have lengths 4 and 5, expected one length 'length' for both",
        ),
        ("beams", 8, "net: input 'beams' is 8, expected 0 <= beams <= 7"),
        ("beams", -1, "net: input 'beams' is -1, expected 0 <= beams <= 7"),
        ("beams", 2.0, "net: input 'beams' is of type float, expected an integer"),
        ("seed", 2**31, "net: input 'seed' is 2147483648, expected 0 <= seed <= 2147483647"),
        (
            "x",
            Foreign(np.zeros((2, 3), np.float32), readable=False),
            "input 'x' cannot be read as an array in host memory (this array is on a GPU): pass a NumPy array",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(image: ProgramImage, name: str, value: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match="^" + re.escape(message)) as caught:
        bind(image, {**good(), name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sequence", "input 'sequence' is missing: expected float32 array of shape [length <= 10, 3]"),
        ("beams", "input 'beams' is missing: expected an integer"),
    ],
)
def test_what_is_missing_is_one_line(image: ProgramImage, name: str, message: str) -> None:
    inputs = good()
    del inputs[name]
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        bind(image, inputs)


def test_dense_arrays_are_used_in_place() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.shares_memory(host_array(X, array), array)
    assert np.shares_memory(host_array(X, Foreign(array, readable=True)), array)


def test_other_arrays_are_copied_dense_and_aligned() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    dense = host_array(X, array)
    assert dense.flags.c_contiguous
    np.testing.assert_array_equal(dense, array)
    unaligned = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(np.float32).reshape(2, 3)
    assert host_array(X, unaligned).flags.aligned
