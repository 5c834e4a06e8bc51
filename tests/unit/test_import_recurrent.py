"""LSTM, GRU and RNN against onnxruntime."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rammer_ir.dialects.rop import GenericOp, ScanOp
from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles
from rammer_ir.testing.onnx_models import check_import, node_model

STEPS, INPUTS, HIDDEN = 5, 3, 4
OUTPUTS = ("y", "y_h", "y_c")


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def parameters(directions: int = 1) -> dict[str, NDArray[Any]]:
    return {
        "w": normal(directions, 4 * HIDDEN, INPUTS, seed=1),
        "r": normal(directions, 4 * HIDDEN, HIDDEN, seed=2),
        "b": normal(directions, 8 * HIDDEN, seed=3),
    }


@pytest.mark.parametrize(("direction", "directions"), [("forward", 1), ("reverse", 1), ("bidirectional", 2)])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("outputs", [OUTPUTS, ("y",), ("", "y_h"), ("", "", "y_c"), ("y", "", "y_c")])
def test_directions_and_outputs(direction: str, directions: int, batch: int, outputs: Any) -> None:
    inputs = {"x": normal(STEPS, batch, INPUTS)}
    model = node_model(
        "LSTM", inputs, constants=parameters(directions), outputs=outputs, hidden_size=HIDDEN, direction=direction
    )
    check_import(model, inputs)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("is_computed", [False, True])
def test_initial_state(direction: str, is_computed: bool) -> None:
    directions = 2 if direction == "bidirectional" else 1
    inputs = {"x": normal(STEPS, 2, INPUTS)}
    state = {"h": normal(directions, 2, HIDDEN, seed=4), "c": normal(directions, 2, HIDDEN, seed=5)}
    constants = parameters(directions)
    (inputs if is_computed else constants).update(state)
    model = node_model(
        "LSTM",
        inputs,
        constants=constants,
        order=["x", "w", "r", "b", "", "h", "c"],
        outputs=OUTPUTS,
        hidden_size=HIDDEN,
        direction=direction,
    )
    check_import(model, inputs)


def test_without_biases() -> None:
    inputs = {"x": normal(STEPS, 1, INPUTS)}
    model = node_model("LSTM", inputs, constants=parameters(), order=["x", "w", "r"], hidden_size=HIDDEN)
    check_import(model, inputs)


def test_computed_parameters() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS)} | parameters(2)
    model = node_model("LSTM", inputs, outputs=OUTPUTS, hidden_size=HIDDEN, direction="bidirectional")
    check_import(model, inputs)


def test_full_lengths() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS)}
    constants = parameters() | {"lengths": np.array([STEPS, STEPS], np.int32)}
    order = ["x", "w", "r", "b", "lengths"]
    check_import(node_model("LSTM", inputs, constants=constants, order=order, hidden_size=HIDDEN), inputs)


def test_default_activations_by_name() -> None:
    inputs = {"x": normal(STEPS, 1, INPUTS)}
    names = ["Sigmoid", "Tanh", "Tanh"]
    check_import(node_model("LSTM", inputs, constants=parameters(), activations=names, hidden_size=HIDDEN), inputs)


def test_batch_first() -> None:
    """onnxruntime does not do layout 1, ONNX's own evaluator not with several directions: compare with layout 0."""
    inputs = {"x": normal(STEPS, 2, INPUTS)}
    from rammer_ir.testing.onnx_models import run_imported

    attributes: dict[str, Any] = {"outputs": OUTPUTS, "hidden_size": HIDDEN, "direction": "bidirectional"}
    y, y_h, y_c = run_imported(import_model(node_model("LSTM", inputs, constants=parameters(2), **attributes)), inputs)
    batched = {"x": inputs["x"].transpose(1, 0, 2)}
    model = node_model("LSTM", batched, constants=parameters(2), layout=1, **attributes)
    results = run_imported(import_model(model), batched)
    for result, reference in zip(
        results, [y.transpose(2, 0, 1, 3), y_h.transpose(1, 0, 2), y_c.transpose(1, 0, 2)], strict=True
    ):
        np.testing.assert_array_equal(result, reference)


ACTIVATIONS = (
    ("Affine", 0.5, 0.25),
    ("Elu", 0.7, None),
    ("HardSigmoid", 0.3, 0.4),
    ("LeakyRelu", 0.2, None),
    ("Relu", None, None),
    ("ScaledTanh", 0.8, 1.2),
    ("Sigmoid", None, None),
    ("Softplus", None, None),
    ("Softsign", None, None),
    ("Tanh", None, None),
    ("ThresholdedRelu", 0.3, None),
)
"""Every activation that ONNX names, with values of its parameters."""

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}


def check_layer(op: str, directions: int = 1, *, batch: int = 2, state: bool = False, **attributes: Any) -> None:
    """A layer with random weights against onnxruntime; with `state`, its first states are given."""
    gates, outputs = GATES[op], OUTPUTS if op == "LSTM" else OUTPUTS[:2]
    inputs = {"x": normal(STEPS, batch, INPUTS)}
    constants = {
        "w": normal(directions, gates * HIDDEN, INPUTS, seed=1),
        "r": normal(directions, gates * HIDDEN, HIDDEN, seed=2),
        "b": normal(directions, 2 * gates * HIDDEN, seed=3),
    }
    order = ["x", *constants]
    if state:
        names = ["h", "c"][: len(outputs) - 1]
        inputs |= {name: normal(directions, batch, HIDDEN, seed=4 + number) for number, name in enumerate(names)}
        order += ["", *names]
    model = node_model(op, inputs, constants=constants, order=order, outputs=outputs, hidden_size=HIDDEN, **attributes)
    check_import(model, inputs)


@pytest.mark.parametrize(("direction", "directions"), [("forward", 1), ("reverse", 1), ("bidirectional", 2)])
@pytest.mark.parametrize(
    ("op", "attributes"),
    [("RNN", {}), ("GRU", {}), ("GRU", {"linear_before_reset": 1}), ("LSTM", {"input_forget": 1})],
)
@pytest.mark.parametrize("state", [False, True])
def test_kinds_of_layers(op: str, attributes: dict[str, Any], direction: str, directions: int, state: bool) -> None:
    check_layer(op, directions, direction=direction, state=state, **attributes)


@pytest.mark.parametrize(("name", "alpha", "beta"), ACTIVATIONS)
def test_activations(name: str, alpha: float | None, beta: float | None) -> None:
    values = {"activation_alpha": alpha, "activation_beta": beta}
    attributes: dict[str, Any] = {key: [value] for key, value in values.items() if value is not None}
    check_layer("RNN", activations=[name], **attributes)


@pytest.mark.parametrize("name", ["Elu", "HardSigmoid", "LeakyRelu"])
def test_default_parameters_of_activations(name: str) -> None:
    check_layer("RNN", activations=[name])


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_activations_take_their_parameters_in_order(op: str) -> None:
    names = ["HardSigmoid", "Relu", "LeakyRelu"][: FUNCTIONS[op]]
    alphas = [0.3, 0.1, 0.4, 0.2] if op == "LSTM" else [0.3, 0.4]
    check_layer(
        op,
        2,
        direction="bidirectional",
        activations=names * 2,
        activation_alpha=alphas,
        activation_beta=[0.45, 0.55],
    )


@pytest.mark.parametrize("op", GATES)
def test_clip(op: str) -> None:
    check_layer(op, clip=0.4)


def test_peepholes() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS)}
    constants = parameters() | {"p": normal(1, 3 * HIDDEN, seed=6)}
    order = ["x", "w", "r", "b", "", "", "", "p"]
    check_import(
        node_model("LSTM", inputs, constants=constants, order=order, outputs=OUTPUTS, hidden_size=HIDDEN), inputs
    )


def test_computed_biases_of_a_gru() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS), "b": normal(1, 6 * HIDDEN, seed=3)}
    constants = {"w": normal(1, 3 * HIDDEN, INPUTS, seed=1), "r": normal(1, 3 * HIDDEN, HIDDEN, seed=2)}
    order = ["x", "w", "r", "b"]
    model = node_model("GRU", inputs, constants=constants, order=order, hidden_size=HIDDEN, linear_before_reset=1)
    check_import(model, inputs)


@pytest.mark.parametrize(("op_type", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize(("direction", "directions"), [("forward", 1), ("reverse", 1), ("bidirectional", 2)])
@pytest.mark.parametrize("is_computed", [False, True])
def test_sequences_of_several_lengths(
    op_type: str, gates: int, direction: str, directions: int, is_computed: bool
) -> None:
    inputs: dict[str, NDArray[Any]] = {"x": normal(STEPS, 3, INPUTS)}
    constants = {
        "w": normal(directions, gates * HIDDEN, INPUTS, seed=1),
        "r": normal(directions, gates * HIDDEN, HIDDEN, seed=2),
        "b": normal(directions, 2 * gates * HIDDEN, seed=3),
        "h": normal(directions, 3, HIDDEN, seed=4),
    }
    (inputs if is_computed else constants)["lengths"] = np.array([2, STEPS, 1], np.int32)
    model = node_model(
        op_type,
        inputs,
        constants=constants,
        order=["x", "w", "r", "b", "lengths", "h"],
        outputs=OUTPUTS if op_type == "LSTM" else OUTPUTS[:2],
        hidden_size=HIDDEN,
        direction=direction,
    )
    check_import(model, inputs)


def test_lengths_that_are_all_full_change_nothing() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS)}
    lengths = {"lengths": np.array([STEPS, STEPS], np.int32)}
    order = ["x", "w", "r", "b"]
    plain = node_model("LSTM", inputs, constants=parameters(), order=order, hidden_size=HIDDEN)
    full = node_model("LSTM", inputs, constants=parameters() | lengths, order=[*order, "lengths"], hidden_size=HIDDEN)
    assert str(import_model(plain).module) == str(import_model(full).module)


def test_compiled_sequences_of_several_lengths() -> None:
    inputs = {"x": normal(STEPS, 2, INPUTS), "lengths": np.array([2, STEPS], np.int32)}
    order = ["x", "w", "r", "b", "lengths"]
    model = node_model("LSTM", inputs, constants=parameters(), order=order, outputs=("y", "y_h"), hidden_size=HIDDEN)
    check_compiled(model, inputs)
    check_cuda_compiles(model)


@pytest.mark.parametrize(
    ("extra", "order", "changes", "reason"),
    [
        (
            {},
            ["x", "w", "r", "b"],
            {"activations": ["Sigmoid", "Tanh", "Swish"]},
            "has an activation that is not known",
        ),
        ({}, ["x", "w", "r", "b"], {"activations": ["Tanh", "Tanh", "Affine"]}, "has activation Affine without"),
        ({}, ["x", "w", "r", "b"], {"activations": ["Tanh"]}, "has 1 activations where 3 are needed"),
        ({"n": np.array([3, 4], np.int32)}, ["x", "w", "r", "b", "n"], {}, "has input 4 of shape"),
        ({"h": normal(1, 2, HIDDEN)}, ["x", "w", "r", "b", "", "h"], {}, "has input 5 of shape"),
    ],
)
def test_variants_are_refused(
    extra: dict[str, NDArray[Any]], order: list[str], changes: dict[str, Any], reason: str
) -> None:
    inputs = {"x": normal(STEPS, 1, INPUTS)}
    model = node_model("LSTM", inputs, constants=parameters() | extra, order=order, hidden_size=HIDDEN, **changes)
    with pytest.raises(UnsupportedModelError, match=rf'node "tested": op LSTM \(opset 17\) {reason}'):
        import_model(model)


def test_structure() -> None:
    """The input's product is outside of the scan; a step is one contraction and one update of both states."""
    model = node_model("LSTM", {"x": normal(STEPS, 1, INPUTS)}, constants=parameters(), hidden_size=HIDDEN)
    module = import_model(model).module
    (scan,) = [op for op in module.walk() if isinstance(op, ScanOp)]
    outside = [op for op in module.walk() if isinstance(op, GenericOp) and op.parent_op() is not scan]
    assert outside[0].bounds == (STEPS, 1, 4, HIDDEN, INPUTS)
    gates, update = [op for op in scan.body.block.ops if isinstance(op, GenericOp)]
    assert gates.bounds == (1, 4, HIDDEN, HIDDEN)
    assert update.bounds == (1, HIDDEN)
    assert len(update.res) == 2
