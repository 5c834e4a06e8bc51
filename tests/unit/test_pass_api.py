"""Passes written with our base class: options, registration, locations, errors."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc, NoneAttr, StringAttr
from xdsl.dialects.test import TestOp, TestTermOp
from xdsl.ir import Block, Operation, Region
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from rammer_ir import Pass, register_pass
from rammer_ir.context import new_context
from rammer_ir.errors import PassError, PipelineError, RammerError, VerificationError
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import PassObserver, parse_pass_pipeline, run_passes
from rammer_ir.pass_registry import known_passes, registered_passes
from rammer_ir.rewriting import rewrite
from rammer_ir.testing.filecheck import RunFileCheck


def name_loc(name: str) -> NameLoc:
    return NameLoc(StringAttr(name), NoneAttr())


def kind(op: Operation) -> str:
    attribute = op.attributes.get("kind")
    return attribute.data if isinstance(attribute, StringAttr) else ""


def new_op(kind: str, region: bool = False) -> TestOp:
    regions = [Region(Block([TestTermOp(attributes={"kind": StringAttr("nested")})]))] if region else []
    return TestOp(attributes={"kind": StringAttr(kind)}, regions=regions)


class ReplaceSecond(RewritePattern):
    """On `first`, replaces the op after it and puts a nested op before itself."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TestOp, rewriter: PatternRewriter, /) -> None:
        if kind(op) != "first" or op.next_op is None:
            return
        rewriter.replace(op.next_op, new_op("replacement"))
        rewriter.insert(new_op("inserted", region=True))
        op.attributes["kind"] = StringAttr("done")
        rewriter.notify_op_modified(op)


class Refuse(RewritePattern):
    """Raises on `second`."""

    def __init__(self, error: Exception):
        self.error = error

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TestOp, rewriter: PatternRewriter, /) -> None:
        if kind(op) == "second":
            raise self.error


TWO_OPS = """
"test.op"() {kind = "first"} : () -> () loc("a")
"test.op"() {kind = "second"} : () -> () loc("b")
"""


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rammer_ir.pass_registry._registered", {})


def test_new_ops_get_the_location_of_what_they_replace() -> None:
    module = parse_module(new_context(), TWO_OPS)
    assert rewrite(module, [ReplaceSecond()])
    locations = {kind(op): op.location for op in module.body.walk()}
    assert locations == {
        "inserted": name_loc("a"),
        "nested": name_loc("a"),
        "done": name_loc("a"),
        "replacement": name_loc("b"),
    }


def test_a_location_that_a_pattern_sets_stays() -> None:
    class SetsLocation(RewritePattern):
        @op_type_rewrite_pattern
        def match_and_rewrite(self, op: TestOp, rewriter: PatternRewriter, /) -> None:
            if kind(op) == "first":
                new = new_op("new")
                new.location = name_loc("own")
                rewriter.replace(op, new)

    module = parse_module(new_context(), TWO_OPS)
    rewrite(module, [SetsLocation()])
    assert [op.location for op in module.ops] == [name_loc("own"), name_loc("b")]


def test_rewrite_keeps_dead_ops() -> None:
    module = parse_module(new_context(), "%0 = arith.constant 1 : i32")
    assert not rewrite(module, [ReplaceSecond()])
    assert [op.name for op in module.ops] == ["arith.constant"]


def test_error_in_a_pattern_names_the_op() -> None:
    module = parse_module(new_context(), TWO_OPS)
    with pytest.raises(RammerError) as unknown:
        rewrite(module, [Refuse(RammerError("no"))])
    assert str(unknown.value) == '"b": no'
    with pytest.raises(RammerError) as known:
        rewrite(module, [Refuse(RammerError("no", location="elsewhere"))])
    assert str(known.value) == "elsewhere: no"
    with pytest.raises(PassError) as crash:
        rewrite(module, [Refuse(KeyError("k"))])
    assert str(crash.value) == "\"b\": KeyError: 'k'"


@pytest.mark.usefixtures("clean_registry")
def test_registered_pass_has_options_and_runs(run_filecheck: RunFileCheck) -> None:
    @register_pass
    class Tag(Pass):
        """Tags the module."""

        name = "test-tag"
        text: str
        times: int = 1

        def apply(self, ctx: Context, op: ModuleOp) -> None:
            op.attributes["tag"] = StringAttr(self.text * self.times)

    tag = Tag(text="x")
    assert (tag.text, tag.times) == ("x", 1)
    with pytest.raises(FrozenInstanceError):
        setattr(tag, "times", 2)  # noqa: B010
    assert registered_passes()["test-tag"]() is Tag
    assert parse_pass_pipeline("test-tag{text=ab times=2}") == (Tag("ab", 2),)
    run_filecheck('// CHECK: attributes {tag = "abab"}\n"test.op"() : () -> ()', "test-tag{text=ab times=2}")
    run_filecheck('// CHECK: attributes {tag = "c"}\n"test.op"() : () -> ()', Tag("a"), Tag("b"), Tag("c"))


@pytest.mark.usefixtures("clean_registry")
def test_registered_names_are_unique() -> None:
    def define(name_: str) -> type[ModulePass]:
        @dataclass(frozen=True)
        class Other(Pass):
            name = name_

        return Other

    class Renamed(Pass):
        """Another class."""

        name = "test-name"

    first = register_pass(define("test-name"))
    assert register_pass(define("test-name")) is not first, "the same definition may be loaded again"
    with pytest.raises(ValueError, match="there is another pass called 'test-name'"):
        register_pass(Renamed)
    assert set(registered_passes()) == {"test-name"}
    assert "test-name" in known_passes()


def test_a_pass_without_work_says_so() -> None:
    @dataclass(frozen=True)
    class Nothing(Pass):
        name = "test-nothing"

    module = parse_module(new_context(), TWO_OPS)
    with pytest.raises(PassError, match="pass test-nothing: TypeError: Nothing defines neither patterns nor apply"):
        run_passes(new_context(), module, [Nothing()])


def test_a_pass_of_patterns() -> None:
    @dataclass(frozen=True)
    class OfPatterns(Pass):
        name = "test-patterns"

        def patterns(self) -> Sequence[RewritePattern]:
            return [ReplaceSecond()]

    module = parse_module(new_context(), TWO_OPS)
    run_passes(new_context(), module, [OfPatterns()])
    assert [kind(op) for op in module.ops] == ["inserted", "done", "replacement"]


@dataclass(frozen=True)
class Break(Pass):
    """Leaves a module that does not verify."""

    name = "test-break"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        bad = parse_module(ctx, "func.return", "bad.mlir").body.block.first_op
        assert bad is not None
        bad.detach()
        op.body.block.add_op(bad)


def test_result_of_each_pass_is_verified() -> None:
    message = r"^bad.mlir:1:1: after pass test-break: 'func.return' expects parent op 'func.func'$"
    with pytest.raises(VerificationError, match=message):
        run_passes(new_context(), parse_module(new_context(), TWO_OPS), [Break()])
    run_passes(new_context(), parse_module(new_context(), TWO_OPS), [Break()], verify=False)


def test_observers_see_each_pass_once() -> None:
    class Recorder(PassObserver):
        def __init__(self) -> None:
            self.events: list[str] = []

        def before_pass(self, pass_: ModulePass, module: ModuleOp) -> None:
            self.events.append(f"before {pass_.name}")

        def after_pass(self, pass_: ModulePass, module: ModuleOp, seconds: float) -> None:
            assert seconds >= 0
            self.events.append(f"after {pass_.name}")

    recorder = Recorder()
    passes = [Break()]
    run_passes(new_context(), parse_module(new_context(), TWO_OPS), passes, verify=False, observers=[recorder])
    assert recorder.events == ["before test-break", "after test-break"]


def test_pipeline_errors() -> None:
    with pytest.raises(PipelineError, match="unknown pass 'no-such-pass'"):
        parse_pass_pipeline("no-such-pass")
    with pytest.raises(PipelineError, match="cannot read the pass pipeline"):
        parse_pass_pipeline("a b")
    with pytest.raises(PipelineError, match="pass test-break: no option 'x'; it has none"):
        parse_pass_pipeline("test-break{x=1}", {"test-break": lambda: Break})


def test_run_filecheck_fails_where_the_output_differs(run_filecheck: RunFileCheck) -> None:
    with pytest.raises(AssertionError, match="Couldn't match"):
        run_filecheck('// CHECK: "test.other"\n"test.op"() : () -> ()')
    with pytest.raises(AssertionError, match="No check strings"):
        run_filecheck('"test.op"() : () -> ()')
    with pytest.raises(VerificationError):
        run_filecheck("// CHECK: func.return\nfunc.return")


def test_run_filecheck_prints_locations_when_asked(run_filecheck: RunFileCheck) -> None:
    run_filecheck('// CHECK: "test.op"() : () -> () loc("a")\n"test.op"() : () -> () loc("a")', locations=True)
    run_filecheck('// CHECK: "test.op"() : () -> (){{$}}\n"test.op"() : () -> () loc("a")')
