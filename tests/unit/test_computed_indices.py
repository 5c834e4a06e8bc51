"""Gathers through all levels: importer, passes, bodies of both targets, and the compiled program, against NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from rammer_ir.dialects import rop, rtask
from rammer_ir.dialects.rop import tensor_type
from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.module import run_module
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.onnx_models import check_import, graph_model, node_model, run_imported

GPU = "set-device{device=h100 veus=3},base"
HOST = "set-device{device=host veus=3},persistent"


def normal(*shape: int, dtype: Any = np.float32) -> NDArray[Any]:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@settings(max_examples=30)
@given(st.data())
def test_gather(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index_shape = data.draw(st.lists(st.integers(1, 3), max_size=2))
    dtype = data.draw(st.sampled_from([np.int32, np.int64]))
    generator = np.random.default_rng(data.draw(st.integers(0, 9)))
    indices = generator.integers(-shape[axis], shape[axis], index_shape).astype(dtype)
    x = normal(*shape)
    is_known = data.draw(st.booleans())
    known = {"i": indices} if is_known else {}
    inputs = {"x": x} if is_known else {"x": x, "i": indices}
    model = node_model("Gather", inputs, constants=known, axis=axis)
    (result,) = run_imported(import_model(model), inputs)
    np.testing.assert_array_equal(result, np.take(x, indices, axis))


@settings(max_examples=20)
@given(st.integers(-3, 2), st.lists(st.integers(1, 3), min_size=3, max_size=3), st.sampled_from([np.float32, np.bool_]))
def test_gather_elements(axis: int, shape: list[int], dtype: Any) -> None:
    x = (normal(3, 4, 5) > 0) if dtype == np.bool_ else normal(3, 4, 5)
    extent = x.shape[axis]
    indices = np.random.default_rng(sum(shape)).integers(-extent, extent, shape)
    inputs = {"x": x, "i": indices}
    (result,) = run_imported(import_model(node_model("GatherElements", inputs, axis=axis)), inputs)
    others = tuple(slice(size) for size in shape)
    window = tuple(slice(None) if dim == axis % 3 else part for dim, part in enumerate(others))
    np.testing.assert_array_equal(result, np.take_along_axis(x[window], indices, axis))


@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2])
def test_gather_nd(batch: int, depth: int) -> None:
    x = normal(2, 3, 4, 5)
    extents = x.shape[batch : batch + depth]
    columns = [np.random.default_rng(9).integers(-extent, extent, (2, 3, 2)) for extent in extents]
    inputs = {"x": x, "i": np.stack(columns, axis=-1)}
    check_import(node_model("GatherND", inputs, batch_dims=batch), inputs)


def test_indices_out_of_range_read_the_nearest_element() -> None:
    x, indices = normal(4, 3), np.array([-100, -5, 4, 2**31 - 1])
    inputs = {"x": x, "i": indices}
    model = node_model("Gather", inputs)
    for pipeline in (GPU, HOST):
        lowered = lower_model(model, pipeline)
        (result,) = run_module(lowered.module, inputs, {})
        np.testing.assert_array_equal(result, x[[0, 0, 3, 3]])


def test_known_indices_out_of_range_are_refused() -> None:
    inputs = {"x": normal(4, 3)}
    with pytest.raises(UnsupportedModelError, match=r"op Gather .*has indices that are out of range for 4 elements"):
        import_model(node_model("Gather", inputs, constants={"i": np.array([0, 4])}))


def test_known_indices_at_equal_distances_are_a_view() -> None:
    inputs = {"x": normal(9, 4)}
    module = import_model(node_model("Gather", inputs, constants={"i": np.array([[7, 5], [3, 1]])})).module
    generics = [op for op in module.walk() if isinstance(op, rop.GenericOp)]
    assert not any(generic.extracted for generic in generics)
    assert tensor_type(generics[0].inputs[0]).get_shape() == (9, 4)


@pytest.mark.parametrize("pipeline", [GPU, HOST], ids=["gpu", "host"])
def test_bodies_do_what_regions_say(pipeline: str) -> None:
    """A table of rows, and what goes on with the rows: one kernel, whose tiles overhang."""
    inputs = {"table": normal(11, 70), "i": np.random.default_rng(0).integers(-11, 11, (7,)), "bias": normal(7, 70)}
    nodes = [
        ("Gather", ["table", "i"], "rows"),
        ("Add", ["rows", "bias"], "sum"),
        ("Tanh", ["sum"], "y"),
    ]
    made = [helper.make_node(op, names, [out]) for op, names, out in nodes]
    lowered = lower_model(graph_model(made, inputs, ["y"]), pipeline)
    (kernel,) = (op for op in lowered.module.ops if isinstance(op, rtask.KernelOp))
    by_shape = {array.shape: array for array in inputs.values()}
    reads = [by_shape[tensor_type(value).get_shape()] for value in kernel.read_arguments]
    check_kernel(lowered.module, kernel, reads)
    (result,) = run_module(lowered.module, inputs, {})
    expected = np.tanh(inputs["table"][inputs["i"]] + inputs["bias"])
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
