"""Compiled programs as files: what is saved is what runs, and no file, however wrong, gets further than an error."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rammer_ir
from rammer_ir.artefact import container
from rammer_ir.artefact.container import NewSection, open_container, write_container
from rammer_ir.artefact.reader import read_artefact
from rammer_ir.artefact.writer import write_artefact
from rammer_ir.compiled import CompiledProgram
from rammer_ir.compiler import compile_program
from rammer_ir.demo.models import lstm_model
from rammer_ir.errors import DeviceError, InvalidInputError, RammerError
from rammer_ir.pipelines import STRATEGIES
from rammer_ir.random_inputs import random_inputs
from rammer_ir.runtime.host import machine_code
from rammer_ir.runtime.selection import compile_target, load_program
from rammer_ir.testing.program_images import ImageBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledProgram:
    path = tmp_path_factory.mktemp("model") / "lstm.onnx"
    path.write_bytes(lstm_model(layers=2, steps=4, hidden=8).SerializeToString())
    return compile_program(path, device="cpu")


@pytest.fixture
def file(compiled: CompiledProgram, tmp_path: Path) -> Path:
    path = tmp_path / "lstm.rammer"
    write_artefact(compiled, path)
    return path


def assert_same(found: CompiledProgram, wanted: CompiledProgram) -> None:
    """All but the IR, which need not be kept."""
    for name in ("instructions", "descriptors"):
        np.testing.assert_array_equal(getattr(found.image, name), getattr(wanted.image, name))
    tables = {"instructions": wanted.image.instructions, "descriptors": wanted.image.descriptors}
    assert replace(found.image, **tables) == wanted.image
    np.testing.assert_array_equal(found.weights, wanted.weights)
    assert (found.origin, found.report) == (wanted.origin, wanted.report)
    assert [replace(code, parts=()) for code in found.code] == [replace(code, parts=()) for code in wanted.code]
    for code, other in zip(found.code, wanted.code, strict=True):
        assert [bytes(part.data) for part in code.parts] == [part.data for part in other.parts]


def outputs_of(program: rammer_ir.Program) -> dict[str, bytes]:
    with program:
        return {name: value.tobytes() for name, value in program.run(random_inputs(program.inputs, seed=1)).items()}


def read_or_refusal(path: Path) -> CompiledProgram | str:
    """What is in the file, or the message of the error, of one line, that reading it ends with."""
    try:
        return read_artefact(path)
    except InvalidInputError as error:
        return str(error)


def refusal(path: Path, **options: str) -> str:
    """The message of the error that loading ends with: one line, which begins with the file."""
    with pytest.raises(RammerError) as caught:
        rammer_ir.load(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_loaded_program_is_the_saved_one(tmp_path: Path, strategy: str) -> None:
    path = tmp_path / "saved.rammer"
    keep_ir = strategy == "persistent"
    with rammer_ir.compile(lstm_model(layers=2, steps=4, hidden=8), device="cpu", strategy=strategy) as program:
        program.save(path, keep_ir=keep_ir)
        loaded = rammer_ir.load(path)
        assert loaded.strategy == strategy
        assert loaded.source == program.source
        assert (loaded.origin, loaded.report) == (program.origin, program.report)
        assert (loaded.inputs, loaded.outputs, loaded.device) == (program.inputs, program.outputs, "cpu")
        if keep_ir:
            assert [loaded.ir(level) for level in loaded.levels] == [program.ir(level) for level in program.levels]
        else:
            with pytest.raises(InvalidInputError, match="holds no IR: save it with keep_ir=True"):
                loaded.ir("rop")
        inputs = random_inputs(program.inputs, seed=1)
        expected = {name: value.tobytes() for name, value in program.run(inputs).items()}
    assert outputs_of(loaded) == expected


def test_what_is_read_is_what_was_written(compiled: CompiledProgram, file: Path) -> None:
    found = read_artefact(file)
    assert_same(found, compiled)
    assert [code.processor for code in found.code] == [machine_code.processor()]
    assert found.origin.model == "lstm.onnx"
    assert found.origin.model_sha256 is not None


def test_weights_are_mapped_at_a_page_and_not_copied(file: Path) -> None:
    section = open_container(file).sections["weights"]
    address = np.frombuffer(section.data, np.uint8).ctypes.data
    assert address % container.PAGE == 0
    program = read_artefact(file)
    base = program.weights.base
    assert isinstance(base, memoryview)
    assert base.readonly
    assert not program.weights.flags.writeable


def test_a_file_may_be_replaced_while_its_program_is_loaded(compiled: CompiledProgram, file: Path) -> None:
    program = rammer_ir.load(file)
    expected = outputs_of(rammer_ir.load(file))
    write_artefact(replace(compiled, weights=np.zeros_like(compiled.weights)), file)
    assert outputs_of(program) == expected
    assert outputs_of(rammer_ir.load(file)) != expected


def test_running_needs_no_compiler(file: Path, tmp_path: Path) -> None:
    """Neither xDSL (but for the type of its errors) nor ONNX is imported, and no C++ compiler is called."""
    script = (
        "import sys, rammer_ir, numpy as np\n"
        f"program = rammer_ir.load({str(file)!r})\n"
        "program.run({b.name: np.zeros(b.shape, b.dtype) for b in program.inputs})\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in ('xdsl', 'onnx', 'google')))\n"
        "print(*(name for name in sys.modules if name.startswith(('rammer_ir.frontend', 'rammer_ir.passes'))))\n"
    )
    environment = {**os.environ, "PATH": "", "RAMMER_CACHE_DIR": str(tmp_path / "cache")}
    environment.pop("CXX", None)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["xdsl xdsl.utils xdsl.utils.exceptions", ""]
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are compiled for the CPU from now on."""
    from rammer_ir.runtime.host import program

    seen: list[str] = []
    original: Callable[..., bytes] = program.build_library

    def build(image: Any, *others: Any, **options: Any) -> bytes:
        seen.append(image.name)
        return original(image, *others, **options)

    monkeypatch.setattr(program, "build_library", build)
    return seen


def test_kept_code_that_does_not_fit_is_compiled_anew(
    compiled: CompiledProgram, file: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outputs_of(rammer_ir.load(file))
    assert builds == []
    others = (
        replace(compiled.code[0], features=(*compiled.code[0].features, "warp_drive")),
        replace(compiled.code[0], features=()),
        replace(compiled.code[0], processor="plan9-mips"),
        replace(compiled.code[0], runtime="0" * 64),
        replace(compiled.code[0], parts=(replace(compiled.code[0].parts[0], data=b"\x7fELF no library"),)),
    )
    for number, code in enumerate(others):
        write_artefact(replace(compiled, code=(code,)), file)
        assert outputs_of(rammer_ir.load(file)) == expected
        assert len(builds) == number + 1
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    write_artefact(replace(compiled, code=others[2:3]), file)
    assert "the file has code for plan9-mips, not for this machine: no C++ compiler found" in refusal(file)


def test_files_for_other_devices_are_refused(compiled: CompiledProgram, file: Path) -> None:
    assert "for device cpu (host): cuda:97 is not there" in refusal(file, device="cuda:97")
    write_artefact(replace(compiled, origin=replace(compiled.origin, kind="cuda", device="h100")), file)
    assert "for device cuda (h100): to run on cpu, compile the model for that" in refusal(file, device="cpu")
    write_artefact(replace(compiled, origin=replace(compiled.origin, kind="tpu")), file)
    assert "an unknown kind of device, 'tpu'" in refusal(file)


def test_files_of_other_versions_are_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[8] += 1
    file.write_bytes(data)
    assert "an artefact of format 3, this version of Rammer IR reads format 2" in refusal(file)


def test_what_is_no_artefact_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text in (b"", b"a", b"onnx" * 100):
        path.write_bytes(text)
        assert "not an artefact of rammer compile" in refusal(path)
    with pytest.raises(FileNotFoundError):
        rammer_ir.load(tmp_path / "absent")


def test_an_unwritable_place_leaves_nothing(compiled: CompiledProgram, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_artefact(compiled, tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        write_artefact(compiled, tmp_path / "absent" / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def section_places(file: Path) -> list[st.SearchStrategy[int]]:
    """Places in the file, for each of its sections."""
    sections = open_container(file).sections.values()
    begins = [file.read_bytes().index(bytes(section.data)) for section in sections]
    return [
        st.integers(begin, begin + section.data.nbytes - 1) for begin, section in zip(begins, sections, strict=True)
    ]


@MANY
@given(data=st.data())
def test_damage_anywhere_is_an_error_or_does_not_matter(compiled: CompiledProgram, file: Path, data: Any) -> None:
    intact = bytearray(file.read_bytes())
    damaged = intact[:]
    # Most bytes are padding: the header, the manifest and the sections get their share.
    places = st.one_of(st.integers(0, 63), st.integers(64, 8191), *section_places(file))
    for place in data.draw(st.lists(places, max_size=3)):
        damaged[place] ^= data.draw(st.integers(1, 255))
    damaged = damaged[: data.draw(st.one_of(st.just(len(intact)), st.integers(0, len(intact))))]
    path = file.with_name("damaged")
    # The last example's file may still be mapped.
    path.unlink(missing_ok=True)
    path.write_bytes(damaged)
    found = read_or_refusal(path)
    if isinstance(found, str):
        assert "\n" not in found
        assert damaged != intact
    else:
        assert_same(found, compiled)


Edit = tuple[int, int]


@MANY
@given(edits=st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=3))
def test_forged_tables_are_read_or_refused(compiled: CompiledProgram, file: Path, edits: list[Edit]) -> None:
    """Whoever writes a file writes the right checksums too."""
    tables = {name: getattr(compiled.image, name).copy() for name in ("instructions", "descriptors")}
    for place, value in edits:
        table = tables["descriptors" if place % 2 else "instructions"].reshape(-1)
        table[place // 2 % table.size] = value if place % 3 else value % 64
    write_artefact(replace(compiled, image=replace(compiled.image, **tables)), file)
    found = read_or_refusal(file)
    assert not isinstance(found, str) or "a damaged artefact: " in found


def leaves(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The places of all values in a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
    elif isinstance(value, list):
        items = enumerate(cast("list[object]", value))
    return [path, *(leaf for key, item in items for leaf in leaves(item, (*path, key)))]


VALUES: list[Any] = [None, -1, 0, 10**6, 2**63, 2**80, 1.5, True, "", "x\ny", [], {}, [[]], {"a": 1}]


@MANY
@given(data=st.data(), value=st.sampled_from(VALUES))
def test_forged_manifests_are_read_or_refused(file: Path, data: Any, value: Any) -> None:
    opened = open_container(file)
    manifest = json.loads(json.dumps(opened.manifest))
    path = data.draw(st.sampled_from(leaves(manifest)[1:]))
    place: Any = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    sections = [NewSection(section.name, section.data, section.checksum) for section in opened.sections.values()]
    forged = file.with_name("forged")
    write_container(forged, manifest, sections)
    found = read_or_refusal(forged)
    assert not isinstance(found, str) or "\n" not in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "its manifest is no JSON"),
        (b"[" * 100_000, "its manifest is no JSON"),
        (b'{"a": \xff}', "its manifest is no JSON"),
        (b"[]", "the manifest is no object"),
        (b"{}", "sections is no list"),
        (b'{"sections": [7]}', "section 0 is no object"),
        (b'{"sections": [{"name": "a", "offset": 0, "bytes": 1}]}', "section 0 has other fields"),
        (b'{"sections": [{"name": "a", "offset": 8192, "bytes": 1, "crc32": ""}]}', "section 0, offset is no integer"),
        (b'{"sections": [{"name": "a", "offset": 1, "bytes": 1, "crc32": ""}]}', "section 0 lies outside of the file"),
        (b'{"sections": []}', "its manifest has other fields than expected"),
    ],
)
def test_forged_containers_are_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "forged"
    digest = hashlib.sha256(text).digest()
    size = -(-(64 + len(text)) // 4096) * 4096
    header = struct.pack("<8sIIQQ32s", container.MAGIC, container.FORMAT_VERSION, 0, len(text), size, digest)
    path.write_bytes((header + text).ljust(size, b"\0"))
    assert message in refusal(path)


def test_a_program_for_an_absent_device_is_not_loaded() -> None:
    with pytest.raises(DeviceError, match="'h100' is compiled to a file"):
        load_program(ImageBuilder("empty").image(), np.zeros(0, np.uint8), compile_target("h100"))
