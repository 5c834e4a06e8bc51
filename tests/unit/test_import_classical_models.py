"""Decision trees, features and determinants: against ONNX's own evaluator and NumPy."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.compiled_models import check_compiled, check_cuda_compiles, nodes_model
from rammer_ir.testing.onnx_models import check_import, node_model, run_evaluator, run_imported

GENERATOR = np.random.default_rng(19)
DOMAIN = "ai.onnx.ml"
MEMBER = 6


def normal(*shape: int) -> NDArray[np.float32]:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def learned(op_type: str, values: NDArray[Any], version: int = 5, **attributes: Any) -> onnx.ModelProto:
    node = helper.make_node(op_type, ["x"], ["y"], domain=DOMAIN, **attributes)
    return nodes_model([node], {"x": values}, domains={DOMAIN: version})


def check(model: onnx.ModelProto, values: NDArray[Any]) -> None:
    (result,) = run_imported(import_model(model), {"x": values})
    (wanted,) = run_evaluator(model, {"x": values})
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


def random_trees(count: int, depth: int, modes: list[int], **attributes: Any) -> dict[str, Any]:
    """Complete trees over 4 features, with leaves for 3 targets."""
    lists: dict[str, list[Any]] = {
        name: []
        for name in ("features", "splits", "modes", "true", "false", "true_leaf", "false_leaf", "roots", "members")
    }
    leaves: list[tuple[int, float]] = []

    def leaf() -> int:
        leaves.append((int(GENERATOR.integers(3)), float(np.round(GENERATOR.normal(), 3))))
        return len(leaves) - 1

    def grow(level: int) -> int:
        number = len(lists["features"])
        mode = int(GENERATOR.choice(modes))
        lists["features"].append(int(GENERATOR.integers(4)))
        lists["splits"].append(float(GENERATOR.integers(-2, 3)))
        lists["modes"].append(mode)
        if mode == MEMBER:
            lists["members"] += [-1.0, 2.0, float("nan")]
        for name in ("true", "false"):
            lists[name].append(-1)
            lists[f"{name}_leaf"].append(int(level + 1 == depth))
        for name in ("true", "false"):
            lists[name][number] = leaf() if level + 1 == depth else grow(level + 1)
        return number

    lists["roots"] = [grow(0) for _ in range(count)]
    members = {"membership_values": numpy_helper.from_array(np.array(lists["members"], np.float32))}
    return {
        "n_targets": 3,
        "nodes_featureids": lists["features"],
        "nodes_splits": numpy_helper.from_array(np.array(lists["splits"], np.float32)),
        "nodes_modes": numpy_helper.from_array(np.array(lists["modes"], np.uint8)),
        "nodes_truenodeids": lists["true"],
        "nodes_falsenodeids": lists["false"],
        "nodes_trueleafs": lists["true_leaf"],
        "nodes_falseleafs": lists["false_leaf"],
        "leaf_targetids": [target for target, _ in leaves],
        "leaf_weights": numpy_helper.from_array(np.array([weight for _, weight in leaves], np.float32)),
        "tree_roots": lists["roots"],
        **(members if lists["members"] else {}),
        **attributes,
    }


ROWS = GENERATOR.integers(-3, 4, (20, 4)).astype(np.float32)


@pytest.mark.parametrize("aggregate", [0, 1, 2, 3])
@pytest.mark.parametrize("modes", [[0], [0, 1, 2, 3], [4, 5], [0, MEMBER]])
def test_trees(aggregate: int, modes: list[int]) -> None:
    check(learned("TreeEnsemble", ROWS, **random_trees(5, 3, modes, aggregate_function=aggregate)), ROWS)


def test_missing_features_take_the_way_that_is_said() -> None:
    rows = ROWS.copy()
    rows[::3, 1] = np.nan
    trees = random_trees(4, 3, [0])
    trees["nodes_missing_value_tracks_true"] = [number % 2 for number in range(len(trees["nodes_featureids"]))]
    check(learned("TreeEnsemble", rows, **trees), rows)


def test_trees_that_do_not_exist_are_refused() -> None:
    trees = random_trees(2, 2, [0])
    for change in ({"tree_roots": [99]}, {"nodes_truenodeids": [0] * 6, "nodes_trueleafs": [0] * 6}, {"n_targets": 1}):
        changed: dict[str, Any] = {**trees, **change}
        with pytest.raises((UnsupportedModelError, InvalidInputError), match="TreeEnsemble"):
            import_model(learned("TreeEnsemble", ROWS, **changed))


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("Binarizer", {"threshold": 0.5}),
        ("Scaler", {"offset": [1.0, 2.0, 3.0, 4.0], "scale": [0.5, 1.0, 2.0, 3.0]}),
        ("Scaler", {"offset": [1.0], "scale": [0.5]}),
        ("Imputer", {"imputed_value_floats": [1.0, 2.0, 3.0, 4.0], "replaced_value_float": 2.0}),
        ("Imputer", {"imputed_value_floats": [7.0], "replaced_value_float": float("nan")}),
        ("Normalizer", {"norm": "MAX"}),
        ("Normalizer", {"norm": "L1"}),
        ("Normalizer", {"norm": "L2"}),
        (
            "LinearRegressor",
            {"coefficients": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "targets": 2, "intercepts": [0.0, 9.0]},
        ),
        ("LinearRegressor", {"coefficients": [1.0, -2.0, 3.0, 4.0], "intercepts": [0.5]}),
    ],
)
def test_features(op_type: str, attributes: dict[str, Any]) -> None:
    rows = np.abs(ROWS) + 1 if op_type == "Normalizer" else ROWS.copy()
    if np.isnan(attributes.get("replaced_value_float", 0.0)):
        rows[::2, 1] = np.nan
    check(learned(op_type, rows, 1, **attributes), rows)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 3, 3), (2, 3, 4, 4), (9, 9)])
def test_determinants(shape: tuple[int, ...]) -> None:
    values = normal(*shape)
    (result,) = run_imported(import_model(node_model("Det", {"x": values})), {"x": values})
    np.testing.assert_allclose(result, np.linalg.det(values.astype(np.float64)), rtol=1e-3, atol=1e-4)


def test_determinants_without_pivots() -> None:
    values = np.array([[[0, 1], [1, 0]], [[1, 2], [2, 4]], [[0, 0], [0, 3]]], np.float32)
    check_import(node_model("Det", {"x": values}), {"x": values})


def test_compiled() -> None:
    model = learned("TreeEnsemble", ROWS, **random_trees(3, 3, [0, 1]))
    check_compiled(model, {"x": ROWS}, {"y": run_evaluator(model, {"x": ROWS})[0]}, atol=1e-5)
    check_cuda_compiles(model)
