"""What a compilation makes: everything that is needed to run a model, and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rammer_ir.report import ProgramReport
from rammer_ir.runtime.machine_code import MachineCode
from rammer_ir.runtime.program_image import ProgramImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from xdsl.dialects.builtin import ModuleOp


@dataclass(frozen=True)
class Origin:
    """
    Where a program came from.

    `model` is the name of the model's file, or of its graph where it was compiled in memory; `model_sha256` the hash of
    the file in hexadecimal. `device` is the name of the device's description ("h100", "host"), `kind` its kind ("cuda",
    "host"), `precision` how exactly products are computed, `rammer_version` that of the compiler; `compile_seconds` is
    wall time by phase.
    """

    model: str
    model_sha256: str | None
    device: str
    kind: str
    strategy: str
    precision: str
    rammer_version: str
    compile_seconds: dict[str, float]


@dataclass(frozen=True)
class CompiledProgram:
    """
    A model that is compiled, and not loaded on a device.

    `weights` holds `image.weight_bytes` bytes. `levels` is the IR by level, as modules or as text; a file may hold
    none.
    """

    image: ProgramImage
    weights: "NDArray[np.uint8]"
    code: tuple[MachineCode, ...]
    origin: Origin
    report: ProgramReport
    levels: "Mapping[str, ModuleOp | str]"
