"""The proof of a program."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.dialects.vdevice import DeviceOp, LaunchOp
from rammer_ir.errors import VerificationError
from rammer_ir.locations import describe_op
from rammer_ir.lowering.body_needs import BodyNeeds, needs_by_body
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.budget import FEWEST_RING_SLOTS, MOST_REGISTERS, RUNTIME_BYTES
from rammer_ir.scheduling.loops import runs_in
from rammer_ir.scheduling.program_checks import (
    check_accesses,
    check_arena,
    check_launch_order,
    check_pins,
    check_tasks,
    pinned_bytes,
)
from rammer_ir.scheduling.program_form import ProgramForm, device_of, launches_of, programs_of, read_program
from rammer_ir.scheduling.proof import prove_launch
from rammer_ir.scheduling.written_before import check_written


@dataclass(frozen=True)
class VerifyProgram(Pass):
    """
    Proves that every program does what its text order does, and fits its device; refuses it in one line if not.

    Tasks are complete and placed on vEUs that exist, and read what was written before them. Waits are satisfied by
    earlier text, so that nothing deadlocks. Conflicting accesses to the same bytes are ordered by happens-before, for
    all run-time lengths: inside a launch by waits and barriers, between launches by the order that the program asks
    for. Counters and words are not reused.
    Buffers that share bytes are not in use at the same time. vEUs, threads, registers and shared memory are within the
    device's.
    """

    name = "verify-program"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = needs_by_body(op)
        for program in programs_of(op):
            device = device_of(op, program.device.string_value())
            form = read_program(op, program)
            launches = launches_of(program)
            for launch in launches:
                _check_budget(launch, device)
                _check_bodies(form, launch, bodies)
            check_tasks(form)
            check_accesses(form)
            check_written(form)
            check_pins(form)
            check_launch_order(form)
            check_arena(form)
            for launch in launches:
                prove_launch(form, launch)


def _check_budget(launch: LaunchOp, device: DeviceOp) -> None:
    threads = launch.threads + launch.service_threads
    on_cuda = device.kind.data == "cuda"
    shared = launch.shared_bytes + (RUNTIME_BYTES if on_cuda else 0)
    limits = [
        ("vEUs", launch.veus, device.veus),
        ("threads", threads, device.threads),
        ("bytes of shared memory", shared, device.shared_bytes),
    ]
    if on_cuda:
        limits += [
            ("registers", launch.registers * threads, device.registers),
            ("registers a thread", launch.registers, MOST_REGISTERS),
        ]
    for what, wanted, available in limits:
        if wanted > available:
            raise VerificationError(
                f"a launch of {wanted} {what} on @{device.sym_name.data}, which has {available}",
                location=describe_op(launch),
            )
    pinned = pinned_bytes(launch)
    if pinned > launch.pinned_bytes:
        raise VerificationError(
            f"{pinned} bytes are pinned on a vEU of a launch that sets {launch.pinned_bytes} aside",
            location=describe_op(launch),
        )


def _check_bodies(form: ProgramForm, launch: LaunchOp, bodies: Mapping[str, BodyNeeds]) -> None:
    """The launch has what the bodies of its kernels need."""
    for run in runs_in(form, launch):
        if run.kernel.implementation is None:
            continue
        name = run.kernel.implementation.string_value()
        needs = bodies.get(name)
        if needs is None:
            continue
        problem: str | None = None
        if needs.threads != launch.threads:
            problem = f"has {needs.threads} threads in a launch of {launch.threads}"
        elif needs.scratch_bytes > launch.scratch_bytes:
            problem = f"needs {needs.scratch_bytes} bytes of scratch memory, the launch has {launch.scratch_bytes}"
        elif needs.chunk_bytes > launch.ring_slot_bytes:
            problem = f"pushes chunks of {needs.chunk_bytes} bytes into slots of {launch.ring_slot_bytes}"
        elif needs.chunk_bytes and launch.ring_slots < FEWEST_RING_SLOTS:
            problem = f"needs a ring of {FEWEST_RING_SLOTS} slots, the launch has {launch.ring_slots}"
        if problem is not None:
            raise VerificationError(f"body @{name} {problem}", location=describe_op(run.op))
