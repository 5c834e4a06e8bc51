"""A program image to loadable kernels: bodies compiled one by one, then linked with a dispatcher."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from rammer_ir.runtime.cuda.checks import check_image
from rammer_ir.runtime.cuda.dispatcher import body_request, dispatcher_request
from rammer_ir.runtime.cuda.layout import Geometry, geometry
from rammer_ir.runtime.cuda.linker import link
from rammer_ir.runtime.cuda.nvrtc import CompiledObject, CompileRequest, compile_object
from rammer_ir.runtime.interface import ByteCache
from rammer_ir.runtime.machine_code import FunctionResources
from rammer_ir.runtime.program_image import LaunchImage, ProgramImage
from rammer_ir.runtime.streams import bodies_in_use


@dataclass(frozen=True)
class BuiltKernel:
    """One loadable kernel, and the numbers of the launches that it serves."""

    cubin: bytes
    geometry: Geometry
    launches: tuple[int, ...]


@dataclass(frozen=True)
class BuiltProgram:
    """The kernels of a program, and the resources of its functions by name, for reports."""

    architecture: str
    kernels: tuple[BuiltKernel, ...]
    functions: Mapping[str, FunctionResources]


@dataclass(frozen=True)
class KernelPlan:
    """What is compiled for one kernel, the dispatcher first, and the numbers of the launches that it serves."""

    launches: tuple[int, ...]
    geometry: Geometry
    requests: tuple[CompileRequest, ...]


def build(
    image: ProgramImage, architecture: str, cache: ByteCache | None = None, *, traced: bool = False
) -> BuiltProgram:
    """
    Compile and link the kernels of `image`; needs no GPU. If it is `traced`, vEUs record what they do when.

    Launches that agree in threads, registers and ring share a kernel. Raises CompileError, and VerificationError if the
    image breaks a rule of this runtime.
    """
    plans = kernel_plans(image, architecture, traced=traced)
    compiled = _compile_all([request for plan in plans for request in plan.requests], cache)
    kernels = tuple(_link(image, plan, compiled, architecture, cache) for plan in plans)
    functions = {function.name: function for result in compiled.values() for function in result.functions}
    return BuiltProgram(architecture, kernels, functions)


def kernel_plans(image: ProgramImage, architecture: str, *, traced: bool = False) -> list[KernelPlan]:
    """
    The kernels of `image`, and the texts to compile for each; needs no compiler.

    Raises VerificationError if the image breaks a rule of this runtime.
    """
    check_image(image)
    return [_plan(image, group, architecture, traced=traced) for group in _groups(image.launches)]


def _groups(launches: tuple[LaunchImage, ...]) -> list[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, launch in enumerate(launches):
        key = (launch.threads, launch.service_threads, launch.registers, launch.ring_slots, launch.ring_slot_bytes)
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def _plan(image: ProgramImage, numbers: list[int], architecture: str, *, traced: bool) -> KernelPlan:
    launches = [image.launches[number] for number in numbers]
    shape = geometry(image, launches)
    used = {number for launch in launches for number in bodies_in_use(image, launch)}
    bodies = [(number, image.bodies[number]) for number in sorted(used)]
    requests = [dispatcher_request(bodies, shape, architecture, traced=traced)]
    requests += [body_request(body, shape, architecture) for _, body in bodies]
    return KernelPlan(tuple(numbers), shape, tuple(requests))


def _link(
    image: ProgramImage,
    plan: KernelPlan,
    compiled: Mapping[str, CompiledObject],
    architecture: str,
    cache: ByteCache | None,
) -> BuiltKernel:
    objects = {request.name: compiled[request.key].cubin for request in plan.requests}
    return BuiltKernel(link(image.name, objects, architecture, cache), plan.geometry, plan.launches)


def _compile_all(requests: list[CompileRequest], cache: ByteCache | None) -> dict[str, CompiledObject]:
    """The compiled objects by key, each source once, on as many threads as there are cores."""
    distinct = {request.key: request for request in requests}
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, max(len(distinct), 1))) as pool:
        results = pool.map(compile_object, distinct.values(), repeat(cache))
        return dict(zip(distinct, results, strict=True))
