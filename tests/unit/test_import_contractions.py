"""Matrix products against onnxruntime."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rammer_ir.errors import InvalidInputError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.testing.onnx_models import check_import, node_model


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((2, 3, 4), (2, 4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((4,), (4,)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (2, 4, 5)),
        ((2, 3, 4), (4,)),
        ((3, 1), (1, 5)),
        ((1, 4), (4, 1)),
    ],
)
def test_matmul(lhs: Any, rhs: Any) -> None:
    inputs = {"a": normal(*lhs), "b": normal(*rhs, seed=1)}
    check_import(node_model("MatMul", inputs), inputs)
    check_import(node_model("MatMul", {"a": inputs["a"]}, constants={"b": inputs["b"]}), {"a": inputs["a"]})


def test_matmul_of_integers() -> None:
    inputs = {"a": np.arange(6, dtype=np.int32).reshape(2, 3), "b": np.arange(6, dtype=np.int32).reshape(3, 2)}
    check_import(node_model("MatMul", inputs), inputs)


def test_matmul_of_shapes_that_do_not_fit() -> None:
    inputs = {"a": normal(2, 3), "b": normal(4, 2)}
    with pytest.raises(InvalidInputError, match=r'node "tested": the inputs do not fit op MatMul \(opset 17\)'):
        import_model(node_model("MatMul", inputs))


@pytest.mark.parametrize("transposed_lhs", [0, 1])
@pytest.mark.parametrize("transposed_rhs", [0, 1])
@pytest.mark.parametrize("addend", [None, (), (1,), (5,), (3, 1), (1, 5), (3, 5)])
def test_gemm(transposed_lhs: int, transposed_rhs: int, addend: Any) -> None:
    inputs = {"a": normal(*((4, 3) if transposed_lhs else (3, 4)))}
    constants = {"b": normal(*((5, 4) if transposed_rhs else (4, 5)), seed=1)}
    if addend is not None:
        constants["c"] = np.asarray(normal(*addend, seed=2))
    model = node_model("Gemm", inputs, constants=constants, transA=transposed_lhs, transB=transposed_rhs)
    check_import(model, inputs)


@pytest.mark.parametrize(
    "factors", [{"alpha": 0.5}, {"beta": 2.0}, {"alpha": 0.5, "beta": 0.0}, {"alpha": -1.0, "beta": 3.0}]
)
def test_gemm_with_factors(factors: dict[str, Any]) -> None:
    inputs = {"a": normal(3, 4)}
    constants = {"b": normal(4, 5, seed=1), "c": normal(5, seed=2)}
    check_import(node_model("Gemm", inputs, constants=constants, **factors), inputs)


def test_gemm_of_computed_matrices() -> None:
    inputs = {"a": normal(3, 4), "b": normal(4, 5, seed=1), "c": normal(3, 5, seed=2)}
    check_import(node_model("Gemm", inputs), inputs)


@given(
    st.lists(st.sampled_from([(1, 1), (1, 3), (2, 2), (3, 1)]), max_size=2),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.integers(0, 2),
)
@settings(max_examples=25)
def test_matmul_broadcasts_batches(batches: list[tuple[int, int]], sizes: tuple[int, int, int], cut: int) -> None:
    rows, inner, columns = sizes
    lhs_batch = [lhs for lhs, _ in batches][min(cut, len(batches)) :]
    rhs_batch = [rhs for _, rhs in batches]
    inputs = {"a": normal(*lhs_batch, rows, inner), "b": normal(*rhs_batch, inner, columns, seed=1)}
    check_import(node_model("MatMul", inputs), inputs)
