"""One task of an rOperator: its generics cut to a tile, with the task's coordinates as symbols of their maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from xdsl.dialects.arith import AddiOp, ConstantOp, MuliOp
from xdsl.dialects.builtin import AffineMapAttr, IndexType, IntegerAttr, TensorType
from xdsl.ir import Attribute, Block, BlockArgument, OpResult, Region, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.rop import GenericOp, IndexOp, OperatorOp, TilingAttr, tensor_type
from rammer_ir.dialects.rop import YieldOp as RopYieldOp
from rammer_ir.dialects.rtask import BoxAttr, KernelOp, YieldOp
from rammer_ir.errors import RammerError
from rammer_ir.indexing.ranges import Range, extent_ranges
from rammer_ir.indexing.simplify import simplify_map
from rammer_ir.locations import describe_op, fuse_locations, set_location
from rammer_ir.tiling.boxes import touched_box, union_box
from rammer_ir.tiling.contraction import Contraction, match_contraction
from rammer_ir.tiling.task_dimensions import TaskDimension, generics_of, task_dimensions


@dataclass(frozen=True)
class Cut:
    """A task dimension that is cut into tiles: the coordinate number of the task, and the tile's size."""

    coordinate: int
    dimension: TaskDimension
    size: int

    @property
    def tasks(self) -> int:
        return -(-self.dimension.extent // self.size)


def cuts_of(operator: OperatorOp, tiling: TilingAttr) -> tuple[Cut, ...]:
    """
    The dimensions that a tiling cuts.

    Raises RammerError where it cuts one that is no task dimension, or does not fit the block of its contraction.
    """
    root = generics_of(operator)[-1]
    if len(tiling.tile) != len(root.bounds):
        raise RammerError(
            f"tiling {tiling} has {len(tiling.tile)} sizes for a generic of {len(root.bounds)} dimensions",
            location=describe_op(operator),
        )
    by_loop = {dimension.loops[-1]: dimension for dimension in task_dimensions(operator)}
    cuts: list[Cut] = []
    for dim, (size, bound) in enumerate(zip(tiling.tile, root.bounds, strict=True)):
        if size >= bound:
            continue
        if dim not in by_loop:
            raise RammerError(
                f"tiling {tiling} cuts dimension {dim}, which not all generics of the operator share",
                location=describe_op(operator),
            )
        cuts.append(Cut(len(cuts), by_loop[dim], size))
    contraction = match_contraction(operator) if tiling.kind == "contraction" else None
    if contraction is not None:
        _check_block(operator, contraction, cuts, tiling)
    return tuple(cuts)


def _check_block(operator: OperatorOp, contraction: Contraction, cuts: Sequence[Cut], tiling: TilingAttr) -> None:
    """A task computes one block: M fits into it, tiles of N start where blocks of the packed weight do."""
    bounds = generics_of(operator)[0].bounds
    sizes = {cut.dimension.loops[0]: cut.size for cut in cuts}
    block_m, block_n, _ = tiling.block
    m = prod(sizes.get(dim, bounds[dim]) for dim in contraction.m)
    n = sizes.get(contraction.n, bounds[contraction.n])
    if m > block_m or n > block_n or (contraction.n in sizes and n != block_n):
        raise RammerError(
            f"tiling {tiling} has a tile of {m} x {n}, which is no block of {block_m} x {block_n}",
            location=describe_op(operator),
        )
    if any(sizes.get(dim, bounds[dim]) > 1 for dim in contraction.batch):
        raise RammerError(
            f"tiling {tiling} has several indices of a batch in a tile of a contraction", location=describe_op(operator)
        )


@dataclass
class TiledOperator:
    """
    A kernel in the making: the operator's inputs it reads and the destinations it writes, in order.

    `reads` are numbers of the operator's inputs; `destinations[i]` is the number of the input that result `i` is
    written into, or None where it goes into a new tensor. `replaced` gives other tensors and maps for inputs (packed
    weights).
    """

    operator: OperatorOp
    cuts: tuple[Cut, ...]
    replaced: dict[int, tuple[TensorType[Attribute], AffineMap]]
    reads: list[int] = field(default_factory=list[int])
    destinations: list[int | None] = field(default_factory=list[int | None])
    loops: int = 0
    _values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    _read_boxes: dict[int, BoxAttr] = field(default_factory=dict[int, BoxAttr])
    _write_boxes: dict[int, BoxAttr] = field(default_factory=dict[int, BoxAttr])
    _block: Block = field(default_factory=Block)

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(cut.tasks for cut in self.cuts) or (1,)

    def kernel(self, name: str) -> KernelOp:
        """The kernel; fills in `reads`, `destinations` and `loops`."""
        self._make_arguments()
        for number, generic in enumerate(generics_of(self.operator)):
            self._add(number, generic)
        results = [self._values[value] for value in self._results()]
        self._block.add_op(YieldOp(*results))
        kernel = KernelOp(
            name,
            self.grid,
            [self._read_boxes[number] for number in self.reads],
            [self._write_boxes[number] for number in range(len(results))],
            Region(self._block),
            loops=self.loops,
        )
        set_location(kernel, fuse_locations(generics_of(self.operator)))
        return kernel

    def _results(self) -> Sequence[SSAValue]:
        last = self.operator.body.block.last_op
        assert isinstance(last, RopYieldOp)
        return last.values

    def _make_arguments(self) -> None:
        arguments = self.operator.body.block.args
        indices = [argument for argument in arguments if isinstance(argument.type, IndexType)]
        if len(indices) > 1:
            raise RammerError(
                "an operator inside two loops cannot be cut into tasks", location=describe_op(self.operator)
            )
        self.loops = len(indices)
        generics = generics_of(self.operator)
        read = {value for generic in generics for value in (*generic.inputs, *generic.extracted)}
        self.reads = [argument.index for argument in arguments if argument in read]
        self.destinations = [self._destination(value) for value in self._results()]
        types = [self._read_type(arguments[number]) for number in self.reads]
        writes = [value.type for value in self._results()]
        index_types = [IndexType()] * (len(self.grid) + self.loops)
        self._block = Block(arg_types=[*index_types, *types, *writes])
        for argument in indices:
            self._values[argument] = self._block.args[len(self.grid)]
        first = len(index_types)
        for position, number in enumerate(self.reads):
            self._values[arguments[number]] = self._block.args[first + position]

    def _read_type(self, argument: BlockArgument) -> Attribute:
        replaced = self.replaced.get(argument.index)
        return argument.type if replaced is None else replaced[0]

    def _destination(self, value: SSAValue) -> int | None:
        assert isinstance(value, OpResult), "an operator yields the results of its root"
        assert isinstance(value.op, GenericOp)
        if not value.op.into:
            return None
        destination = value.op.into[value.index]
        if not isinstance(destination, BlockArgument):
            raise RammerError(
                "an operator writes into one of its operands, not into a tensor of its own",
                location=describe_op(value.op),
            )
        return destination.index

    def _add(self, number: int, generic: GenericOp) -> None:
        sizes = {cut.dimension.loops[number]: cut for cut in self.cuts}
        bounds = [sizes[dim].size if dim in sizes else bound for dim, bound in enumerate(generic.bounds)]
        self._read_whole(generic.extracted)
        into = self._written_tensors(generic)
        if generic.into and not into:
            raise RammerError(
                "only the last generic of an operator may write into a given tensor", location=describe_op(generic)
            )
        maps = [
            *(self._input_map(number, generic, position, bounds) for position in range(len(generic.inputs))),
            *(self._output_map(number, generic, position, bounds) for position in range(len(generic.res))),
        ]
        tiled = GenericOp(
            bounds,
            [AffineMapAttr(affine_map) for affine_map in maps],
            [self._values[value] for value in generic.inputs],
            [value.type for value in into] or [self._local_type(value, number) for value in generic.res],
            self._tiled_body(generic, sizes),
            reduce=generic.combiners,
            pad=None if generic.pad is None else generic.pad.data,
            into=into,
            at=self._symbols(),
        )
        tiled.location = generic.location
        self._block.add_op(tiled)
        self._values.update(zip(generic.res, tiled.res, strict=True))

    def _read_whole(self, tensors: Sequence[SSAValue]) -> None:
        """Boxes of all of the operator's inputs of which each task may read any element."""
        for value in tensors:
            if not isinstance(value, BlockArgument):
                raise RammerError(
                    "a generic reads at computed indices what another of its operator makes",
                    location=describe_op(self.operator),
                )
            shape = tensor_type(value).get_shape()
            origin = AffineMap(len(self.grid), self.loops, (AffineExpr.constant(0),) * len(shape))
            whole = BoxAttr(AffineMapAttr(origin), shape)
            known = self._read_boxes.get(value.index)
            self._read_boxes[value.index] = whole if known is None else union_box(known, whole, shape)

    def _written_tensors(self, generic: GenericOp) -> list[SSAValue]:
        """The kernel's arguments that the results of the root go into; none for other generics."""
        yielded = list(self._results())
        written = self._block.args[-len(yielded) :]
        return [written[yielded.index(value)] for value in generic.res if value in yielded]

    def _symbols(self) -> Sequence[SSAValue]:
        return self._block.args[: len(self.grid) + self.loops]

    def _tiled_map(self, number: int, affine_map: AffineMap, bounds: Sequence[int]) -> AffineMap:
        """A map of whole loops as one of a tile's loops and of the task's symbols, simplified."""
        dims = [AffineExpr.dimension(dim) for dim in range(affine_map.num_dims)]
        for cut in self.cuts:
            dim = cut.dimension.loops[number]
            dims[dim] = dims[dim] + AffineExpr.symbol(cut.coordinate) * cut.size
        loop_symbols = [AffineExpr.symbol(len(self.grid))] * affine_map.num_symbols
        symbols = len(self._symbols())
        tiled = affine_map.replace_dims_and_symbols(dims, loop_symbols, affine_map.num_dims, symbols)
        ranges = (*extent_ranges(self.grid), *(Range(0, 2**31) for _ in range(self.loops)))
        return simplify_map(tiled, extent_ranges(bounds), ranges)

    def _input_map(self, number: int, generic: GenericOp, position: int, bounds: Sequence[int]) -> AffineMap:
        value = generic.inputs[position]
        affine_map = generic.input_maps[position].data
        if not isinstance(value, BlockArgument):
            return _with_symbols(affine_map, len(self._symbols()))
        if value.index in self.replaced:
            affine_map = self.replaced[value.index][1]
        tiled = self._tiled_map(number, affine_map, bounds)
        shape = tensor_type(self._values[value]).get_shape()
        box = touched_box(tiled, bounds, shape, self.grid, self.loops)
        known = self._read_boxes.get(value.index)
        self._read_boxes[value.index] = box if known is None else union_box(known, box, shape)
        return tiled

    def _output_map(self, number: int, generic: GenericOp, position: int, bounds: Sequence[int]) -> AffineMap:
        value, affine_map = generic.res[position], generic.output_maps[position].data
        yielded = list(self._results())
        if value not in yielded:
            return _with_symbols(affine_map, len(self._symbols()))
        shape = tensor_type(value).get_shape()
        self._check_overhang(number, affine_map, shape)
        tiled = self._tiled_map(number, affine_map, bounds)
        self._write_boxes[yielded.index(value)] = touched_box(tiled, bounds, shape, self.grid, self.loops)
        return tiled

    def _check_overhang(self, number: int, affine_map: AffineMap, shape: Sequence[int]) -> None:
        """A last tile that is not full must leave the tensor where it leaves the loop: that is how it is clipped."""
        for cut in self.cuts:
            plain = AffineExpr.dimension(cut.dimension.loops[number])
            clipped = any(
                result == plain and shape[dim] == cut.dimension.extent for dim, result in enumerate(affine_map.results)
            )
            if cut.dimension.extent % cut.size and not clipped:
                raise RammerError(
                    f"a tile of {cut.size} does not divide {cut.dimension.extent} elements of a larger tensor",
                    location=describe_op(self.operator),
                )

    def _local_type(self, value: SSAValue, number: int) -> TensorType[Attribute]:
        """The type of a tensor that one task keeps to itself: cut where its writer is cut."""
        assert isinstance(value, OpResult)
        assert isinstance(value.op, GenericOp)
        tensor = tensor_type(value)
        sizes = {AffineExpr.dimension(cut.dimension.loops[number]): cut.size for cut in self.cuts}
        written = value.op.output_maps[value.index].data.results
        shape = [sizes.get(expression, extent) for expression, extent in zip(written, tensor.get_shape(), strict=True)]
        return TensorType(tensor.element_type, shape)

    def _tiled_body(self, generic: GenericOp, sizes: dict[int, Cut]) -> Region:
        """The body, where `rop.index` of a cut dimension counts from the tile's start."""
        body = Region()
        generic.body.clone_into(body, value_mapper={value: self._values[value] for value in generic.extracted})
        for op in list(body.block.ops):
            if not isinstance(op, IndexOp) or op.dim.value.data not in sizes:
                continue
            cut = sizes[op.dim.value.data]
            size = ConstantOp(IntegerAttr(cut.size, IndexType()))
            start = MuliOp(self._block.args[cut.coordinate], size)
            index = AddiOp(op.result, start)
            Rewriter.insert_op([size, start, index], InsertPoint.after(op))
            op.result.replace_uses_with_if(index.result, lambda use, index=index: use.operation is not index)
        return body


def _with_symbols(affine_map: AffineMap, symbols: int) -> AffineMap:
    return AffineMap(affine_map.num_dims, symbols, affine_map.results)
