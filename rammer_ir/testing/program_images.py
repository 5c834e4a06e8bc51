"""Program images put together by hand: for tests of the runtimes, below the level where emission makes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rammer_ir.runtime.program_image import (
    INSTRUCTION_WORDS,
    Binding,
    Body,
    Event,
    HostLoop,
    LaunchImage,
    Opcode,
    ProgramImage,
    Space,
)


@dataclass(frozen=True)
class Operand:
    """Where an operand of a body lies: `offset` bytes into `space`, moved by `per_iteration` bytes an iteration."""

    space: int
    offset: int = 0
    per_iteration: int = 0


@dataclass(frozen=True)
class Loop:
    """`body` repeated `iterations` times, or as often as scalar number `scalar` says."""

    body: "Stream"
    iterations: int = 0
    scalar: int = -1


Words = tuple[int, ...]
Stream = Sequence[Words | Loop]


def barrier(number: int, participants: int) -> Words:
    return (Opcode.BARRIER, number, participants)


def wait(event: Event, threshold: int, *, number: int = 0, per_iteration: int = 0) -> Words:
    """All counters of `event`, which is event `number` of its image."""
    return (Opcode.WAIT, event.first_counter, event.counters, threshold, per_iteration, number)


def signal(event: Event, element: int = 0) -> Words:
    return (Opcode.SIGNAL, event.first_counter + element)


def pin(space: int, size: int, *, shared_offset: int = 0, offset: int = 0) -> Words:
    return (Opcode.PIN, space, shared_offset, size, *_low_and_high(offset))


@dataclass
class ImageBuilder:
    """
    Collects bodies, descriptors and launches; :meth:`image` lays them out.

    Bindings are numbered as spaces by :meth:`space`. All sizes are bytes.
    """

    name: str
    inputs: tuple[Binding, ...] = ()
    outputs: tuple[Binding, ...] = ()
    scalars: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    barriers: int = 0
    arena_bytes: int = 0
    weight_bytes: int = 0
    host_loops: tuple[HostLoop, ...] = ()
    _bodies: list[Body] = field(default_factory=list[Body])
    _descriptors: list[int] = field(default_factory=list[int])
    _instructions: list[Words] = field(default_factory=list[Words])
    _launches: list[LaunchImage] = field(default_factory=list[LaunchImage])
    _provenance: dict[int, str] = field(default_factory=dict[int, str])

    def space(self, name: str) -> int:
        """The number of the space that binding `name` is."""
        names = [binding.name for binding in (*self.inputs, *self.outputs)]
        return Space.FIRST_BINDING + names.index(name)

    def body(self, name: str, source: str, *, service: bool = False) -> int:
        self._bodies.append(Body(name, source, service))
        return len(self._bodies) - 1

    def descriptor(self, operands: Sequence[Operand], parameters: Sequence[int] = (), *, node: str = "") -> int:
        start = len(self._descriptors)
        words = [len(operands), len(parameters), 0, 0]
        for operand in operands:
            words += [operand.space, operand.per_iteration, *_low_and_high(operand.offset)]
        words += parameters
        self._descriptors += [*words, *[0] * (-len(words) % 4)]
        if node:
            self._provenance[start] = node
        return start

    def run(
        self,
        body: int,
        operands: Sequence[Operand],
        parameters: Sequence[int] = (),
        *,
        first: int = 0,
        count: int = 1,
        step: int = 1,
        node: str = "",
    ) -> Words:
        """A RUN with a descriptor of its own."""
        return (Opcode.RUN, body, self.descriptor(operands, parameters, node=node), first, count, step)

    def launch(
        self,
        streams: Sequence[Stream],
        *,
        threads: int = 32,
        scratch_bytes: int = 0,
        pinned_bytes: int = 0,
        ring_slots: int = 0,
        ring_slot_bytes: int = 0,
        service_threads: int = 0,
        registers: int = 64,
    ) -> None:
        """A launch of one vEU for each of `streams`."""
        starts: list[int] = []
        for stream in streams:
            starts.append(len(self._instructions))
            self._append(stream)
            self._instructions.append((Opcode.END,))
        self._launches.append(
            LaunchImage(
                name=f"launch{len(self._launches)}",
                streams=tuple(starts),
                threads=threads,
                service_threads=service_threads,
                registers=registers,
                ring_slots=ring_slots,
                ring_slot_bytes=ring_slot_bytes,
                scratch_bytes=scratch_bytes,
                pinned_bytes=pinned_bytes,
            )
        )

    def image(self) -> ProgramImage:
        instructions = np.zeros((len(self._instructions), INSTRUCTION_WORDS), np.int32)
        for row, words in zip(instructions, self._instructions, strict=True):
            row[: len(words)] = words
        return ProgramImage(
            name=self.name,
            launches=tuple(self._launches),
            host_loops=self.host_loops,
            instructions=instructions,
            descriptors=np.array(self._descriptors, np.int32),
            bodies=tuple(self._bodies),
            events=self.events,
            counters=max((event.first_counter + event.counters for event in self.events), default=0),
            barriers=self.barriers,
            arena_bytes=self.arena_bytes,
            weight_bytes=self.weight_bytes,
            weights=(("weights", 0),) if self.weight_bytes else (),
            inputs=self.inputs,
            outputs=self.outputs,
            scalars=self.scalars,
            provenance=self._provenance,
        )

    def _append(self, stream: Stream) -> None:
        for item in stream:
            if isinstance(item, Loop):
                self._append_loop(item)
            else:
                self._instructions.append(item)

    def _append_loop(self, loop: Loop) -> None:
        start = len(self._instructions)
        self._instructions.append(())
        self._append(loop.body)
        self._instructions.append((Opcode.NEXT, start + 1))
        self._instructions[start] = (Opcode.FOR, loop.iterations, loop.scalar, len(self._instructions))


def without_instruction(image: ProgramImage, veu: int, opcode: Opcode) -> ProgramImage:
    """
    The image without the first instruction of a kind in a vEU's stream of its first launch, for tests of what happens.

    A RUN of no task stands in its place. Raises ValueError if the stream has no such instruction, or the image no RUN.
    """
    table = image.instructions.copy()
    start = image.launches[0].streams[veu]
    opcodes = table[start:, 0].tolist()
    opcodes = opcodes[: opcodes.index(Opcode.END)]
    run = table[table[:, 0].tolist().index(Opcode.RUN)].copy()
    run[4] = 0
    table[start + opcodes.index(opcode)] = run
    return replace(image, instructions=table)


def _low_and_high(offset: int) -> tuple[int, int]:
    low = offset & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low, offset >> 32
