"""The parts of the CUDA runtime that need no GPU: checks of images, order of launches, arguments, arrays, reports."""

from dataclasses import replace

import numpy as np
import pytest

from rammer_ir.errors import InvalidInputError, ProgramTimeoutError, VerificationError
from rammer_ir.runtime.cuda.arguments import FixedArguments, LaunchArguments
from rammer_ir.runtime.cuda.arrays import LEGACY_STREAM, foreign_array
from rammer_ir.runtime.cuda.checks import check_image
from rammer_ir.runtime.cuda.failure import FailureRecord, failure_error
from rammer_ir.runtime.cuda.layout import geometry
from rammer_ir.runtime.program_image import Binding, Body, Event, HostLoop, Opcode, ProgramImage
from rammer_ir.testing.program_images import ImageBuilder, Loop, Operand, barrier, pin, signal, wait


def program(*, launches: int = 1, service: bool = False) -> ProgramImage:
    event = Event("part", 0, 2)
    builder = ImageBuilder(
        "program",
        outputs=(Binding("y", (32,), "float32"),),
        scalars=("count",),
        events=(event,),
        barriers=1,
        host_loops=(HostLoop(1, 2, 0, "count"),) if launches > 3 else (),
    )
    body = builder.body("work", "", service=service)
    run = builder.run(body, [Operand(builder.space("y"))], [1], node="/node")
    for _ in range(launches):
        builder.launch([[wait(event, 1), Loop([run], scalar=0), signal(event), barrier(0, 1)]], service_threads=64)
    return builder.image()


def test_a_good_image_is_accepted() -> None:
    check_image(program(launches=5))


def changed(opcode: Opcode, word: int, value: int) -> ProgramImage:
    image = program()
    instructions = image.instructions.copy()
    instructions[instructions[:, 0] == opcode, word] = value
    return replace(image, instructions=instructions)


@pytest.mark.parametrize(
    ("opcode", "word", "value", "message"),
    [
        (Opcode.RUN, 1, 1, r"instruction 2 \(RUN\) names a kernel body 1, there are 1"),
        (Opcode.RUN, 2, 999, r"\(RUN\) names a descriptor 999"),
        (Opcode.BARRIER, 1, 1, r"\(BARRIER\) names a barrier 1, there are 1"),
        (Opcode.SIGNAL, 1, -1, r"\(SIGNAL\) names a counter -1, there are 2"),
        (Opcode.WAIT, 1, 2, r"\(WAIT\) names a counter 2"),
        (Opcode.WAIT, 2, 3, "a wait is for counters that do not exist"),
        (Opcode.WAIT, 5, 1, r"\(WAIT\) names an event 1"),
        (Opcode.FOR, 2, 1, "the loop at instruction 1 has no such scalar"),
        (Opcode.FOR, 3, 9, "the loop that ends at instruction 3 is empty or does not match its start"),
        (Opcode.NEXT, 1, 1, "the loop that ends at instruction 3 is empty or does not match its start"),
        (Opcode.NEXT, 0, Opcode.END, "the loop at instruction 1 has no end"),
        (Opcode.RUN, 0, Opcode.FOR, "the loops at instructions 1 and 2 nest"),
        (Opcode.END, 0, Opcode.SIGNAL, "the stream at instruction 0 has no end"),
    ],
)
def test_instructions_that_cannot_be_executed(opcode: Opcode, word: int, value: int, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        check_image(changed(opcode, word, value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 33}, "33 threads are no whole warps"),
        ({"threads": 0}, "0 threads are no whole warps"),
        ({"service_threads": 32}, "32 service threads: there must be none, or whole warps, at least 2"),
        ({"threads": 992}, "1056 threads, a block has 1024"),
        ({"streams": ()}, "it has 0 vEUs"),
        ({"streams": (0,) * 500}, "it has 500 vEUs, 1 to 400 are possible"),
        ({"ring_slots": 33}, "33 ring slots, at most 32"),
        ({"ring_slots": 1}, "a ring of one slot"),
        ({"ring_slots": 4, "ring_slot_bytes": 24}, "a ring slot of 24 bytes is no multiple of 16"),
    ],
)
def test_launches_that_cannot_be_made(changes: dict[str, object], message: str) -> None:
    image = program()
    with pytest.raises(VerificationError, match=rf"^program: launch 'launch0'.*{message}"):
        check_image(replace(image, launches=(replace(image.launches[0], **changes),)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (pin(9, 16), r"\(PIN\) names a space 9, there are 4"),
        (pin(1, 64, shared_offset=80), "'launch0' pins more than its 128 bytes"),
        (pin(1, 24), "'launch0' pins what is no multiple of 16 bytes"),
    ],
)
def test_pins_that_cannot_be_made(words: tuple[int, ...], message: str) -> None:
    builder = ImageBuilder("program", outputs=(Binding("y", (32,), "float32"),))
    builder.launch([[pin(1, 64, shared_offset=64), words]], pinned_bytes=128)
    with pytest.raises(VerificationError, match=message):
        check_image(builder.image())


def test_a_ring_needs_a_service_role() -> None:
    with pytest.raises(VerificationError, match="'work', which takes weights from a ring: it needs service threads"):
        check_image(program(service=True))


@pytest.mark.parametrize("name", ["a b", "x;y", "1a", "", "a\nb", "é"])
def test_names_that_are_no_identifiers_never_reach_the_source(name: str) -> None:
    with pytest.raises(VerificationError, match="has no name of a C function"):
        check_image(replace(program(), bodies=(Body(name, "", service=False),)))


def test_names_of_bodies_differ() -> None:
    image = program()
    with pytest.raises(VerificationError, match="two kernel bodies have the same name"):
        check_image(replace(image, bodies=image.bodies * 2))


def test_arguments_as_the_device_reads_them() -> None:
    image = program()
    shape = replace(geometry(image, list(image.launches)), scalars=3, veus=2)
    fixed = FixedArguments(
        control=1, counters=2, instructions=3, descriptors=4, report=5, bank_bytes=6, timeout=7, launch=8, launches=9
    )
    arguments = LaunchArguments(fixed, shape, [70, 80])
    arguments.bind([10, 11, 12, 13], [20, 21, 22])
    arguments.set_iteration(30)
    data = arguments.data
    assert list(data[:56].view(np.uint64)) == [1, 2, 3, 4, 5, 6, 7]
    assert list(data[56:72].view(np.int32)) == [30, 8, 9, 0]
    assert list(data[72:104].view(np.uint64)) == [10, 11, 12, 13]
    assert list(data[104:124].view(np.int32)) == [20, 21, 22, 70, 80]
    assert len(data) % 8 == 0


class OnDevice:
    """Pretends to be an array of another library."""

    def __init__(self, **interface: object) -> None:
        self.__cuda_array_interface__ = {
            "shape": (4, 6),
            "typestr": "<f4",
            "data": (512, False),
            "version": 3,
            **interface,
        }


def test_arrays_of_other_libraries() -> None:
    binding = Binding("x", (4, 6), "float32")
    plain = foreign_array(binding, OnDevice())
    assert plain is not None
    assert (plain.address, plain.shape, plain.nbytes, plain.stream) == (512, (4, 6), 96, LEGACY_STREAM)
    strided = foreign_array(binding, OnDevice(strides=(24, 4), stream=7))
    assert strided is not None
    assert strided.stream == 7
    assert foreign_array(binding, OnDevice(shape=(1, 6), strides=(999, 4))) is not None
    assert foreign_array(binding, np.zeros((4, 6), np.float32)) is None
    with pytest.raises(InvalidInputError, match="input 'x' is not dense and row-major on the device"):
        foreign_array(binding, OnDevice(strides=(4, 16)))


def report(kind: int, **fields: int) -> FailureRecord:
    return FailureRecord(kind=kind, **fields)


def test_reports_of_failures() -> None:
    image = program()
    event = failure_error(image, report(1, index=1, value=3, wanted=4, veu=2, instruction=0, iteration=5), 0.5)
    assert isinstance(event, ProgramTimeoutError)
    for text in ("event 'part' (counter 1, element 1)", "within 0.5 s", "stood at 3, 4 was wanted", "vEU 2", "/node"):
        assert text in str(event)
    assert "barrier 0 did not arrive" in str(failure_error(image, report(2), 1.0))
    assert "a word did not arrive" in str(failure_error(image, report(3, instruction=2), 1.0))
    taken = failure_error(image, report(4, instruction=2), 1.0)
    assert isinstance(taken, VerificationError)
    assert "'work' takes more chunks of weights than its service function pushes" in str(taken)
    assert "pushed more chunks of weights than were taken" in str(failure_error(image, report(5, instruction=-1), 1.0))


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "int4"])
def test_arrays_of_types_that_numpy_lacks(name: str) -> None:
    binding = Binding("x", (4, 6), name)
    foreign = foreign_array(binding, OnDevice(typestr=binding.element_dtype.str))
    assert foreign is not None
    assert foreign.dtype == binding.element_dtype
    assert foreign.nbytes == 24 * binding.element_dtype.itemsize
