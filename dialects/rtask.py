"""
The `rtask` dialect: how operators may be cut into rTasks, the work of one vEU at a time (Rammer, OSDI'20, section 3.1).

A kernel is an rKernel: a grid of tasks, a box of elements that each task reads and writes, and what a task computes.
Boxes are the kernel's interface: dependencies between tasks of different kernels follow from boxes alone.
"""

from collections.abc import Sequence
from math import prod
from typing import Self, cast

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DenseIntElementsAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import (
    HasParent,
    IsolatedFromAbove,
    IsTerminator,
    NoMemoryEffect,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.assembly import (
    parse_attribute_dictionary,
    parse_attributes,
    parse_index_group,
    parse_integers,
    parse_operand_group,
    parse_optional_attribute,
    parse_optional_integer,
    parse_result_types,
    print_attributes,
    print_index_group,
    print_operand_group,
    print_optional_attribute,
    print_result_types,
)
from rammer_ir.dialects.integers import integer, integers, optional_integer, values_of
from rammer_ir.dialects.rop import GenericOp, TilingAttr, tensor_type
from rammer_ir.dialects.rtask_attributes import BoxAttr, ContractionAttr, CostAttr, Placement
from rammer_ir.dialects.rtask_matrix_vector import MatrixVectorAttr


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    Ends a region of this dialect with the tensors it gives.

    Example: `rtask.yield %y : tensor<4x8xf32>`
    """

    name = "rtask.yield"
    values = var_operand_def()
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), HasParent(KernelOp, AlternativesOp)))
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


@irdl_op_definition
class KernelOp(IRDLOperation):
    """
    An rKernel: a grid of tasks, what each reads and writes, and what it computes.

    The region is the meaning of one task. It takes the task's coordinates, `loops` loop indices (0 or 1), the tensors
    it reads and the tensors it writes, and yields the latter after its writes: `rop.generic`s on one tile whose maps
    have the coordinates (and loop index) as symbols. Between them, tile-sized tensors are local to the task.

    `implementation` names the `block.body` that does it on a device, with `parameters` (shapes, strides: data, so that
    kernels share bodies) and `constants` (weights such as tables of offsets that only the body needs). A body's
    operands are the tensors read, the constants, then the tensors written.

    Example:
    ```mlir
    rtask.kernel @double grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
    ^bb0(%i: index, %x: tensor<30xf32>, %y: tensor<30xf32>):
      %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
          ins(%x : tensor<30xf32>) into(%y : tensor<30xf32>) at(%i) {
      ^bb1(%p: f32):
        %d = arith.addf %p, %p : f32
        rop.yield %d : f32
      } -> tensor<30xf32>
      rtask.yield %r : tensor<30xf32>
    } implementation @double_block [30]
    ```
    """

    name = "rtask.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    grid_ = prop_def(DenseArrayBase.constr(i64), prop_name="grid")
    loops_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="loops")
    reads = prop_def(ArrayAttr[BoxAttr])
    writes = prop_def(ArrayAttr[BoxAttr])
    implementation = opt_prop_def(SymbolRefAttr)
    parameters_ = opt_prop_def(DenseArrayBase.constr(i64), prop_name="parameters")
    constants = opt_prop_def(ArrayAttr[SymbolRefAttr])
    region = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove())

    def __init__(
        self,
        name: str,
        grid: Sequence[int],
        reads: Sequence[BoxAttr],
        writes: Sequence[BoxAttr],
        region: Region,
        *,
        loops: int = 0,
        implementation: str | None = None,
        parameters: Sequence[int] = (),
        constants: Sequence[str] = (),
    ) -> None:
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "grid": integers(grid),
                "loops": integer(loops) if loops else None,
                "reads": ArrayAttr(reads),
                "writes": ArrayAttr(writes),
            },
            regions=[region],
        )
        if implementation is not None:
            self.implement(implementation, parameters, constants)

    def implement(self, body: str, parameters: Sequence[int], constants: Sequence[str] = ()) -> None:
        """Names the block-form body that computes this kernel."""
        self.implementation = SymbolRefAttr(body)
        self.parameters_ = integers(parameters) if parameters else None
        self.constants = ArrayAttr([SymbolRefAttr(name) for name in constants]) if constants else None

    @property
    def tiling(self) -> TilingAttr | None:
        """How the kernel was cut, if it says."""
        tiling = self.attributes.get("tiling")
        return tiling if isinstance(tiling, TilingAttr) else None

    @property
    def is_of_recurrence(self) -> bool:
        """Whether the kernel is a step of a recurrence, or gives its states before the first step."""
        return self.tiling is not None and self.tiling.kind == "recurrence"

    @property
    def grid(self) -> tuple[int, ...]:
        """Tasks along each coordinate; the last coordinate of the linear task index runs fastest."""
        return values_of(self.grid_)

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        return prod(self.grid)

    @property
    def loops(self) -> int:
        """How many loop indices a task takes."""
        return 0 if self.loops_ is None else self.loops_.value.data

    @property
    def parameters(self) -> tuple[int, ...]:
        """Values of the body's parameters."""
        return () if self.parameters_ is None else self.parameters_.get_values()

    @property
    def read_arguments(self) -> Sequence[SSAValue]:
        first = len(self.grid) + self.loops
        return self.region.block.args[first : first + len(self.reads)]

    @property
    def written_arguments(self) -> Sequence[SSAValue]:
        return self.region.block.args[len(self.grid) + self.loops + len(self.reads) :]

    def verify_(self) -> None:
        if not self.grid or any(extent <= 0 for extent in self.grid):
            raise VerifyException(f"the grid of a kernel must be positive, got {list(self.grid)}")
        if not self.writes:
            raise VerifyException("a kernel writes at least one tensor")
        if self.loops not in (0, 1):
            raise VerifyException(f"a kernel takes at most one loop index, got {self.loops}")
        indices = len(self.grid) + self.loops
        arguments = self.region.block.args
        if len(arguments) != indices + len(self.reads) + len(self.writes):
            raise VerifyException("the region must take coordinates, loop index, and one tensor for every box")
        if any(argument.type != IndexType() for argument in arguments[:indices]):
            raise VerifyException("coordinates and loop index must be of type index")
        for argument, box in zip(arguments[indices:], (*self.reads, *self.writes), strict=True):
            self._verify_box(argument, box)
        self._verify_extracted()
        last = self.region.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("the region must end with rtask.yield")
        if [value.type for value in last.values] != [value.type for value in self.written_arguments]:
            raise VerifyException("the region must yield the tensors it writes")
        if self.implementation is None and (self.parameters_ is not None or self.constants is not None):
            raise VerifyException("parameters and constants belong to an implementation, and there is none")

    def _verify_box(self, argument: SSAValue, box: BoxAttr) -> None:
        if not isinstance(argument.type, TensorType):
            raise VerifyException(f"a kernel reads and writes tensors, not {argument.type}")
        tensor = tensor_type(argument)
        if len(box.sizes) != tensor.get_num_dims():
            raise VerifyException(f"box {box} does not have the rank of {tensor}")
        origin = box.origin.data
        if (origin.num_dims, origin.num_symbols) != (len(self.grid), self.loops):
            raise VerifyException(
                f"box {box} must map {len(self.grid)} coordinates and {self.loops} loop indices to an origin"
            )

    def _verify_extracted(self) -> None:
        boxes = dict(zip(self.read_arguments, self.reads, strict=True))
        for generic in self.region.block.ops:
            for value in generic.extracted if isinstance(generic, GenericOp) else ():
                if value not in boxes:
                    raise VerifyException("a kernel reads at computed indices of the tensors that it reads, no others")
                shape = tensor_type(value).get_shape()
                whole = zip(boxes[value].origin.data.results, boxes[value].sizes, shape, strict=True)
                if any(start != AffineConstantExpr(0) or size < extent for start, size, extent in whole):
                    raise VerifyException(f"box {boxes[value]} is not all of {value.type}, read at computed indices")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" grid {list(self.grid)}")
        if self.loops:
            printer.print_string(f" loops {self.loops}")
        printer.print_string(" reads ")
        print_attributes(printer, self.reads)
        printer.print_string(" writes ")
        print_attributes(printer, self.writes)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.region)
        if self.implementation is not None:
            printer.print_string(" implementation ")
            printer.print_attribute(self.implementation)
            printer.print_string(f" {list(self.parameters)}")
            if self.constants is not None:
                printer.print_string(" constants ")
                print_attributes(printer, self.constants)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_keyword("grid")
        grid = parse_integers(parser)
        loops = parse_optional_integer(parser, "loops") or 0
        parser.parse_keyword("reads")
        reads = cast("list[BoxAttr]", parse_attributes(parser))
        parser.parse_keyword("writes")
        writes = cast("list[BoxAttr]", parse_attributes(parser))
        attributes = parse_attribute_dictionary(parser)
        op = cls(name, grid, reads, writes, parser.parse_region(), loops=loops)
        op.attributes = attributes
        if parser.parse_optional_keyword("implementation") is not None:
            body = parser.parse_symbol_name().data
            op.implement(body, parse_integers(parser), _parse_constants(parser))
        return op


def _parse_constants(parser: Parser) -> Sequence[str]:
    if parser.parse_optional_keyword("constants") is None:
        return ()
    symbols = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_symbol_name)
    return [symbol.data for symbol in symbols]


@irdl_op_definition
class DispatchOp(IRDLOperation):
    """
    One use of a kernel: all its tasks, on the tensors given.

    `into` gives the contents of the written tensors before; the results are those after. `at` is the loop index, if
    the kernel takes one. Decisions and estimates are attributes: `cost` (of one task), `wave` (when) and `place`
    (which vEU runs a task: a map from the linear task index, or a table).

    Example:
    ```mlir
    %y = rtask.dispatch @double ins(%x : tensor<30xf32>) into(%e : tensor<30xf32>)
        cost #rtask.cost<1.5 us from "analytic"> wave 0 place affine_map<(i) -> (i)> -> tensor<30xf32>
    ```
    """

    name = "rtask.dispatch"
    kernel = prop_def(SymbolRefAttr)
    inputs = var_operand_def(TensorType)
    into = var_operand_def(TensorType)
    at = var_operand_def(IndexType())
    res = var_result_def(TensorType)
    cost = opt_prop_def(CostAttr)
    wave_ = opt_prop_def(IntegerAttr.constr(i64), prop_name="wave")
    place = opt_prop_def(AffineMapAttr | DenseIntElementsAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(NoMemoryEffect())

    def __init__(
        self,
        kernel: str,
        inputs: Sequence[SSAValue | Operation],
        into: Sequence[SSAValue | Operation],
        at: Sequence[SSAValue | Operation] = (),
        *,
        cost: CostAttr | None = None,
        wave: int | None = None,
        place: Placement | None = None,
    ) -> None:
        super().__init__(
            operands=[list(inputs), list(into), list(at)],
            result_types=[[SSAValue.get(value).type for value in into]],
            properties={
                "kernel": SymbolRefAttr(kernel),
                "cost": cost,
                "wave": optional_integer(wave),
                "place": place,
            },
        )

    @property
    def wave(self) -> int | None:
        return None if self.wave_ is None else self.wave_.value.data

    @wave.setter
    def wave(self, value: int | None) -> None:
        self.wave_ = optional_integer(value)

    def verify_(self) -> None:
        if not self.into:
            raise VerifyException("a dispatch writes at least one tensor")
        if len(self.at) > 1:
            raise VerifyException(f"a kernel takes at most one loop index, got {len(self.at)}")
        if [value.type for value in self.into] != list(self.result_types):
            raise VerifyException("the results of a dispatch must have the types of the tensors it writes into")
        if self.wave is not None and self.wave < 0:
            raise VerifyException(f"waves count from 0, got {self.wave}")
        if isinstance(self.place, AffineMapAttr):
            place = self.place.data
            if (place.num_dims, place.num_symbols, len(place.results)) != (1, 0, 1):
                raise VerifyException("a placement must map the linear task index to one vEU")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_attribute(self.kernel)
        print_operand_group(printer, "ins", self.inputs)
        print_operand_group(printer, "into", self.into)
        print_index_group(printer, "at", self.at)
        print_optional_attribute(printer, "cost", self.cost)
        if self.wave is not None:
            printer.print_string(f" wave {self.wave}")
        print_optional_attribute(printer, "place", self.place)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        print_result_types(printer, self.result_types)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kernel = parser.parse_symbol_name().data
        inputs = parse_operand_group(parser, "ins")
        into = parse_operand_group(parser, "into")
        at = parse_index_group(parser, "at")
        cost = cast("CostAttr | None", parse_optional_attribute(parser, "cost"))
        wave = parse_optional_integer(parser, "wave")
        place = cast("Placement | None", parse_optional_attribute(parser, "place"))
        op = cls(kernel, inputs, into, at, cost=cost, wave=wave, place=place)
        op.attributes = parse_attribute_dictionary(parser)
        if parse_result_types(parser) != list(op.result_types):
            parser.raise_error("the results of a dispatch must have the types of the tensors it writes into")
        return op


@irdl_op_definition
class AlternativesOp(IRDLOperation):
    """
    Candidate ways to compute the same thing, side by side: other tiles, a split reduction as two kernels, other
    algorithms. A pass keeps one. Every region takes the inputs and yields the results.

    Example:
    ```mlir
    %y = rtask.alternatives ins(%x : tensor<30xf32>) {
    ^bb0(%a: tensor<30xf32>):
      %e = tensor.empty() : tensor<30xf32>
      %0 = rtask.dispatch @wide ins(%a : tensor<30xf32>) into(%e : tensor<30xf32>) -> tensor<30xf32>
      rtask.yield %0 : tensor<30xf32>
    }, {
    ^bb0(%a: tensor<30xf32>):
      %e = tensor.empty() : tensor<30xf32>
      %0 = rtask.dispatch @narrow ins(%a : tensor<30xf32>) into(%e : tensor<30xf32>) -> tensor<30xf32>
      rtask.yield %0 : tensor<30xf32>
    } -> tensor<30xf32>
    ```
    """

    name = "rtask.alternatives"
    inputs = var_operand_def()
    res = var_result_def(TensorType)
    candidates = var_region_def("single_block")
    traits = traits_def(IsolatedFromAbove(), NoMemoryEffect(), RecursiveMemoryEffect())

    def __init__(
        self, inputs: Sequence[SSAValue | Operation], result_types: Sequence[Attribute], candidates: Sequence[Region]
    ) -> None:
        super().__init__(operands=[list(inputs)], result_types=[list(result_types)], regions=[list(candidates)])

    def verify_(self) -> None:
        if not self.candidates:
            raise VerifyException("alternatives need at least one candidate")
        if not self.res:
            raise VerifyException("alternatives need at least one result")
        arguments = [value.type for value in self.inputs]
        for number, candidate in enumerate(self.candidates):
            if [argument.type for argument in candidate.block.args] != arguments:
                raise VerifyException(f"candidate {number} must take the inputs of the alternatives")
            last = candidate.block.last_op
            if not isinstance(last, YieldOp) or [value.type for value in last.values] != list(self.result_types):
                raise VerifyException(f"candidate {number} must yield the results of the alternatives")

    def print(self, printer: Printer) -> None:
        print_operand_group(printer, "ins", self.inputs)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_list(self.candidates, printer.print_region)
        print_result_types(printer, self.result_types)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        inputs = parse_operand_group(parser, "ins")
        attributes = parse_attribute_dictionary(parser)
        candidates = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_region)
        op = cls(inputs, parse_result_types(parser), candidates)
        op.attributes = attributes
        return op


Rtask = Dialect(
    "rtask", [YieldOp, KernelOp, DispatchOp, AlternativesOp], [BoxAttr, CostAttr, ContractionAttr, MatrixVectorAttr]
)

__all__ = [
    "AlternativesOp",
    "BoxAttr",
    "ContractionAttr",
    "CostAttr",
    "DispatchOp",
    "KernelOp",
    "MatrixVectorAttr",
    "Placement",
    "Rtask",
    "YieldOp",
]
