"""The target `cuda`: a program's kernels as CUDA C, or the bodies of a module that has no program."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, ClassVar, Final

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from rammer_ir.errors import InvalidInputError
from rammer_ir.lowering.emission.bodies import module_bodies
from rammer_ir.lowering.emission.encode_program import encode_for, has_program

if TYPE_CHECKING:
    from rammer_ir.runtime.cuda.build import KernelPlan

_ARCHITECTURE: Final = re.compile(r"sm_(\d+)[af]?")
_OLDEST: Final = 80
_INCLUDE: Final = re.compile(r'#include "([^"]+)"')


@dataclass(frozen=True)
class CudaTarget(Target):
    """
    What NVRTC compiles, as one self-contained text for each kernel: `nvcc -std=c++17 -arch=ARCH -cubin` takes it too.

    `arch` is the architecture that the text is for: sm_80, sm_90a, sm_100 and the like.
    """

    name: ClassVar[str] = "cuda"
    arch: str = "sm_90a"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        match = _ARCHITECTURE.fullmatch(self.arch)
        if match is None or int(match[1]) < _OLDEST:
            raise InvalidInputError(f"architecture '{self.arch}' is not supported: say sm_80 or newer, such as sm_90a")
        if not has_program(module):
            output.write("\n".join(body.body.source for body in module_bodies(module, "cuda")))
            return
        from rammer_ir.runtime.cuda.build import kernel_plans

        image = encode_for(module, "cuda")
        for plan in kernel_plans(image, self.arch):
            names = ", ".join(image.launches[number].name for number in plan.launches)
            output.write(f"// {names}: for {self.arch}.\n{kernel_text(plan)}")


def kernel_text(plan: "KernelPlan") -> str:
    """All that is compiled for one kernel as one text, headers included."""
    definitions = {name: value for request in plan.requests for name, value in request.definitions.items()}
    headers = {name: text for request in plan.requests for name, text in request.headers.items()}
    lines = [f"#define {name} {value}" for name, value in definitions.items()]
    included: set[str] = set()
    for request in plan.requests:
        lines += _with_headers(request.source.splitlines(), headers, included)
    return "\n".join(lines) + "\n"


def _with_headers(lines: Sequence[str], headers: Mapping[str, str], included: set[str]) -> Iterable[str]:
    """The lines, with the text of a header where it is included first."""
    for line in lines:
        include = _INCLUDE.fullmatch(line)
        if include is None:
            if line != "#pragma once":
                yield line
        elif include[1] not in included:
            included.add(include[1])
            yield from _with_headers(headers[include[1]].splitlines(), headers, included)
