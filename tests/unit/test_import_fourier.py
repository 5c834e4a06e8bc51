"""DFT and STFT against NumPy in float64: lengths with and without divisors, cut and filled up, all forms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import run_evaluator, run_imported

GENERATOR = np.random.default_rng(13)
Array = NDArray[Any]


def dft_model(
    values: Array, length: int | None, axis: int, opset: int, attributes: Mapping[str, int]
) -> onnx.ModelProto:
    constants: dict[str, Array] = {} if length is None else {"length": np.array(length)}
    names = ["x", "length" if constants else ""]
    options: dict[str, Any] = dict(attributes)
    if opset >= 20:
        constants["axis"] = np.array(axis)
        names.append("axis")
    else:
        options["axis"] = axis
    node = helper.make_node("DFT", names, ["y"], **options)
    return nodes_model([node], {"x": values}, constants=constants, opset=opset)


def numbers(*shape: int) -> Array:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def as_complex(values: Array) -> NDArray[np.complex128]:
    exact = values.astype(np.float64)
    imaginary = np.zeros_like(exact[..., 0]) if values.shape[-1] == 1 else exact[..., 1]
    return (exact[..., 0] + 1j * imaginary).astype(np.complex128)


def parts(values: NDArray[np.complex128]) -> Array:
    return np.stack([np.real(values), np.imag(values)], axis=-1).astype(np.float32)


def check(model: onnx.ModelProto, values: Array, wanted: Array) -> None:
    (result,) = run_imported(import_model(model), {"x": values})
    assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("opset", [19, 20])
@pytest.mark.parametrize(("extent", "length"), [(10, None), (67, None), (96, None), (7, 12), (130, 100), (90, 144)])
def test_forward(count: int, opset: int, extent: int, length: int | None) -> None:
    values = numbers(2, extent, 3, count)
    wanted = np.fft.fft(as_complex(values), length, axis=1)
    check(dft_model(values, length, 1, opset, {}), values, parts(wanted))
    if count == 1:
        half = wanted[:, : wanted.shape[1] // 2 + 1]
        check(dft_model(values, length, 1, opset, {"onesided": 1}), values, parts(half))


@pytest.mark.parametrize("extent", [10, 96])
def test_inverse(extent: int) -> None:
    values = numbers(3, extent, 2)
    wanted = np.fft.ifft(as_complex(values), axis=1)
    check(dft_model(values, None, -2, 20, {"inverse": 1}), values, parts(wanted))


@pytest.mark.parametrize(("extent", "length"), [(6, None), (6, 11), (9, 10), (4, 10)])
def test_inverse_to_real_numbers(extent: int, length: int | None) -> None:
    values = numbers(3, extent, 2)
    wanted = np.fft.irfft(as_complex(values), length, axis=1)[..., None].astype(np.float32)
    check(dft_model(values, length, 1, 20, {"inverse": 1, "onesided": 1}), values, wanted)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axes(axis: int) -> None:
    values = numbers(3, 4, 5, 2)
    check(dft_model(values, None, axis, 20, {}), values, parts(np.fft.fft(as_complex(values), axis=axis)))


def stft_model(
    values: Array, *, step: int, window: Array | None, length: int | None, half: int | None
) -> onnx.ModelProto:
    constants: dict[str, Array] = {"step": np.array(step)}
    constants |= {} if window is None else {"window": window}
    constants |= {} if length is None else {"length": np.array(length)}
    names = ["x", "step", *(name if name in constants else "" for name in ("window", "length"))]
    options: dict[str, Any] = {} if half is None else {"onesided": half}
    node = helper.make_node("STFT", names, ["y"], **options)
    return nodes_model([node], {"x": values}, constants=constants, opset=17)


@pytest.mark.parametrize("half", [None, 0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_windows_of_a_signal(half: int, weighted: bool) -> None:
    values = numbers(2, 128, 1)
    window = np.hanning(16).astype(np.float32) if weighted else None
    model = stft_model(values, step=8, window=window, length=16, half=half)
    (wanted,) = run_evaluator(model, {"x": values})
    check(model, values, wanted)


def test_what_is_refused() -> None:
    with pytest.raises((UnsupportedModelError, InvalidInputError), match=r"DFT|along dimension 1"):
        import_model(dft_model(numbers(3, 2), None, 1, 20, {}))


def test_compiled() -> None:
    values = numbers(2, 96, 1)
    model = dft_model(values, None, 1, 20, {"onesided": 1})
    wanted = parts(np.fft.fft(as_complex(values), axis=1)[:, :49])
    check_compiled(model, {"x": values}, {"y": wanted}, rtol=1e-4, atol=1e-4)
    check_cuda_compiles(model)
