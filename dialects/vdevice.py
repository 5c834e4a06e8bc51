"""
The `vdevice` dialect: when and where every rTask runs, on a virtual device of vEUs (Rammer, OSDI'20, section 3.2).

A vEU executes, in text order, the runs placed on it; nothing else orders vEUs but waits and barriers. Text order is itself
a legal sequential run: every wait is satisfied by what stands before it. So deadlock freedom is a linear check.
"""

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DenseIntElementsAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import (
    Attribute,
    Block,
    Dialect,
    Operation,
    ParametrizedAttribute,
    Region,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.rop import parse_operand_group, print_operand_group
from rammer_ir.dialects.rtask import BoxAttr, CostAttr, Placement


@irdl_attr_definition
class EventType(ParametrizedAttribute, TypeAttribute):
    """
    An array of counters that start each launch at zero; runs signal them (add one) and wait for thresholds.

    Example: `!vdevice.event<8>`
    """

    name = "vdevice.event"
    counters_: IntegerAttr

    def __init__(self, counters: int | IntegerAttr) -> None:
        super().__init__(counters if isinstance(counters, IntegerAttr) else IntegerAttr(counters, i64))

    @property
    def counters(self) -> int:
        return self.counters_.value.data

    def verify(self) -> None:
        if self.counters < 1:
            raise VerifyException(f"an event has at least one counter, got {self.counters}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            return (IntegerAttr(parser.parse_integer(), i64),)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(str(self.counters))


@irdl_op_definition
class DeviceOp(IRDLOperation):
    """
    What a device offers: the budget that launches must fit, and the rates and latencies that cost models use.

    `shared_bytes` and `registers` are those of one vEU (on CUDA: of a streaming multiprocessor). `rates` holds numbers by
    name, each with its unit in the name (`l2_bandwidth_gbps`, `barrier_us`, `multiply_adds_per_us`); `source` says where
    they come from.

    Example:
    ```mlir
    vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
        rates {barrier_us = 1.02 : f64} source "measured on one H100 80GB HBM3"
    ```
    """

    name = "vdevice.device"
    sym_name = prop_def(SymbolNameConstraint())
    kind = prop_def(StringAttr)
    veus_ = prop_def(IntegerAttr.constr(i64), prop_name="veus")
    threads_ = prop_def(IntegerAttr.constr(i64), prop_name="threads")
    shared_bytes_ = prop_def(IntegerAttr.constr(i64), prop_name="shared_bytes")
    registers_ = prop_def(IntegerAttr.constr(i64), prop_name="registers")
    rates = opt_prop_def(Attribute)
    source = opt_prop_def(StringAttr)
    traits = traits_def(SymbolOpInterface())
    assembly_format = (
        "$sym_name `kind` $kind `veus` $veus `threads` $threads `shared` $shared_bytes `registers` $registers "
        "(`rates` $rates^)? (`source` $source^)? attr-dict"
    )

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        veus: int,
        threads: int,
        shared_bytes: int,
        registers: int,
        rates: Attribute | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "kind": StringAttr(kind),
                "veus": IntegerAttr(veus, i64),
                "threads": IntegerAttr(threads, i64),
                "shared_bytes": IntegerAttr(shared_bytes, i64),
                "registers": IntegerAttr(registers, i64),
                "rates": rates,
                "source": None if source is None else StringAttr(source),
            }
        )

    @property
    def veus(self) -> int:
        return self.veus_.value.data

    @property
    def threads(self) -> int:
        """The most threads a vEU may have."""
        return self.threads_.value.data

    @property
    def shared_bytes(self) -> int:
        return self.shared_bytes_.value.data

    @property
    def registers(self) -> int:
        return self.registers_.value.data

    def verify_(self) -> None:
        if self.kind.data not in ("cuda", "host"):
            raise VerifyException(f'the kind of a device is "cuda" or "host", not "{self.kind.data}"')
        if self.veus < 1 or self.threads < 1 or self.shared_bytes < 0 or self.registers < 0:
            raise VerifyException("a device has at least one vEU of at least one thread")


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """
    A model, or a part of it, scheduled for a device.

    The region takes the caller's tensors as memrefs: inputs, outputs (`inputs` says how many come first), then run-time
    lengths of type index; `names` are what the caller calls them. It holds buffers, weights and launches.

    Example:
    ```mlir
    vdevice.program @main on @h100 inputs 1 names ["x", "y"] {
    ^bb0(%x: memref<4x8xf32>, %y: memref<4x8xf32>):
      ...
    }
    ```
    """

    name = "vdevice.program"
    sym_name = prop_def(SymbolNameConstraint())
    device = prop_def(SymbolRefAttr)
    inputs_ = prop_def(IntegerAttr.constr(i64), prop_name="inputs")
    names_ = prop_def(ArrayAttr[StringAttr], prop_name="names")
    arena_bytes_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="arena_bytes")
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = (
        "$sym_name `on` $device `inputs` $inputs `names` $names (`arena` $arena_bytes^)? attr-dict-with-keyword $body"
    )

    def __init__(self, name: str, device: str, inputs: int, names: Sequence[str], body: Region) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "device": SymbolRefAttr(device),
                "inputs": IntegerAttr(inputs, i64),
                "names": ArrayAttr([StringAttr(text) for text in names]),
            },
            regions=[body],
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.data for name in self.names_)

    @property
    def tensors(self) -> Sequence[SSAValue]:
        """The caller's tensors: inputs, then outputs."""
        return [argument for argument in self.body.block.args if isinstance(argument.type, MemRefType)]

    @property
    def input_arguments(self) -> Sequence[SSAValue]:
        return self.tensors[: self.inputs_.value.data]

    @property
    def output_arguments(self) -> Sequence[SSAValue]:
        return self.tensors[self.inputs_.value.data :]

    @property
    def length_arguments(self) -> Sequence[SSAValue]:
        return self.body.block.args[len(self.tensors) :]

    @property
    def arena_bytes(self) -> int | None:
        """Size of the arena, once memory is planned."""
        return None if self.arena_bytes_ is None else self.arena_bytes_.value.data

    @arena_bytes.setter
    def arena_bytes(self, value: int) -> None:
        self.arena_bytes_ = IntegerAttr(value, i64)

    def verify_(self) -> None:
        arguments = self.body.block.args
        if len(self.names) != len(arguments) or len(set(self.names)) != len(self.names):
            raise VerifyException(f"a program needs a different name for each of its {len(arguments)} arguments")
        if not 0 <= self.inputs_.value.data <= len(self.tensors):
            raise VerifyException(f"{self.inputs_.value.data} inputs, but {len(self.tensors)} tensors")
        if any(argument.type != IndexType() for argument in self.length_arguments):
            raise VerifyException("a program takes memrefs, then lengths of type index")


@irdl_op_definition
class BufferOp(IRDLOperation):
    """
    Memory for an intermediate tensor, in the arena of the program; `offset` is set when memory is planned.

    In memory space "words" every element takes 8 bytes, value and epoch, and is written at most once a launch.

    Example: `%b = vdevice.buffer offset 4096 : memref<1x64x32x32xf32, "global">`
    """

    name = "vdevice.buffer"
    offset_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="offset")
    result = result_def(MemRefType)
    assembly_format = "(`offset` $offset^)? attr-dict `:` type($result)"

    def __init__(self, memref: Attribute, offset: int | None = None) -> None:
        super().__init__(
            properties={"offset": None if offset is None else IntegerAttr(offset, i64)}, result_types=[memref]
        )

    @property
    def offset(self) -> int | None:
        """Bytes from the start of the arena."""
        return None if self.offset_ is None else self.offset_.value.data

    @offset.setter
    def offset(self, value: int) -> None:
        self.offset_ = IntegerAttr(value, i64)

    def verify_(self) -> None:
        if self.offset is not None and self.offset < 0:
            raise VerifyException(f"a buffer's offset must not be negative, got {self.offset}")
        _verify_space(self.result, ("global", "words"), "a buffer")


@irdl_op_definition
class WeightOp(IRDLOperation):
    """
    A weight (`rop.weight`) as memory that is read-only for the whole launch.

    Example: `%w = vdevice.weight @filter : memref<64x3xf32, "weights">`
    """

    name = "vdevice.weight"
    weight = prop_def(SymbolRefAttr)
    result = result_def(MemRefType)
    assembly_format = "$weight attr-dict `:` type($result)"

    def __init__(self, weight: str, memref: Attribute) -> None:
        super().__init__(properties={"weight": SymbolRefAttr(weight)}, result_types=[memref])

    def verify_(self) -> None:
        _verify_space(self.result, ("weights",), "a weight")


def _verify_space(value: SSAValue, allowed: Sequence[str], what: str) -> None:
    space = cast("MemRefType[Attribute]", value.type).memory_space
    if isinstance(space, NoneAttr) or not isinstance(space, StringAttr) or space.data not in allowed:
        raise VerifyException(f"{what} lies in memory space {' or '.join(allowed)}, not {space}")


@irdl_op_definition
class LaunchOp(IRDLOperation):
    """
    One resident kernel: a segment of the program with its own number of vEUs and its own budget.

    `threads` run bodies, `service` more read ahead and fill the weight ring of `ring_slots` slots of `ring_slot_bytes`
    bytes. `scratch` bytes of shared memory belong to the running body, `pinned` bytes hold weights for the whole launch;
    `registers` is the limit a thread.

    Example: `vdevice.launch veus 132 threads 256 service 128 ring 12 x 8192 scratch 49152 pinned 0 registers 168 { ... }`
    """

    name = "vdevice.launch"
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
        "`veus` $veus `threads` $threads `service` $service_threads `ring` $ring_slots `x` $ring_slot_bytes "
        "`scratch` $scratch_bytes `pinned` $pinned_bytes `registers` $registers attr-dict-with-keyword $body"
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
    ) -> None:
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
            properties={name: IntegerAttr(value, i64) for name, value in values.items()}, regions=[body]
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
        for op in self.body.block.ops:
            if isinstance(op, LaunchOp | BufferOp | WeightOp | ProgramOp):
                raise VerifyException(f"{op.name} stands inside a launch")


@irdl_op_definition
class GroupOp(IRDLOperation):
    """
    vEUs `first` to `last` (not included) of the launch, for what stands inside: placements count from `first`.

    Groups of a launch that do not overlap run side by side.

    Example: `vdevice.group [0, 106] { ... }`
    """

    name = "vdevice.group"
    range = prop_def(DenseArrayBase.constr(i64))
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), HasParent(LaunchOp))
    assembly_format = "$range attr-dict-with-keyword $body"

    def __init__(self, first: int, last: int, body: Region) -> None:
        super().__init__(properties={"range": DenseArrayBase.from_list(i64, [first, last])}, regions=[body])

    @property
    def first(self) -> int:
        return cast("tuple[int, ...]", self.range.get_values())[0]

    @property
    def last(self) -> int:
        return cast("tuple[int, ...]", self.range.get_values())[1]

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

    Example: `vdevice.for %t in %steps { ... }`
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
        parent = self.parent_op()
        while parent is not None:
            if isinstance(parent, ForOp):
                raise VerifyException("periodic parts do not nest")
            parent = parent.parent_op()

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
        attributes = parser.parse_optional_attr_dict_with_keyword()
        op = cls(length, parser.parse_region([index]))
        if attributes is not None:
            op.attributes = dict(attributes.data)
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
        if enclosing_launch(self) is None:
            raise VerifyException("vdevice.barrier stands outside a launch")


@irdl_op_definition
class PinOp(IRDLOperation):
    """
    Keeps a box of a weight in the shared memory of each vEU of the group, for the whole launch.

    The box maps the vEU's number in the group to what it keeps: densely, row-major, in a memref of the box's shape. A
    kernel that takes the pinned memref reads, by its box, what its vEU has.

    Example (each of 13 vEUs keeps 20 units' rows):
    ```mlir
    %p = vdevice.pin %w box <(p) -> (0, p * 20, 0) by [4, 20, 512]> :
        memref<4x260x512xf32, "weights"> -> memref<4x20x512xf32, "pinned">
    ```
    """

    name = "vdevice.pin"
    weight = operand_def(MemRefType)
    box = prop_def(BoxAttr)
    result = result_def(MemRefType)
    assembly_format = "$weight `box` $box attr-dict `:` type($weight) `->` type($result)"

    def __init__(self, weight: SSAValue | Operation, box: BoxAttr) -> None:
        source = cast("MemRefType[Attribute]", SSAValue.get(weight).type)
        pinned = MemRefType(source.element_type, box.sizes, NoneAttr(), StringAttr("pinned"))
        super().__init__(operands=[weight], properties={"box": box}, result_types=[pinned])

    def verify_(self) -> None:
        _verify_space(self.weight, ("weights",), "what is pinned")
        _verify_space(self.result, ("pinned",), "a pinned weight")
        source = cast("MemRefType[Attribute]", self.weight.type)
        pinned = cast("MemRefType[Attribute]", self.result.type)
        origin = self.box.origin.data
        if (origin.num_dims, origin.num_symbols) != (1, 0) or len(origin.results) != source.get_num_dims():
            raise VerifyException(f"the box of a pin maps the vEU's number to an origin in {source}")
        if pinned.get_shape() != self.box.sizes or pinned.element_type != source.element_type:
            raise VerifyException(f"a pin of {list(self.box.sizes)} elements does not give {pinned}")


@irdl_op_definition
class RunOp(IRDLOperation):
    """
    Tasks `first` to `last` (not included) of a kernel, each on the vEU that `place` gives it, one after another.

    `place` maps the linear task index to a vEU of the group (or launch) around the run; where no map fits it is a table.
    Before a task, its vEU waits for events; after it, it signals. A wait's map takes the task's coordinates and the loop
    index to (first counter, number of counters, threshold); a signal's map takes them to the counter.

    Example:
    ```mlir
    vdevice.run @conv tasks [0, 128] place affine_map<(i) -> (i mod 106)>
        ins(%x, %w : memref<1x3x32x32xf32>, memref<64x27xf32, "weights">) outs(%y : memref<1x64x32x32xf32, "global">)
        waits(%e affine_map<(o, h, w) -> (o, 1, 16)>) signals(%f affine_map<(o, h, w) -> (o)>)
    ```
    """

    name = "vdevice.run"
    kernel = prop_def(SymbolRefAttr)
    tasks_ = prop_def(DenseArrayBase.constr(i64), prop_name="tasks")
    place = prop_def(AffineMapAttr | DenseIntElementsAttr)
    inputs = var_operand_def(MemRefType)
    outputs = var_operand_def(MemRefType)
    at = var_operand_def(IndexType())
    waits = var_operand_def(EventType)
    signals = var_operand_def(EventType)
    wait_maps = prop_def(ArrayAttr[AffineMapAttr])
    signal_maps = prop_def(ArrayAttr[AffineMapAttr])
    cost = opt_prop_def(CostAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        kernel: str,
        tasks: tuple[int, int],
        place: Placement,
        inputs: Sequence[SSAValue | Operation],
        outputs: Sequence[SSAValue | Operation],
        at: Sequence[SSAValue | Operation] = (),
        *,
        waits: Sequence[tuple[SSAValue, AffineMapAttr]] = (),
        signals: Sequence[tuple[SSAValue, AffineMapAttr]] = (),
        cost: CostAttr | None = None,
    ) -> None:
        super().__init__(
            operands=[
                list(inputs),
                list(outputs),
                list(at),
                [event for event, _ in waits],
                [event for event, _ in signals],
            ],
            properties={
                "kernel": SymbolRefAttr(kernel),
                "tasks": DenseArrayBase.from_list(i64, list(tasks)),
                "place": place,
                "wait_maps": ArrayAttr([wait_map for _, wait_map in waits]),
                "signal_maps": ArrayAttr([signal_map for _, signal_map in signals]),
                "cost": cost,
            },
        )

    @property
    def first(self) -> int:
        return cast("tuple[int, ...]", self.tasks_.get_values())[0]

    @property
    def last(self) -> int:
        """One past the last task."""
        return cast("tuple[int, ...]", self.tasks_.get_values())[1]

    def verify_(self) -> None:
        if enclosing_launch(self) is None:
            raise VerifyException("vdevice.run stands outside a launch")
        if len(self.tasks_) != 2 or not 0 <= self.first < self.last:
            raise VerifyException("the tasks of a run are a range [first, last)")
        self._verify_place()
        if len(self.at) > 1:
            raise VerifyException("a run takes at most one loop index")
        if len(self.wait_maps) != len(self.waits) or len(self.signal_maps) != len(self.signals):
            raise VerifyException("every wait and every signal of a run needs a map")
        for maps, results, what in ((self.wait_maps, 3, "wait"), (self.signal_maps, 1, "signal")):
            for map_attr in maps:
                if len(map_attr.data.results) != results or map_attr.data.num_symbols > len(self.at):
                    raise VerifyException(f"the map of a {what} has {results} results, and the loop index as symbol")

    def _verify_place(self) -> None:
        if isinstance(self.place, AffineMapAttr):
            place = self.place.data
            if (place.num_dims, place.num_symbols, len(place.results)) != (1, 0, 1):
                raise VerifyException("a placement maps the linear task index to one vEU")
        elif len(self.place) != self.last - self.first:
            raise VerifyException(f"a placement table of {len(self.place)} for {self.last - self.first} tasks")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.kernel)
        printer.print_string(f" tasks [{self.first}, {self.last}] place ")
        printer.print_attribute(self.place)
        print_operand_group(printer, "ins", self.inputs)
        print_operand_group(printer, "outs", self.outputs)
        if self.at:
            printer.print_string(" at")
            with printer.in_parens():
                printer.print_list(self.at, printer.print_ssa_value)
        _print_events(printer, "waits", self.waits, self.wait_maps)
        _print_events(printer, "signals", self.signals, self.signal_maps)
        if self.cost is not None:
            printer.print_string(" cost ")
            printer.print_attribute(self.cost)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kernel = parser.parse_symbol_name().data
        parser.parse_keyword("tasks")
        first, last = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
        parser.parse_keyword("place")
        place = cast("Placement", parser.parse_attribute())
        inputs = parse_operand_group(parser, "ins")
        outputs = parse_operand_group(parser, "outs")
        at: list[SSAValue] = []
        if parser.parse_optional_keyword("at") is not None:
            unresolved = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
            at = [parser.resolve_operand(operand, IndexType()) for operand in unresolved]
        waits = _parse_events(parser, "waits")
        signals = _parse_events(parser, "signals")
        cost = parser.parse_attribute() if parser.parse_optional_keyword("cost") is not None else None
        attributes = parser.parse_optional_attr_dict_with_keyword()
        op = cls(
            kernel,
            (first, last),
            place,
            inputs,
            outputs,
            at,
            waits=waits,
            signals=signals,
            cost=cast("CostAttr | None", cost),
        )
        if attributes is not None:
            op.attributes = dict(attributes.data)
        return op


def _print_events(
    printer: Printer, keyword: str, events: Sequence[SSAValue], maps: Sequence[AffineMapAttr]
) -> None:
    if not events:
        return

    def print_event(pair: tuple[SSAValue, AffineMapAttr]) -> None:
        printer.print_ssa_value(pair[0])
        printer.print_string(" ")
        printer.print_attribute(pair[1])
        printer.print_string(" : ")
        printer.print_attribute(pair[0].type)

    printer.print_string(f" {keyword}")
    with printer.in_parens():
        printer.print_list(list(zip(events, maps, strict=True)), print_event)


def _parse_events(parser: Parser, keyword: str) -> list[tuple[SSAValue, AffineMapAttr]]:
    if parser.parse_optional_keyword(keyword) is None:
        return []

    def parse_event() -> tuple[SSAValue, AffineMapAttr]:
        unresolved = parser.parse_unresolved_operand()
        event_map = cast("AffineMapAttr", parser.parse_attribute())
        parser.parse_punctuation(":")
        return parser.resolve_operand(unresolved, parser.parse_type()), event_map

    return parser.parse_comma_separated_list(parser.Delimiter.PAREN, parse_event)


def enclosing_launch(op: Operation) -> LaunchOp | None:
    """The launch that an op stands in."""
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, LaunchOp):
        parent = parent.parent_op()
    return parent


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


Vdevice = Dialect(
    "vdevice",
    [
        DeviceOp,
        ProgramOp,
        BufferOp,
        WeightOp,
        LaunchOp,
        GroupOp,
        ForOp,
        EventOp,
        BarrierOp,
        PinOp,
        RunOp,
    ],
    [EventType],
)
