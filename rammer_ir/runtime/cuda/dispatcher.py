"""The text of a launch's kernel: the dispatcher, and the calls of the bodies that it uses."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from rammer_ir.runtime.cuda.layout import Geometry
from rammer_ir.runtime.cuda.nvrtc import CompileRequest
from rammer_ir.runtime.program_image import Body

KERNEL_NAME: Final = "rammer_launch"

PRELUDE: Final = "vdevice.cuh"
_DISPATCHER: Final = "dispatcher.cuh"
_HEADERS: Final = (
    PRELUDE,
    "dispatcher_layout.cuh",
    "stream_walker.cuh",
    "trace.cuh",
    "compute_role.cuh",
    "service_role.cuh",
    _DISPATCHER,
)

_PRESERVED_REGISTERS: Final = 16
"""
Registers that a body preserves for its caller. By default about half of those it uses are: at 160 registers that is
70 KB of local memory written and read for each task. 16 is as much as the dispatcher keeps in registers across a call.
"""


FULL_LEVEL: Final = 3
IN_ORDER_LEVEL: Final = 1
"""
Levels of ptxas: all it has, and the one at which it nearly keeps the order of the source. Above that it mixes the rows
of a contraction's tile, whose multiply-adds then wait for the ports of the registers: a tenth of the body's speed
(docs/results/contraction.md).
"""


def body_request(body: Body, geometry: Geometry, architecture: str) -> CompileRequest:
    """How to compile one body; without a service function it does not depend on the ring."""
    definitions = {"RAMMER_THREADS": geometry.threads}
    if body.service:
        definitions |= _ring(geometry)
    return CompileRequest(
        name=body.name,
        source=f'#include "{PRELUDE}"\n{_declarations([body])}#line 1 "{body.name}.cu"\n{body.source}',
        headers={PRELUDE: header(PRELUDE)},
        definitions=definitions,
        architecture=architecture,
        registers=geometry.registers,
        assembler_level=IN_ORDER_LEVEL if body.in_order else FULL_LEVEL,
    )


def dispatcher_request(
    bodies: Sequence[tuple[int, Body]], geometry: Geometry, architecture: str, *, traced: bool = False
) -> CompileRequest:
    """
    How to compile the kernel that calls `bodies`, given with their numbers in the program.

    If it is `traced`, vEUs record what they do when.
    """
    return CompileRequest(
        name="dispatcher",
        source=dispatcher_source(bodies),
        headers={name: header(name) for name in _HEADERS},
        definitions=_definitions(geometry) | ({"RAMMER_TRACE": 1} if traced else {}),
        architecture=architecture,
        registers=geometry.registers,
    )


def dispatcher_source(bodies: Sequence[tuple[int, Body]]) -> str:
    """The kernel's text: a switch over the bodies by number, and the dispatcher."""
    serviced = [(number, body) for number, body in bodies if body.service]
    calls = _switch(f"case {number}: ::{body.name}(task); break;" for number, body in bodies)
    service_calls = _switch(f"case {number}: ::{body.name}_service(task); break;" for number, body in serviced)
    services = _switch(f"case {number}: return true;" for number, _ in serviced)
    return f"""#include "{PRELUDE}"
{_declarations([body for _, body in bodies])}
namespace rammer {{
RAMMER_DEVICE void call_body(int body, Task* task) {{ {calls} }}
RAMMER_DEVICE void call_service(int body, Task* task) {{ {service_calls} }}
RAMMER_DEVICE bool has_service(int body) {{ {services} return false; }}
}}
#include "{_DISPATCHER}"
extern "C" __global__ void __launch_bounds__(RAMMER_THREADS + RAMMER_SERVICE_THREADS, 1)
{KERNEL_NAME}(const __grid_constant__ rammer::Arguments arguments) {{ rammer::launch(arguments); }}
"""


@cache
def header(name: str) -> str:
    """The text of one of the runtime's headers."""
    return files("rammer_ir.runtime.device").joinpath(name).read_text()


def _switch(cases: Iterable[str]) -> str:
    text = " ".join(cases)
    return f"switch (body) {{ {text} default: break; }}" if text else ""


def _declarations(bodies: Sequence[Body]) -> str:
    """Declares the functions of `bodies`, with the calling convention that caller and callee must share."""
    names = [name for body in bodies for name in ([body.name, f"{body.name}_service"] if body.service else [body.name])]
    return "".join(
        f'#pragma nv_abi preserve_n_data({_PRESERVED_REGISTERS})\nextern "C" __device__ void {name}(rammer::Task*);\n'
        for name in names
    )


def _ring(geometry: Geometry) -> dict[str, int]:
    return {"RAMMER_RING_SLOTS": geometry.ring_slots, "RAMMER_RING_SLOT_BYTES": geometry.ring_slot_bytes}


def _definitions(geometry: Geometry) -> dict[str, int]:
    definitions = {
        "RAMMER_THREADS": geometry.threads,
        "RAMMER_SERVICE_THREADS": geometry.service_threads,
        "RAMMER_RING_BYTES": geometry.ring_bytes,
        "RAMMER_SCRATCH_BYTES": geometry.scratch_bytes,
        "RAMMER_PINNED_BYTES": geometry.pinned_bytes,
        "RAMMER_SHARED_BYTES": geometry.shared_bytes,
        "RAMMER_OPERANDS": geometry.operands,
        "RAMMER_PARAMETERS": geometry.parameters,
        "RAMMER_BARRIERS": geometry.barriers,
        "RAMMER_SPACES": geometry.spaces,
        "RAMMER_SCALARS": geometry.scalars,
        "RAMMER_VEUS": geometry.veus,
    }
    return definitions | (_ring(geometry) if geometry.ring_slots else {})
