"""Building programs for the host: finding the compiler, what it says, what is kept."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rammer_ir.errors import CompileError, DeviceError, InvalidInputError
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.host import build
from rammer_ir.runtime.host.compiler import Compiler, find_compiler
from rammer_ir.runtime.host.library import ProgramLibrary
from rammer_ir.runtime.host.memory import aligned_array, as_bytes
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.host.tables import host_tables
from rammer_ir.runtime.program_image import Binding, Body, ProgramImage
from rammer_ir.testing.program_images import ImageBuilder, Operand

SET = 'extern "C" void {name}(rammer::Task* task) {{ rammer::operand<float>(task, 0)[0] = {value}; }}\n'


def setting(*values: float, name: str = "set") -> ProgramImage:
    """A body for each value, which stores it."""
    builder = ImageBuilder("setting", outputs=(Binding("y", (len(values),), "float32"),))
    runs = [
        builder.run(
            builder.body(f"{name}{number}", SET.format(name=f"{name}{number}", value=f"{value}f")),
            [Operand(builder.space("y"), 4 * number)],
        )
        for number, value in enumerate(values)
    ]
    builder.launch([runs])
    return builder.image()


class Recorder:
    """A compiler that remembers the names of what it compiled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.names: list[str] = []
        compile_source = Compiler.compile

        def record(
            compiler: Compiler, name: str, source: str, *, include: Sequence[Path], more_flags: Sequence[str]
        ) -> bytes:
            self.names.append(name)
            return compile_source(compiler, name, source, include=include, more_flags=more_flags)

        monkeypatch.setattr(Compiler, "compile", record)


def test_everything_of_ours_compiles_without_a_warning() -> None:
    found = find_compiler()
    strict = Compiler(found.command, (*found.flags, "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"), found.fingerprint)
    build.build_main(setting(1.0), strict)
    build.build_library(setting(1.0), strict)


def test_no_flag_changes_what_arithmetic_means() -> None:
    flags = find_compiler().flags
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only"} & set(flags)
    assert "-O3" in flags


@pytest.mark.parametrize("variable", [None, ""])
def test_without_a_compiler_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    if variable is not None:
        monkeypatch.setenv("CXX", variable)
    with pytest.raises(CompileError, match=r"no C\+\+ compiler found: install one .*apt-get install g\+\+") as caught:
        HostProgram(setting(1.0))
    assert "\n" not in str(caught.value)


def test_a_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -v")
    with pytest.raises(CompileError, match=r"'no-such-compiler -v', named by CXX, is not there"):
        find_compiler()


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(CompileError, match=r"the C\+\+ compiler 'false' does not work: no message"):
        find_compiler()


def test_the_variable_may_hold_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = find_compiler()
    monkeypatch.setenv("CXX", "c++ -DRAMMER_TEST_MACRO=17")
    with_macro = find_compiler()
    assert with_macro.command == ("c++", "-DRAMMER_TEST_MACRO=17")
    assert with_macro.fingerprint != plain.fingerprint
    assert "RAMMER_TEST_MACRO 17" in with_macro.fingerprint


def test_a_body_that_does_not_compile_is_named() -> None:
    body = Body("broken", 'extern "C" void broken(rammer::Task*) {\n  nonsense;\n}\n', service=False)
    with pytest.raises(CompileError) as caught:
        HostProgram(replace(setting(1.0), bodies=(body,)), cache=CompileCache())
    assert re.match(r"kernel body 'broken' does not compile: broken:2:3: error: .*nonsense", str(caught.value))
    assert "\n" not in str(caught.value)
    assert "nonsense" in caught.value.log


def test_a_missing_function_does_not_link() -> None:
    absent = replace(setting(1.0), bodies=(Body("absent", "", service=False),))
    with pytest.raises(CompileError, match="the program does not link: "):
        build.build_main(absent, find_compiler(), CompileCache())


@pytest.mark.parametrize("name", ["a b", "1a", "", "a();"])
def test_names_that_are_no_symbols_never_reach_the_compiler(name: str) -> None:
    with pytest.raises(CompileError, match="has no name of its own that C\\+\\+ accepts"):
        HostProgram(replace(setting(1.0), bodies=(Body(name, "", service=False),)))


def test_two_bodies_of_one_name_are_refused() -> None:
    image = setting(1.0)
    with pytest.raises(CompileError, match="kernel body 'set0' has no name of its own"):
        HostProgram(replace(image, bodies=image.bodies * 2))


def test_only_what_changed_is_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, recorder = CompileCache(tmp_path), Recorder(monkeypatch)

    def loaded(*values: float) -> list[float]:
        recorder.names.clear()
        return HostProgram(setting(*values), cache=cache).run({})["y"].tolist()

    assert loaded(1.0, 2.0) == [1.0, 2.0]
    assert len(recorder.names) == 5
    assert loaded(1.0, 2.0) == [1.0, 2.0]
    assert recorder.names == []
    assert loaded(1.0, 3.0) == [1.0, 3.0]
    assert recorder.names == ["kernel body 'set1'"]


def test_a_damaged_entry_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, recorder = CompileCache(tmp_path), Recorder(monkeypatch)
    HostProgram(setting(1.0), cache=cache)
    for path in tmp_path.rglob("*.entry"):
        path.write_bytes(path.read_bytes()[:-1])
    recorder.names.clear()
    assert HostProgram(setting(1.0), cache=cache).run({})["y"].tolist() == [1.0]
    assert len(recorder.names) == 4


def test_loops_over_operands_are_vectorised(tmp_path: Path) -> None:
    body = Body(
        "axpy",
        """extern "C" void axpy(rammer::Task* task) {
            const float* RAMMER_RESTRICT x = rammer::operand<const float>(task, 0);
            float* RAMMER_RESTRICT y = rammer::operand<float>(task, 1);
            for (int i = 0; i < 4096; ++i) y[i] += 3.0f * rammer::load(x + i);
        }""",
        service=False,
    )
    found = find_compiler()
    if "__x86_64__" not in found.fingerprint:
        pytest.skip("looks for x86 instructions")
    (tmp_path / "axpy.o").write_bytes(found.compile("axpy", build.body_source(body)))
    listing = subprocess.run(["objdump", "-d", tmp_path / "axpy.o"], capture_output=True, text=True, check=True).stdout
    fused = "__FMA__" in found.fingerprint
    assert re.search(r"vfm\w+ps" if fused else r"mulps", listing)


def test_weights_are_used_in_place_where_they_are_aligned() -> None:
    aligned = aligned_array((100,), np.dtype(np.uint8), fill=7).view(np.uint8)
    assert np.shares_memory(as_bytes(aligned), aligned)
    shifted = as_bytes(aligned[1:])
    assert shifted.ctypes.data % 64 == 0
    assert shifted.tolist() == [7] * 99
    assert as_bytes(b"").size == 0


def test_weights_that_are_too_short_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="setting: the weights take 64 bytes, 10 were given"):
        HostProgram(replace(setting(1.0), weight_bytes=64), bytes(10))


def test_a_library_that_is_none_is_refused() -> None:
    with pytest.raises(DeviceError, match="the compiled program cannot be loaded"):
        ProgramLibrary(b"not a library", host_tables(setting(1.0), poison=False), as_bytes(b""))
