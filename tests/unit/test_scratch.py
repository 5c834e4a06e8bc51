"""Shared arrays in scratch memory."""

from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr

from rammer_ir.context import new_context
from rammer_ir.dialects.block import BodyOp
from rammer_ir.lowering.scratch import OFFSET_ATTRIBUTE, place_scratch, scratch_bytes
from rammer_ir.parsing import parse_module

HEAD = """
block.body @body threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">):
  %zero = arith.constant 0 : index
  %n = arith.constant 4 : index
"""


def body_of(code: str) -> BodyOp:
    module = parse_module(new_context(), f"{HEAD}{code}  block.yield\n}}\n")
    module.verify()
    body = module.body.block.first_op
    assert isinstance(body, BodyOp)
    return body


def use(name: str, size: int) -> str:
    kind = f'memref<{size}xf32, "shared">'
    return (
        f"block.parallel thread (%i) in %n {{ %v = memref.load %{name}[%i] : {kind} "
        f"memref.store %v, %{name}[%i] : {kind} }}\n"
    )


def declare(name: str, size: int) -> str:
    return f'%{name} = memref.alloca() : memref<{size}xf32, "shared">\n'


def offsets(body: BodyOp) -> dict[str | None, int]:
    place_scratch(body)
    attributes = {op: op.attributes.get(OFFSET_ATTRIBUTE) for op in body.walk()}
    return {op.results[0].name_hint: at.value.data for op, at in attributes.items() if isinstance(at, IntegerAttr)}


Lifetime = tuple[int, int, int]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_arrays_in_use_together_do_not_overlap(lifetimes: list[Lifetime]) -> None:
    """Arrays of a size, used from one phase to another; a barrier ends a phase."""
    code = "".join(declare(f"a{i}", size) for i, (size, _, _) in enumerate(lifetimes))
    for phase in range(5):
        code += "".join(use(f"a{i}", size) for i, (size, *ends) in enumerate(lifetimes) if phase in ends)
        code += "block.barrier\n"
    body = body_of(code)
    total = scratch_bytes(body)
    placed = offsets(body)
    spans = [
        (range(min(ends), max(ends) + 1), placed[f"a{i}"], placed[f"a{i}"] + 4 * size)
        for i, (size, *ends) in enumerate(lifetimes)
    ]
    for number, (phases, start, end) in enumerate(spans):
        assert start % 16 == 0
        assert end <= total
        for others, other_start, other_end in spans[:number]:
            assert not set(phases) & set(others) or end <= other_start or other_end <= start
    assert total == max((end for _, _, end in spans), default=0)


def test_memory_is_shared_across_a_barrier() -> None:
    body = body_of(declare("a", 100) + declare("b", 60) + use("a", 100) + "block.barrier\n" + use("b", 60))
    assert scratch_bytes(body) == 400
    assert offsets(body) == {"a": 0, "b": 0}


def test_no_memory_is_shared_within_a_phase() -> None:
    body = body_of(declare("a", 9) + declare("b", 100) + use("a", 9) + use("b", 100))
    assert offsets(body) == {"b": 0, "a": 400}
    assert scratch_bytes(body) == 436


def test_barriers_in_loops_part_nothing() -> None:
    """The next iteration uses the first array again."""
    loop = "scf.for %k = %zero to %n step %n {\n" + use("a", 4) + "block.barrier\n" + use("b", 4) + "}\n"
    assert scratch_bytes(body_of(declare("a", 4) + declare("b", 4) + loop)) == 32


def test_an_array_is_in_use_until_its_copies_have_arrived() -> None:
    copy = """block.parallel thread (%i) in %n {
      block.copy_async 1 %x[%i], %a[%i] : memref<?xf32, "global">, memref<4xf32, "shared">
    }
    block.commit_copies
    block.barrier
    """
    declared = declare("a", 4) + declare("b", 4)
    assert scratch_bytes(body_of(declared + copy + "block.wait_copies 0\nblock.barrier\n" + use("b", 4))) == 16
    assert scratch_bytes(body_of(declared + copy + "block.wait_copies 0\n" + use("b", 4))) == 32
    assert scratch_bytes(body_of(declared + copy + "block.wait_copies 1\nblock.barrier\n" + use("b", 4))) == 32


def test_padded_rows() -> None:
    code = '%a = memref.alloca() : memref<8x8xf32, strided<[12, 1]>, "shared">\n'
    assert scratch_bytes(body_of(code)) == (7 * 12 + 8) * 4


def test_other_arrays_take_no_scratch_memory() -> None:
    assert scratch_bytes(body_of('%a = memref.alloca() : memref<8xf32, "thread">\n')) == 0
