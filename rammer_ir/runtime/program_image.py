"""The form of a program that both runtimes execute: tables and source text.

Emission writes a :class:`ProgramImage`; the CUDA and the host runtime read it.
It knows nothing of the IR above it, and is the same for both devices.

A program is a sequence of *launches*.  In a launch each vEU executes its own
*stream* of instructions; the streams of all vEUs stand in one table.  An
instruction is eight ``int32`` words, the first of which is its :class:`Opcode`:

========= ====================================================================
RUN       body, descriptor, first task, task count, task step, iteration, steps
BARRIER   barrier, participants
WAIT      first counter, counters, threshold, threshold per iteration, event
SIGNAL    counter
PIN       space, shared offset, bytes, offset low word, offset high word
FOR       iterations, scalar (-1: none), instruction after the matching NEXT
NEXT      instruction after the matching FOR
END
========= ====================================================================

- ``RUN`` calls body number *body* for tasks ``first + i * step``.  *descriptor*
  is an index into the word table :attr:`ProgramImage.descriptors`. *iteration*
  is added to the loop index.  If *steps* is not zero, each call is for several
  steps, from 0 on: that many, or the run-time value of scalar ``-1 - steps``.
- ``BARRIER`` is the *n*-th meeting of *participants* vEUs at counter *barrier*,
  where *n* counts the meetings this vEU had at it in this launch.
- ``WAIT`` polls until each of the counters has reached
  ``threshold + threshold_per_iteration * t``, ``t`` being the loop index.
  *event* is an index into :attr:`ProgramImage.events` (for error reports).
- ``SIGNAL`` releases all that this vEU wrote and adds one to a counter.
- ``PIN`` copies weights into this vEU's pinned shared memory, once.
- ``FOR`` repeats what stands before its ``NEXT``; the count is *iterations*, or
  the run-time value of a scalar.  Loops do not nest.

A *descriptor* is one use of a body, words in this order: number of operands,
number of parameters, two words of padding; four words an operand (space, bytes
added a loop iteration, offset low word, offset high word); the parameters;
padding to a multiple of four words.

An operand's address is ``spaces[space] + offset + t * bytes_per_iteration``.
Spaces are numbered: the arena, the weights, the vEU's pinned shared memory,
then the program's inputs, then its outputs.

Counters start each launch at zero without a memset: there are two banks, the
parity of the launch's epoch selects one, and vEU 0 clears the other during the
launch.  The epoch of a launch is ``exits // veus``, where every vEU adds one to
``exits`` as its last action: it is the same for all vEUs of a launch, however
late one starts, since no vEU reads it after its own exit.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from rammer_ir.dtypes import named_dtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INSTRUCTION_WORDS: Final = 8
"""``int32`` words in an instruction."""

ALIGNMENT: Final = 256
"""Bytes to which buffers in the arena and weights in their arena are aligned."""


class Opcode(IntEnum):
    """First word of an instruction."""

    END = 0
    RUN = 1
    BARRIER = 2
    WAIT = 3
    SIGNAL = 4
    PIN = 5
    FOR = 6
    NEXT = 7


class Space(IntEnum):
    """What an operand's offset is relative to; inputs follow, then outputs."""

    ARENA = 0
    WEIGHTS = 1
    PINNED = 2
    FIRST_BINDING = 3


@dataclass(frozen=True)
class Binding:
    """A tensor the caller passes in or gets back, dense and row-major.

    `dtype` is the name of a NumPy type, or of one of ml_dtypes. The first dimension of `shape` is the declared
    maximum where `length` names the scalar that bounds it at run time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    length: str | None = None

    @property
    def element_dtype(self) -> "np.dtype[Any]":
        """The dtype of the name; raises TypeError if there is none."""
        return named_dtype(self.dtype)


@dataclass(frozen=True)
class Body:
    """A kernel body: a function of the source text, compiled on its own.

    `name` is its symbol, `source` its complete text without the prelude, and
    `service` whether ``<name>_service`` exists too: what the service role of a
    vEU does ahead of time for each task (stream weights into the ring).
    With `in_order` the source stands in the order in which its instructions
    had best be issued; one that `has_steps` can be called for several steps of
    a loop at once.
    """

    name: str
    source: str
    service: bool
    in_order: bool = False
    has_steps: bool = False


@dataclass(frozen=True)
class Event:
    """An array of counters, and what to call it when a wait on it times out."""

    name: str
    first_counter: int
    counters: int


@dataclass(frozen=True)
class LaunchImage:
    """One resident kernel: `streams[veu]` is the index of its first instruction.

    `threads` are those of the compute role; `service_threads` follow them.
    Sizes are bytes: a vEU has `ring_slots` slots of `ring_slot_bytes`, scratch
    shared memory of its bodies, and pinned shared memory, in this order.
    `after` are the numbers of the launches after which it comes; None stands
    for all before it. Unless `is_cooperative`, its vEUs never wait for each other.
    """

    name: str
    streams: tuple[int, ...]
    threads: int
    service_threads: int
    registers: int
    ring_slots: int
    ring_slot_bytes: int
    scratch_bytes: int
    pinned_bytes: int
    after: tuple[int, ...] | None = None
    is_cooperative: bool = True

    @property
    def veus(self) -> int:
        return len(self.streams)

    @property
    def shared_bytes(self) -> int:
        """Dynamic shared memory a vEU needs, without the runtime's own."""
        ring = self.ring_slots * self.ring_slot_bytes
        return ring + self.scratch_bytes + self.pinned_bytes


@dataclass(frozen=True)
class HostLoop:
    """Launches ``first .. first + count - 1`` repeated on the host.

    Loop index ``t`` is passed to each launch. The count is `iterations`, or the
    run-time value of the scalar named.
    """

    first: int
    count: int
    iterations: int
    scalar: str | None = None


@dataclass(frozen=True)
class ProgramImage:
    """A whole program, ready to be compiled and launched.

    `instructions` is int32 of shape [n, 8]; `descriptors` is int32 of shape [m].
    `arena_bytes` is the size of the arena; `weights` lists (symbol, byte offset)
    in the weight arena of `weight_bytes` bytes. `scalars` are the names of the
    run-time integers, in order; launches are submitted in order, those of a
    host loop again and again. `provenance` names, for each descriptor index, the
    nodes of the model it came from.
    """

    name: str
    launches: tuple[LaunchImage, ...]
    host_loops: tuple[HostLoop, ...]
    instructions: "NDArray[np.int32]"
    descriptors: "NDArray[np.int32]"
    bodies: tuple[Body, ...]
    events: tuple[Event, ...]
    counters: int
    barriers: int
    arena_bytes: int
    weight_bytes: int
    weights: tuple[tuple[str, int], ...]
    inputs: tuple[Binding, ...]
    outputs: tuple[Binding, ...]
    scalars: tuple[str, ...]
    provenance: dict[int, str] = field(default_factory=dict[int, str])
