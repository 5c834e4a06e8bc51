"""Ops that compute indices, through the levels of both targets: modules, bodies, and code for GPUs."""

import numpy as np
import pytest

from rammer_ir.dialects import rtask
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.interpreters.module import run_module
from rammer_ir.runtime.cuda.build import build
from rammer_ir.testing.indexing_models import INDEXING_MODELS
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.onnx_models import run_reference

GPU = "set-device{device=h100},persistent"
HOST = "set-device{device=host veus=3},persistent"


class MemoryCache:
    """Compiled code of one test."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.entries[key] = data


@pytest.mark.parametrize("pipeline", [GPU, HOST], ids=["gpu", "host"])
@pytest.mark.parametrize("name", INDEXING_MODELS)
def test_every_level_computes_the_same(name: str, pipeline: str) -> None:
    model, inputs = INDEXING_MODELS[name]()
    lowered = lower_model(model, pipeline)
    for kernel in (op for op in lowered.module.ops if isinstance(op, rtask.KernelOp)):
        check_kernel(lowered.module, kernel, weights=lowered.weights, tasks=sorted({0, kernel.tasks - 1}))
    results = run_module(lowered.module, inputs, lowered.weights)
    for result, expected in zip(results, run_reference(model, inputs), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", INDEXING_MODELS)
def test_bodies_compile_for_a_gpu(name: str) -> None:
    image, _ = lower_model(INDEXING_MODELS[name]()[0], GPU).encode()
    built = build(image, "sm_90a", MemoryCache())
    assert {body.name for body in image.bodies} <= set(built.functions)
