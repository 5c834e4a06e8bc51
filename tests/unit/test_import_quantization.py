"""Quantised ops, bit by bit against NumPy."""

from typing import Any, cast

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import node_model, run_imported
from rammer_ir.testing.typed_programs import check_bits, check_everywhere

Arrays = dict[str, NDArray[Any]]


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(dtype: Any, *shape: int, seed: int = 0) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


def quantized(x: NDArray[Any], scale: Any, zero: Any, dtype: Any) -> NDArray[Any]:
    limits = cast("Any", ml_dtypes).iinfo(dtype)
    far = np.clip(np.rint(x / scale).astype(np.float64), -1e6, 1e6)
    return np.clip(far + np.asarray(zero).astype(np.float64), int(limits.min), int(limits.max)).astype(dtype)


def check(model: Any, inputs: Arrays, expected: Arrays) -> None:
    """By the interpreter alone."""
    results = run_imported(import_model(model), inputs)
    check_bits("imported", dict(zip(expected, results, strict=True)), expected)


def test_quantization_rounds_to_even_and_saturates() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 130, -130, 1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)
    constants: Arrays = {"scale": np.array(1, np.float32), "zero": np.array(3, np.int8)}
    model = node_model("QuantizeLinear", {"x": x}, constants=constants, opset=21)
    wanted = np.array([3, 5, 5, 3, 1, 127, -127, 127, -128, 127, -128, -128], np.int8)
    check_everywhere(model, {"x": x}, {"y": wanted})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, ml_dtypes.int4, ml_dtypes.uint2], ids=str)
def test_quantization_along_an_axis(dtype: Any) -> None:
    inputs: Arrays = {"x": normal(2, 3, 4) * 5, "scale": np.array([0.5, 0.001, 3], np.float32)}
    inputs["zero"] = np.array([0, 1, 1], np.int8).astype(dtype)
    model = node_model("QuantizeLinear", inputs, opset=25, axis=-2)
    scale, zero = (inputs[name].reshape(3, 1) for name in ("scale", "zero"))
    check(model, inputs, {"y": quantized(inputs["x"], scale, zero, dtype)})


def test_quantization_in_blocks() -> None:
    x = normal(3, 7) * 20
    constants: Arrays = {"scale": np.abs(normal(3, 3, seed=1)) + np.float32(0.1)}
    constants["zero"] = integers(np.uint8, 3, 3)
    model = node_model("QuantizeLinear", {"x": x}, constants=constants, opset=21, axis=1, block_size=3)
    scale, zero = (constants[name].repeat(3, 1)[:, :7] for name in ("scale", "zero"))
    check_everywhere(model, {"x": x}, {"y": quantized(x, scale, zero, np.uint8)})


def test_quantization_of_half_precision_divides_in_it() -> None:
    x, scale = normal(64).astype(np.float16), np.array(0.0301, np.float16)
    in_half = node_model("QuantizeLinear", {"x": x}, constants={"scale": scale}, opset=23)
    check(in_half, {"x": x}, {"y": quantized(x, scale, 0, np.uint8)})
    in_single = node_model(
        "QuantizeLinear", {"x": x}, constants={"scale": scale}, opset=23, precision=TensorProto.FLOAT
    )
    check(in_single, {"x": x}, {"y": quantized(x.astype(np.float32), scale.astype(np.float32), 0, np.uint8)})


def test_quantization_to_float8() -> None:
    x, scale = normal(50) * 300, np.array(0.7, np.float32)
    dtype = np.dtype(ml_dtypes.float8_e4m3fn)
    constants: Arrays = {"scale": scale, "zero": np.zeros((), dtype)}
    model = node_model("QuantizeLinear", {"x": x}, constants=constants, opset=21)
    check_everywhere(model, {"x": x}, {"y": np.clip(x / scale, -448, 448).astype(dtype)})


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, ml_dtypes.uint4, ml_dtypes.float8_e5m2], ids=str)
def test_dequantization(dtype: Any) -> None:
    inputs: Arrays = {"x": integers(np.int8, 3, 4).astype(dtype), "scale": np.array([0.5, 0.3, 3], np.float32)}
    zero = np.zeros(3, dtype)
    if dtype not in (np.int32, ml_dtypes.float8_e5m2):
        inputs["zero"] = zero = np.array([7, 0, 3]).astype(dtype)
    model = node_model("DequantizeLinear", inputs, opset=21, axis=0)
    difference = inputs["x"].astype(np.float32) - zero.astype(np.float32).reshape(3, 1)
    check(model, inputs, {"y": difference * inputs["scale"].reshape(3, 1)})


def test_dequantization_to_half_precision() -> None:
    x, scale = integers(np.uint8, 9), np.array(0.3, np.float16)
    model = node_model("DequantizeLinear", {"x": x}, constants={"s": scale}, opset=23)
    check_everywhere(model, {"x": x}, {"y": (x.astype(np.float32) * scale.astype(np.float32)).astype(np.float16)})


def test_scales_that_are_powers_of_two() -> None:
    x, scale = normal(4, 3) * 30, np.array([0.25, 2, 1], np.float32).astype(ml_dtypes.float8_e8m0fnu)
    attributes: dict[str, Any] = {"opset": 25, "axis": 1}
    model = node_model("QuantizeLinear", {"x": x}, constants={"s": scale}, output_dtype=TensorProto.INT8, **attributes)
    wanted = quantized(x, scale.astype(np.float32), 0, np.int8)
    check(model, {"x": x}, {"y": wanted})
    back = node_model(
        "DequantizeLinear", {"x": wanted}, constants={"s": scale}, output_dtype=TensorProto.FLOAT, **attributes
    )
    check(back, {"x": wanted}, {"y": wanted * scale.astype(np.float32)})


def test_scales_that_do_not_fit() -> None:
    inputs: Arrays = {"x": normal(3, 4), "scale": np.ones(5, np.float32)}
    with pytest.raises(UnsupportedModelError, match=r"has scales of shape \[5\] for a tensor of shape \[3, 4\]"):
        import_model(node_model("QuantizeLinear", inputs, opset=21))


def test_integer_products() -> None:
    inputs: Arrays = {"a": integers(np.uint8, 2, 3, 5), "b": integers(np.int8, 5, 4)}
    constants: Arrays = {"za": np.array([1, 200, 7], np.uint8), "zb": np.array([3, -3, 0, 9], np.int8)}
    model = node_model("MatMulInteger", inputs, constants=constants)
    lhs = inputs["a"].astype(np.int32) - constants["za"].reshape(3, 1)
    check_everywhere(model, inputs, {"y": lhs @ (inputs["b"].astype(np.int32) - constants["zb"])})


def test_quantized_products() -> None:
    a, b = integers(np.uint8, 6, 70), integers(np.uint8, 70, 5, seed=1)
    constants: Arrays = {
        "sa": np.linspace(0.01, 0.02, 6).astype(np.float32),
        "za": np.array(113, np.uint8),
        "b": b,
        "sb": np.linspace(0.02, 0.03, 5).astype(np.float32),
        "zb": np.array(114, np.uint8),
        "sy": np.array(0.2, np.float32),
        "zy": np.array(118, np.uint8),
    }
    sums = (a.astype(np.int32) - 113) @ (b.astype(np.int32) - 114)
    factor = constants["sa"].reshape(6, 1) * constants["sb"] / constants["sy"]
    wanted = np.clip(np.rint(sums * factor.astype(np.float64)) + 118, 0, 255).astype(np.uint8)
    check_everywhere(node_model("QLinearMatMul", {"a": a}, constants=constants), {"a": a}, {"y": wanted})


def convolved(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """A convolution with padding 1."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], (2, 3))
    return np.einsum("nchwyx,ocyx->nohw", windows, w)


def test_integer_convolutions_pad_with_the_zero_point() -> None:
    inputs: Arrays = {"x": integers(np.uint8, 1, 3, 5, 5), "w": integers(np.uint8, 4, 3, 3, 3)}
    inputs["zx"], inputs["zw"] = np.array(9, np.uint8), np.array([1, 2, 0, 250], np.uint8)
    model = node_model("ConvInteger", inputs, pads=[1, 1, 1, 1])
    filters = inputs["w"].astype(np.int32) - inputs["zw"].reshape(4, 1, 1, 1)
    check(model, inputs, {"y": convolved(inputs["x"].astype(np.int32) - 9, filters)})


def test_quantized_convolutions() -> None:
    x, w = integers(np.uint8, 1, 3, 6, 6), integers(np.int8, 4, 3, 3, 3)
    bias = np.array([1000, -1000, 0, 5], np.int32)
    constants: Arrays = {
        "sx": np.array(0.02, np.float32),
        "zx": np.array(120, np.uint8),
        "w": w,
        "sw": np.linspace(0.001, 0.004, 4).astype(np.float32),
        "zw": np.zeros(4, np.int8),
        "sy": np.array(0.05, np.float32),
        "zy": np.array(100, np.uint8),
        "bias": bias,
    }
    sums = convolved(x.astype(np.int32) - 120, w.astype(np.int32)) + bias.reshape(4, 1, 1)
    factor = (constants["sx"] * constants["sw"] / constants["sy"]).reshape(4, 1, 1)
    wanted = np.clip(np.rint(sums * factor.astype(np.float64)) + 100, 0, 255).astype(np.uint8)
    model = node_model("QLinearConv", {"x": x}, constants=constants, pads=[1, 1, 1, 1])
    check_everywhere(model, {"x": x}, {"y": wanted})


def test_dynamic_quantization() -> None:
    x = normal(40)
    model = node_model("DynamicQuantizeLinear", {"x": x}, outputs=("y", "scale", "zero"))
    scale = (max(x.max(), np.float32(0)) - min(x.min(), np.float32(0))) / np.float32(255)
    zero = np.uint8(np.rint(np.clip(-x.min() / scale, 0, 255)))
    wanted: Arrays = {"y": quantized(x, scale, zero, np.uint8), "scale": np.asarray(scale), "zero": np.asarray(zero)}
    check_everywhere(model, {"x": x}, wanted)
