"""Block-form bodies for kernels of any generics: element-wise, row reductions, pooling, matrix-vector products."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Attribute, OpResult, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from rammer_ir.dialects.block import BarrierOp, BodyOp, Level, MemorySpace
from rammer_ir.dialects.rop import GenericOp, tensor_type
from rammer_ir.dialects.rtask import KernelOp
from rammer_ir.locations import location_of, set_location
from rammer_ir.lowering.bodies.body_builder import BodyBuilder
from rammer_ir.lowering.bodies.combining import combine
from rammer_ir.lowering.bodies.generic_code import GenericCode, is_element_wise
from rammer_ir.lowering.bodies.kernel_view import KernelView, kernel_views
from rammer_ir.lowering.bodies.thread_body import ThreadBody
from rammer_ir.lowering.bodies.thread_code import write_thread_body
from rammer_ir.lowering.bodies.writer import neutral_element
from rammer_ir.pass_api import Pass

FEWEST_FOR_A_WARP = 32
"""A reduction over at least so many elements is shared by the lanes of a warp."""


@dataclass(frozen=True)
class ConvertGenericToBlock(Pass):
    """
    Gives every kernel that is no contraction a body in block form.

    Where generics hand on elements only to the same place, a kernel is one loop over threads: each has some vectors of
    the results, keeps in registers what is handed on, and lanes of a warp share long reductions. Otherwise each generic
    is a parallel loop over its tile: over threads, or over warps where it reduces many elements; what one generic
    leaves to the next lies in shared memory, or is computed where it is used if that is only once.
    """

    name = "convert-generic-to-block"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bodies = {body.sym_name.data for body in op.body.block.ops if isinstance(body, BodyOp)}
        for view in list(kernel_views(op)):
            if view.contraction is None:
                implement(view, bodies)


def implement(view: KernelView, bodies: set[str]) -> None:
    """Writes the body of one kernel, or names the equal one that is there."""
    builder = BodyBuilder(view.operands(), view.tiling.threads)
    symbols = [*builder.coordinates(view.kernel.grid), *([builder.iteration] * view.kernel.loops)]
    body = ThreadBody.of(view) if view.tiling.threads > 1 else None
    if body is not None:
        write_thread_body(body, builder, symbols)
        add_body(view.kernel, builder.finish("generic"), builder.parameters, bodies)
        return
    code = GenericCode(view, builder, symbols)
    for generic in view.generics:
        if _is_used_once(generic):
            code.local[generic.res[0]] = code.evaluate_in_place(cast("OpResult", generic.res[0]))
        else:
            _write_generic(code, generic)
    add_body(view.kernel, builder.finish("generic"), builder.parameters, bodies)


def add_body(
    kernel: KernelOp, body: BodyOp, parameters: Sequence[int], bodies: set[str], constants: Sequence[str] = ()
) -> None:
    """Names the body as the kernel's implementation, and puts it before the kernel unless an equal one is there."""
    name = body.sym_name.data
    if name not in bodies:
        bodies.add(name)
        set_location(body, location_of(kernel))
        Rewriter.insert_op(body, InsertPoint.before(kernel))
    kernel.implement(name, parameters, constants)


def _is_used_once(generic: GenericOp) -> bool:
    if generic.into or not is_element_wise(generic):
        return False
    uses = list(generic.res[0].uses)
    return len(uses) == 1 and isinstance(uses[0].operation, GenericOp)


def _write_generic(code: GenericCode, generic: GenericOp) -> None:
    """The loops of a generic: one for its results that are reduced over the same loops of it."""
    targets = [_target(code, value) for value in generic.res]
    results: dict[tuple[int, ...], list[int]] = {}
    for result in range(len(generic.res)):
        results.setdefault(generic.reduction_dims(result), []).append(result)
    for reduced, numbers in results.items():
        _write_results(code, generic, reduced, [(number, targets[number]) for number in numbers])
    if not generic.into:
        code.builder.write.add(BarrierOp())


def _write_results(
    code: GenericCode, generic: GenericOp, reduced: Sequence[int], results: Sequence[tuple[int, SSAValue]]
) -> None:
    """The loop for some results, each with its target."""
    kept = [dim for dim, bound in enumerate(generic.bounds) if dim not in reduced and bound > 1]
    write = code.builder.write
    is_long = prod(generic.bounds[dim] for dim in reduced) >= FEWEST_FOR_A_WARP
    level = Level.WARP if is_long else Level.THREAD
    points = code.builder.parameter(prod(generic.bounds[dim] for dim in kept))
    with write.parallel(level, points) as point:
        dims = _decode(code, generic, kept, point)
        guards = code.guards(generic, dims, reduced)
        if guards:
            with write.when(write.all_of(guards)):
                _write_point(code, generic, dims, reduced, results, level)
        else:
            _write_point(code, generic, dims, reduced, results, level)


def _target(code: GenericCode, value: SSAValue) -> SSAValue:
    """Where a result goes: the operand it is written into, or shared memory that later generics read."""
    result = cast("OpResult", value)
    generic = cast("GenericOp", result.op)
    if generic.into:
        written = code.view.kernel.written_arguments
        number = next(i for i, argument in enumerate(written) if argument is generic.into[result.index])
        return code.builder.operand(len(code.view.kernel.reads) + number)
    tensor = cast("TensorType[Attribute]", value.type)
    write = code.builder.write
    array = write.allocate([prod(tensor.get_shape())], tensor.element_type, MemorySpace.SHARED)

    def read(indices: Sequence[SSAValue]) -> SSAValue:
        return code.builder.write.load(array, _row_major(code, indices, tensor.get_shape()))

    code.local[value] = read
    return array


def _row_major(code: GenericCode, indices: Sequence[SSAValue], shape: Sequence[int]) -> SSAValue:
    write = code.builder.write
    address: SSAValue | None = None
    for index, extent in zip(indices, shape, strict=True):
        if extent > 1:
            address = index if address is None else write.plus(write.times(address, write.index(extent)), index)
    return write.index(0) if address is None else address


def _decode(code: GenericCode, generic: GenericOp, dims: Sequence[int], linear: SSAValue) -> list[SSAValue]:
    """Indices of all loops, given the row-major index over some of them; the others are 0."""
    write = code.builder.write
    extents = [write.index(0), *(code.builder.parameter(generic.bounds[dim]) for dim in dims[1:])]
    indices: list[SSAValue] = [write.index(0)] * len(generic.bounds)
    for dim, index in zip(dims, write.decode(linear, extents[: len(dims)]), strict=True):
        indices[dim] = index
    return indices


def _write_point(
    code: GenericCode,
    generic: GenericOp,
    dims: Sequence[SSAValue],
    reduced: Sequence[int],
    results: Sequence[tuple[int, SSAValue]],
    level: Level,
) -> None:
    numbers = [number for number, _ in results]
    if reduced:
        values = _reduced_values(code, generic, dims, reduced, numbers, level)
    else:
        values = _chosen(code.evaluate(generic, dims), numbers)
    for value, (number, target) in zip(values, results, strict=True):
        address = code.address(generic, generic.output_maps[number].data, generic.res[number].type, dims)
        code.builder.write.store(value, target, address)


def _chosen(values: Sequence[SSAValue], numbers: Sequence[int]) -> list[SSAValue]:
    return [values[number] for number in numbers]


def _reduced_values(
    code: GenericCode,
    generic: GenericOp,
    dims: Sequence[SSAValue],
    reduced: Sequence[int],
    numbers: Sequence[int],
    level: Level,
) -> Sequence[SSAValue]:
    """The results with the given numbers at an index of the loops that are kept."""
    write = code.builder.write
    extent = code.builder.parameter(prod(generic.bounds[dim] for dim in reduced))

    def at(linear: SSAValue) -> list[SSAValue]:
        inner = _decode(code, generic, reduced, linear)
        return [inner[dim] if dim in reduced else outer for dim, outer in enumerate(dims)]

    kinds = [tensor_type(generic.res[number]).element_type for number in numbers]
    combiners = [generic.combiners[number] for number in numbers]
    if level is Level.WARP:
        return [
            write.warp_reduce(combiner, extent, kind, lambda k, n=number: code.evaluate(generic, at(k))[n])
            for number, combiner, kind in zip(numbers, combiners, kinds, strict=True)
        ]
    start = [write.constant(neutral_element(combiner, kind)) for combiner, kind in zip(combiners, kinds, strict=True)]

    def step(index: SSAValue, sums: Sequence[SSAValue]) -> list[SSAValue]:
        values = _chosen(code.evaluate(generic, at(index)), numbers)
        return [
            combine(write, combiner, total, value)
            for combiner, total, value in zip(combiners, sums, values, strict=True)
        ]

    return write.loop_carrying(extent, start, step)
