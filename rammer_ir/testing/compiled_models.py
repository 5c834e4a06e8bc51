"""Models compiled as a user does, for tests: what they compute on the CPU, and that a GPU's compiler takes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

import rammer_ir
from rammer_ir.runtime.cuda.build import build
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.onnx_models import Arrays, run_reference, tensor_info


class _NoCache:
    """Compiled code is not kept."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, data: bytes) -> None:
        pass


def nodes_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    *,
    constants: Arrays | None = None,
    opset: int = 23,
    domains: Mapping[str, int] | None = None,
    outputs: Sequence[str] | None = None,
) -> onnx.ModelProto:
    """A model whose outputs, by default those of all nodes, get their types from the importer's inference."""
    names = [name for node in nodes for name in node.output if name] if outputs is None else outputs
    graph = helper.make_graph(
        list(nodes),
        "nodes",
        [tensor_info(name, array) for name, array in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in names],
        [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid(name, version) for name, version in {"": opset, **(domains or {})}.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run_compiled(model: onnx.ModelProto, inputs: Arrays, strategy: str = "persistent") -> dict[str, NDArray[Any]]:
    """The outputs of the model's program on the CPU."""
    with rammer_ir.compile(model, device="cpu", strategy=strategy) as program:
        return dict(program.run({name: np.asarray(array) for name, array in inputs.items()}))


def check_compiled(
    model: onnx.ModelProto, inputs: Arrays, expected: Arrays | None = None, *, rtol: float = 1e-5, atol: float = 1e-6
) -> None:
    """
    Compares what the model's program computes on the CPU with `expected`, by default what `run_reference` gives.

    Raises AssertionError where dtype, shape or values differ by more than the tolerances; integers must be equal.
    """
    results = run_compiled(model, inputs)
    if expected is None:
        expected = dict(zip((output.name for output in model.graph.output), run_reference(model, inputs), strict=True))
    for name, wanted in expected.items():
        found = results[name]
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), name
        if wanted.dtype.kind in "biu":
            np.testing.assert_array_equal(found, wanted, err_msg=name)
        else:
            np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol, err_msg=name)


def check_cuda_compiles(model: onnx.ModelProto, architecture: str = "sm_90a") -> None:
    """Compiles the model's program for a GPU, whether there is one or not; raises CompileError where that fails."""
    image, _ = lower_model(model, "set-device{device=h100},persistent").encode()
    assert build(image, architecture, _NoCache()).kernels
