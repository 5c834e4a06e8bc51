"""Arrays of other libraries are used where they are; times are plausible."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rammer_ir.errors import InvalidInputError, RammerError
from rammer_ir.runtime.cuda.program import CudaProgram
from rammer_ir.runtime.program_image import Binding, ProgramImage
from rammer_ir.testing.program_images import ImageBuilder, Operand

pytestmark = pytest.mark.device

Load = Callable[..., CudaProgram]

COPY = """
extern "C" __device__ void copy(rammer::Task* task) {
  for (int i = rammer::thread(); i < rammer::parameter(task, 0); i += RAMMER_THREADS) {
    rammer::operand<float>(task, 1)[i] = rammer::load(rammer::operand<float>(task, 0) + i);
  }
}
"""


class OnlyDlpack:
    """Hides all but DLPack of a tensor."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __dlpack__(self, **options: object) -> object:
        return self._tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._tensor.__dlpack_device__()


def copier(rows: int) -> ProgramImage:
    builder = ImageBuilder(
        "copier",
        inputs=(Binding("x", (rows, 8), "float32", "length"),),
        outputs=(Binding("y", (rows, 8), "float32", "length"),),
        scalars=("length",),
    )
    body = builder.body("copy", COPY)
    builder.launch([[builder.run(body, [Operand(builder.space("x")), Operand(builder.space("y"))], [rows * 8])]])
    return builder.image()


def test_device_arrays(load: Load) -> None:
    torch = pytest.importorskip("torch")
    program = load(copier(16))
    whole = torch.arange(16 * 8, dtype=torch.float32, device="cuda").reshape(16, 8)
    for tensor in (whole, whole[3:], whole[:5], whole[1:2], whole.cpu()):
        for value in (tensor, OnlyDlpack(tensor), tensor.cpu().numpy()):
            np.testing.assert_array_equal(program.run({"x": value})["y"], tensor.cpu().numpy())
    with program.bound({"x": whole}) as bound:
        whole += 1
        bound.submit()
        bound.wait()
        result = torch.as_tensor(bound.device_outputs()["y"], device="cuda")
        assert torch.equal(result, whole)
        with pytest.raises(RammerError, match="the program is bound in this thread"):
            program.run({"x": whole})
    program.close()


def test_device_arrays_that_do_not_fit_are_refused(load: Load) -> None:
    torch = pytest.importorskip("torch")
    program = load(copier(16))
    transposed = torch.zeros((8, 16), device="cuda").T
    for value in (transposed, OnlyDlpack(transposed)):
        with pytest.raises(InvalidInputError, match="not dense"):
            program.run({"x": value})
    with pytest.raises(InvalidInputError, match="has dtype float64, expected float32"):
        program.run({"x": torch.zeros((16, 8), device="cuda", dtype=torch.float64)})
    with pytest.raises(InvalidInputError, match=r"has shape \[17, 8\]"):
        program.run({"x": torch.zeros((17, 8), device="cuda")})
    program.close()


def test_times(load: Load) -> None:
    program = load(copier(4096))
    x = np.zeros((4096, 8), np.float32)
    warm = program.measure({"x": x}, runs=20, warmup=3, clock="device")
    cold = program.measure({"x": x}, runs=20, warmup=3, clock="device", cache="cold")
    wall = program.measure({"x": x}, runs=20, warmup=3)
    assert (warm.clock, warm.cache, cold.cache, wall.clock) == ("device", "warm", "cold", "wall")
    assert 1e-6 < warm.median < cold.median < 1e-2
    assert warm.median < wall.median < 1e-1
    program.close()
