"""Where ops come from: in the text, when built, when fused, and as words."""

import pytest
from xdsl.builder import ImplicitBuilder
from xdsl.dialects.builtin import UNKNOWN_LOC, FileLineColLoc, IntAttr, ModuleOp, NameLoc, NoneAttr, StringAttr
from xdsl.dialects.test import TestOp
from xdsl.ir import Block, Region
from xdsl.rewriter import InsertPoint
from xdsl.utils.exceptions import ParseError

from rammer_ir.context import new_context
from rammer_ir.errors import VerificationError
from rammer_ir.locations import (
    builder_at,
    describe_location,
    describe_op,
    fuse_locations,
    is_known,
    location_of,
    rewriter_at,
    set_location,
)
from rammer_ir.parsing import LocatingParser, parse_module

NESTED = """\
"test.op"() ({
  "test.op"() : () -> ()
    "test.termop"() : () -> () loc("end")
}) : () -> ()
"""


def name_loc(name: str) -> NameLoc:
    return NameLoc(StringAttr(name), NoneAttr())


def file_loc(line: int, column: int) -> FileLineColLoc:
    return FileLineColLoc(StringAttr("f.mlir"), IntAttr(line), IntAttr(column))


def test_parsed_ops_know_their_line() -> None:
    module = parse_module(new_context(), NESTED, "f.mlir")
    outer, inner, end = list(module.body.walk())
    assert outer.location == file_loc(1, 1)
    assert inner.location == file_loc(2, 3)
    assert end.location == name_loc("end")
    assert module.location == file_loc(1, 1)


def test_line_offset() -> None:
    parser = LocatingParser(new_context(), '\n"test.op"() : () -> ()', "f.mlir", line_offset=10)
    (op,) = parser.parse_module().ops
    assert op.location == file_loc(12, 1)


def test_invalid_attribute_in_text_has_a_location() -> None:
    with pytest.raises((ParseError, VerificationError)) as info:
        parse_module(new_context(), '\n"test.op"() {a = #builtin.int<x>} : () -> ()', "f.mlir")
    assert "f.mlir:2" in str(info.value)


def test_nearest_known_location() -> None:
    inner = TestOp()
    outer = TestOp(regions=[Region(Block([inner]))])
    assert not is_known(location_of(inner))
    outer.location = name_loc("outer")
    assert location_of(inner) == name_loc("outer")
    inner.location = name_loc("inner")
    assert location_of(inner) == name_loc("inner")


def test_set_location_fills_in_what_is_unknown() -> None:
    known, unknown = TestOp(), TestOp()
    known.location = name_loc("known")
    block = Block([known, unknown], arg_types=[])
    outer = TestOp(regions=[Region(block)])
    assert set_location(outer, name_loc("a")) == [outer, unknown]
    assert known.location == name_loc("known")
    assert unknown.location == name_loc("a")
    assert set_location(TestOp(), UNKNOWN_LOC) == []


def test_fused_locations_are_flat_and_named_once() -> None:
    ops = [TestOp() for _ in range(4)]
    for op, name in zip(ops, ["a", "b", "a"], strict=False):
        op.location = name_loc(name)
    fused = fuse_locations(ops)
    assert describe_location(fused) == '"a", "b"'
    ops[3].location = fused
    ops[2].location = name_loc("c")
    assert describe_location(fuse_locations(ops)) == '"a", "b", "c"'
    assert fuse_locations(ops[:1]) == name_loc("a")
    assert fuse_locations([TestOp()]) == UNKNOWN_LOC


def test_builder_and_rewriter_locate() -> None:
    module = ModuleOp([anchor := TestOp()])
    anchor.location = name_loc("anchor")
    with ImplicitBuilder(builder_at(InsertPoint.before(anchor), name_loc("built"))):
        built = TestOp()
    inserted = rewriter_at(anchor).insert(TestOp())
    assert list(module.ops) == [built, inserted, anchor]
    assert built.location == name_loc("built")
    assert inserted.location == name_loc("anchor")


def test_descriptions() -> None:
    assert describe_location(file_loc(3, 5)) == "f.mlir:3:5"
    assert describe_location(NameLoc(StringAttr("conv1"), file_loc(3, 5))) == '"conv1" at f.mlir:3:5'
    assert describe_location(UNKNOWN_LOC) is None
    assert describe_op(TestOp()) is None
