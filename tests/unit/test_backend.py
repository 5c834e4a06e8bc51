"""The interface that ONNX asks of a backend."""

import numpy as np
import pytest
from onnx import helper

from rammer_ir import backend
from rammer_ir.demo.models import mlp_model
from rammer_ir.errors import InvalidInputError


def test_a_model_by_position_and_by_name() -> None:
    model = mlp_model((8, 4), batch=2)
    x = np.ones((2, 8), np.float32)
    prepared = backend.prepare(model, "CPU")
    (by_position,), (by_name,) = prepared.run([x]), prepared.run({"x": x})
    np.testing.assert_array_equal(by_position, by_name)
    with pytest.raises(InvalidInputError, match="2 inputs were given"):
        prepared.run([x, x])


def test_a_node() -> None:
    x = np.array([-1, 2], np.float32)
    (y,) = backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [x])
    assert y.tolist() == [0, 2]


def test_devices() -> None:
    assert backend.supports_device("CPU")
    assert not backend.supports_device("CUDA:99")
    assert not backend.supports_device("TPU")
