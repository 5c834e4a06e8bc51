"""
The examples in the docstrings of ops, attributes and types are parsed, verified, printed and parsed again.

What an example uses and does not define is declared around it, in CONTEXTS.
"""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from xdsl.ir import Attribute
from xdsl.irdl import IRDLOperation
from xdsl.parser import Parser

from rammer_ir.context import new_context
from rammer_ir.dialects import DIALECTS, get_all_dialects
from rammer_ir.parsing import parse_module

INLINE = re.compile(r"Examples?\b[^`]*?:\s+((?:`[^`]+`(?:,\s+)?)+)")
BLOCK = re.compile(r"^Examples?\b[^`]*?:\s+```mlir\n(.*?)```", re.MULTILINE | re.DOTALL)


def in_body(compute: str = "", service: str = "") -> str:
    arguments = '%task: index, %t: index, %weights: memref<?xf32, "weights">'
    return (
        f"block.body @example threads 64 {{\n^bb0({arguments}):\n{compute}\nblock.yield\n}}"
        f" service {{\n^bb1({arguments}):\n{service}\nblock.yield\n}}"
    )


def in_generic(code: str) -> str:
    return f"%r = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {{\n{code}\n}} -> tensor<4xf32>"


def in_launch(code: str, before: str = "") -> str:
    budget = "threads 256 service 128 ring 0 x 0 scratch 0 pinned 0 registers 168"
    return f"{before}\nvdevice.launch veus 132 {budget} {{\n{code}\n}}"


def in_function(code: str, end: str = "cuda.return") -> str:
    return f"cuda.func @example threads 128 scratch 0 {{\n^bb0(%task: index, %t: index):\n{code}\n{end}\n}}"


def in_training(*code: str, batch: int = 4) -> str:
    return "\n".join((f"pipeline_parallel.program @train batch {batch} {{", *code, "}"))


ARRAYS = """
%k, %m, %z, %address, %i, %inside = "test.op"() : () -> (index, index, index, index, index, i1)
%x = "test.op"() : () -> memref<?xf32, "global">
%tile, %fragment = "test.op"() : () -> (memref<32x64xf32, "shared">, memref<8xf32, "thread">)
EXAMPLE
"""

LANES = """
%x0, %x1, %x2, %x3, %w0, %w1 = "test.op"() : () -> (f32, f32, f32, f32, f32, f32)
%r0, %r1, %r2, %r3 = "test.op"() : () -> (f32, f32, f32, f32)
EXAMPLE
"""

CONTEXTS = {
    "block.round_tf32": '%x = "test.op"() : () -> f32\nEXAMPLE',
    "block.mma": LANES,
    "cuda.round_tf32": in_function("%x = arith.constant 1.0 : f32\nEXAMPLE"),
    "cuda.mma": in_function(LANES),
    "rop.yield": in_generic("%sum = arith.constant 1.0 : f32\nEXAMPLE"),
    "rop.index": in_generic("EXAMPLE\n%v = arith.constant 1.0 : f32\nrop.yield %v : f32"),
    "rop.generic": '%image, %weights = "test.op"() : () -> (tensor<1x3x32x32xf32>, tensor<64x3x3x3xf32>)\nEXAMPLE',
    "rop.extract": '%numbers, %table = "test.op"() : () -> (tensor<3xi64>, tensor<10x4xf32>)\nEXAMPLE',
    "rop.operator": '%x, %w = "test.op"() : () -> (tensor<4x8xf32>, tensor<8x8xf32>)\nEXAMPLE',
    "rop.scan": (
        '%length, %x, %h, %r = "test.op"() : () -> (index, tensor<100x8xf32>, tensor<8xf32>, tensor<8xf32>)\nEXAMPLE'
    ),
    "rtask.yield": """
        rtask.kernel @k grid [1] reads [] writes [#rtask.box<(i) -> (0, 0) by [4, 8]>] {
        ^bb0(%i: index, %y: tensor<4x8xf32>):
          EXAMPLE
        }
    """,
    "rtask.dispatch": '%x, %e = "test.op"() : () -> (tensor<30xf32>, tensor<30xf32>)\nEXAMPLE',
    "rtask.alternatives": '%x = "test.op"() : () -> tensor<30xf32>\nEXAMPLE',
    "block.yield": """
        %n = "test.op"() : () -> index
        block.parallel warp (%row) in %n {
          %sum = block.warp_reduce add (%k) in %n -> f32 {
            %x = arith.constant 1.0 : f32
            EXAMPLE
          }
        }
    """,
    "block.lane_reduce": in_body("""
        %n = arith.constant 64 : index
        block.parallel thread (%i) in %n {
          %value = arith.constant 1.0 : f32
          EXAMPLE
        }
    """),
    "block.parallel": (
        '%n, %x, %y = "test.op"() : () -> (index, memref<?xf32, "global">, memref<?xf32, "global">)\nEXAMPLE'
    ),
    "block.warp_reduce": """
        %n, %x = "test.op"() : () -> (index, memref<?xf32, "global">)
        block.parallel warp (%row) in %n {
          EXAMPLE
        }
    """,
    "block.barrier": in_body("EXAMPLE"),
    "block.copy": ARRAYS,
    "block.copy_async": ARRAYS,
    "block.commit_copies": in_body("EXAMPLE"),
    "block.wait_copies": in_body("EXAMPLE"),
    "block.ring_push": in_body(service="%address = arith.constant 0 : index\nEXAMPLE"),
    "block.ring_wait": in_body("EXAMPLE"),
    "block.ring_release": in_body("EXAMPLE"),
    "vdevice.group": in_launch("EXAMPLE"),
    "vdevice.for": in_launch("EXAMPLE", before='%steps = "test.op"() : () -> index'),
    "vdevice.event": in_launch("EXAMPLE"),
    "vdevice.barrier": in_launch("EXAMPLE"),
    "vdevice.pin": in_launch("EXAMPLE", before='%w = vdevice.weight @w : memref<4x260x512xf32, "weights">'),
    "vdevice.run": in_launch(
        "%e = vdevice.event : !vdevice.event<4>\n%f = vdevice.event : !vdevice.event<4>\nEXAMPLE",
        before="""
            %x, %w = "test.op"() : () -> (memref<1x3x32x32xf32>, memref<64x27xf32, "weights">)
            %y = vdevice.buffer : memref<1x64x32x32xf32, "global">
        """,
    ),
    "pipeline_parallel.stage": in_training(
        "EXAMPLE",
        *(
            f"""
            pipeline_parallel.rank {rank} stage 0 {{
              pipeline_parallel.forward 0 rows [{rank}, {rank + 1}]
              pipeline_parallel.backward 0 rows [{rank}, {rank + 1}]
              pipeline_parallel.all_reduce
            }}
            """
            for rank in range(4)
        ),
    ),
    "pipeline_parallel.rank": in_training(
        """
        pipeline_parallel.stage 0 states [0, 1] ranks [0]
        pipeline_parallel.stage 1 states [2, 3] ranks [1]
        pipeline_parallel.rank 0 stage 0 {
          pipeline_parallel.forward 0 rows [0, 2]
          pipeline_parallel.send activation 0 rows [0, 2] to 1
          pipeline_parallel.receive gradient 0 rows [0, 2] from 1
          pipeline_parallel.backward 0 rows [0, 2]
        }
        """,
        "EXAMPLE",
        batch=2,
    ),
    "cuda.return": in_function("EXAMPLE", end=""),
    "cuda.thread_index": in_function("EXAMPLE"),
    "cuda.warp_index": in_function("EXAMPLE"),
    "cuda.lane_index": in_function("EXAMPLE"),
    "cuda.barrier": in_function("EXAMPLE"),
    "cuda.warp_barrier": in_function("EXAMPLE"),
    "cuda.shuffle": in_function('%value = "test.op"() : () -> f32\nEXAMPLE'),
    "cuda.copy": ARRAYS,
    "cuda.copy_async": ARRAYS,
    "cuda.commit_copies": in_function("EXAMPLE"),
    "cuda.wait_copies": in_function("EXAMPLE"),
}
"""What an op's example stands in; an op that is not here has an example that stands alone."""


@dataclass(frozen=True)
class Example:
    """An example of the docstring of an op, attribute or type with the given name."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name


def examples_of(definition: type[IRDLOperation] | type[Attribute]) -> Iterator[Example]:
    docstring = inspect.getdoc(definition) or ""
    for match in BLOCK.finditer(docstring):
        yield Example(definition.name, match[1])
    for match in INLINE.finditer(docstring):
        for text in re.findall(r"`([^`]+)`", match[1]):
            yield Example(definition.name, text)


def ops() -> Iterator[type[IRDLOperation]]:
    for load in get_all_dialects().values():
        for op in load().operations:
            assert issubclass(op, IRDLOperation)
            yield op


def attributes() -> Iterator[type[Attribute]]:
    return (attribute for load in get_all_dialects().values() for attribute in load().attributes)


OPS = {op.name: [*examples_of(op)] for op in ops()}
ATTRIBUTES = {attribute.name: [*examples_of(attribute)] for attribute in attributes()}


@pytest.mark.parametrize("name", OPS)
def test_op_has_one_example(name: str) -> None:
    assert len(OPS[name]) == 1
    assert "..." not in OPS[name][0].text


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attribute_has_an_example(name: str) -> None:
    assert ATTRIBUTES[name]


def test_contexts_are_used() -> None:
    assert set(CONTEXTS) <= set(OPS)
    assert {name.partition(".")[0] for name in CONTEXTS} <= set(DIALECTS)


@pytest.mark.parametrize("example", [example for examples in OPS.values() for example in examples], ids=str)
def test_op_example(example: Example) -> None:
    text = CONTEXTS.get(example.name, "EXAMPLE").replace("EXAMPLE", example.text)
    module = parse_module(new_context(), text)
    module.verify()
    assert any(op.name == example.name for op in module.walk())
    again = parse_module(new_context(), str(module))
    assert again.is_structurally_equivalent(module)


@pytest.mark.parametrize("example", [example for examples in ATTRIBUTES.values() for example in examples], ids=str)
def test_attribute_example(example: Example) -> None:
    attribute = Parser(new_context(), example.text).parse_attribute()
    assert attribute.name == example.name
    assert Parser(new_context(), str(attribute)).parse_attribute() == attribute
