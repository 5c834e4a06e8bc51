"""Bodies, the loops in them, and what their ops ask of where they stand."""

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import (
    IndexType,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Block,
    Operation,
    Region,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    opt_region_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from rammer_ir.dialects.assembly import parse_attribute_dictionary
from rammer_ir.dialects.block_memory import MemorySpace, memory_space, memref_type
from rammer_ir.dialects.integers import integer
from rammer_ir.dialects.nesting import enclosing_op


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
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), _yielding_ops()))
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


def _yielding_ops() -> HasParent:
    """The ops whose regions end so; reductions need this module, so they are imported late."""
    from rammer_ir.dialects.block_reductions import WarpReduceOp

    return HasParent(BodyOp, ParallelOp, StepsOp, WarpReduceOp)


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
            if not ends_without_value(region):
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


def _print_body(printer: Printer, op: "ParallelOp | StepsOp") -> None:
    """Attributes and region, whose arguments have been printed and whose end goes without saying."""
    printer.print_op_attributes(op.attributes, print_keyword=True)
    printer.print_string(" ")
    printer.print_region(op.body, print_entry_block_args=False, print_empty_block=False, print_block_terminators=False)


def _parse_body(parser: Parser, arguments: Sequence[Parser.Argument]) -> Region:
    body = parser.parse_region(arguments)
    if not isinstance(body.block.last_op, YieldOp):
        body.block.add_op(YieldOp())
    return body


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
        if not ends_without_value(self.body):
            raise VerifyException("a parallel loop must end with block.yield, without a value")
        if enclosing_op(self, ParallelOp) is not None:
            raise VerifyException("parallel loops do not nest")
        verify_compute_role(self)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.level.value} (")
        printer.print_ssa_value(self.index)
        printer.print_string(") in ")
        printer.print_ssa_value(self.extent)
        _print_body(printer, self)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        level = parser.parse_str_enum(Level)
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        parser.parse_keyword("in")
        extent = parser.parse_operand(IndexType())
        attributes = parse_attribute_dictionary(parser)
        body = _parse_body(parser, [index])
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
        if not ends_without_value(self.body):
            raise VerifyException("block.steps must end with block.yield, without a value")
        parent = self.parent_op()
        body = enclosing_op(self, BodyOp)
        if body is None:
            return
        if parent is not body or is_in_service(self) or not isinstance(self.next_op, YieldOp):
            raise VerifyException("block.steps stands last in the compute region of a body")

    def print(self, printer: Printer) -> None:
        printer.print_string(" (")
        printer.print_ssa_value(self.index)
        printer.print_string(", ")
        printer.print_ssa_value(self.end)
        printer.print_string(")")
        _print_body(printer, self)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        parser.parse_punctuation("(")
        index = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(",")
        end = parser.parse_argument(expect_type=False).resolve(IndexType())
        parser.parse_punctuation(")")
        attributes = parse_attribute_dictionary(parser)
        body = _parse_body(parser, [index, end])
        op = cls(body)
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
        verify_met_by_all_threads(self)


def ends_without_value(region: Region) -> bool:
    """Whether a region ends with `block.yield` that yields nothing."""
    last = region.block.last_op
    return isinstance(last, YieldOp) and not last.values


def is_in_service(op: Operation) -> bool:
    """Whether an op stands in the service region of a body."""
    body = enclosing_op(op, BodyOp)
    return body is not None and body.service is not None and body.service.is_ancestor(op)


def verify_compute_role(op: Operation) -> None:
    """Raise VerifyException if an op stands in a service region."""
    if is_in_service(op):
        raise VerifyException(f"{op.name} is for the compute role: it stands in a service region")


def verify_met_by_all_threads(op: Operation) -> None:
    """Raise VerifyException where not all threads of the compute role come to an op."""
    if enclosing_op(op, ParallelOp) is not None:
        raise VerifyException(f"{op.name} inside a parallel loop would not be reached by all threads")
    verify_compute_role(op)
