"""Programs for GPUs as files, on a machine that has none: what is in them, and that no compiler is needed for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from rammer_ir.artefact.facts import body_facts
from rammer_ir.artefact.reader import read_artefact
from rammer_ir.artefact.writer import write_artefact
from rammer_ir.compiled import CompiledProgram
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import lstm_model
from rammer_ir.errors import CompileError, InvalidInputError, VerificationError
from rammer_ir.runtime.cuda.build import build
from rammer_ir.runtime.cuda.elf import function_registers
from rammer_ir.runtime.cuda.machine_code import kept_kernels, runs_on


@pytest.fixture(scope="module")
def compiled() -> CompiledProgram:
    model = lstm_model(layers=1, steps=3, hidden=8)
    return compile_program(model, device="h100", strategy="base", architectures=["sm_80", "sm_90a"])


def test_a_program_for_an_absent_gpu(
    compiled: CompiledProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = build(compiled.image, "sm_90a")
    write_artefact(compiled, tmp_path / "file")
    # From here on there is no compiler.
    monkeypatch.setattr("rammer_ir.runtime.cuda.build.compile_object", None)
    monkeypatch.setattr("rammer_ir.runtime.cuda.build.link", None)
    found = read_artefact(tmp_path / "file")
    assert (found.origin.device, found.origin.kind) == ("h100", "cuda")
    assert [code.processor for code in found.code] == ["sm_80", "sm_90a"]
    kernels = kept_kernels(found.image, found.code, "sm_90a")
    assert kernels is not None
    assert kernels == expected


def test_kernels_for_another_generation_or_runtime_are_not_kept(compiled: CompiledProgram) -> None:
    assert kept_kernels(compiled.image, compiled.code, "sm_100") is None
    older = kept_kernels(compiled.image, compiled.code, "sm_86")
    assert older is not None
    assert older.architecture == "sm_80"
    stale = [replace(code, runtime="0" * 64) for code in compiled.code]
    assert kept_kernels(compiled.image, stale, "sm_90a") is None


def test_kept_kernels_are_for_images_that_the_device_can_run(compiled: CompiledProgram) -> None:
    launches = tuple(replace(launch, threads=33) for launch in compiled.image.launches)
    with pytest.raises(VerificationError, match="33 threads are no whole warps"):
        kept_kernels(replace(compiled.image, launches=launches), compiled.code, "sm_90a")


def test_code_for_other_launches_is_refused(compiled: CompiledProgram, tmp_path: Path) -> None:
    code = compiled.code[0]
    fewer = replace(code, parts=(replace(code.parts[0], launches=code.parts[0].launches[1:]), *code.parts[1:]))
    write_artefact(replace(compiled, code=(fewer,)), tmp_path / "file")
    with pytest.raises(InvalidInputError, match="its code for sm_80 is not for the program's launches"):
        read_artefact(tmp_path / "file")


@pytest.mark.parametrize(
    ("compiled_for", "device", "runs"),
    [
        ("sm_90a", "sm_90a", True),
        ("sm_90a", "sm_90", False),
        ("sm_80", "sm_80", True),
        ("sm_80", "sm_86", True),
        ("sm_86", "sm_80", False),
        ("sm_80", "sm_90a", False),
        ("sm_100", "sm_103", True),
        ("sm_100", "sm_120", False),
        ("linux-x86_64", "sm_80", False),
        ("", "sm_80", False),
    ],
)
def test_which_code_runs_where(compiled_for: str, device: str, runs: bool) -> None:
    assert runs_on(compiled_for, device) is runs


def test_facts_of_bodies(compiled: CompiledProgram) -> None:
    facts = body_facts(replace(compiled, code=compiled.code[1:]))
    assert [body.name for body in facts] == [body.name for body in compiled.image.bodies]
    assert sum(body.tasks for body in facts) == compiled.report.tasks
    for body in facts:
        assert body.registers is not None
        assert 0 < body.registers <= compiled.image.launches[0].registers
        assert body.stack is not None
    assert all(body.registers is None for body in body_facts(replace(compiled, code=())))


def test_a_damaged_cubin_tells_no_registers(compiled: CompiledProgram) -> None:
    cubin = bytes(compiled.code[1].parts[0].data)
    assert "rammer_launch" in function_registers(cubin)
    for size in range(0, len(cubin), 997):
        function_registers(cubin[:size])
    assert function_registers(cubin[:100]) == {}
    assert function_registers(b"") == {}


def test_an_unknown_architecture_is_an_error_in_one_line() -> None:
    with pytest.raises(CompileError, match=r"sm_1\b") as caught:
        compile_program(lstm_model(layers=1, steps=3, hidden=8), device="h100", architectures=["sm_1"])
    assert "\n" not in str(caught.value)


def test_a_program_for_the_cpu_has_no_architecture() -> None:
    with pytest.raises(InvalidInputError, match="a program for the CPU has no CUDA architecture"):
        compile_program(lstm_model(layers=1, steps=3, hidden=8), device="cpu", architectures=["sm_90a"])
