"""The CUDA driver, each call checked: a thin layer over cuda.bindings.driver."""

import importlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from rammer_ir.errors import DeviceError

_NO_ERROR: Final = 0


class Driver:
    """
    `cuda.bindings.driver`: its functions under their own names, without the result code.

    A function that has one result returns it, one that has more returns a tuple. Raises DeviceError where the driver
    answers with an error.
    """

    def __init__(self) -> None:
        self.module: Final[Any] = importlib.import_module("cuda.bindings.driver")
        self._functions: Final[dict[str, Callable[..., Any]]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._checked(name)
        return function

    def _checked(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self.module, name)

        def call(*arguments: Any) -> Any:
            result: tuple[Any, ...] = function(*arguments)
            if int(result[0]) != _NO_ERROR:
                raise DeviceError(f"{name} failed: {self._describe(result[0])}")
            values = result[1:]
            return values[0] if len(values) == 1 else values

        return call

    def _describe(self, error: Any) -> str:
        _, name = self.module.cuGetErrorName(error)
        _, text = self.module.cuGetErrorString(error)
        return f"{_text(name)} ({_text(text)})"


@dataclass(frozen=True)
class DeviceProperties:
    """
    What the runtime has to know of a device; sizes are bytes.

    `architecture` is the compiler's name for it, with the suffix of its own instructions where it has one.
    """

    ordinal: int
    name: str
    architecture: str
    multiprocessors: int
    shared_bytes_per_block: int
    l2_bytes: int


class Device:
    """One CUDA device and its primary context, which other libraries of the process use too."""

    def __init__(self, ordinal: int = 0):
        """Raises DeviceError if there is no such device."""
        count = cuda_device_count()
        if ordinal not in range(count):
            raise DeviceError(
                f"there is no CUDA device {ordinal}: {count} found; use the cpu device"
                if count == 0
                else f"there is no CUDA device {ordinal}: the devices are 0 to {count - 1}"
            )
        self.driver: Final = driver()
        self._handle: Final[Any] = self.driver.cuDeviceGet(ordinal)
        self._context: Final[Any] = self.driver.cuDevicePrimaryCtxRetain(self._handle)
        self.properties: Final = self._properties(ordinal)

    @contextmanager
    def current(self) -> Generator[None]:
        """Makes the device's context this thread's current one for a while."""
        self.driver.cuCtxPushCurrent(self._context)
        try:
            yield
        finally:
            self.driver.cuCtxPopCurrent()

    def _properties(self, ordinal: int) -> DeviceProperties:
        attribute = self.driver.module.CUdevice_attribute

        def value(name: str) -> int:
            return int(
                self.driver.cuDeviceGetAttribute(getattr(attribute, f"CU_DEVICE_ATTRIBUTE_{name}"), self._handle)
            )

        if not value("COOPERATIVE_LAUNCH"):
            raise DeviceError(f"CUDA device {ordinal} has no cooperative launch, which resident programs need")
        name: bytes = self.driver.cuDeviceGetName(128, self._handle)
        return DeviceProperties(
            ordinal=ordinal,
            name=_text(name),
            architecture=architecture(value("COMPUTE_CAPABILITY_MAJOR"), value("COMPUTE_CAPABILITY_MINOR")),
            multiprocessors=value("MULTIPROCESSOR_COUNT"),
            shared_bytes_per_block=value("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
            l2_bytes=value("L2_CACHE_SIZE"),
        )


def architecture(major: int, minor: int) -> str:
    """The compiler's name for a compute capability; `sm_90a` has instructions that `sm_90` lacks."""
    return f"sm_{major}{minor}{'a' if (major, minor) == (9, 0) else ''}"


@cache
def driver() -> Driver:
    """The driver, initialised; raises DeviceError where there is none."""
    try:
        result = Driver()
        result.cuInit(0)
    except (ImportError, RuntimeError) as error:
        raise DeviceError(
            f"there is no CUDA driver ({str(error).partition(chr(10))[0]}): install one, or use the cpu device"
        ) from error
    return result


def cuda_device_count() -> int:
    """The number of CUDA devices; 0 where there is no driver or no bindings."""
    try:
        return int(driver().cuDeviceGetCount())
    except DeviceError:
        return 0


def _text(value: bytes) -> str:
    return value.split(b"\0")[0].decode(errors="replace")
