"""CUDA C of whole programs compiles, body by body and as the target prints it, for every architecture we name."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.errors import InvalidInputError
from rammer_ir.lowering.emission.encode_program import encode
from rammer_ir.lowering.targets.cuda_target import CudaTarget
from rammer_ir.parsing import parse_module
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.cuda.nvrtc import CompileRequest, compile_object

pytest.importorskip("cuda.bindings.nvrtc")

PROGRAMS = Path(__file__).parents[1] / "programs" / "emission"
CUDA = 'vdevice.device @device kind "cuda" veus 2 threads 1024 shared 232448 registers 65536\n'
ARCHITECTURES = ("sm_80", "sm_90a", "sm_100")


def program(name: str) -> ModuleOp:
    return parse_module(new_context(), CUDA + (PROGRAMS / f"{name}.mlir").read_text())


def text(name: str, architecture: str) -> str:
    output = StringIO()
    CudaTarget(arch=architecture).emit(new_context(), program(name), output)
    return output.getvalue()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("name", "bodies"),
    [
        ("rows", ["softmax_block", "double_block"]),
        ("product", ["product_block", "product_block_service"]),
        ("recurrence", ["begin_block", "cell_block"]),
    ],
)
def test_programs_compile(name: str, bodies: Sequence[str], architecture: str) -> None:
    built = build(encode(program(name)), architecture)
    assert len(built.kernels) == 1
    assert built.kernels[0].cubin.startswith(b"\x7fELF")
    assert set(bodies) <= set(built.functions)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_target_text_is_complete(architecture: str) -> None:
    """Without any other header, definition or file."""
    source = text("product", architecture)
    assert "#include" not in source
    request = CompileRequest("text", source, headers={}, definitions={}, architecture=architecture)
    assert compile_object(request).cubin.startswith(b"\x7fELF")


def test_the_body_has_no_spills() -> None:
    """The sums of a matrix product stay in registers."""
    functions = build(encode(program("product")), "sm_90a").functions
    assert functions["product_block_service"].stack == 0
    assert functions["product_block"].spill_stores <= 32, "only what the caller wants preserved"


@pytest.mark.parametrize("architecture", ["sm_70", "compute_90", "sm_90b", "sm90", ""])
def test_other_architectures_are_refused(architecture: str) -> None:
    with pytest.raises(InvalidInputError, match=f"architecture '{architecture}' is not supported"):
        text("rows", architecture)


def test_a_program_for_another_device_is_refused() -> None:
    module = parse_module(new_context(), CUDA.replace("cuda", "host") + (PROGRAMS / "rows.mlir").read_text())
    with pytest.raises(InvalidInputError, match="the program is for a host device: say -t host"):
        CudaTarget().emit(new_context(), module, StringIO())
