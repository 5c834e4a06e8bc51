"""Scheduled dispatches become a program of one launch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import (
    DictionaryAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    NoneAttr,
    StringAttr,
    TensorType,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.tensor import EmptyOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from rammer_ir.dialects.rop import GetWeightOp, ScanOp, YieldOp
from rammer_ir.dialects.rop_attributes import ELEMENT_TYPE_ATTRIBUTE
from rammer_ir.dialects.rtask import DispatchOp, KernelOp
from rammer_ir.dialects.vdevice import BufferOp, ForOp, LaunchOp, ProgramOp, RunOp, WeightOp
from rammer_ir.errors import PassError
from rammer_ir.locations import builder_at, describe_op, location_of
from rammer_ir.lowering.body_needs import needs_by_body
from rammer_ir.lowering.launch_budget import LaunchBudget, launch_budget
from rammer_ir.pass_api import Pass
from rammer_ir.scheduling.overwritten import check_not_overwritten
from rammer_ir.scheduling.program_form import device_of, kernels_of
from rammer_ir.scheduling.storage import WAVE_ATTRIBUTE, entry_function, storage_of


@dataclass(frozen=True)
class ConvertRtaskToVdevice(Pass):
    """
    The model's function becomes a `vdevice.program` with one launch, which runs all dispatches in the order of waves.

    Tensors become memory: a chain of destinations is one buffer, or the output that it ends in; a scan is a
    `vdevice.for` that writes its carried tensors in place. The launch takes what the kernels' bodies need of a vEU.
    Dispatches must be scheduled (`schedule-wavefront`).
    """

    name = "convert-rtask-to-vdevice"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = entry_function(op)
        device = device_of(op)
        kernels = kernels_of(op)
        check_not_overwritten(function.body.block, kernels)
        used = {nested.kernel.string_value() for nested in function.walk() if isinstance(nested, DispatchOp)}
        budget = launch_budget((kernels[name] for name in sorted(used)), needs_by_body(op), device)
        program = _Conversion(function, kernels, device.sym_name.data, device.veus, budget).program()
        builder_at(InsertPoint.before(function), location_of(function)).insert(program)
        function.detach()
        function.erase()


@dataclass
class _Conversion:
    """The conversion of one function; `memory` maps storages, lengths and loop indices to what they become."""

    function: FuncOp
    kernels: Mapping[str, KernelOp]
    device: str
    veus: int
    budget: LaunchBudget
    declarations: Builder = field(init=False)
    """Inserts buffers, weights and constants before the launch."""
    memory: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    weights: dict[str, SSAValue] = field(default_factory=dict[str, SSAValue])

    def program(self) -> ProgramOp:
        entry = self.function.body.block
        results = self._results()
        tensors = [argument for argument in entry.args if isinstance(argument.type, TensorType)]
        lengths = [argument for argument in entry.args if not isinstance(argument.type, TensorType)]
        block = Block(arg_types=[_memref(value) for value in (*tensors, *results)] + [IndexType() for _ in lengths])
        for source, argument in zip((*tensors, *results, *lengths), block.args, strict=True):
            argument.name_hint = source.name_hint
            self.memory[source] = argument
        self.declarations = builder_at(InsertPoint.at_end(block), location_of(self.function))
        launch = self._launch()
        block.add_op(launch)
        names = [*self._names("arg", tensors), *self._names("res", results), *self._names("arg", lengths)]
        program = ProgramOp(self.function.sym_name.data, self.device, len(tensors), names, Region(block))
        program.elements = self._elements(names, tensors, results)
        return program

    def _results(self) -> list[SSAValue]:
        """The storages that the function returns; each becomes an output."""
        last = self.function.body.block.last_op
        assert isinstance(last, ReturnOp)
        results: list[SSAValue] = []
        for number, value in enumerate(last.arguments):
            storage = storage_of(value)
            if not isinstance(storage.owner, EmptyOp) or storage in results:
                what = "another output" if storage in results else "no tensor of its own"
                raise PassError(f"output {number} is {what}: it needs a copy", location=describe_op(self.function))
            results.append(storage)
        return results

    def _names(self, kind: str, values: Sequence[SSAValue]) -> Iterator[str]:
        """What the model calls arguments ("arg") or results ("res")."""
        for position, attributes in self._attributes(kind, values):
            name = attributes.get("rop.name")
            yield name.data if isinstance(name, StringAttr) else f"{kind}{position}"

    def _elements(
        self, names: Sequence[str], tensors: Sequence[SSAValue], results: Sequence[SSAValue]
    ) -> DictionaryAttr | None:
        """The names of element types that the IR's types do not say, by the tensors' names."""
        pairs = [*self._attributes("arg", tensors), *self._attributes("res", results)]
        named = {
            name: attributes[ELEMENT_TYPE_ATTRIBUTE]
            for name, (_, attributes) in zip(names, pairs, strict=False)
            if ELEMENT_TYPE_ATTRIBUTE in attributes
        }
        return DictionaryAttr(named) if named else None

    def _attributes(self, kind: str, values: Sequence[SSAValue]) -> Iterator[tuple[int, Mapping[str, Attribute]]]:
        """The positions and attributes of arguments ("arg") or results ("res")."""
        attributes = self.function.arg_attrs if kind == "arg" else self.function.res_attrs
        arguments: list[SSAValue] = list(self.function.body.block.args)
        for number, value in enumerate(values):
            position = arguments.index(value) if kind == "arg" else number
            yield position, {} if attributes is None else attributes.data[position].data

    def _launch(self) -> LaunchOp:
        block = Block()
        self._fill(block, self.function.body.block)
        return LaunchOp(
            Region(block),
            veus=self.veus,
            threads=self.budget.threads,
            service_threads=self.budget.service_threads,
            ring_slots=self.budget.ring_slots,
            ring_slot_bytes=self.budget.ring_slot_bytes,
            scratch_bytes=self.budget.scratch_bytes,
            registers=self.budget.registers,
        )

    def _fill(self, target: Block, source: Block) -> None:
        """Puts the runs of a block's dispatches, and its scans as loops, into `target`, in the order of waves."""
        nodes: list[tuple[int, DispatchOp | ScanOp]] = []
        for op in source.ops:
            if isinstance(op, DispatchOp | ScanOp):
                nodes.append((_wave(op), op))
            elif not isinstance(op, EmptyOp | GetWeightOp | ConstantOp | ReturnOp | YieldOp):
                raise PassError(f"{op.name} has no form in a program", location=describe_op(op))
        for _, node in sorted(nodes, key=lambda pair: pair[0]):
            op = self._run(node) if isinstance(node, DispatchOp) else self._loop(node)
            op.location = location_of(node)
            target.add_op(op)

    def _run(self, dispatch: DispatchOp) -> RunOp:
        if dispatch.place is None:
            raise PassError("a dispatch has no place: run schedule-wavefront", location=describe_op(dispatch))
        name = dispatch.kernel.string_value()
        return RunOp(
            name,
            (0, self.kernels[name].tasks),
            dispatch.place,
            [self._memory(value) for value in dispatch.inputs],
            [self._written(dispatch, value) for value in dispatch.into],
            [self._index(value) for value in dispatch.at],
            cost=dispatch.cost,
        )

    def _loop(self, scan: ScanOp) -> ForOp:
        if scan.scanned or scan.scanned_results or not _is_in_place(scan):
            raise PassError("a scan has state of its own: run materialize-scan-state", location=describe_op(scan))
        if scan.reverse is not None:
            raise PassError(
                "a scan in reverse needs a known length: steps of a program count up",
                location=describe_op(scan),
            )
        loop = ForOp(self._index(scan.length))
        self.memory[scan.body.block.args[0]] = loop.index
        loop.index.name_hint = scan.body.block.args[0].name_hint
        self._fill(loop.body.block, scan.body.block)
        return loop

    def _written(self, dispatch: DispatchOp, value: SSAValue) -> SSAValue:
        storage = storage_of(value)
        if not isinstance(storage.owner, EmptyOp):
            raise PassError(
                "a dispatch writes over what is not its own: it needs a copy", location=describe_op(dispatch)
            )
        return self._memory(value)

    def _memory(self, value: SSAValue) -> SSAValue:
        """The memref of a tensor's storage, declared at first use."""
        storage = storage_of(value)
        if storage not in self.memory:
            self.memory[storage] = self._declare(storage)
        return self.memory[storage]

    def _declare(self, storage: SSAValue) -> SSAValue:
        owner = storage.owner
        if isinstance(owner, EmptyOp):
            buffer = BufferOp(_memref(storage, "global"))
            buffer.location = location_of(owner)
            buffer.result.name_hint = storage.name_hint
            return self.declarations.insert(buffer).result
        if isinstance(owner, GetWeightOp):
            symbol = owner.weight.string_value()
            if symbol not in self.weights:
                weight = WeightOp(symbol, _memref(storage, "weights"))
                weight.location = location_of(owner)
                self.weights[symbol] = self.declarations.insert(weight).result
            return self.weights[symbol]
        raise PassError(
            f"a tensor of {owner.name if isinstance(owner, Operation) else 'a block'} has no memory",
            location=describe_op(owner) if isinstance(owner, Operation) else None,
        )

    def _index(self, value: SSAValue) -> SSAValue:
        """A loop index or a length in the program."""
        source = storage_of(value)
        if source not in self.memory:
            owner = source.owner
            if not isinstance(owner, ConstantOp):
                where = describe_op(owner) if isinstance(owner, Operation) else None
                raise PassError("a length is a constant or an argument of the model", location=where)
            self.memory[source] = self.declarations.insert(owner.clone()).result
        return self.memory[source]


def _wave(op: DispatchOp | ScanOp) -> int:
    wave = op.attributes.get(WAVE_ATTRIBUTE) if isinstance(op, ScanOp) else op.wave_
    if not isinstance(wave, IntegerAttr):
        raise PassError(f"{op.name} has no wave: run schedule-wavefront", location=describe_op(op))
    return wave.value.data


def _is_in_place(scan: ScanOp) -> bool:
    last = scan.body.block.last_op
    assert last is not None
    carried = zip(last.operands, scan.carried, strict=True)
    return all(storage_of(value) is storage_of(before) for value, before in carried)


def _memref(value: SSAValue, space: str | None = None) -> MemRefType[Attribute]:
    tensor = cast("TensorType[Attribute]", value.type)
    memory_space = NoneAttr() if space is None else StringAttr(space)
    return MemRefType(tensor.element_type, tensor.get_shape(), NoneAttr(), memory_space)
