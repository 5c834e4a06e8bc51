"""
The `vdevice` dialect: when and where every rTask runs, on a virtual device of vEUs (Rammer, OSDI'20, section 3.2).

A vEU executes, in text order, the runs placed on it; nothing else orders vEUs but waits and barriers. Text order is
itself a legal sequential run: every wait is satisfied by what stands before it. So deadlock freedom is a linear check.
"""

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DenseIntElementsAttr,
    DictionaryAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.ir import Dialect, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import (
    parse_attribute_dictionary,
    parse_index_group,
    parse_operand_group,
    parse_optional_attribute,
    parse_range,
    print_index_group,
    print_operand_group,
    print_optional_attribute,
)
from rammer_ir.dialects.integers import integer, integers
from rammer_ir.dialects.rtask_attributes import CostAttr, Placement
from rammer_ir.dialects.vdevice_launch import (
    BarrierOp,
    EventOp,
    EventType,
    ForOp,
    GroupOp,
    LaunchOp,
    TokenType,
    enclosing_launch,
    enclosing_veus,
    verify_inside_launch,
    verify_outside_launches,
)
from rammer_ir.dialects.vdevice_memory import BufferOp, PinOp, WeightOp

EventMap = AffineMapAttr | DenseIntElementsAttr
"""What a task waits for: a map from its coordinates and the loop index, or a table by task where no map fits."""


@irdl_op_definition
class DeviceOp(IRDLOperation):
    """
    What a device offers: the budget that launches must fit, and the rates and latencies that cost models use.

    `shared_bytes` and `registers` are those of one vEU (on CUDA: of a streaming multiprocessor). `rates` holds numbers
    by name, each with its unit in the name (`memory_bytes_per_us`, `barrier_us`, `multiply_adds_per_us`); `source` says
    where they come from.

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
    rates = opt_prop_def(DictionaryAttr)
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
        rates: DictionaryAttr | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "kind": StringAttr(kind),
                "veus": integer(veus),
                "threads": integer(threads),
                "shared_bytes": integer(shared_bytes),
                "registers": integer(registers),
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
        if self.veus < 1 or self.threads < 1:
            raise VerifyException("a device has at least one vEU of at least one thread")
        if self.shared_bytes < 0 or self.registers < 0:
            raise VerifyException("what a device offers must not be negative")
        rates = {} if self.rates is None else dict(self.rates.data)
        for name, rate in rates.items():
            if not isinstance(rate, FloatAttr | IntegerAttr):
                raise VerifyException(f"rate {name} of a device must be a number, not {rate}")


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """
    A model, or a part of it, scheduled for a device.

    The region takes the caller's tensors as memrefs: inputs, outputs (`inputs` says how many come first), then run-time
    lengths of type index; `names` are what the caller calls them. It holds buffers, weights and launches.
    `elements` has NumPy's names of the element types of those tensors whose type does not say it: `{x = "uint8"}`.

    Example:
    ```mlir
    vdevice.program @main on @h100 inputs 1 names ["x", "y"] {
    ^bb0(%x: memref<4x8xf32>, %y: memref<4x8xf32>):
      vdevice.launch veus 4 threads 256 service 0 ring 0 x 0 scratch 0 pinned 0 registers 128 {
        vdevice.run @scale tasks [0, 4] place affine_map<(i) -> (i)>
            ins(%x : memref<4x8xf32>) outs(%y : memref<4x8xf32>)
      }
    }
    ```
    """

    name = "vdevice.program"
    sym_name = prop_def(SymbolNameConstraint())
    device = prop_def(SymbolRefAttr)
    inputs_ = prop_def(IntegerAttr.constr(i64), prop_name="inputs")
    names_ = prop_def(ArrayAttr[StringAttr], prop_name="names")
    elements = opt_prop_def(DictionaryAttr)
    arena_bytes_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="arena_bytes")
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = (
        "$sym_name `on` $device `inputs` $inputs `names` $names (`elements` $elements^)? (`arena` $arena_bytes^)? "
        "attr-dict-with-keyword $body"
    )

    def __init__(self, name: str, device: str, inputs: int, names: Sequence[str], body: Region) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "device": SymbolRefAttr(device),
                "inputs": integer(inputs),
                "names": ArrayAttr([StringAttr(text) for text in names]),
            },
            regions=[body],
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.data for name in self.names_)

    def element_type_name(self, tensor: str) -> str | None:
        """NumPy's name of the element type of a tensor of the caller, by its name; None if its type says it."""
        name = None if self.elements is None else self.elements.data.get(tensor)
        return name.data if isinstance(name, StringAttr) else None

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
        self.arena_bytes_ = integer(value)

    def verify_(self) -> None:
        arguments = self.body.block.args
        if len(self.names) != len(arguments) or len(set(self.names)) != len(self.names):
            raise VerifyException(f"a program needs a different name for each of its {len(arguments)} arguments")
        if not 0 <= self.inputs_.value.data <= len(self.tensors):
            raise VerifyException(f"{self.inputs_.value.data} inputs, but {len(self.tensors)} tensors")
        if self.elements is not None:
            for name, element in self.elements.data.items():
                if name not in self.names[: len(self.tensors)] or not isinstance(element, StringAttr):
                    raise VerifyException(
                        f"elements names the type of '{name}' as {element}: it needs a tensor and a text"
                    )
        if any(argument.type != IndexType() for argument in self.length_arguments):
            raise VerifyException("a program takes memrefs, then lengths of type index")
        if self.arena_bytes is not None and self.arena_bytes < 0:
            raise VerifyException(f"the size of an arena must not be negative, got {self.arena_bytes}")
        verify_outside_launches(self)


@irdl_op_definition
class RunOp(IRDLOperation):
    """
    Tasks `first` to `last` (not included) of a kernel, each on the vEU that `place` gives it, one after another.

    `place` maps the linear task index to a vEU of the group (or launch) around the run; where no map fits it is a
    table. Before a task, its vEU waits for events; after it, it signals. A wait's map takes the task's coordinates and
    the loop index to (first counter, number of counters, threshold); a signal's map takes them to the counter. A wait
    may be a table of these three instead, a row for each task; a row of zeros waits for nothing.

    Example:
    ```mlir
    vdevice.run @conv tasks [0, 128] place affine_map<(i) -> (i mod 106)>
        ins(%x, %w : memref<1x3x32x32xf32>, memref<64x27xf32, "weights">) outs(%y : memref<1x64x32x32xf32, "global">)
        waits(%e affine_map<(o, h, w) -> (o, 1, 16)> : !vdevice.event<4>)
        signals(%f affine_map<(o, h, w) -> (o)> : !vdevice.event<4>)
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
    wait_maps = prop_def(ArrayAttr[EventMap])
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
        waits: Sequence[tuple[SSAValue, EventMap]] = (),
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
                "tasks": integers(tasks),
                "place": place,
                "wait_maps": ArrayAttr([wait_map for _, wait_map in waits]),
                "signal_maps": ArrayAttr([signal_map for _, signal_map in signals]),
                "cost": cost,
            },
        )

    @property
    def first(self) -> int:
        return self.tasks_.get_values()[0]

    @property
    def last(self) -> int:
        """One past the last task."""
        return self.tasks_.get_values()[1]

    def verify_(self) -> None:
        verify_inside_launch(self)
        if len(self.tasks_) != 2 or not 0 <= self.first < self.last:
            raise VerifyException("the tasks of a run are a range [first, last)")
        self._verify_place()
        if len(self.at) > 1:
            raise VerifyException("a run takes at most one loop index")
        if len(self.wait_maps) != len(self.waits) or len(self.signal_maps) != len(self.signals):
            raise VerifyException("every wait and every signal of a run needs a map")
        for maps, results, what in ((self.wait_maps, 3, "wait"), (self.signal_maps, 1, "signal")):
            for event_map in maps:
                self._verify_event_map(event_map, results, what)

    def _verify_event_map(self, event_map: EventMap, results: int, what: str) -> None:
        if isinstance(event_map, AffineMapAttr):
            if len(event_map.data.results) != results or event_map.data.num_symbols > len(self.at):
                raise VerifyException(f"the map of a {what} has {results} results, and the loop index as symbol")
        elif event_map.get_shape() != (self.last - self.first, results):
            raise VerifyException(
                f"the table of a {what} has {results} columns and a row for each of {self.last - self.first} tasks, "
                f"not the shape {list(event_map.get_shape())}"
            )

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
        print_index_group(printer, "at", self.at)
        _print_events(printer, "waits", self.waits, self.wait_maps.data)
        _print_events(printer, "signals", self.signals, self.signal_maps.data)
        print_optional_attribute(printer, "cost", self.cost)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kernel = parser.parse_symbol_name().data
        parser.parse_keyword("tasks")
        tasks = parse_range(parser)
        parser.parse_keyword("place")
        place = cast("Placement", parser.parse_attribute())
        inputs = parse_operand_group(parser, "ins")
        outputs = parse_operand_group(parser, "outs")
        at = parse_index_group(parser, "at")
        waits = _parse_events(parser, "waits")
        signals = cast("list[tuple[SSAValue, AffineMapAttr]]", _parse_events(parser, "signals"))
        cost = cast("CostAttr | None", parse_optional_attribute(parser, "cost"))
        op = cls(kernel, tasks, place, inputs, outputs, at, waits=waits, signals=signals, cost=cost)
        op.attributes = parse_attribute_dictionary(parser)
        return op


def _print_events(printer: Printer, keyword: str, events: Sequence[SSAValue], maps: Sequence[EventMap]) -> None:
    if not events:
        return

    def print_event(pair: tuple[SSAValue, EventMap]) -> None:
        printer.print_ssa_value(pair[0])
        printer.print_string(" ")
        printer.print_attribute(pair[1])
        printer.print_string(" : ")
        printer.print_attribute(pair[0].type)

    printer.print_string(f" {keyword}")
    with printer.in_parens():
        printer.print_list(list(zip(events, maps, strict=True)), print_event)


def _parse_events(parser: Parser, keyword: str) -> list[tuple[SSAValue, EventMap]]:
    if parser.parse_optional_keyword(keyword) is None:
        return []

    def parse_event() -> tuple[SSAValue, EventMap]:
        unresolved = parser.parse_unresolved_operand()
        event_map = cast("EventMap", parser.parse_attribute())
        parser.parse_punctuation(":")
        return parser.resolve_operand(unresolved, parser.parse_type()), event_map

    return parser.parse_comma_separated_list(parser.Delimiter.PAREN, parse_event)


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
    [EventType, TokenType],
)

__all__ = [
    "BarrierOp",
    "BufferOp",
    "DeviceOp",
    "EventMap",
    "EventOp",
    "EventType",
    "ForOp",
    "GroupOp",
    "LaunchOp",
    "PinOp",
    "ProgramOp",
    "RunOp",
    "TokenType",
    "Vdevice",
    "WeightOp",
    "enclosing_launch",
    "enclosing_veus",
]
