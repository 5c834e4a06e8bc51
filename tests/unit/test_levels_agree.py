"""Whole models: after every pass the module computes what onnxruntime does, and bodies do what regions say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from rammer_ir.comparison import compare, run_onnxruntime
from rammer_ir.context import new_context
from rammer_ir.dialects import rtask
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.module import run_module
from rammer_ir.pass_pipeline import PassObserver, parse_pass_pipeline, run_passes
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.small_models import SMALL_MODELS, small_inputs

HOST = "set-device{device=host veus=3},persistent"
GPU = "set-device{device=h100},base"
LARGEST_ERROR = 1e-5

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass
class Outputs(PassObserver):
    """Interprets the module before the first pass and after each."""

    inputs: Arrays
    weights: Arrays
    results: list[tuple[str, Sequence[NDArray[np.generic]]]] = field(
        default_factory=list[tuple[str, Sequence[NDArray[np.generic]]]]
    )

    def before_pass(self, pass_: ModulePass, module: ModuleOp) -> None:
        if not self.results:
            self._interpret("import", module)

    def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
        self._interpret(pass_.name, module)

    def _interpret(self, stage: str, module: ModuleOp) -> None:
        self.results.append((stage, run_module(module, self.inputs, self.weights)))


@pytest.mark.parametrize("pipeline", [HOST, GPU], ids=["host", "gpu"])
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_pass_keeps_what_a_model_computes(name: str, pipeline: str) -> None:
    model = SMALL_MODELS[name]()
    inputs = small_inputs(model)
    reference = run_onnxruntime(model, inputs)
    imported = import_model(model)
    outputs = Outputs(inputs, imported.weights)
    passes = parse_pass_pipeline(pipeline)
    run_passes(new_context(), imported.module, passes, observers=[outputs])
    for stage, results in outputs.results:
        comparison = compare(dict(zip(reference, results, strict=True)), reference)
        assert comparison.largest_error < LARGEST_ERROR, f"after {stage}"
    assert [stage for stage, _ in outputs.results] == ["import", *(pass_.name for pass_ in passes)]


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_bodies_do_what_regions_say(name: str) -> None:
    lowered = lower_model(SMALL_MODELS[name](), GPU)
    kernels = [op for op in lowered.module.ops if isinstance(op, rtask.KernelOp)]
    assert len(kernels) >= 3
    for kernel in kernels:
        check_kernel(lowered.module, kernel, weights=lowered.weights, tasks=[kernel.tasks - 1])
