"""Which device a program is for, and the runtime that runs it there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rammer_ir.errors import DeviceError, InvalidInputError
from rammer_ir.runtime.interface import LoadedProgram, TracedProgram
from rammer_ir.runtime.machine_code import MachineCode
from rammer_ir.runtime.program_image import ProgramImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ABSENT_DEVICES: Final = {"h100": "sm_90a", "h200": "sm_90a"}
"""Described devices that programs may be compiled for where there is none, with their architectures."""


@dataclass(frozen=True)
class Target:
    """
    A device: its kind ("cuda" or "host"), its number among those, the name of the description that fits it best, and
    the number of vEUs it offers.

    The number is None where there is no such device here: programs for it can be compiled, and not loaded.
    """

    kind: str
    ordinal: int | None
    description: str
    veus: int

    @property
    def device_pass(self) -> str:
        """The pass that puts this device into a module, with its options."""
        return f"set-device{{device={self.description} veus={self.veus}}}"

    def __str__(self) -> str:
        if self.kind == "host":
            return "cpu"
        return self.description if self.ordinal is None else f"cuda:{self.ordinal}"


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


def compile_target(device: str) -> Target:
    """The same, or the device that a description's name stands for, which need not be here: "h100"."""
    if device not in ABSENT_DEVICES:
        return select_target(device)
    from rammer_ir.cost.devices import describe_device

    return Target("cuda", None, device, describe_device(device).veus)


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


def compile_code(image: ProgramImage, target: Target, architectures: Sequence[str] = ()) -> tuple[MachineCode, ...]:
    """
    The image's bodies, compiled: for these CUDA architectures, by default for that of the target, or for this CPU.

    Raises CompileError (MissingCompilerError on a CPU).
    """
    from rammer_ir.runtime.cache import CompileCache

    if target.kind != "cuda":
        from rammer_ir.runtime.host.build import build_library
        from rammer_ir.runtime.host.compiler import find_compiler
        from rammer_ir.runtime.host.machine_code import machine_code as host_code

        return (host_code(image, build_library(image, find_compiler(), CompileCache())),)
    from rammer_ir.runtime.cuda.build import build
    from rammer_ir.runtime.cuda.machine_code import machine_code as cuda_code

    chosen = architectures or (_architecture(target),)
    return tuple(cuda_code(build(image, architecture, CompileCache())) for architecture in dict.fromkeys(chosen))


def _architecture(target: Target) -> str:
    if target.ordinal is None:
        return ABSENT_DEVICES[target.description]
    from rammer_ir.runtime.cuda.driver import Device

    return Device(target.ordinal).properties.architecture


def load_program(
    image: ProgramImage, weights: "NDArray[np.uint8]", target: Target, codes: Sequence[MachineCode] = ()
) -> LoadedProgram:
    """
    The image, loaded on a device of this machine: with kept code that fits it, else compiled.

    Raises CompileError (MissingCompilerError on a CPU), DeviceError, VerificationError if the image is not well-formed.
    """
    return _load_cuda(image, weights, target, codes) if target.kind == "cuda" else _load_host(image, weights, codes)


def load_traced(image: ProgramImage, weights: "NDArray[np.uint8]", target: Target) -> TracedProgram:
    """The image, built so that its vEUs record what they do when, and loaded; raises what `load_program` raises."""
    from rammer_ir.runtime.cache import CompileCache

    if target.kind == "cuda":
        from rammer_ir.runtime.cuda.driver import Device
        from rammer_ir.runtime.cuda.program import CudaProgram

        return CudaProgram(image, weights, device=Device(target.ordinal or 0), cache=CompileCache(), traced=True)
    from rammer_ir.runtime.host.program import HostProgram

    return HostProgram(image, weights, cache=CompileCache(), traced=True)


def _load_cuda(
    image: ProgramImage, weights: "NDArray[np.uint8]", target: Target, codes: Sequence[MachineCode]
) -> LoadedProgram:
    from rammer_ir.runtime.cache import CompileCache
    from rammer_ir.runtime.cuda.driver import Device
    from rammer_ir.runtime.cuda.machine_code import kept_kernels
    from rammer_ir.runtime.cuda.program import CudaProgram

    if target.ordinal is None:
        raise DeviceError(
            f"a program for '{target}' is compiled to a file, and loaded where there is one: rammer compile"
        )
    device = Device(target.ordinal)
    built = kept_kernels(image, codes, device.properties.architecture)
    return CudaProgram(image, weights, device=device, cache=CompileCache(), built=built)


def _load_host(image: ProgramImage, weights: "NDArray[np.uint8]", codes: Sequence[MachineCode]) -> LoadedProgram:
    from rammer_ir.runtime.cache import CompileCache
    from rammer_ir.runtime.host.library import UnloadableLibraryError
    from rammer_ir.runtime.host.machine_code import kept_library
    from rammer_ir.runtime.host.program import HostProgram

    library = kept_library(image, codes)
    try:
        return HostProgram(image, weights, cache=CompileCache(), library=library)
    except UnloadableLibraryError:
        if library is None:
            raise
        # It was linked with other system libraries than this machine has.
        return HostProgram(image, weights, cache=CompileCache())
