"""What is resident on the device and how it meets: launches, groups of vEUs, periodic parts, events and barriers."""

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import DenseArrayBase, IndexType, IntegerAttr, i64
from xdsl.ir import Attribute, Block, Operation, ParametrizedAttribute, Region, SSAValue, TypeAttribute
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_result_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, NoTerminator
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import parse_attribute_dictionary
from rammer_ir.dialects.integers import Integer, integer, integers
from rammer_ir.dialects.nesting import enclosing_op


@irdl_attr_definition
class EventType(ParametrizedAttribute, TypeAttribute):
    """
    An array of counters that start each launch at zero; runs signal them (add one) and wait for thresholds.

    Example: `!vdevice.event<8>`
    """

    name = "vdevice.event"
    counters_: Integer

    def __init__(self, counters: int) -> None:
        super().__init__(integer(counters))

    @property
    def counters(self) -> int:
        return self.counters_.value.data

    def verify(self) -> None:
        if self.counters < 1:
            raise VerifyException(f"an event has at least one counter, got {self.counters}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            return (integer(parser.parse_integer()),)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(str(self.counters))


@irdl_attr_definition
class TokenType(ParametrizedAttribute, TypeAttribute):
    """
    Stands for the end of a launch.

    Example: `!vdevice.token`
    """

    name = "vdevice.token"


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """
    One resident kernel: a segment of the program with its own number of vEUs and its own budget.

    `threads` run bodies, `service` more read ahead and fill the weight ring of `ring_slots` slots of `ring_slot_bytes`
    bytes. `scratch` bytes of shared memory belong to the running body, `pinned` bytes hold weights for the whole
    launch; `registers` is the limit a thread.

    A launch starts when all before it have ended. One that gives a token may start earlier: when those it comes `after`
    have ended, and what stands before it without a token. Launches that no path orders may run at the same time.

    Example:
    ```mlir
    vdevice.launch veus 132 threads 256 service 128 ring 12 x 8192 scratch 49152 pinned 0 registers 168 {
      vdevice.barrier
    }
    %a = vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
      vdevice.barrier
    }
    %b = vdevice.launch after(%a) veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0
        -> !vdevice.token {
      vdevice.barrier
    }
    ```
    """

    name = "vdevice.launch"
    after = var_operand_def(TokenType())
    token = opt_result_def(TokenType())
    veus_ = prop_def(IntegerAttr.constr(i64), prop_name="veus")
    threads_ = prop_def(IntegerAttr.constr(i64), prop_name="threads")
    service_threads_ = prop_def(IntegerAttr.constr(i64), prop_name="service_threads")
    ring_slots_ = prop_def(IntegerAttr.constr(i64), prop_name="ring_slots")
    ring_slot_bytes_ = prop_def(IntegerAttr.constr(i64), prop_name="ring_slot_bytes")
    scratch_bytes_ = prop_def(IntegerAttr.constr(i64), prop_name="scratch_bytes")
    pinned_bytes_ = prop_def(IntegerAttr.constr(i64), prop_name="pinned_bytes")
    registers_ = prop_def(IntegerAttr.constr(i64), prop_name="registers")
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    assembly_format = (
        "(`after` `(` $after^ `)`)? `veus` $veus `threads` $threads `service` $service_threads "
        "`ring` $ring_slots `x` $ring_slot_bytes `scratch` $scratch_bytes `pinned` $pinned_bytes "
        "`registers` $registers (`->` type($token)^)? attr-dict-with-keyword $body"
    )

    def __init__(
        self,
        body: Region,
        *,
        veus: int,
        threads: int,
        service_threads: int = 0,
        ring_slots: int = 0,
        ring_slot_bytes: int = 0,
        scratch_bytes: int = 0,
        pinned_bytes: int = 0,
        registers: int = 0,
        after: Sequence[SSAValue] | None = None,
    ) -> None:
        """With `after`, the launches after which it comes, it gives a token; without, it comes after all before it."""
        values = {
            "veus": veus,
            "threads": threads,
            "service_threads": service_threads,
            "ring_slots": ring_slots,
            "ring_slot_bytes": ring_slot_bytes,
            "scratch_bytes": scratch_bytes,
            "pinned_bytes": pinned_bytes,
            "registers": registers,
        }
        super().__init__(
            operands=[[] if after is None else after],
            result_types=[None if after is None else TokenType()],
            properties={name: integer(value) for name, value in values.items()},
            regions=[body],
        )

    def with_same_budget(
        self, body: Region, *, veus: int | None = None, after: Sequence[SSAValue] | None = None
    ) -> "LaunchOp":
        """A launch like this one, but for what it runs, on how many vEUs, and after what."""
        return LaunchOp(
            body,
            veus=self.veus if veus is None else veus,
            threads=self.threads,
            service_threads=self.service_threads,
            ring_slots=self.ring_slots,
            ring_slot_bytes=self.ring_slot_bytes,
            scratch_bytes=self.scratch_bytes,
            pinned_bytes=self.pinned_bytes,
            registers=self.registers,
            after=after,
        )

    @property
    def veus(self) -> int:
        return self.veus_.value.data

    @property
    def threads(self) -> int:
        return self.threads_.value.data

    @property
    def service_threads(self) -> int:
        return self.service_threads_.value.data

    @property
    def ring_slots(self) -> int:
        return self.ring_slots_.value.data

    @property
    def ring_slot_bytes(self) -> int:
        return self.ring_slot_bytes_.value.data

    @property
    def scratch_bytes(self) -> int:
        return self.scratch_bytes_.value.data

    @property
    def pinned_bytes(self) -> int:
        return self.pinned_bytes_.value.data

    @property
    def registers(self) -> int:
        return self.registers_.value.data

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a vEU: ring, scratch and pinned weights."""
        return self.ring_slots * self.ring_slot_bytes + self.scratch_bytes + self.pinned_bytes

    def verify_(self) -> None:
        if self.veus < 1 or self.threads < 1:
            raise VerifyException("a launch has at least one vEU of at least one thread")
        rest = (self.service_threads, self.ring_slots, self.ring_slot_bytes, self.scratch_bytes, self.pinned_bytes)
        if min(*rest, self.registers) < 0:
            raise VerifyException("the budget of a launch must not be negative")
        if (self.ring_slots > 0) != (self.ring_slot_bytes > 0):
            raise VerifyException(f"a ring of {self.ring_slots} slots of {self.ring_slot_bytes} bytes holds nothing")
        if self.after and self.token is None:
            raise VerifyException("a launch that names the launches before it gives a token")
        if self.token is not None and isinstance(self.parent_op(), ForOp):
            raise VerifyException("a launch in a loop comes after all before it: it gives no token")
        verify_outside_launches(self)


@irdl_op_definition
class GroupOp(IRDLOperation):
    """
    vEUs `first` to `last` (not included) of the launch, for what stands inside: placements count from `first`.

    Groups of a launch that do not overlap run side by side.

    Example: `vdevice.group [0, 106] { vdevice.barrier }`
    """

    name = "vdevice.group"
    range = prop_def(DenseArrayBase.constr(i64))
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), HasParent(LaunchOp))
    assembly_format = "$range attr-dict-with-keyword $body"

    def __init__(self, first: int, last: int, body: Region) -> None:
        super().__init__(properties={"range": integers((first, last))}, regions=[body])

    @property
    def first(self) -> int:
        return self.range.get_values()[0]

    @property
    def last(self) -> int:
        return self.range.get_values()[1]

    def verify_(self) -> None:
        if len(self.range) != 2 or not 0 <= self.first < self.last:
            raise VerifyException("a group is a range [first, last) of vEUs")
        launch = self.parent_op()
        if isinstance(launch, LaunchOp) and self.last > launch.veus:
            raise VerifyException(f"group [{self.first}, {self.last}] of a launch of {launch.veus} vEUs")


@irdl_op_definition
class ForOp(IRDLOperation):
    """
    A periodic part: its body is repeated `length` times, `t` counting from 0. Around launches the host repeats them.

    Bodies are translation-invariant: what a task touches depends on `t` only through its boxes.

    Example: `vdevice.for %t in %steps { vdevice.barrier }`
    """

    name = "vdevice.for"
    length = operand_def(IndexType())
    body = region_def("single_block")
    traits = traits_def(NoTerminator())

    def __init__(self, length: SSAValue | Operation, body: Region | None = None) -> None:
        region = Region(Block(arg_types=[IndexType()])) if body is None else body
        super().__init__(operands=[length], regions=[region])

    @property
    def index(self) -> SSAValue:
        return self.body.block.args[0]

    def verify_(self) -> None:
        if [argument.type for argument in self.body.block.args] != [IndexType()]:
            raise VerifyException("vdevice.for has one index")
        if enclosing_op(self, ForOp) is not None:
            raise VerifyException("periodic parts do not nest")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.index)
        printer.print_string(" in ")
        printer.print_ssa_value(self.length)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_keyword("in")
        length = parser.parse_operand(IndexType())
        attributes = parse_attribute_dictionary(parser)
        op = cls(length, parser.parse_region([index]))
        op.attributes = attributes
        return op


@irdl_op_definition
class EventOp(IRDLOperation):
    """
    Declares an event, an array of counters.

    Example: `%ready = vdevice.event : !vdevice.event<8>`
    """

    name = "vdevice.event"
    result = result_def(EventType)
    traits = traits_def(HasParent(LaunchOp))
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self, counters: int) -> None:
        super().__init__(result_types=[EventType(counters)])


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """
    All vEUs of the group around it, or of the launch, meet: what was written before is seen after.

    Example: `vdevice.barrier`
    """

    name = "vdevice.barrier"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        verify_inside_launch(self)


def enclosing_launch(op: Operation) -> LaunchOp | None:
    """The launch that an op stands in."""
    return enclosing_op(op, LaunchOp)


def enclosing_veus(op: Operation) -> tuple[int, int]:
    """The range [first, last) of vEUs that an op of a launch is for: its group's, or the launch's."""
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, GroupOp):
            return parent.first, parent.last
        if isinstance(parent, LaunchOp):
            return 0, parent.veus
        parent = parent.parent_op()
    raise ValueError(f"{op.name} stands outside a launch")


def verify_outside_launches(op: Operation) -> None:
    if enclosing_launch(op) is not None:
        raise VerifyException(f"{op.name} stands inside a launch")


def verify_inside_launch(op: Operation) -> None:
    if enclosing_launch(op) is None:
        raise VerifyException(f"{op.name} stands outside a launch")
