"""ONNX's own test cases of single ops: each is imported and right, or refused for a reason that is known."""

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from rammer_ir.errors import UnsupportedModelError
from rammer_ir.frontend.onnx_importer import ImportedModel, import_model
from rammer_ir.frontend.registry import find_handler
from rammer_ir.testing.onnx_models import run_imported

REFUSALS = re.compile(
    "has element type|has no elements|leaves no elements|needs constant|depends on data|gives output|is no tensor|"
    "needs the exponent 2 or 3|no tensor of known type|has sequence_lens that are not all|in mode [a-z]+, which is not"
)


class Case(NamedTuple):
    name: str
    model: onnx.ModelProto
    data_sets: Sequence[tuple[Sequence[Any], Sequence[Any]]]


def _is_covered(model: onnx.ModelProto) -> bool:
    """Whether there is an importer for every node."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return all(
        node.op_type == "Constant" or find_handler(node.domain, node.op_type, opsets.get(node.domain, 1)) is not None
        for node in model.graph.node
    )


def _cases() -> Iterator[Any]:
    # Making some of the cases overflows, as it should.
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        cases = cast("Any", collect_testcases)(None)
    for case in cases:
        # What a Bernoulli draws is not ONNX's to say.
        if _is_covered(case.model) and not case.name.startswith("test_bernoulli"):
            yield pytest.param(Case(case.name, case.model, case.data_sets), id=case.name)


def _array(value: Any) -> Any:
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _import(model: onnx.ModelProto) -> ImportedModel | str:
    """The imported model, or why it is refused."""
    try:
        return import_model(model)
    except UnsupportedModelError as error:
        return str(error)


@pytest.mark.parametrize("case", list(_cases()))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_case(case: Case) -> None:
    imported = _import(case.model)
    if isinstance(imported, str):
        assert REFUSALS.search(imported) is not None, imported
        return
    names = [value.name for value in case.model.graph.input]
    for inputs, outputs in case.data_sets:
        results = run_imported(imported, dict(zip(names, map(_array, inputs), strict=True)))
        for result, expected in zip(results, map(_array, outputs), strict=True):
            assert result.dtype == expected.dtype
            assert result.shape == expected.shape
            tolerance = {1: 0, 2: 1e-2}.get(expected.dtype.itemsize, 1e-5)
            np.testing.assert_allclose(
                result.astype(np.float64), expected.astype(np.float64), rtol=1e-3, atol=tolerance
            )
