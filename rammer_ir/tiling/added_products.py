"""Sums of products that are only added to each other: their terms may be summed up together."""

from collections.abc import Iterator, Sequence

from xdsl.dialects.arith import AddfOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from rammer_ir.dialects.rop import GenericOp, YieldOp
from rammer_ir.tiling.recurrence import Product, Step

Read = tuple[str, SSAValue]
"""The map by which the root reads an element, as text, and the argument of its body that has it."""


def added_products(step: Step) -> dict[GenericOp, GenericOp]:
    """
    Products of a step, each with an earlier one to which each of its results is added, and neither used otherwise.

    So `(x + b) + h` may be computed as the sum of the terms of `x` and `h` together, and of `b`.
    """
    found: dict[GenericOp, GenericOp] = {}
    for number, product in enumerate(step.products):
        for earlier in step.products[:number]:
            is_free = earlier.generic not in found and earlier.generic not in found.values()
            if is_free and product.generic not in found and _are_added(step, earlier, product):
                found[product.generic] = earlier.generic
    return found


def _are_added(step: Step, first: Product, second: Product) -> bool:
    if [first.generic.bounds[dim] for dim in first.gates] != [second.generic.bounds[dim] for dim in second.gates]:
        return False
    reads, others = (_reads(step, product.generic) for product in (first, second))
    if reads is None or others is None or sorted(place for place, _ in reads) != sorted(place for place, _ in others):
        return False
    arguments = dict(others)
    return len(arguments) == len(others) and all(_meet(value, arguments[place]) for place, value in reads)


def _reads(step: Step, generic: GenericOp) -> Sequence[Read] | None:
    """What of a generic's result, with other terms perhaps, the root reads; None where it is used otherwise."""
    reads: list[Read] = []
    for use in generic.res[0].uses:
        reader = use.operation
        if not isinstance(reader, GenericOp) or use.index >= len(reader.inputs):
            return None
        argument = reader.body.block.args[use.index]
        if reader is step.root:
            reads.append((str(reader.input_maps[use.index].data.results), argument))
            continue
        inner = _reads(step, reader) if _only_adds(reader, argument, use.index) else None
        if inner is None:
            return None
        reads += inner
    return reads


def _only_adds(reader: GenericOp, argument: BlockArgument, position: int) -> bool:
    """Whether a generic gives, at the index at which it reads an element, that element with others added to it."""
    if reader.input_maps[position].data.results != reader.output_maps[0].data.results:
        return False
    last = list(_additions(argument))[-1:]
    end = last[0].results[0] if last else argument
    return [type(use.operation) for use in end.uses] == [YieldOp]


def _additions(value: SSAValue) -> Iterator[Operation]:
    """The additions, one after the other, through which alone a value goes."""
    while (user := value.get_user_of_unique_use()) is not None and isinstance(user, AddfOp):
        yield user
        value = user.result


def _meet(first: SSAValue, second: SSAValue) -> bool:
    """Whether two values are terms of one sum."""
    return not set(_additions(first)).isdisjoint(_additions(second))
