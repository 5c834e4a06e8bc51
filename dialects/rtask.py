"""
The `rtask` dialect: how operators may be cut into rTasks, the work of one vEU at a time (Rammer, OSDI'20, section 3.1).

A kernel is an rKernel: a grid of tasks, a box of elements that each task reads and writes, and what a task computes.
Boxes are the kernel's interface: dependencies between tasks of different kernels follow from boxes alone.
"""

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseArrayBase,
    DenseIntElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    f64,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, ParametrizedAttribute, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.traits import (
    IsolatedFromAbove,
    IsTerminator,
    NoMemoryEffect,
    Pure,
    RecursiveMemoryEffect,
    SymbolOpInterface,
)
from xdsl.utils.exceptions import VerifyException

from rammer_ir.dialects.rop import parse_operand_group, print_operand_group


@irdl_attr_definition
class BoxAttr(ParametrizedAttribute):
    """
    The elements of a tensor that a task touches: an origin for each task, and a size.

    The map takes task coordinates (dimensions) and loop indices (symbols) to the origin; `sizes` are static. The part
    of the box that lies out of the tensor is cut off.

    Example (a tile of 8x8 pixels with a border of 1): `#rtask.box<(h, w) -> (0, 0, h * 8 - 1, w * 8 - 1) by [1, 3, 10, 10]>`
    """

    name = "rtask.box"
    origin: AffineMapAttr
    sizes_: DenseArrayBase

    def __init__(self, origin: AffineMapAttr, sizes: Sequence[int] | DenseArrayBase) -> None:
        array = sizes if isinstance(sizes, DenseArrayBase) else DenseArrayBase.from_list(i64, list(sizes))
        super().__init__(origin, array)

    @property
    def sizes(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self.sizes_.get_values())

    def verify(self) -> None:
        if len(self.origin.data.results) != len(self.sizes):
            raise VerifyException(
                f"a box needs a size for each of the {len(self.origin.data.results)} results of its origin"
            )
        if any(size <= 0 for size in self.sizes):
            raise VerifyException(f"the sizes of a box must be positive, got {list(self.sizes)}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            origin = parser.parse_affine_map()
            parser.parse_keyword("by")
            sizes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
        return AffineMapAttr(origin), DenseArrayBase.from_list(i64, sizes)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.origin.data} by {list(self.sizes)}")


@irdl_attr_definition
class CostAttr(ParametrizedAttribute):
    """
    What one task of a dispatch costs: microseconds on one vEU, and where the number comes from.

    Example: `#rtask.cost<4.2 us from "analytic">`
    """

    name = "rtask.cost"
    task_time: FloatAttr
    source: StringAttr

    @property
    def microseconds(self) -> float:
        return self.task_time.value.data

    def verify(self) -> None:
        if not self.microseconds >= 0.0:
            raise VerifyException(f"a cost must not be negative, got {self.microseconds}")

    @classmethod
    def of(cls, microseconds: float, source: str) -> Self:
        return cls(FloatAttr(microseconds, f64), StringAttr(source))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            value = parser.parse_number()
            parser.parse_keyword("us")
            parser.parse_keyword("from")
            source = parser.parse_str_literal()
        return FloatAttr(float(value), f64), StringAttr(source)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.microseconds!r} us from ")
            printer.print_string_literal(self.source.data)


@irdl_attr_definition
class ContractionAttr(ParametrizedAttribute):
    """
    How a kernel's first generic is a contraction, C[m, n] = sum over k of X[m, k] * W[k, n], for the body that computes it.

    `x` and `w` number its inputs; the others are loop dimensions of it: `m` at most two, the innermost of the result
    last; `k` in the order of the packed W; `checked` dimensions of X may be read out of range; with `channels`, a chunk of
    K has one tap (see `rammer_ir.tiling.contraction`). `chunks` is the number of chunks of W that a task takes.

    Example: `#rtask.contraction<x 0 w 1 m [1, 2] n 0 k [4, 5, 3] checked [2, 3] channels true chunks 18>`
    """

    name = "rtask.contraction"
    x_: IntegerAttr
    w_: IntegerAttr
    m_: DenseArrayBase
    n_: IntegerAttr
    k_: DenseArrayBase
    checked_: DenseArrayBase
    channels_: IntegerAttr
    chunks_: IntegerAttr

    @classmethod
    def of(
        cls,
        *,
        x: int,
        w: int,
        m: Sequence[int],
        n: int,
        k: Sequence[int],
        checked: Sequence[int],
        channels: bool,
        chunks: int,
    ) -> Self:
        def number(value: int) -> IntegerAttr:
            return IntegerAttr(value, i64)

        def array(values: Sequence[int]) -> DenseArrayBase:
            return DenseArrayBase.from_list(i64, list(values))

        return cls(
            number(x), number(w), array(m), number(n), array(k), array(checked), number(int(channels)), number(chunks)
        )

    @property
    def x(self) -> int:
        return self.x_.value.data

    @property
    def w(self) -> int:
        return self.w_.value.data

    @property
    def m(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self.m_.get_values())

    @property
    def n(self) -> int:
        return self.n_.value.data

    @property
    def k(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self.k_.get_values())

    @property
    def checked(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self.checked_.get_values())

    @property
    def channels(self) -> bool:
        return bool(self.channels_.value.data)

    @property
    def chunks(self) -> int:
        return self.chunks_.value.data

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        def number(keyword: str) -> IntegerAttr:
            parser.parse_keyword(keyword)
            return IntegerAttr(parser.parse_integer(), i64)

        def array(keyword: str) -> DenseArrayBase:
            parser.parse_keyword(keyword)
            values = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            return DenseArrayBase.from_list(i64, values)

        with parser.in_angle_brackets():
            x, w, m, n, k, checked = number("x"), number("w"), array("m"), number("n"), array("k"), array("checked")
            parser.parse_keyword("channels")
            channels = IntegerAttr(int(parser.parse_boolean()), i64)
            return x, w, m, n, k, checked, channels, number("chunks")

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(
                f"x {self.x} w {self.w} m {list(self.m)} n {self.n} k {list(self.k)} checked {list(self.checked)} "
                f"channels {str(self.channels).lower()} chunks {self.chunks}"
            )


Placement = AffineMapAttr | DenseIntElementsAttr
"""Which vEU runs a task: a map from the linear task index, or a table where no map fits."""


@irdl_op_definition
class YieldOp(IRDLOperation):
    """
    Ends a region of this dialect with the tensors it gives.

    Example: `rtask.yield %y : tensor<4x8xf32>`
    """

    name = "rtask.yield"
    values = var_operand_def()
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    def __init__(self, *values: SSAValue | Operation) -> None:
        super().__init__(operands=[list(values)])


@irdl_op_definition
class KernelOp(IRDLOperation):
    """
    An rKernel: a grid of tasks, what each reads and writes, and what it computes.

    The region is the meaning of one task. It takes the task's coordinates, `loops` loop indices (0 or 1), the tensors it
    reads and the tensors it writes, and yields the latter after its writes: `rop.generic`s on one tile whose maps have the
    coordinates (and loop index) as symbols. Between them, tile-sized tensors are local to the task.

    `implementation` names the `block.body` that does it on a device, with `parameters` (shapes, strides: data, so that
    kernels share bodies) and `constants` (weights such as tables of offsets that only the body needs). A body's operands
    are the tensors read, the constants, then the tensors written.

    Example:
    ```mlir
    rtask.kernel @scale grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
    ^bb0(%i: index, %x: tensor<30xf32>, %y: tensor<30xf32>):
      %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
          ins(%x : tensor<30xf32>) into(%y : tensor<30xf32>) at(%i) { ... } -> tensor<30xf32>
      rtask.yield %r : tensor<30xf32>
    } implementation @scale_block [30]
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
                "grid": DenseArrayBase.from_list(i64, list(grid)),
                "loops": IntegerAttr(loops, i64) if loops else None,
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
        self.parameters_ = DenseArrayBase.from_list(i64, list(parameters)) if parameters else None
        self.constants = ArrayAttr([SymbolRefAttr(name) for name in constants]) if constants else None

    @property
    def grid(self) -> tuple[int, ...]:
        """Tasks along each coordinate; the last coordinate of the linear task index runs fastest."""
        return cast("tuple[int, ...]", self.grid_.get_values())

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        count = 1
        for extent in self.grid:
            count *= extent
        return count

    @property
    def loops(self) -> int:
        """How many loop indices a task takes."""
        return 0 if self.loops_ is None else self.loops_.value.data

    @property
    def parameters(self) -> tuple[int, ...]:
        """Values of the body's parameters."""
        return () if self.parameters_ is None else cast("tuple[int, ...]", self.parameters_.get_values())

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
        tensor = cast("TensorType[Attribute]", argument.type)
        if len(box.sizes) != tensor.get_num_dims():
            raise VerifyException(f"box {box} does not have the rank of {tensor}")
        origin = box.origin.data
        if (origin.num_dims, origin.num_symbols) != (len(self.grid), self.loops):
            raise VerifyException(
                f"box {box} must map {len(self.grid)} coordinates and {self.loops} loop indices to an origin"
            )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_string(f" grid {list(self.grid)}")
        if self.loops:
            printer.print_string(f" loops {self.loops}")
        for keyword, boxes in (("reads", self.reads), ("writes", self.writes)):
            printer.print_string(f" {keyword} ")
            with printer.in_square_brackets():
                printer.print_list(boxes, printer.print_attribute)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.region)
        if self.implementation is not None:
            printer.print_string(" implementation ")
            printer.print_attribute(self.implementation)
            printer.print_string(f" {list(self.parameters)}")
            if self.constants is not None:
                printer.print_string(" constants ")
                with printer.in_square_brackets():
                    printer.print_list(self.constants, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_keyword("grid")
        grid = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
        loops = parser.parse_integer() if parser.parse_optional_keyword("loops") is not None else 0
        parser.parse_keyword("reads")
        reads = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute)
        parser.parse_keyword("writes")
        writes = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_attribute)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        region = parser.parse_region()
        op = cls(
            name, grid, cast("list[BoxAttr]", reads), cast("list[BoxAttr]", writes), region, loops=loops
        )
        if parser.parse_optional_keyword("implementation") is not None:
            body = parser.parse_symbol_name().data
            parameters = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, parser.parse_integer)
            constants: list[str] = []
            if parser.parse_optional_keyword("constants") is not None:
                constants = [
                    symbol.data
                    for symbol in parser.parse_comma_separated_list(
                        parser.Delimiter.SQUARE, parser.parse_symbol_name
                    )
                ]
            op.implement(body, parameters, constants)
        if attributes is not None:
            op.attributes = dict(attributes.data)
        return op


@irdl_op_definition
class DispatchOp(IRDLOperation):
    """
    One use of a kernel: all its tasks, on the tensors given.

    `into` gives the contents of the written tensors before; the results are those after. `at` is the loop index, if
    the kernel takes one. Decisions and estimates are attributes: `cost` (of one task), `wave` (when) and `place`
    (which vEU runs a task: a map from the linear task index, or a table).

    Example:
    ```mlir
    %y = rtask.dispatch @scale ins(%x : tensor<30xf32>) into(%e : tensor<30xf32>)
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
                "wave": None if wave is None else IntegerAttr(wave, i64),
                "place": place,
            },
        )

    @property
    def wave(self) -> int | None:
        return None if self.wave_ is None else self.wave_.value.data

    @wave.setter
    def wave(self, value: int | None) -> None:
        self.wave_ = None if value is None else IntegerAttr(value, i64)

    def verify_(self) -> None:
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
        if self.at:
            printer.print_string(" at")
            with printer.in_parens():
                printer.print_list(self.at, printer.print_ssa_value)
        if self.cost is not None:
            printer.print_string(" cost ")
            printer.print_attribute(self.cost)
        if self.wave is not None:
            printer.print_string(f" wave {self.wave}")
        if self.place is not None:
            printer.print_string(" place ")
            printer.print_attribute(self.place)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kernel = parser.parse_symbol_name().data
        inputs = parse_operand_group(parser, "ins")
        into = parse_operand_group(parser, "into")
        at: list[SSAValue] = []
        if parser.parse_optional_keyword("at") is not None:
            unresolved = parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
            at = [parser.resolve_operand(operand, IndexType()) for operand in unresolved]
        cost = parser.parse_attribute() if parser.parse_optional_keyword("cost") is not None else None
        wave = parser.parse_integer() if parser.parse_optional_keyword("wave") is not None else None
        place = parser.parse_attribute() if parser.parse_optional_keyword("place") is not None else None
        attributes = parser.parse_optional_attr_dict_with_keyword()
        parser.parse_punctuation("->")
        result_types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        op = cls(
            kernel, inputs, into, at, cost=cast("CostAttr | None", cost), wave=wave, place=cast("Placement | None", place)
        )
        if list(op.result_types) != result_types:
            parser.raise_error("the results of a dispatch must have the types of the tensors it writes into")
        if attributes is not None:
            op.attributes = dict(attributes.data)
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
      %0 = rtask.dispatch @wide ins(%a : tensor<30xf32>) into(%e : tensor<30xf32>) -> tensor<30xf32>
      rtask.yield %0 : tensor<30xf32>
    }, {
    ^bb0(%a: tensor<30xf32>):
      ...
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
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        inputs = parse_operand_group(parser, "ins")
        attributes = parser.parse_optional_attr_dict_with_keyword()
        candidates = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_region)
        parser.parse_punctuation("->")
        result_types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        op = cls(inputs, result_types, candidates)
        if attributes is not None:
            op.attributes = dict(attributes.data)
        return op


Rtask = Dialect("rtask", [YieldOp, KernelOp, DispatchOp, AlternativesOp], [BoxAttr, CostAttr, ContractionAttr])
