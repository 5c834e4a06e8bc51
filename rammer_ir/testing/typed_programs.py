"""Models of other element types than float32, run in all ways there are without a GPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from rammer_ir.compiler import compile
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters.module import run_module
from rammer_ir.runtime.cuda.build import kernel_plans
from rammer_ir.runtime.cuda.nvrtc import compile_object
from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.testing.lowered_models import lower_model

Arrays = Mapping[str, NDArray[Any]]

_HOST = "set-device{device=host veus=2},persistent"
_GPU = "set-device{device=h100},persistent"


def check_everywhere(model: onnx.ModelProto, inputs: Arrays, expected: Arrays) -> None:
    """
    Interprets the model as it is imported and as programs for a host and a GPU, and runs it compiled for the CPU.

    The bodies for the GPU are compiled by NVRTC. Raises AssertionError where an output differs from `expected`, in its
    type or in any bit.
    """
    imported = import_model(model)
    imported.module.verify()
    interpreted = run_module(imported.module, inputs, imported.weights)
    check_bits("imported", dict(zip(expected, interpreted, strict=True)), expected)
    for pipeline in (_HOST, _GPU):
        lowered = lower_model(model, pipeline)
        interpreted = run_module(lowered.module, inputs, lowered.weights)
        check_bits(pipeline, dict(zip(expected, interpreted, strict=True)), expected)
        if pipeline == _GPU:
            _compile_bodies(lowered.encode()[0])
    with compile(model, device="cpu") as program:
        check_bits("compiled", program.run(inputs), expected)


def _compile_bodies(image: ProgramImage) -> None:
    """Compiles what is generated of a program for a GPU; raises CompileError."""
    for plan in kernel_plans(image, "sm_90a"):
        for request in plan.requests:
            if request.name in {body.name for body in image.bodies}:
                compile_object(request, None)


def check_bits(what: str, actual: Arrays, expected: Arrays) -> None:
    """Raises AssertionError unless all outputs are the same in type, shape and bits; NaNs are all the same."""
    assert list(actual) == list(expected)
    for name, wanted in expected.items():
        found = actual[name]
        assert found.dtype == wanted.dtype, f"{what}: {name} is {found.dtype}, not {wanted.dtype}"
        assert found.shape == wanted.shape, f"{what}: {name} has shape {found.shape}, not {wanted.shape}"
        np.testing.assert_array_equal(_comparable(found), _comparable(wanted), err_msg=f"{what}: {name}")


def _comparable(array: NDArray[Any]) -> NDArray[Any]:
    """The bits of an array's elements; those of one NaN for all."""
    is_nan = array != array
    bits = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").copy()
    bits[is_nan] = ~np.uint64(0) >> np.uint64(64 - 8 * array.dtype.itemsize)
    return bits
