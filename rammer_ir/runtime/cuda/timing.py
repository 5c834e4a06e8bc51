"""Device time between two events, with the host's part hidden behind a kernel that spins."""

import time
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np

from rammer_ir.runtime.cuda.driver import Device
from rammer_ir.runtime.cuda.linker import link
from rammer_ir.runtime.cuda.memory import DeviceMemory
from rammer_ir.runtime.cuda.nvrtc import CompileRequest, compile_object
from rammer_ir.runtime.interface import Measurement

_SPIN: Final = """
extern "C" __global__ void rammer_spin(unsigned long long nanoseconds) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)); while (now - start < nanoseconds);
}
"""
_SPIN_MARGIN: Final = 1.5
_SPIN_LEAST_SECONDS: Final = 20e-6


class DeviceTimer:
    """Measures what is submitted to one stream. It compiles and allocates when it is first used."""

    def __init__(self, device: Device, stream: Any):
        self._device: Final = device
        self._stream: Final = stream
        self._spin: Any = None
        self._module: Any = None
        self._cold: DeviceMemory | None = None
        self._nanoseconds: Final = np.zeros(1, np.uint64)
        self._parameters: Final = np.array([self._nanoseconds.ctypes.data], np.uint64)

    def measure(
        self, submit: Callable[[], None], *, runs: int, warmup: int, cache: Literal["warm", "cold"]
    ) -> Measurement:
        """
        Device time of `runs` calls of `submit`, after `warmup` calls that do not count.

        A kernel that spins for longer than the host needs to submit stands ahead of the first event, so that only the
        device's time is between the two. The device's context must be current.
        """
        driver = self._device.driver
        host_seconds = max(self._host_seconds(submit) for _ in range(max(warmup, 1)))
        begin, end = driver.cuEventCreate(0), driver.cuEventCreate(0)
        seconds: list[float] = []
        for _ in range(runs):
            if cache == "cold":
                self.flush()
            self._wait_on_device(host_seconds * _SPIN_MARGIN + _SPIN_LEAST_SECONDS)
            driver.cuEventRecord(begin, self._stream)
            submit()
            driver.cuEventRecord(end, self._stream)
            driver.cuEventSynchronize(end)
            seconds.append(float(driver.cuEventElapsedTime(begin, end)) * 1e-3)
        driver.cuEventDestroy(begin)
        driver.cuEventDestroy(end)
        return Measurement(tuple(seconds), clock="device", cache=cache)

    def flush(self) -> None:
        """Enqueue writes of twice the size of the L2, which drive everything else out of it."""
        if self._cold is None:
            self._cold = DeviceMemory(self._device, 2 * self._device.properties.l2_bytes)
        self._cold.fill(0, self._stream)

    def close(self) -> None:
        if self._cold is not None:
            self._cold.close()
        if self._module is not None:
            self._device.driver.cuModuleUnload(self._module)

    def _host_seconds(self, submit: Callable[[], None]) -> float:
        start = time.perf_counter()
        submit()
        seconds = time.perf_counter() - start
        self._device.driver.cuStreamSynchronize(self._stream)
        return seconds

    def _wait_on_device(self, seconds: float) -> None:
        if self._spin is None:
            self._module = self._device.driver.cuModuleLoadData(_spin_cubin(self._device.properties.architecture))
            self._spin = self._device.driver.cuModuleGetFunction(self._module, b"rammer_spin")
        self._nanoseconds[0] = round(seconds * 1e9)
        self._device.driver.cuLaunchKernel(
            self._spin, 1, 1, 1, 1, 1, 1, 0, self._stream, self._parameters.ctypes.data, 0
        )


def _spin_cubin(architecture: str) -> bytes:
    request = CompileRequest("spin", _SPIN, headers={}, definitions={}, architecture=architecture)
    return link("spin", {"spin": compile_object(request).cubin}, architecture)
