"""The page on ONNX names the ops that are imported: all of them, and no others."""

import re
from pathlib import Path

import onnx.defs

from rammer_ir.frontend.registry import find_handler

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"
OPSET = onnx.defs.onnx_opset_version()


def test_ops() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    schemas = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)} & schemas
    assert named == {name for name in schemas if find_handler("", name, OPSET) is not None}
