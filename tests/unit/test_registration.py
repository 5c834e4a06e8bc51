"""Every registered name loads, is what it says, and has a FileCheck file."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import ClassVar, get_origin

import pytest
from xdsl.irdl import IRDLOperation
from xdsl.passes import ModulePass
from xdsl.transforms import get_all_passes as get_xdsl_passes
from xdsl.universe import Universe

from rammer_ir.dialects import DIALECTS, get_all_dialects
from rammer_ir.lowering import LOWERINGS, get_all_lowerings
from rammer_ir.lowering.targets import TARGETS, get_all_targets
from rammer_ir.pass_pipeline import parse_pass_pipeline
from rammer_ir.pass_registry import known_passes
from rammer_ir.passes import PASSES, get_all_passes
from rammer_ir.pipelines import PIPELINES

ROOT = Path(__file__).parents[2]
FILECHECK = ROOT / "tests" / "filecheck"
REWRITES = {**PASSES, **LOWERINGS}


def module_parts(path: str) -> list[str]:
    """The parts of the module's name below `rammer_ir`: "rammer_ir.passes.rop.fold:Fold" gives passes, rop, fold."""
    return path.partition(":")[0].split(".")[1:]


def snake(name: str) -> str:
    """The file name that belongs to a registered name."""
    return name.replace("-", "_")


def assert_filecheck(path: Path, mention: str | None = None) -> None:
    """The file runs something, checks something, and says the name it is there for in a RUN line."""
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    lines = path.read_text(encoding="utf-8").splitlines()
    runs = [line for line in lines if "RUN:" in line]
    assert runs, f"{path} has no RUN line"
    assert any(line.lstrip("/ ").startswith("CHECK") for line in lines), f"{path} checks nothing"
    if mention is not None:
        assert any(mention in line for line in runs), f"no RUN line of {path} has '{mention}'"


@pytest.mark.parametrize("name", ["dialects", "passes", "lowering"])
def test_link(name: str) -> None:
    link = ROOT / "rammer_ir" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert (link / "__init__.py").samefile(ROOT / name / "__init__.py")


@pytest.mark.parametrize("name", ["dialects", "passes", "lowering"])
def test_second_import_root_is_refused(name: str) -> None:
    result = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert f"import rammer_ir.{name} instead" in result.stderr


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect(name: str) -> None:
    dialect = get_all_dialects()[name]()
    assert dialect.name == name
    assert_filecheck(FILECHECK / "dialects" / name / "ops.mlir")
    assert_filecheck(FILECHECK / "dialects" / name / "invalid.mlir")


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_is_documented_and_covered(name: str) -> None:
    dialect = get_all_dialects()[name]()
    text = (FILECHECK / "dialects" / name / "ops.mlir").read_text(encoding="utf-8")
    for op in dialect.operations:
        assert issubclass(op, IRDLOperation)
        assert op.__doc__ is not None, f"{op.name} has no docstring"
        assert op.name in op.__doc__, f"the docstring of {op.name} has no example"
        assert op.name in text, f"dialects/{name}/ops.mlir does not use {op.name}"


@pytest.mark.parametrize("name", REWRITES)
def test_pass(name: str) -> None:
    cls = {**get_all_passes(), **get_all_lowerings()}[name]()
    assert cls.name == name
    assert cls.__doc__ is not None
    assert not cls.__doc__.startswith(f"{cls.__name__}("), f"{cls.__name__} has no docstring of its own"
    annotations = inspect.get_annotations(cls, eval_str=True).items()
    declared = {key for key, type_ in annotations if get_origin(type_) is not ClassVar}
    assert declared <= {field.name for field in fields(cls)}, f"{cls.__name__} is not a dataclass: its options are none"


@pytest.mark.parametrize("name", REWRITES)
def test_pass_has_its_file_and_filecheck(name: str) -> None:
    *folders, file = module_parts(REWRITES[name])
    assert file == snake(name)
    assert_filecheck(FILECHECK.joinpath(*folders, f"{file}.mlir"), mention=name)


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    assert get_all_targets()[name]().name == name
    assert_filecheck(FILECHECK / "lowering" / "targets" / f"{snake(name)}.mlir", mention=name)


def pass_classes_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """The classes in the folder's files that by their bases are passes, and public."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & {"ModulePass", "Pass"}:
                    yield path, node.name


@pytest.mark.parametrize(("folder", "registered"), [("passes", PASSES), ("lowering", LOWERINGS)])
def test_every_pass_is_registered(folder: str, registered: Mapping[str, str]) -> None:
    paths = set(registered.values())
    for path, cls in pass_classes_in(ROOT / folder):
        module = ".".join(["rammer_ir", *path.relative_to(ROOT).with_suffix("").parts])
        assert f"{module}:{cls}" in paths


def test_names_are_free() -> None:
    assert not set(PASSES) & set(LOWERINGS)
    assert not set(REWRITES) & set(get_xdsl_passes()), "xdsl-opt would refuse to start"
    assert not set(PIPELINES) & set(known_passes())


def test_xdsl_finds_our_universe() -> None:
    universe = Universe.get_multiverse()
    assert set(DIALECTS) <= set(universe.all_dialects)
    assert set(REWRITES) <= set(universe.all_passes)
    assert set(TARGETS) <= set(universe.all_targets)


@pytest.mark.parametrize("name", PIPELINES)
def test_pipeline(name: str) -> None:
    passes = parse_pass_pipeline(name, {**get_xdsl_passes(), **known_passes()})
    assert passes
    assert all(isinstance(pass_, ModulePass) for pass_ in passes)
