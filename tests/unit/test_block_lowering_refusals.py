"""Bodies in block form that mean nothing certain once their loops are spread over threads."""

import pytest

from rammer_ir.context import new_context
from rammer_ir.errors import CompileError
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes

BODY = """
block.body @body threads THREADS {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %n: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %many = arith.constant 200 : index
  %some = arith.constant 64 : index
  %value = arith.constant 1.0 : f32
  CODE
  block.yield
}
"""

REFUSED = {
    "store": ('memref.store %value, %x[%zero] : memref<?xf32, "global">', "stands outside parallel loops"),
    "shared array in a loop": (
        'block.parallel thread (%i) in %n { %a = memref.alloca() : memref<4xf32, "shared"> }',
        "a shared array is declared in a parallel loop",
    ),
    "array elsewhere": (
        '%a = memref.alloca() : memref<4xf32, "global">',
        'an array of a body lies in memory space "shared" or "thread"',
    ),
    "array of unknown size": (
        '%a = memref.alloca(%n) : memref<?xf32, "shared">',
        "has an extent that is not known",
    ),
    "own array outside": (
        '%a = memref.alloca() : memref<4xf32, "thread"> %v = memref.load %a[%zero] : memref<4xf32, "thread">',
        "a per-thread array is used outside of parallel loops",
    ),
    "own array, loop of unknown extent": (
        """%a = memref.alloca() : memref<4xf32, "thread">
        block.parallel thread (%i) in %n { memref.store %value, %a[%zero] : memref<4xf32, "thread"> }""",
        "its extent must be a constant of at most 128",
    ),
    "own array, loop too long": (
        """%a = memref.alloca() : memref<4xf32, "thread">
        block.parallel thread (%i) in %many { memref.store %value, %a[%zero] : memref<4xf32, "thread"> }""",
        "its extent must be a constant of at most 128",
    ),
    "own array, too many warps": (
        """%a = memref.alloca() : memref<4xf32, "thread">
        block.parallel warp (%i) in %some { memref.store %value, %a[%zero] : memref<4xf32, "thread"> }""",
        "its extent must be a constant of at most 4",
    ),
    "own array, both levels": (
        """%a = memref.alloca() : memref<4xf32, "thread">
        block.parallel thread (%i) in %one { memref.store %value, %a[%zero] : memref<4xf32, "thread"> }
        block.parallel warp (%i) in %one { memref.store %value, %a[%zero] : memref<4xf32, "thread"> }""",
        "by loops over threads and by loops over warps",
    ),
}


def convert(code: str, lowering: str, threads: int = 128) -> None:
    module = parse_module(new_context(), BODY.replace("CODE", code).replace("THREADS", str(threads)))
    run_passes(new_context(), module, parse_pass_pipeline(lowering))


@pytest.mark.parametrize("lowering", ["convert-block-to-cuda", "convert-block-to-scf"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, lowering: str) -> None:
    code, message = REFUSED[case]
    with pytest.raises(CompileError, match=r"^<text>:\d+:\d+: pass convert-block-to-") as caught:
        convert(code, lowering)
    assert message in caught.value.message


def test_warps_must_be_whole() -> None:
    code = "block.parallel warp (%w) in %n { }"
    convert(code, "convert-block-to-scf", threads=40)
    with pytest.raises(CompileError, match="40 threads do not make whole warps of 32"):
        convert(code, "convert-block-to-cuda", threads=40)


def test_name_of_the_service_function_is_taken() -> None:
    arguments = "^bb0(%task: index, %t: index):\n  block.yield\n}"
    text = f"block.body @f threads 1 {{\n{arguments} service {{\n{arguments}\nfunc.func private @f_service()"
    with pytest.raises(CompileError, match="@f_service is taken"):
        run_passes(new_context(), parse_module(new_context(), text), parse_pass_pipeline("convert-block-to-cuda"))
