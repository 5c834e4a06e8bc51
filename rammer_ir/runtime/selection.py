"""Which device a program is for, and the runtime that runs it there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rammer_ir.errors import DeviceError, InvalidInputError
from rammer_ir.runtime.interface import LoadedProgram
from rammer_ir.runtime.program_image import ProgramImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Target:
    """
    A device of this machine: its kind ("cuda" or "host"), its number among those, the name of the description that fits
    it best, and the number of vEUs it offers.
    """

    kind: str
    ordinal: int
    description: str
    veus: int

    @property
    def device_pass(self) -> str:
        """The pass that puts this device into a module, with its options."""
        return f"set-device{{device={self.description} veus={self.veus}}}"

    def __str__(self) -> str:
        return "cpu" if self.kind == "host" else f"cuda:{self.ordinal}"


def select_target(device: str) -> Target:
    """
    The device that "cpu", "cuda", "cuda:1" or "auto" (the first CUDA device, else the CPU) names here.

    Raises InvalidInputError for another text, DeviceError if there is no such CUDA device.
    """
    if device == "cpu":
        return _host()
    if device == "auto":
        return _cuda(0) if _cuda_devices() else _host()
    kind, _, ordinal = device.partition(":")
    if kind != "cuda" or (ordinal and not ordinal.isdigit()) or device.endswith(":"):
        raise InvalidInputError(f"there is no device '{device}'; choose auto, cpu, cuda or cuda:0, cuda:1, ...")
    return _cuda(int(ordinal or "0"))


def _host() -> Target:
    from rammer_ir.runtime.host.cores import available_cores

    return Target("host", 0, "host", available_cores())


def _cuda_devices() -> int:
    from rammer_ir.runtime.cuda.driver import cuda_device_count

    return cuda_device_count()


def _cuda(ordinal: int) -> Target:
    count = _cuda_devices()
    if ordinal >= count:
        found = f"{count} CUDA device{'s' if count != 1 else ''}" if count else "no CUDA device (or no driver)"
        raise DeviceError(f"cuda:{ordinal} is not there: this machine has {found}; use device cpu")
    from rammer_ir.runtime.cuda.driver import Device

    properties = Device(ordinal).properties
    description = "h200" if "H200" in properties.name else "h100"
    return Target("cuda", ordinal, description, properties.multiprocessors)


def load_program(image: ProgramImage, weights: "NDArray[np.uint8]", target: Target) -> LoadedProgram:
    """The image, compiled and loaded on a device. Raises CompileError (MissingCompilerError on a CPU), DeviceError."""
    from rammer_ir.runtime.cache import CompileCache

    if target.kind == "cuda":
        from rammer_ir.runtime.cuda.driver import Device
        from rammer_ir.runtime.cuda.program import CudaProgram

        return CudaProgram(image, weights, device=Device(target.ordinal), cache=CompileCache())
    from rammer_ir.runtime.host.program import HostProgram

    return HostProgram(image, weights, cache=CompileCache())
