"""What the host does between programs, op by op."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.host_function.registry import is_host_op, run_on_host

SMALL = arrays.arrays(np.int64, arrays.array_shapes(max_dims=2, max_side=5), elements=st.integers(-2, 2))


def _run(op: str, inputs: list[Any], outputs: int = 1, domain: str = "", **attributes: Any) -> list[Any]:
    names = [f"i{number}" for number in range(len(inputs))]
    node = helper.make_node(op, names, [f"o{number}" for number in range(outputs)], domain=domain, **attributes)
    return list(run_on_host(node, inputs))


def _texts(*items: str) -> Any:
    return np.array(items, dtype=object)


@given(SMALL, st.booleans())
def test_unique_elements_make_up_the_tensor(operand: Any, is_sorted: bool) -> None:
    values, first, inverse, counts = _run("Unique", [operand], 4, sorted=int(is_sorted))
    np.testing.assert_array_equal(values[inverse], operand.reshape(-1))
    np.testing.assert_array_equal(operand.reshape(-1)[first], values)
    assert counts.sum() == operand.size
    assert list(values) == sorted(values) if is_sorted else list(first) == sorted(first)


@given(SMALL)
def test_elements_that_are_not_zero(operand: Any) -> None:
    (where,) = _run("NonZero", [operand])
    assert where.shape == (operand.ndim, np.count_nonzero(operand))
    assert np.all(operand[tuple(where)] != 0)


def test_boxes_that_overlap_a_better_one_go() -> None:
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [1, 1, 0, 0], [0, 10, 1, 11]]], np.float32)
    scores = np.array([[[0.5, 0.9, 0.8, 0.4]]], np.float32)
    limits = [np.array([3], np.int64), np.array([0.5], np.float32), np.array([0.45], np.float32)]
    (kept,) = _run("NonMaxSuppression", [boxes, scores, *limits])
    assert kept.tolist() == [[0, 0, 1]]
    (kept,) = _run("NonMaxSuppression", [boxes, scores, *limits[:2]])
    assert kept.tolist() == [[0, 0, 1], [0, 0, 3]]


def test_strings() -> None:
    assert _run("StringConcat", [_texts("a", "b"), _texts("c")])[0].tolist() == ["ac", "bc"]
    parts, counts = _run("StringSplit", [_texts("a b", "c")], 2)
    assert parts.tolist() == [["a", "b"], ["c", ""]]
    assert counts.tolist() == [2, 1]
    assert _run("RegexFullMatch", [_texts("ab", "b")], pattern="a.*")[0].tolist() == [True, False]
    normal = _run("StringNormalizer", [_texts("Élan", "The")], case_change_action="UPPER", stopwords=["the"])
    assert normal[0].tolist() == ["ELAN"]


def test_text_of_numbers_and_back() -> None:
    numbers = np.array([1.5, -2, np.inf], np.float32)
    (texts,) = _run("Cast", [numbers], to=TensorProto.STRING)
    assert texts.tolist() == ["1.5", "-2.0", "inf"]
    np.testing.assert_array_equal(_run("Cast", [texts], to=TensorProto.FLOAT)[0], numbers)
    with pytest.raises(InvalidInputError, match="does not take these inputs"):
        _run("Cast", [_texts("one")], to=TensorProto.INT64)


def test_labels() -> None:
    keys: dict[str, Any] = {"keys_strings": ["a", "b"], "values_int64s": [1, 2], "default_int64": 7}
    assert _run("LabelEncoder", [_texts("b", "c", "a")], domain="ai.onnx.ml", **keys)[0].tolist() == [2, 7, 1]


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(-4, 4))
def test_what_is_inserted_in_a_sequence_is_there(items: list[int], position: int) -> None:
    sequence = [np.array(item) for item in items]
    if not -len(items) <= position <= len(items):
        with pytest.raises(InvalidInputError, match="takes position"):
            _run("SequenceInsert", [sequence, np.array(99), np.array(position)])
        return
    (longer,) = _run("SequenceInsert", [sequence, np.array(99), np.array(position)])
    place = position + len(items) if position < 0 else position
    assert _run("SequenceAt", [longer, np.array(place)])[0] == 99
    (again,) = _run("SequenceErase", [longer, np.array(place)])
    assert [int(item) for item in again] == items
    assert _run("SequenceLength", [longer])[0] == len(items) + 1


@pytest.mark.parametrize("lengths", [None, np.array(2), np.array([1, 3])])
def test_parts_of_a_tensor_make_it_up_again(lengths: Any) -> None:
    operand = np.arange(8).reshape(4, 2)
    (parts,) = _run("SplitToSequence", [operand] if lengths is None else [operand, lengths])
    np.testing.assert_array_equal(_run("ConcatFromSequence", [parts], axis=0)[0], operand)


def test_optionals() -> None:
    assert _run("OptionalHasElement", [None])[0] == np.array(False)
    with pytest.raises(InvalidInputError, match="is empty"):
        _run("OptionalGetElement", [None])


def test_arithmetic_is_not_for_the_host() -> None:
    node = helper.make_node("Add", ["a", "b"], ["c"], "sum")
    assert not is_host_op(node)
    with pytest.raises(UnsupportedModelError, match="not supported for strings"):
        run_on_host(node, [_texts("a"), _texts("b")])
