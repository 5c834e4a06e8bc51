"""The device that these tests run on."""

from collections.abc import Callable
from functools import partial

import pytest

from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.program import CudaProgram


@pytest.fixture(scope="session")
def device() -> Device:
    return Device()


@pytest.fixture(scope="session")
def load(device: Device) -> Callable[..., CudaProgram]:
    """CudaProgram on the device, with a cache that the tests share."""
    return partial(CudaProgram, device=device, cache=CompileCache())
