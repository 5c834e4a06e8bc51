"""Floats of 8 and 4 bits, integers of 4 and 2, and BitCast: conversions against ml_dtypes, bit by bit."""

from math import prod
from pathlib import Path
from typing import Any, cast

import ml_dtypes
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

import rammer_ir
from rammer_ir.comparison import compare
from rammer_ir.dtypes import named_dtype
from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.random_inputs import random_inputs
from rammer_ir.testing.onnx_models import graph_model, run_imported
from rammer_ir.testing.typed_programs import check_bits, check_everywhere

FLOATS = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn"]
INTEGERS = ["int4", "uint4", "int2", "uint2"]

Arrays = dict[str, NDArray[Any]]


def casts(inputs: Arrays, outputs: dict[str, tuple[str, Any]], **attributes: Any) -> onnx.ModelProto:
    """A model that converts inputs: each output has the name of an input, and a dtype."""
    nodes = [
        helper.make_node("Cast", [source], [name], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), **attributes)
        for name, (source, dtype) in outputs.items()
    ]
    return graph_model(nodes, inputs, list(outputs), opset=25)


def codes(name: str) -> NDArray[Any]:
    """All values of a type, of a byte each."""
    bits = {"float4_e2m1fn": 4, "int4": 4, "uint4": 4, "int2": 2, "uint2": 2}.get(name, 8)
    return np.arange(1 << bits, dtype=np.uint8).view(named_dtype(name))


def around(values: NDArray[Any]) -> NDArray[np.float32]:
    """Some numbers, what is halfway between two, what is next to all that, and special ones."""
    known = np.sort(values.astype(np.float32))
    known = known[np.isfinite(known)]
    middle = (known + np.roll(known, -1)) / 2
    some = np.concatenate([known, middle, [1e9, 1e-9, np.inf, np.nan, 0, 3 * known.max() / 2]]).astype(np.float32)
    near = np.concatenate([some, np.nextafter(some, np.float32(np.inf)), np.nextafter(some, np.float32(-np.inf))])
    return np.concatenate([near, -near])


def saturated(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    limits = cast("Any", ml_dtypes).finfo(dtype)
    return np.clip(values, np.float32(limits.min), np.float32(limits.max)).astype(dtype)


@pytest.mark.parametrize("name", FLOATS)
def test_narrow_floats(name: str) -> None:
    dtype = named_dtype(name)
    inputs: Arrays = {"x": around(codes(name)), "c": codes(name)}
    expected: Arrays = {"y": saturated(inputs["x"], dtype), "z": inputs["c"].astype(np.float32)}
    model = casts(inputs, {"y": ("x", dtype), "z": ("c", np.float32)})
    if name in ("float8_e4m3fn", "float8_e5m2fnuz"):
        check_everywhere(model, inputs, expected)
    else:
        results = run_imported(import_model(model), inputs)
        check_bits(name, dict(zip(expected, results, strict=True)), expected)


@pytest.mark.parametrize("name", FLOATS[:4])
def test_narrow_floats_without_saturation(name: str) -> None:
    dtype = named_dtype(name)
    inputs: Arrays = {"x": around(codes(name))}
    model = casts(inputs, {"y": ("x", dtype)}, saturate=0)
    check_bits(name, {"y": run_imported(import_model(model), inputs)[0]}, {"y": inputs["x"].astype(dtype)})


def test_conversions_between_narrow_and_other_types() -> None:
    inputs: Arrays = {
        "double": np.array([1 + 2.0**-4 + 2.0**-40, 1 + 2.0**-4, -1 - 2.0**-4 + 2.0**-40, 1e300, 0.3, 2.0**-10]),
        "half": np.array([0.3, 448, 464, 465, -0.001], np.float16),
        "integer": np.array([0, -3, 17, 19, 1000], np.int32),
        "code": np.array([0.5, -448, 1.25], ml_dtypes.float8_e4m3fn),
    }
    fn = ml_dtypes.float8_e4m3fn
    expected: Arrays = {
        "a": np.array([1.125, 1, -1, 448, 0.3125, 2.0**-9 / 2], np.float32).astype(fn),
        "b": saturated(inputs["half"].astype(np.float32), fn),
        "c": saturated(inputs["integer"].astype(np.float32), fn),
        "d": inputs["code"].astype(np.float16),
        "e": inputs["code"].astype(np.float32).astype(ml_dtypes.float8_e5m2),
        "f": np.array([0, -448, 1], np.int16),
        "g": np.array([True, True, True]),
    }
    sources = ["double", "half", "integer", "code", "code", "code", "code"]
    outputs = {name: (source, expected[name].dtype) for name, source in zip(expected, sources, strict=True)}
    check_everywhere(casts(inputs, outputs), inputs, expected)


@pytest.mark.parametrize(("rounding", "saturate"), [("up", 1), ("nearest", 0), ("down", 1)])
def test_powers_of_two(rounding: str, saturate: int) -> None:
    x = np.array([2.0**-127, 2.0**-130, 1, 1.25, 1.5, 1.75, 3, 2.0**127, 1.6 * 2.0**127, np.inf, np.nan], np.float32)
    wanted = {
        "up": [0, 0, 127, 128, 128, 128, 129, 254, 254, 254, 255],
        "down": [0, 0, 127, 127, 127, 127, 128, 254, 254, 254, 255],
        "nearest": [0, 255, 127, 127, 128, 128, 129, 254, 255, 255, 255],
    }[rounding]
    power = named_dtype("float8_e8m0fnu")
    inputs: Arrays = {"x": x, "c": codes("float8_e8m0fnu")}
    expected: Arrays = {"y": np.array(wanted, np.uint8).view(power), "z": inputs["c"].astype(np.float32)}
    model = casts(inputs, {"y": ("x", power), "z": ("c", np.float32)}, round_mode=rounding, saturate=saturate)
    if rounding == "up":
        check_everywhere(model, inputs, expected)
    else:
        results = run_imported(import_model(model), inputs)
        check_bits(rounding, dict(zip(expected, results, strict=True)), expected)


def test_narrow_integers() -> None:
    inputs: Arrays = {name: codes(name) for name in ("int4", "uint2")} | {
        "i": np.arange(-40, 40, dtype=np.int32),
        "f": np.array([-3.9, -1, 0.5, 2, 7], np.float32),
    }
    outputs: dict[str, tuple[str, Any]] = {"fi": ("f", np.dtype(ml_dtypes.int4))}
    expected: Arrays = {"fi": np.array([-3, -1, 0, 2, 7], np.int8).astype(ml_dtypes.int4)}
    for name in ("int4", "uint2"):
        outputs[f"{name}_f"], expected[f"{name}_f"] = (name, np.float32), inputs[name].astype(np.float32)
        outputs[f"{name}_i"] = ("i", named_dtype(name))
        expected[f"{name}_i"] = inputs["i"].astype(named_dtype(name))
    check_everywhere(casts(inputs, outputs), inputs, expected)


def test_bytes_are_moved_as_they_are() -> None:
    dtype = np.dtype(ml_dtypes.float8_e5m2)
    inputs: Arrays = {"x": codes(dtype.name)[100:124].reshape(2, 3, 4)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        helper.make_node("Reshape", ["t", "shape"], ["y"]),
    ]
    model = graph_model(nodes, inputs, ["y"], constants={"shape": np.array([8, 3], np.int64)}, opset=25)
    check_everywhere(model, inputs, {"y": inputs["x"].transpose(2, 0, 1).reshape(8, 3)})


@pytest.mark.parametrize("name", INTEGERS)
def test_packed_constants(name: str, tmp_path: Path) -> None:
    """Of odd length, in the model, in its fields, and in a file beside it."""
    values = np.resize(codes(name), (3, 3, 5))
    packed = onnx.numpy_helper.from_array(values, "packed")
    listed = helper.make_tensor("listed", packed.data_type, values.shape, values.astype(np.int32).ravel())
    external = onnx.numpy_helper.from_array(values, "external")
    set_external_data(external, "data.bin")
    inputs: Arrays = {"x": np.zeros(prod(values.shape), np.float32)}
    model = casts(inputs, {"y": ("x", np.float32)})
    del model.graph.node[:], model.graph.output[:]
    for constant in (packed, listed, external):
        model.graph.initializer.append(constant)
        model.graph.node.append(helper.make_node("Identity", [constant.name], [f"{constant.name}_y"]))
        model.graph.output.append(helper.make_tensor_value_info(f"{constant.name}_y", constant.data_type, values.shape))
    cast("Any", onnx).save(model, tmp_path / "model.onnx")
    for result in run_imported(import_model(tmp_path / "model.onnx"), inputs):
        check_bits(name, {"y": result}, {"y": values})


def test_programs_in_files_know_their_types(tmp_path: Path) -> None:
    """And random inputs, and errors, do."""
    dtypes = ["bfloat16", "float8_e4m3fn", "float4_e2m1fn", "int4", "uint2", "uint16"]
    inputs: Arrays = {name: np.arange(2).astype(named_dtype(name)) for name in dtypes}
    nodes = [helper.make_node("Identity", [name], [f"{name}_y"]) for name in dtypes]
    model = graph_model(nodes, inputs, [f"{name}_y" for name in dtypes], opset=25)
    expected: Arrays = {f"{name}_y": array for name, array in inputs.items()}
    with rammer_ir.compile(model, device="cpu") as program:
        program.save(tmp_path / "program.rammer")
        for name, array in random_inputs(program.inputs, seed=0).items():
            assert array.dtype == named_dtype(name)
        with pytest.raises(InvalidInputError, match="input 'int4' has dtype int8, expected int4"):
            program.run(inputs | {"int4": np.zeros(2, np.int8)})
    with rammer_ir.load(tmp_path / "program.rammer") as program:
        results = program.run(inputs)
        check_bits("loaded", results, expected)
        assert compare(results, expected).is_close


def test_sums_of_half_precision_are_rounded_once() -> None:
    """One by one, ones would add up to 2048, or 256."""
    inputs: Arrays = {"x": np.ones((2, 3000), np.float16), "y": np.ones((3, 700), ml_dtypes.bfloat16)}
    expected: Arrays = {
        "sum": np.full((2, 1), 3000, np.float16),
        "product": np.full((3, 3), 700, ml_dtypes.bfloat16),
    }
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis"], ["sum"]),
        helper.make_node("Transpose", ["y"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["y", "t"], ["product"]),
    ]
    model = graph_model(nodes, inputs, list(expected), constants={"axis": np.array([1], np.int64)})
    check_everywhere(model, inputs, expected)


def test_bit_casts() -> None:
    inputs: Arrays = {
        "f": np.array([0, -0.0, 1.5, np.inf], np.float32),
        "b": np.array([True, False]),
        "i": np.arange(-2, 2, dtype=np.int16),
    }
    expected: Arrays = {
        "u": inputs["f"].view(np.uint32),
        "c": inputs["b"].view(np.int8),
        "h": inputs["i"].view(np.float16),
        "bf": inputs["i"].view(ml_dtypes.bfloat16),
    }
    sources = ["f", "b", "i", "i"]
    nodes = [
        helper.make_node("BitCast", [source], [name], to=helper.np_dtype_to_tensor_dtype(expected[name].dtype))
        for name, source in zip(expected, sources, strict=True)
    ]
    check_everywhere(graph_model(nodes, inputs, list(expected), opset=26), inputs, expected)


def test_bfloat16_is_an_element_type_of_programs() -> None:
    x = np.linspace(-4, 4, 33).astype(ml_dtypes.bfloat16)
    node = helper.make_node("Mul", ["x", "x"], ["y"])
    info = helper.make_tensor_value_info("x", TensorProto.BFLOAT16, x.shape)
    model = graph_model([node], {"x": x}, ["y"])
    assert model.graph.input[0] == info
    check_everywhere(model, {"x": x}, {"y": (x.astype(np.float32) ** 2).astype(x.dtype)})
