"""Dialects, passes and targets of other installed packages, found through the entry point group `xdsl.universe`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = """
from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, UnitAttr
from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation, irdl_op_definition
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.target import Target


@irdl_op_definition
class Hello(IRDLOperation):
    name = "greeting.hello"
    assembly_format = "attr-dict"


@dataclass(frozen=True)
class Wave(ModulePass):
    name = "greeting-wave"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in op.ops:
            inner.attributes["waved"] = UnitAttr()


@dataclass(frozen=True)
class Names(Target):
    name = "greeting-names"
    upper: bool = False

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        for op in module.ops:
            print(op.name.upper() if self.upper else op.name, file=output)


UNIVERSE = Universe(
    all_dialects={"greeting": lambda: Dialect("greeting", [Hello])},
    all_passes={"greeting-wave": lambda: Wave, "cse": lambda: Wave},
    all_targets={"greeting-names": lambda: Names},
)
NOT_A_UNIVERSE = 1
"""


def install(folder: Path, entry_points: str) -> None:
    """Put what an installed package leaves behind into the folder."""
    (folder / "greeting.py").write_text(PACKAGE)
    info = folder / "greeting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[xdsl.universe]\n{entry_points}\n")


def rammer_opt(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    tool = Path(sys.executable).parent / "rammer-opt"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [tool, *args], input="greeting.hello", capture_output=True, text=True, env=environment, timeout=60
    )


def test_other_packages_are_found(tmp_path: Path) -> None:
    install(tmp_path, "greeting = greeting:UNIVERSE")
    result = rammer_opt(tmp_path, "-p", "greeting-wave")
    assert "greeting.hello {waved}" in result.stdout
    assert rammer_opt(tmp_path, "-t", "greeting-names{upper=true}").stdout == "GREETING.HELLO\n"


def test_a_taken_name_keeps_its_meaning(tmp_path: Path) -> None:
    install(tmp_path, "greeting = greeting:UNIVERSE")
    result = rammer_opt(tmp_path, "-p", "cse")
    assert result.returncode == 0
    assert "waved" not in result.stdout
    assert result.stderr == "rammer-opt: warning: the pass 'cse' of 'greeting' is left out: the name is taken\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("absent_module:UNIVERSE", "cannot load the entry point 'greeting': ModuleNotFoundError"),
        ("greeting:NOT_A_UNIVERSE", "the entry point 'greeting' is not an xdsl.universe.Universe"),
    ],
)
def test_a_broken_package_does_not_stop_ours(tmp_path: Path, value: str, message: str) -> None:
    install(tmp_path, f"greeting = {value}")
    result = rammer_opt(tmp_path, "-f", "mlir", "--allow-unregistered-dialect", "--version")
    assert result.returncode == 0
    assert result.stderr.startswith(f"rammer-opt: warning: {message}")
    assert result.stderr.count("\n") == 1
