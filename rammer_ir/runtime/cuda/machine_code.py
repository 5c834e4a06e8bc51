"""The kernels of a program in the form that is kept in files, and back."""

from collections.abc import Sequence

from rammer_ir.runtime.cuda.build import BuiltKernel, BuiltProgram
from rammer_ir.runtime.cuda.checks import check_image
from rammer_ir.runtime.cuda.layout import geometry
from rammer_ir.runtime.machine_code import CodePart, MachineCode, covers_launches, runtime_fingerprint
from rammer_ir.runtime.program_image import ProgramImage


def machine_code(built: BuiltProgram) -> MachineCode:
    """Compiled kernels, to be kept."""
    return MachineCode(
        processor=built.architecture,
        features=(),
        runtime=runtime_fingerprint("cuda"),
        parts=tuple(CodePart(kernel.launches, kernel.cubin) for kernel in built.kernels),
        functions=tuple(built.functions.values()),
    )


def kept_kernels(image: ProgramImage, codes: Sequence[MachineCode], architecture: str) -> BuiltProgram | None:
    """
    The kernels for an architecture among kept code; None where there are none that fit.

    Raises VerificationError if the image breaks a rule of this runtime.
    """
    for code in codes:
        is_current = code.runtime == runtime_fingerprint("cuda")
        if is_current and runs_on(code.processor, architecture) and covers_launches(code, len(image.launches)):
            check_image(image)
            return BuiltProgram(
                architecture=code.processor,
                kernels=tuple(_kernel(image, part.launches, bytes(part.data)) for part in code.parts),
                functions={function.name: function for function in code.functions},
            )
    return None


def runs_on(compiled: str, device: str) -> bool:
    """
    Whether code for one architecture runs on a device of another, such as `sm_80` on `sm_86`.

    Machine code runs on later devices of the same generation, unless it uses what only one of them has (`sm_90a`).
    """
    if compiled == device:
        return True
    numbers = [name.removeprefix("sm_").rstrip("a") for name in (compiled, device)]
    if compiled.endswith("a") or not all(number.isdigit() for number in numbers):
        return False
    own, other = (divmod(int(number), 10) for number in numbers)
    return own[0] == other[0] and own[1] <= other[1]


def _kernel(image: ProgramImage, launches: tuple[int, ...], cubin: bytes) -> BuiltKernel:
    return BuiltKernel(cubin, geometry(image, [image.launches[number] for number in launches]), launches)
