"""What vEUs record of a run, and that dispatchers without records are as if there was no such thing."""

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

import rammer_ir.runtime.device as device_sources
import rammer_ir.runtime.host as host_sources
from rammer_ir.runtime.cache import CompileCache
from rammer_ir.runtime.cuda.build import kernel_plans
from rammer_ir.runtime.cuda.nvrtc import CompileRequest, compile_object
from rammer_ir.runtime.cuda.trace import HEADER, calibrated, most_records
from rammer_ir.runtime.host.compiler import find_compiler
from rammer_ir.runtime.host.program import HostProgram
from rammer_ir.runtime.program_image import Opcode
from rammer_ir.runtime.trace import TRACE_RECORD
from rammer_ir.testing.lowered_models import lower_model
from rammer_ir.testing.lstm_pair import ON_CUDA, ON_HOST, lower_pair
from rammer_ir.testing.small_models import SMALL_MODELS, small_inputs

TRACED = re.compile(r"#ifdef RAMMER_TRACE\n(?:(?!#endif|#else).*\n)*(?:#else\n((?:(?!#endif).*\n)*))?#endif\n")


def without_tracing(text: str) -> str:
    """The text with nothing in it that is for traces."""
    text = TRACED.sub(lambda found: found[1] or "", text)
    return re.sub(r'.*RAMMER_TRACED\(.*\n|#include "trace\.(hpp|cuh)"\n', "", text)


def machine_code(request: CompileRequest) -> list[bytes]:
    """The code of a compiled text, without what tells a debugger about lines: the ELF sections that are executed."""
    cubin = compile_object(request).cubin
    (table,) = struct.unpack_from("<Q", cubin, 0x28)
    (count,) = struct.unpack_from("<H", cubin, 0x3C)
    headers = [struct.unpack_from("<IIQQQQ", cubin, table + 64 * number) for number in range(count)]
    executed = 4
    return [cubin[offset : offset + size] for _, _, flags, _, offset, size in headers if flags & executed]


def test_every_task_and_wait_is_recorded() -> None:
    lowered = lower_model(SMALL_MODELS["mlp"](), "set-device{device=host veus=3},persistent")
    image, weights = lowered.encode()
    inputs = small_inputs(SMALL_MODELS["mlp"]())
    program = HostProgram(image, weights, cache=CompileCache(), oversubscribe=True, traced=True)
    expected = HostProgram(image, weights, cache=CompileCache(), oversubscribe=True).run(inputs)
    trace = program.trace(inputs)
    for name, output in program.run(inputs).items():
        np.testing.assert_array_equal(output, expected[name])
    table = image.instructions
    assert (trace.opcode == Opcode.RUN).sum() == table[table[:, 0] == Opcode.RUN, 4].sum()
    assert (trace.opcode == Opcode.BARRIER).sum() == (table[:, 0] == Opcode.BARRIER).sum()
    assert trace.start.min() == 0
    assert (trace.end >= trace.start).all()
    assert trace.length < 60e6
    for veu in range(3):
        own = trace.veu == veu
        assert (np.diff(trace.start[own]) >= 0).all()
        assert (trace.start[own][1:] >= trace.end[own][:-1]).all()
        rows = trace.instruction[own]
        assert (np.diff(rows) >= 0).all()


def test_waits_for_words_are_part_of_tasks() -> None:
    image, weights = lower_pair(ON_HOST).encode()
    program = HostProgram(image, weights, cache=CompileCache(), oversubscribe=True, traced=True)
    x = np.random.default_rng(0).standard_normal((5, ON_HOST.hidden)).astype(np.float32)
    trace = program.trace({"x": x})
    tasks = trace.opcode == Opcode.RUN
    assert tasks.sum() == 2 * 2 + 2 * 2 * 5
    assert trace.iteration[tasks].max() == 4
    assert (trace.waited <= trace.end - trace.start + 1e-3).all()
    assert trace.waited.sum() > 0


def test_host_dispatchers_without_records_are_the_same() -> None:
    compiler = find_compiler()
    folder = Path(host_sources.__file__).parent
    include = (folder, Path(device_sources.__file__).parent)
    header = without_tracing((folder / "virtual_unit.hpp").read_text())
    for name in ("virtual_unit.cpp", "program.cpp"):
        text = (folder / name).read_text()
        assert "RAMMER_TRACE" in text
        bare = without_tracing(text)
        assert "race" not in bare.replace("races", "")
        bare = bare.replace('#include "virtual_unit.hpp"\n', header.replace("#pragma once\n", ""))
        assert compiler.compile("with", text, include=include) == compiler.compile("with", bare, include=include)


def test_cuda_dispatchers() -> None:
    image, _ = lower_pair(ON_CUDA).encode()
    (plain,), (traced,) = kernel_plans(image, "sm_90a"), kernel_plans(image, "sm_90a", traced=True)
    request = plain.requests[0]
    stripped = {name: without_tracing(text) for name, text in request.headers.items() if name != "trace.cuh"}
    assert all("TRACE" not in text for text in stripped.values())
    code = machine_code(request)
    assert sum(map(len, code)) > 1000
    assert machine_code(replace(request, headers=stripped)) == code
    assert machine_code(traced.requests[0]) != code
    assert plain.requests[1:] == traced.requests[1:]
    assert most_records(image, 0, {"n": 7}) >= 7


def test_clocks_become_one_scale() -> None:
    rows = np.zeros(HEADER.itemsize + 3 * TRACE_RECORD.itemsize, np.uint8)
    rows[: HEADER.itemsize].view(HEADER)[0] = (1000, 50_000, 3000, 51_000, 2, 0)
    records = rows[HEADER.itemsize :].view(TRACE_RECORD)
    records["start"], records["end"] = [1000, 2000, 0], [1500, 3000, 0]
    found = calibrated(rows)
    assert found["start"].tolist() == [50_000, 50_500]
    assert found["end"].tolist() == [50_250, 51_000]
