"""
The `block` dialect: what the threads of one vEU do together to compute one rTask (block form).

A body is a function of one task. Its level is that of a thread block: shared and per-thread arrays are declared,
thread- and warp-parallel loops stand between role barriers, and no thread index appears. The same body becomes CUDA C,
where parallel loops spread over the threads of the compute role, and C++, where they are serial.
"""

from collections.abc import Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    i1,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Attribute,
    Block,
    Dialect,
    Operation,
    Region,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
)
from xdsl.irdl import (
    AnyAttr,
    AttrSizedOperandSegments,
    IRDLOperation,
    VarConstraint,
    irdl_attr_definition,
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    opt_operand_def,
    opt_region_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from rammer_ir.dialects.assembly import parse_attribute_dictionary
from rammer_ir.dialects.block_mma import MmaOp, RoundTf32Op
from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.nesting import enclosing_op
from rammer_ir.dialects.rop import Combiner


class MemorySpace(StrEnum):
    """
    Where an array of a body lives: the memory space of its memref type, as a string attribute.

    `global`: may be written in this launch, read through L2. `weights`: read-only for the whole launch. `words`:
    8-byte pairs of epoch and value; a load waits for the value. `pinned`: weights in the shared memory of this vEU.
    `shared`: scratch of one task. `thread`: one array for each thread.
    """

    GLOBAL = "global"
    WEIGHTS = "weights"
    WORDS = "words"
    PINNED = "pinned"
    SHARED = "shared"
    THREAD = "thread"


def memref_type(value: SSAValue) -> MemRefType[Attribute]:
    """The type of a value that is a memref."""
    return cast("MemRefType[Attribute]", value.type)


def memory_space(value: SSAValue) -> MemorySpace | None:
    """The memory space of a memref value, or None where its type names none of ours."""
    if not isinstance(value.type, MemRefType):
        return None
    space = memref_type(value).memory_space
    if not isinstance(space, StringAttr) or space.data not in tuple(MemorySpace):
        return None
    return MemorySpace(space.data)


class Level(StrEnum):
    """What a parallel loop is spread over."""

    THREAD = "thread"
    WARP = "warp"


@irdl_attr_definition
class LevelAttr(EnumAttribute[Level], SpacedOpaqueSyntaxAttribute):
    """
    What a parallel loop is spread over: the threads or the warps of the compute role.

    Example: `#block.level thread`
    """

    name = "block.level"


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    Ends a region of this dialect, with a value in a reduction.

    Example: `block.yield %x : f32`
    """

    name = "block.yield"
    values = var_operand_def()
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), HasParent(BodyOp, ParallelOp, StepsOp, WarpReduceOp)))
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


@irdl_op_definition
class BodyOp(IRDLOperation):
    """
    A kernel body: what the compute role of a vEU, `threads` threads, does for one task.

    With the attribute `block.in_order` the assembler keeps, as far as it can, the order in which the body has its ops.

    The region takes the linear task index, the loop index (0 outside of loops), the operands (one-dimensional memrefs
    of unknown length: addresses are explicit) and the parameters (of type index). The optional `service` region, of the
    same arguments, is what the service role does ahead of time: it pushes this task's weights into the ring.

    Example:
    ```mlir
    block.body @copy_block threads 128 {
    ^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
      block.parallel thread (%i) in %n {
        %v = memref.load %x[%i] : memref<?xf32, "global">
        memref.store %v, %y[%i] : memref<?xf32, "global">
      }
      block.yield
    }
    ```
    """

    name = "block.body"
    sym_name = prop_def(SymbolNameConstraint())
    threads_ = prop_def(IntegerAttr.constr(i64), prop_name="threads")
    compute = region_def("single_block")
    service = opt_region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove())

    def __init__(self, name: str, threads: int, compute: Region, service: Region | None = None) -> None:
        super().__init__(
            properties={"sym_name": StringAttr(name), "threads": integer(threads)},
            regions=[compute, [] if service is None else [service]],
        )

    @property
    def threads(self) -> int:
        """Threads of the compute role."""
        return self.threads_.value.data

    @property
    def operand_arguments(self) -> Sequence[SSAValue]:
        return [argument for argument in self.compute.block.args if isinstance(argument.type, MemRefType)]

    @property
    def parameter_arguments(self) -> Sequence[SSAValue]:
        return self.compute.block.args[2 + len(self.operand_arguments) :]

    @property
    def steps(self) -> "StepsOp | None":
        """What it does in every step, if it may be run for several steps at once."""
        return next((op for op in self.compute.block.ops if isinstance(op, StepsOp)), None)

    def verify_(self) -> None:
        if self.threads < 1:
            raise VerifyException(f"a body needs at least one thread, got {self.threads}")
        for region in self.regions:
            self._verify_arguments(region)
            if not _ends_without_value(region):
                raise VerifyException("the regions of a body must end with block.yield, without a value")

    def _verify_arguments(self, region: Region) -> None:
        types = [argument.type for argument in region.block.args]
        if types != [argument.type for argument in self.compute.block.args]:
            raise VerifyException("both regions of a body must take the same arguments")
        if types[:2] != [IndexType(), IndexType()]:
            raise VerifyException("a body takes the task index and the loop index first")
        operands = len(self.operand_arguments)
        if any(isinstance(kind, MemRefType) for kind in types[2 + operands :]):
            raise VerifyException("the operands of a body stand before its parameters")
        if any(kind != IndexType() for kind in types[2 + operands :]):
            raise VerifyException("parameters of a body must be of type index")
        for argument in region.block.args[2 : 2 + operands]:
            memref = memref_type(argument)
            if memref.get_num_dims() != 1 or memory_space(argument) in (None, MemorySpace.SHARED, MemorySpace.THREAD):
                raise VerifyException(f"operand {memref} of a body must be one-dimensional, in a space of the program")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" threads {self.threads}")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.compute)
        if self.service is not None:
            printer.print_string(" service ")
            printer.print_region(self.service)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_keyword("threads")
        threads = parser.parse_integer()
        attributes = parse_attribute_dictionary(parser)
        compute = parser.parse_region()
        service = parser.parse_region() if parser.parse_optional_keyword("service") is not None else None
        op = cls(name, threads, compute, service)
        op.attributes = attributes
        return op


@irdl_op_definition
class ParallelOp(IRDLOperation):
    """
    A loop from 0 to its extent whose iterations run in any order, spread over the threads or warps of the compute role.

    At warp level an iteration is what one warp does: its scalars are the same in all lanes, and its stores happen once.
    Per-thread arrays belong to the thread that runs an iteration, so loops that share them must have an extent of at
    most the body's threads. Parallel loops do not nest.

    Example:
    ```mlir
    block.parallel thread (%i) in %n {
      %v = memref.load %x[%i] : memref<?xf32, "global">
      memref.store %v, %y[%i] : memref<?xf32, "global">
    }
    ```
    """

    name = "block.parallel"
    level_ = prop_def(LevelAttr, prop_name="level")
    extent = operand_def(IndexType())
    body = region_def("single_block")

    def __init__(self, level: Level, extent: SSAValue | Operation, body: Region | None = None) -> None:
        region = Region(Block(arg_types=[IndexType()])) if body is None else body
        super().__init__(operands=[extent], properties={"level": LevelAttr(level)}, regions=[region])

    @property
    def level(self) -> Level:
        return self.level_.data

    @property
    def index(self) -> SSAValue:
        return self.body.block.args[0]

    def verify_(self) -> None:
        if [argument.type for argument in self.body.block.args] != [IndexType()]:
            raise VerifyException("a parallel loop has one index")
        if not _ends_without_value(self.body):
            raise VerifyException("a parallel loop must end with block.yield, without a value")
        if enclosing_op(self, ParallelOp) is not None:
            raise VerifyException("parallel loops do not nest")
        _verify_compute_role(self)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.level.value} (")
        printer.print_ssa_value(self.index)
        printer.print_string(") in ")
        printer.print_ssa_value(self.extent)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(
            self.body, print_entry_block_args=False, print_empty_block=False, print_block_terminators=False
        )

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        level = parser.parse_str_enum(Level)
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_keyword("in")
        extent = parser.parse_operand(IndexType())
        attributes = parse_attribute_dictionary(parser)
        body = parser.parse_region([index])
        if not isinstance(body.block.last_op, YieldOp):
            body.block.add_op(YieldOp())
        op = cls(level, extent, body)
        op.attributes = attributes
        return op


@irdl_op_definition
class StepsOp(IRDLOperation):
    """
    What a body does in every step of the loop around that it is run for; what stands before it is done once.

    A run gives its task one step, or all steps of a loop that holds nothing else: so what the body has put into arrays
    of its threads, or into shared memory, stays there from step to step. Last in a body. It has the index of the step,
    and that behind the last one; the body's loop index is that of the first one.

    Example:
    ```mlir
    block.body @scale threads 128 {
    ^bb0(%task: index, %first: index, %w: memref<?xf32, "weights">, %x: memref<?xf32, "global">):
      %n = arith.constant 128 : index
      %kept = memref.alloca() : memref<1xf32, "thread">
      %zero = arith.constant 0 : index
      block.parallel thread (%i) in %n {
        %v = memref.load %w[%i] : memref<?xf32, "weights">
        memref.store %v, %kept[%zero] : memref<1xf32, "thread">
      }
      block.steps (%t, %end) {
        %row = arith.muli %t, %n : index
        block.parallel thread (%i) in %n {
          %at = arith.addi %row, %i : index
          %v = memref.load %kept[%zero] : memref<1xf32, "thread">
          memref.store %v, %x[%at] : memref<?xf32, "global">
        }
      }
      block.yield
    }
    ```
    """

    name = "block.steps"
    body = region_def("single_block")

    def __init__(self, body: Region | None = None) -> None:
        super().__init__(regions=[Region(Block(arg_types=[IndexType()] * 2)) if body is None else body])

    @property
    def index(self) -> SSAValue:
        """The step: the index of the loop around."""
        return self.body.block.args[0]

    @property
    def end(self) -> SSAValue:
        """The index behind that of the last step."""
        return self.body.block.args[1]

    def verify_(self) -> None:
        if [argument.type for argument in self.body.block.args] != [IndexType()] * 2:
            raise VerifyException("block.steps has the index of a step, and that behind the last one")
        if not _ends_without_value(self.body):
            raise VerifyException("block.steps must end with block.yield, without a value")
        parent = self.parent_op()
        body = enclosing_op(self, BodyOp)
        if body is None:
            return
        if parent is not body or _is_in_service(self) or not isinstance(self.next_op, YieldOp):
            raise VerifyException("block.steps stands last in the compute region of a body")

    def print(self, printer: Printer) -> None:
        printer.print_string(" (")
        printer.print_ssa_value(self.index)
        printer.print_string(", ")
        printer.print_ssa_value(self.end)
        printer.print_string(")")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(
            self.body, print_entry_block_args=False, print_empty_block=False, print_block_terminators=False
        )

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(",")
        end = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        attributes = parse_attribute_dictionary(parser)
        body = parser.parse_region([index, end])
        if not isinstance(body.block.last_op, YieldOp):
            body.block.add_op(YieldOp())
        op = cls(body)
        op.attributes = attributes
        return op


@irdl_op_definition
class WarpReduceOp(IRDLOperation):
    """
    A reduction by one warp: the combination of what the region yields for each index from 0 to the extent.

    Stands in a warp-level parallel loop. Lanes take indices in turn, then combine in a fixed order; the result is the
    same in all lanes.

    Example:
    ```mlir
    %sum = block.warp_reduce add (%k) in %n -> f32 {
      %v = memref.load %x[%k] : memref<?xf32, "global">
      block.yield %v : f32
    }
    ```
    """

    name = "block.warp_reduce"
    combiner_ = prop_def(StringAttr, prop_name="combiner")
    extent = operand_def(IndexType())
    result = result_def()
    body = region_def("single_block")

    def __init__(
        self, combiner: Combiner, extent: SSAValue | Operation, result_type: Attribute, body: Region | None = None
    ) -> None:
        region = Region(Block(arg_types=[IndexType()])) if body is None else body
        super().__init__(
            operands=[extent],
            result_types=[result_type],
            properties={"combiner": StringAttr(combiner.value)},
            regions=[region],
        )

    @property
    def combiner(self) -> Combiner:
        return Combiner(self.combiner_.data)

    @property
    def index(self) -> SSAValue:
        return self.body.block.args[0]

    def verify_(self) -> None:
        if self.combiner_.data not in tuple(Combiner) or self.combiner is Combiner.NONE:
            raise VerifyException(f"a reduction needs a combiner, got {self.combiner_.data}")
        if [argument.type for argument in self.body.block.args] != [IndexType()]:
            raise VerifyException("a warp reduction has one index")
        last = self.body.block.last_op
        if not isinstance(last, YieldOp) or [value.type for value in last.values] != [self.result.type]:
            raise VerifyException("a warp reduction must yield one value of its result's type")
        loop = enclosing_op(self, ParallelOp)
        if loop is None or loop.level is not Level.WARP:
            raise VerifyException("block.warp_reduce stands outside a warp-level parallel loop")
        if enclosing_op(self, WarpReduceOp) is not None:
            raise VerifyException("reductions by a warp do not nest")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combiner.value} (")
        printer.print_ssa_value(self.index)
        printer.print_string(") in ")
        printer.print_ssa_value(self.extent)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        combiner = parser.parse_str_enum(Combiner)
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_keyword("in")
        extent = parser.parse_operand(IndexType())
        parser.parse_punctuation("->")
        result_type = parser.parse_type()
        attributes = parse_attribute_dictionary(parser)
        op = cls(combiner, extent, result_type, parser.parse_region([index]))
        op.attributes = attributes
        return op


@irdl_op_definition
class LaneReduceOp(IRDLOperation):
    """
    The combination of the values that `lanes` iterations of a loop over threads have; the same for all of them.

    They are those whose numbers differ in `(i floordiv step) mod lanes` alone. All iterations must come to it, and
    their number must be a multiple of 32; `lanes` and `step` are powers of two, together at most 32.

    Example: `%sum = block.lane_reduce add %value over 8 step 4 : f32`
    """

    name = "block.lane_reduce"
    combiner_ = prop_def(StringAttr, prop_name="combiner")
    lanes_ = prop_def(IntegerAttr.constr(i64), prop_name="lanes")
    step_ = prop_def(IntegerAttr.constr(i64), prop_name="step")
    T: ClassVar = VarConstraint("T", AnyAttr())
    value = operand_def(T)
    result = result_def(T)

    def __init__(self, combiner: Combiner, value: SSAValue | Operation, lanes: int, step: int = 1) -> None:
        super().__init__(
            operands=[value],
            result_types=[SSAValue.get(value).type],
            properties={"combiner": StringAttr(combiner.value), "lanes": integer(lanes), "step": integer(step)},
        )

    @property
    def combiner(self) -> Combiner:
        return Combiner(self.combiner_.data)

    @property
    def lanes(self) -> int:
        return self.lanes_.value.data

    @property
    def step(self) -> int:
        """Iterations between those that are combined."""
        return self.step_.value.data

    def verify_(self) -> None:
        if self.combiner_.data not in tuple(Combiner) or self.combiner is Combiner.NONE:
            raise VerifyException(f"a reduction needs a combiner, got {self.combiner_.data}")
        if any(number < 1 or number & (number - 1) for number in (self.lanes, self.step)):
            raise VerifyException(f"lanes and step must be powers of two, got {self.lanes} and {self.step}")
        if self.lanes * self.step > 32:
            raise VerifyException(f"{self.lanes} lanes with step {self.step} are in no warp of 32")
        parent = self.parent_op()
        if parent is not None and (not isinstance(parent, ParallelOp) or parent.level is not Level.THREAD):
            raise VerifyException("block.lane_reduce stands right in a thread-level parallel loop: all come to it")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.combiner.value} ")
        printer.print_ssa_value(self.value)
        printer.print_string(f" over {self.lanes} step {self.step}")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        combiner = parser.parse_str_enum(Combiner)
        value = parser.parse_unresolved_operand()
        parser.parse_keyword("over")
        lanes = parser.parse_integer()
        parser.parse_keyword("step")
        step = parser.parse_integer()
        attributes = parse_attribute_dictionary(parser)
        parser.parse_punctuation(":")
        op = cls(combiner, parser.resolve_operand(value, parser.parse_type()), lanes, step)
        op.attributes = attributes
        return op


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """
    A barrier of the compute role: its threads' writes before it are seen after it. Stands outside parallel loops.

    Example: `block.barrier`
    """

    name = "block.barrier"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        _verify_met_by_all_threads(self)


@irdl_op_definition
class CopyOp(IRDLOperation):
    """
    Copies `elements` consecutive elements, 1, 2 or 4, at once; both places are aligned to their size.

    Example: `block.copy 4 %tile[%k, %m], %fragment[%z] : memref<32x64xf32, "shared">, memref<8xf32, "thread">`
    """

    name = "block.copy"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    source = operand_def(MemRefType)
    source_indices = var_operand_def(IndexType())
    target = operand_def(MemRefType)
    target_indices = var_operand_def(IndexType())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$elements $source `[` $source_indices `]` `,` $target `[` $target_indices `]` attr-dict "
        "`:` type($source) `,` type($target)"
    )

    def __init__(
        self,
        elements: int,
        source: SSAValue | Operation,
        source_indices: Sequence[SSAValue | Operation],
        target: SSAValue | Operation,
        target_indices: Sequence[SSAValue | Operation],
    ) -> None:
        super().__init__(
            operands=[source, list(source_indices), target, list(target_indices)],
            properties={"elements": integer(elements)},
        )

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        _verify_copy(self.elements, self.source, self.source_indices, self.target, self.target_indices)


@irdl_op_definition
class CopyAsyncOp(IRDLOperation):
    """
    Starts a copy of 1 or 4 consecutive elements into shared memory; where the predicate is false the target gets zeros
    and nothing is read. Done once `block.wait_copies` says so, for the thread that started it.

    Example:
    `block.copy_async 1 %x[%address], %tile[%k, %m] if %inside : memref<?xf32, "global">, memref<32x64xf32, "shared">`
    """

    name = "block.copy_async"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    source = operand_def(MemRefType)
    source_indices = var_operand_def(IndexType())
    target = operand_def(MemRefType)
    target_indices = var_operand_def(IndexType())
    predicate = opt_operand_def(i1)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$elements $source `[` $source_indices `]` `,` $target `[` $target_indices `]` (`if` $predicate^)? attr-dict "
        "`:` type($source) `,` type($target)"
    )

    def __init__(
        self,
        elements: int,
        source: SSAValue | Operation,
        source_indices: Sequence[SSAValue | Operation],
        target: SSAValue | Operation,
        target_indices: Sequence[SSAValue | Operation],
        predicate: SSAValue | Operation | None = None,
    ) -> None:
        super().__init__(
            operands=[source, list(source_indices), target, list(target_indices), predicate],
            properties={"elements": integer(elements)},
        )

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        _verify_copy(self.elements, self.source, self.source_indices, self.target, self.target_indices)
        if self.elements == 2:
            raise VerifyException("1 or 4 elements are copied asynchronously, not 2")
        if memory_space(self.source) not in (MemorySpace.GLOBAL, MemorySpace.WEIGHTS):
            raise VerifyException("an asynchronous copy comes from global memory")
        if memory_space(self.target) is not MemorySpace.SHARED:
            raise VerifyException("an asynchronous copy goes to shared memory")
        _verify_compute_role(self)


def _ends_without_value(region: Region) -> bool:
    last = region.block.last_op
    return isinstance(last, YieldOp) and not last.values


def _is_in_service(op: Operation) -> bool:
    body = enclosing_op(op, BodyOp)
    return body is not None and body.service is not None and body.service.is_ancestor(op)


def _verify_compute_role(op: Operation) -> None:
    if _is_in_service(op):
        raise VerifyException(f"{op.name} is for the compute role: it stands in a service region")


def _verify_met_by_all_threads(op: Operation) -> None:
    if enclosing_op(op, ParallelOp) is not None:
        raise VerifyException(f"{op.name} inside a parallel loop would not be reached by all threads")
    _verify_compute_role(op)


def _verify_copy(
    elements: int,
    source: SSAValue,
    source_indices: Sequence[SSAValue],
    target: SSAValue,
    target_indices: Sequence[SSAValue],
) -> None:
    if elements not in (1, 2, 4):
        raise VerifyException(f"1, 2 or 4 elements are copied at once, not {elements}")
    for value, indices in ((source, source_indices), (target, target_indices)):
        memref = memref_type(value)
        if not indices or len(indices) != memref.get_num_dims():
            raise VerifyException(f"{len(indices)} indices for {memref}")
        if elements > 1 and 0 <= memref.get_shape()[-1] < elements:
            raise VerifyException(f"{elements} neighbours do not fit into the rows of {memref}")
    types = [memref_type(value).element_type for value in (source, target)]
    if types[0] != types[1]:
        raise VerifyException(f"a copy does not convert {types[0]} to {types[1]}")


@irdl_op_definition
class CommitCopiesOp(IRDLOperation):
    """
    Makes a group of the asynchronous copies that each thread has started since the last one. Stands outside parallel
    loops.

    Example: `block.commit_copies`
    """

    name = "block.commit_copies"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        _verify_met_by_all_threads(self)


@irdl_op_definition
class WaitCopiesOp(IRDLOperation):
    """
    Waits until at most `pending` groups of each thread's asynchronous copies are unfinished. A barrier must follow
    before other threads read what was copied. Stands outside parallel loops.

    Example: `block.wait_copies 1`
    """

    name = "block.wait_copies"
    pending_ = prop_def(IntegerAttr.constr(i64), prop_name="pending")
    assembly_format = "$pending attr-dict"

    def __init__(self, pending: int) -> None:
        super().__init__(properties={"pending": integer(pending)})

    @property
    def pending(self) -> int:
        return self.pending_.value.data

    def verify_(self) -> None:
        if self.pending < 0:
            raise VerifyException(f"the number of pending groups must not be negative, got {self.pending}")
        _verify_met_by_all_threads(self)


@irdl_op_definition
class RingPushOp(IRDLOperation):
    """
    Service role: brings `elements` consecutive weights, a chunk, into the next free slot of the vEU's weight ring.

    Example: `block.ring_push 2048 %weights[%address] : memref<?xf32, "weights">`
    """

    name = "block.ring_push"
    elements_ = prop_def(IntegerAttr.constr(i64), prop_name="elements")
    weights = operand_def(MemRefType)
    address = operand_def(IndexType())
    assembly_format = "$elements $weights `[` $address `]` attr-dict `:` type($weights)"

    def __init__(self, elements: int, weights: SSAValue | Operation, address: SSAValue | Operation) -> None:
        super().__init__(operands=[weights, address], properties={"elements": integer(elements)})

    @property
    def elements(self) -> int:
        return self.elements_.value.data

    def verify_(self) -> None:
        if memory_space(self.weights) is not MemorySpace.WEIGHTS:
            raise VerifyException("only weights go through the ring: nothing else is there ahead of all waits")
        if self.elements < 1:
            raise VerifyException(f"a chunk has at least one element, got {self.elements}")
        if memref_type(self.weights).get_num_dims() != 1:
            raise VerifyException(f"weights have one address each, not {memref_type(self.weights)}")
        if enclosing_op(self, BodyOp) is not None and not _is_in_service(self):
            raise VerifyException("block.ring_push stands outside a service region")


@irdl_op_definition
class RingWaitOp(IRDLOperation):
    """
    Compute role: waits for the next chunk of the weight ring and gives its slot. Stands outside parallel loops.

    Example: `%chunk = block.ring_wait : memref<32x64xf32, "shared">`
    """

    name = "block.ring_wait"
    chunk = result_def(MemRefType)
    assembly_format = "attr-dict `:` type($chunk)"

    def __init__(self, chunk: Attribute) -> None:
        super().__init__(result_types=[chunk])

    def verify_(self) -> None:
        if memory_space(self.chunk) is not MemorySpace.SHARED:
            raise VerifyException("a slot of the ring lies in shared memory")
        if DYNAMIC_INDEX in memref_type(self.chunk).get_shape():
            raise VerifyException("a chunk of the ring has a static shape")
        _verify_met_by_all_threads(self)


@irdl_op_definition
class RingReleaseOp(IRDLOperation):
    """
    Compute role: the oldest chunk waited for is not read any more; its slot may be filled again.

    Example: `block.ring_release`
    """

    name = "block.ring_release"
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__()

    def verify_(self) -> None:
        _verify_met_by_all_threads(self)


BlockForm = Dialect(
    "block",
    [
        BodyOp,
        YieldOp,
        ParallelOp,
        StepsOp,
        WarpReduceOp,
        LaneReduceOp,
        RoundTf32Op,
        MmaOp,
        BarrierOp,
        CopyOp,
        CopyAsyncOp,
        CommitCopiesOp,
        WaitCopiesOp,
        RingPushOp,
        RingWaitOp,
        RingReleaseOp,
    ],
    [LevelAttr],
)
