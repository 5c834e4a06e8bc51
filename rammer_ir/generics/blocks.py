"""Where the generics of a module are."""

from collections.abc import Iterator

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation

from rammer_ir.dialects.rop import GenericOp, OperatorOp, WeightOp


def generic_blocks(module: ModuleOp) -> Iterator[Block]:
    """The blocks that hold generics which belong to no rOperator yet; recipes of weights are left out."""
    yield from _blocks_in(module)


def _blocks_in(op: Operation) -> Iterator[Block]:
    for region in op.regions:
        for block in region.blocks:
            if any(isinstance(inner, GenericOp) for inner in block.ops):
                yield block
            for inner in block.ops:
                if not isinstance(inner, GenericOp | OperatorOp | WeightOp):
                    yield from _blocks_in(inner)
