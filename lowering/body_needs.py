"""What block-form bodies need of a vEU."""

from dataclasses import dataclass
from typing import cast

from xdsl.dialects.builtin import FixedBitwidthType, MemRefType, ModuleOp
from xdsl.ir import Attribute

from rammer_ir.dialects.block import BodyOp, RingPushOp
from rammer_ir.lowering.scratch import scratch_bytes


@dataclass(frozen=True)
class BodyNeeds:
    """Threads of the compute role, bytes of scratch memory, and of the largest chunk that goes through the ring."""

    threads: int
    scratch_bytes: int
    chunk_bytes: int


def needs_by_body(module: ModuleOp) -> dict[str, BodyNeeds]:
    """What the bodies of a module need, by name; raises CompileError for arrays of unknown size."""
    return {op.sym_name.data: body_needs(op) for op in module.ops if isinstance(op, BodyOp)}


def body_needs(body: BodyOp) -> BodyNeeds:
    """What a body needs; raises CompileError for arrays of unknown size."""
    chunks = [_chunk_bytes(op) for op in body.walk() if isinstance(op, RingPushOp)]
    return BodyNeeds(body.threads, scratch_bytes(body), max(chunks, default=0))


def _chunk_bytes(push: RingPushOp) -> int:
    element = cast("MemRefType[Attribute]", push.weights.type).element_type
    return push.elements * (element.size if isinstance(element, FixedBitwidthType) else 0)
