"""Models whose shapes vary, or are decided by values or by data: right results, and no more programs than needed."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import rammer_ir
from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.program import Program
from rammer_ir.specialisation import analysis
from rammer_ir.specialisation.program import RecompilationWarning, SpecialisedProgram

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def _info(name: str, element: int, shape: Sequence[int | str] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Any] | None = None,
) -> onnx.ModelProto:
    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "varying", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def _compile(model: onnx.ModelProto) -> SpecialisedProgram:
    program = rammer_ir.compile(model, device="cpu")
    assert isinstance(program, SpecialisedProgram)
    return program


def _doubled() -> onnx.ModelProto:
    return _model(
        [helper.make_node("Add", ["x", "x"], ["y"])], [_info("x", FLOAT, ["n", 4])], [_info("y", FLOAT, ["n", 4])]
    )


def _array(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 3


def test_each_shape_is_compiled_once_and_announced_once() -> None:
    with _compile(_doubled()) as program:
        assert program.inputs[0].shape == (-1, 4)
        program.run({"x": _array(3, 4)})
        with pytest.warns(RecompilationWarning, match="compiled again"):
            program.run({"x": _array(5, 4)})
        with warnings.catch_warnings(action="error"):
            for rows in (3, 5, 2):
                x = _array(rows, 4)
                np.testing.assert_array_equal(program.run({"x": x})["y"], 2 * x)
        assert program.variants == 3
        assert program.host_ops == frozenset()
        assert program.report.tasks > 0


def test_the_variant_that_is_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rammer_ir.specialisation.program.MOST_VARIANTS", 2)
    with _compile(_doubled()) as program, warnings.catch_warnings(action="ignore"):
        for rows in (2, 3, 2, 4):
            program.run({"x": _array(rows, 4)})
        assert program.variants == 2
        latest = program.compiled
        program.run({"x": _array(2, 4)})
        assert program.compiled is latest
        program.run({"x": _array(3, 4)})
        assert program.compiled is not latest


def test_fixed_shapes_make_a_program() -> None:
    with rammer_ir.compile(_doubled(), device="cpu", shapes={"x": (3, 4)}) as program:
        assert type(program) is Program
        assert program.inputs[0].shape == (3, 4)
        assert program.variants == 1


@pytest.mark.parametrize(
    ("shapes", "message"),
    [({"z": (1,)}, "no input"), ({"x": (3, 5)}, "contradicts"), ({"x": (3,)}, "2 dimensions")],
)
def test_wrong_fixed_shapes(shapes: Mapping[str, Sequence[int]], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        rammer_ir.compile(_doubled(), device="cpu", shapes=shapes)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "is missing"),
        ({"x": np.zeros((2, 5), np.float32)}, r"has shape \[2, 5\], expected \[2, 4\]"),
        ({"x": np.zeros((2, 4))}, "has dtype float64"),
        ({"x": np.zeros((2, 4), np.float32), "y": 1}, "no input 'y'"),
    ],
)
def test_wrong_inputs(inputs: Mapping[str, object], message: str) -> None:
    with _compile(_doubled()) as program, pytest.raises(InvalidInputError, match=message):
        program.run(inputs)


def test_before_the_first_run_there_is_nothing_to_look_at() -> None:
    with _compile(_doubled()) as program, pytest.raises(InvalidInputError, match="before the first run"):
        program.ir("rop")


def test_values_that_decide_are_parameters_and_not_for_the_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The axes come from an input by arithmetic; ONNX's evaluator is never asked."""

    def refuse(*_: object) -> None:
        raise AssertionError("folded")

    monkeypatch.setattr(analysis, "fold_node", refuse)
    model = _model(
        [
            helper.make_node("Sub", ["a", "one"], ["axes"]),
            helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0),
        ],
        [_info("x", FLOAT, [2, 3]), _info("a", INT64, [1])],
        [_info("y", FLOAT, None)],
        {"one": np.array([1], np.int64)},
    )
    x = _array(2, 3)
    with _compile(model) as program, warnings.catch_warnings(action="ignore"):
        for axis in (0, 1):
            y = program.run({"x": x, "a": np.array([axis + 1], np.int64)})["y"]
            np.testing.assert_allclose(y, x.sum(axis))
        assert program.variants == 2


def test_behind_a_shape_that_depends_on_data_goes_a_program() -> None:
    model = _model(
        [
            helper.make_node("Relu", ["x"], ["positive"]),
            helper.make_node("NonZero", ["positive"], ["where"]),
            helper.make_node("Mul", ["where", "where"], ["y"]),
        ],
        [_info("x", FLOAT, [2, 4])],
        [_info("y", INT64, [2, "count"])],
    )
    with _compile(model) as program:
        for x in (_array(2, 4), -_array(2, 4)):
            expected = np.array(np.nonzero(np.maximum(x, 0))) ** 2
            np.testing.assert_array_equal(program.run({"x": x})["y"], expected)
        assert program.host_ops == {"NonZero"}
        assert program.variants == 1


def test_tensors_without_elements() -> None:
    model = _model(
        [
            helper.make_node("Relu", ["x"], ["nothing"]),
            helper.make_node("Concat", ["nothing", "z"], ["y"], axis=0),
            helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        ],
        [_info("x", FLOAT, ["n", 3]), _info("z", FLOAT, ["m", 3])],
        [_info("nothing", FLOAT, None), _info("y", FLOAT, None), _info("total", FLOAT, None)],
    )
    with _compile(model) as program:
        z = _array(2, 3)
        outputs = program.run({"x": np.zeros((0, 3), np.float32), "z": z})
        assert outputs["nothing"].shape == (0, 3)
        np.testing.assert_array_equal(outputs["y"], z)
        assert outputs["total"] == 0


def test_outputs_that_are_inputs_or_constants() -> None:
    model = _model(
        [helper.make_node("Shape", ["x"], ["shape"])],
        [_info("x", FLOAT, ["n"])],
        [_info("x", FLOAT, ["n"]), _info("shape", INT64, [1]), _info("c", FLOAT, [2])],
        {"c": np.ones(2, np.float32)},
    )
    with _compile(model) as program:
        x = _array(3)
        outputs = program.run({"x": x})
        assert outputs["x"] is not x
        np.testing.assert_array_equal(outputs["x"], x)
        assert outputs["shape"].tolist() == [3]
        assert outputs["c"].tolist() == [1, 1]


def _branch(op: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node(op, ["x"], [op])], op, [], [_info(op, FLOAT, None)])


def test_the_branch_of_a_computed_condition() -> None:
    model = _model(
        [
            helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "zero"], ["condition"]),
            helper.make_node("If", ["condition"], ["y"], then_branch=_branch("Neg"), else_branch=_branch("Abs")),
        ],
        [_info("x", FLOAT, [4])],
        [_info("y", FLOAT, [4])],
        {"zero": np.array(0, np.float32)},
    )
    x = np.array([1, 2, 3, -1], np.float32)
    with _compile(model) as program, warnings.catch_warnings(action="ignore"):
        for sign in (1, -1, 1):
            expected = -x if sign > 0 else np.abs(x)
            np.testing.assert_array_equal(program.run({"x": sign * x})["y"], expected)
        assert program.host_ops == frozenset()


def _loop_body(*, stops: bool) -> onnx.GraphProto:
    """Doubles x; gives the sum before; where it stops, once the sum has reached 100."""
    nodes = [
        helper.make_node("Add", ["x_in", "x_in"], ["x_out"]),
        helper.make_node("ReduceSum", ["x_in"], ["sum"], keepdims=0),
    ]
    if stops:
        nodes.append(helper.make_node("Less", ["sum", "hundred"], ["goes_on"]))
    else:
        nodes.append(helper.make_node("Identity", ["on"], ["goes_on"]))
    inputs = [_info("step", INT64, []), _info("on", BOOL, []), _info("x_in", FLOAT, [2])]
    outputs = [_info("goes_on", BOOL, []), _info("x_out", FLOAT, [2]), _info("sum", FLOAT, [])]
    return helper.make_graph(nodes, "body", inputs, outputs)


@pytest.mark.parametrize("stops", [False, True])
def test_loops(stops: bool) -> None:
    model = _model(
        [helper.make_node("Loop", ["count", "", "x"], ["y", "sums"], body=_loop_body(stops=stops))],
        [_info("x", FLOAT, [2]), _info("count", INT64, [])],
        [_info("y", FLOAT, [2]), _info("sums", FLOAT, ["steps"])],
        {"hundred": np.array(100, np.float32)},
    )
    x = np.array([1, 2], np.float32)
    with _compile(model) as program, warnings.catch_warnings(action="ignore"):
        for count in (3, 9):
            outputs = program.run({"x": x, "count": np.array(count, np.int64)})
            steps = min(count, 7) if stops else count
            np.testing.assert_array_equal(outputs["y"], x * 2**steps)
            np.testing.assert_array_equal(outputs["sums"], [3 * 2**step for step in range(steps)])
        assert program.host_ops == ({"Loop"} if stops else set())


@pytest.mark.parametrize("most", [1, 1000])
def test_scans(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unrolled and driven by the host."""
    monkeypatch.setattr("rammer_ir.specialisation.control_flow.MOST_UNROLLED_NODES", most)
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "row"], ["t"]), helper.make_node("Identity", ["t"], ["kept"])],
        "body",
        [_info("s", FLOAT, [3]), _info("row", FLOAT, [3])],
        [_info("t", FLOAT, [3]), _info("kept", FLOAT, [3])],
    )
    scan = helper.make_node(
        "Scan", ["s0", "x"], ["last", "rows"], body=body, num_scan_inputs=1, scan_input_directions=[1]
    )
    model = _model(
        [scan],
        [_info("s0", FLOAT, [3]), _info("x", FLOAT, ["n", 3])],
        [_info("last", FLOAT, [3]), _info("rows", FLOAT, ["n", 3])],
    )
    x = _array(4, 3)
    with _compile(model) as program:
        outputs = program.run({"s0": np.ones(3, np.float32), "x": x})
        expected = 1 + np.cumsum(x[::-1], axis=0)
        np.testing.assert_allclose(outputs["rows"], expected)
        np.testing.assert_allclose(outputs["last"], expected[-1])


def test_what_no_part_can_be_is_refused_at_once() -> None:
    model = _model(
        [helper.make_node("Frobnicate", ["x"], ["y"], domain="custom")],
        [_info("x", FLOAT, ["n", 4])],
        [_info("y", INT64, None)],
    )
    model.opset_import.append(helper.make_opsetid("custom", 1))
    with pytest.raises(UnsupportedModelError):
        rammer_ir.compile(model, device="cpu")
