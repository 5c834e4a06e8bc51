"""Passes on the rop level keep what random programs, scans and imported models compute, and fuse as they should."""

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir.affine import AffineExpr, AffineMap

from rammer_ir.block_order import depends_on, sort_block
from rammer_ir.context import new_context
from rammer_ir.dialects.rop import GenericOp, OperatorOp, ScanOp, WeightOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.fusion.kinds import Kind, kind_of
from rammer_ir.fusion.legality import is_legal
from rammer_ir.generics.views import is_copy
from rammer_ir.indexing.simplify import delinearize
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.equivalence import check_pass
from rammer_ir.testing.onnx_models import graph_model
from rammer_ir.tiling.task_dimensions import generics_of

PASSES = ("absorb-views", "write-in-place", "split-dimensions", "fuse-operators", "materialize-scan-state")
PIPELINES = (*PASSES, "absorb-views,write-in-place", "split-dimensions,fuse-operators", "optimize-rop")
Shape = tuple[int, ...]


def tensor(shape: Shape) -> str:
    return f"tensor<{''.join(f'{extent}x' for extent in shape)}f32>"


def identity(rank: int) -> AffineMap:
    return AffineMap.identity(rank)


@dataclass
class Program:
    """The text of a function in the making: its values with their shapes, arguments first."""

    draw: st.DrawFn
    arguments: list[Shape] = field(default_factory=list[Shape])
    lines: list[str] = field(default_factory=list[str])
    values: list[tuple[str, Shape]] = field(default_factory=list[tuple[str, Shape]])

    def argument(self, shape: Shape) -> tuple[str, Shape]:
        self.arguments.append(shape)
        return f"%a{len(self.arguments) - 1}", shape

    def pick(self, least_rank: int = 0) -> tuple[str, Shape]:
        choice = [value for value in self.values if len(value[1]) >= least_rank]
        # Mostly the last value, so that chains come about.
        return self.draw(st.sampled_from([*choice, *choice[-1:] * len(choice)])) if choice else self.argument((2, 3))

    def generic(
        self,
        bounds: Shape,
        reads: list[tuple[tuple[str, Shape], AffineMap]],
        write: AffineMap,
        result: Shape,
        body: str,
        options: str = "",
        into: str = "",
    ) -> None:
        name = f"%v{len(self.lines)}"
        maps = ", ".join(f"affine_map<{each}>" for each in (*(read for _, read in reads), write))
        names = ", ".join(value for (value, _), _ in reads)
        types = ", ".join(tensor(shape) for (_, shape), _ in reads)
        elements = ", ".join(f"%e{number}: f32" for number in range(len(reads)))
        self.lines.append(
            f"{name} = rop.generic bounds {list(bounds)} maps [{maps}] {options} ins({names} : {types}) {into} {{\n"
            f"^bb0({elements}):\n{body}\nrop.yield %r : f32\n}} -> {tensor(result)}"
        )
        self.values.append((name, result))

    def copy(self, value: tuple[str, Shape], read: AffineMap, shape: Shape, options: str = "") -> None:
        body = (
            "%z = arith.constant 0.0 : f32\n%r = arith.addf %e0, %z : f32" if self.draw(st.integers(0, 3)) == 0 else ""
        )
        text = body or "%r = arith.constant 0.0 : f32"
        self.generic(shape, [(value, read)], identity(len(shape)), shape, text, options)
        if not body:
            self.lines[-1] = self.lines[-1].replace(f"{text}\nrop.yield %r", "rop.yield %e0")

    def transpose(self) -> None:
        value = self.pick()
        order = self.draw(st.permutations(range(len(value[1]))))
        dims = tuple(AffineExpr.dimension(order.index(dim)) for dim in range(len(order)))
        self.copy(value, AffineMap(len(order), 0, dims), tuple(value[1][dim] for dim in order))

    def reshape(self) -> None:
        value = self.pick()
        left = prod(value[1])
        shape: list[int] = []
        while left > 1 or not shape:
            extent = self.draw(st.sampled_from([part for part in range(1, left + 1) if left % part == 0]))
            shape.append(extent)
            left //= extent
            if len(shape) == 3:
                shape.append(left)
                break
        self.copy(value, delinearize(shape, value[1]), tuple(shape))

    def slice(self) -> None:
        value = self.pick()
        starts = [self.draw(st.integers(0, extent - 1)) for extent in value[1]]
        shape = tuple(self.draw(st.integers(1, extent - start)) for extent, start in zip(value[1], starts, strict=True))
        dims = tuple(AffineExpr.dimension(dim) + start for dim, start in enumerate(starts))
        self.copy(value, AffineMap(len(shape), 0, dims), shape)

    def pad(self) -> None:
        value = self.pick(1)
        before, after = self.draw(st.integers(0, 2)), self.draw(st.integers(0, 2))
        *outer, last = value[1]
        *dims, inner = (AffineExpr.dimension(dim) for dim in range(len(value[1])))
        read = AffineMap(len(value[1]), 0, (*dims, inner + -before))
        self.copy(value, read, (*outer, last + before + after), "pad [0.0 : f32]")

    def expand(self) -> None:
        value = self.pick()
        rank = len(value[1])
        read = AffineMap(rank + 1, 0, tuple(AffineExpr.dimension(dim + 1) for dim in range(rank)))
        self.copy(value, read, (2, *value[1]))

    def unary(self) -> None:
        value = self.pick()
        rank = len(value[1])
        self.generic(value[1], [(value, identity(rank))], identity(rank), value[1], "%r = arith.negf %e0 : f32")

    def binary(self) -> None:
        value = self.pick()
        other = self.draw(st.sampled_from([known for known in self.values if known[1] == value[1]]))
        rank = len(value[1])
        reads = [(value, identity(rank)), (other, identity(rank))]
        self.generic(value[1], reads, identity(rank), value[1], "%r = arith.addf %e0, %e1 : f32")

    def reduce(self) -> None:
        value = self.pick(1)
        rank = len(value[1])
        write = AffineMap(rank, 0, tuple(AffineExpr.dimension(dim) for dim in range(rank - 1)))
        combiner = self.draw(st.sampled_from(["add", "maximum"]))
        body = "%r = arith.mulf %e0, %e0 : f32"
        self.generic(value[1], [(value, identity(rank))], write, value[1][:-1], body, f"reduce [{combiner}]")
        if self.draw(st.booleans()):
            self.broadcast(value, self.values[-1])

    def broadcast(self, value: tuple[str, Shape], row: tuple[str, Shape]) -> None:
        rank = len(value[1])
        read = AffineMap(rank, 0, tuple(AffineExpr.dimension(dim) for dim in range(rank - 1)))
        reads = [(value, identity(rank)), (row, read)]
        self.generic(value[1], reads, identity(rank), value[1], "%r = arith.subf %e0, %e1 : f32")

    def window(self) -> None:
        value = self.pick(1)
        rank = len(value[1])
        *dims, inner = (AffineExpr.dimension(dim) for dim in range(rank))
        read = AffineMap(rank + 1, 0, (*dims, inner + AffineExpr.dimension(rank) + -1))
        write = AffineMap(rank + 1, 0, (*dims, inner))
        options = "reduce [add] pad [0.0 : f32]"
        self.generic((*value[1], 3), [(value, read)], write, value[1], "%r = arith.negf %e0 : f32", options)

    def product(self) -> None:
        value = self.pick(2)
        *outer, k = value[1]
        weight = self.argument((k, 3))
        rank = len(value[1])
        dims = [AffineExpr.dimension(dim) for dim in range(rank + 1)]
        reads = [
            (value, AffineMap(rank + 1, 0, (*dims[: rank - 1], dims[rank]))),
            (weight, AffineMap(rank + 1, 0, (dims[rank], dims[rank - 1]))),
        ]
        write = AffineMap(rank + 1, 0, tuple(dims[:rank]))
        self.generic((*outer, 3, k), reads, write, (*outer, 3), "%r = arith.mulf %e0, %e1 : f32", "reduce [add]")

    def grouped(self) -> None:
        """Joins the first two dimensions, as grouped convolutions do."""
        value = self.pick(2)
        first, second, *rest = value[1]
        dims = [AffineExpr.dimension(dim) for dim in range(len(value[1]))]
        write = AffineMap(len(dims), 0, (dims[0] * second + dims[1], *dims[2:]))
        shape = (first * second, *rest)
        self.generic(value[1], [(value, identity(len(dims)))], write, shape, "%r = math.absf %e0 : f32")

    def concatenate(self) -> None:
        value = self.pick(1)
        other = self.draw(
            st.sampled_from([known for known in self.values if known[1][1:] == value[1][1:] and len(known[1])])
        )
        rank = len(value[1])
        shape = (value[1][0] + other[1][0], *value[1][1:])
        empty = f"%empty{len(self.lines)}"
        self.lines.append(f"{empty} = tensor.empty() : {tensor(shape)}")
        for start, part in ((0, value), (value[1][0], other)):
            dims = [AffineExpr.dimension(dim) for dim in range(rank)]
            write = AffineMap(rank, 0, (dims[0] + start, *dims[1:]))
            into = f"into({empty} : {tensor(shape)})"
            self.generic(part[1], [(part, identity(rank))], write, shape, "%r = arith.constant 0.0 : f32", into=into)
            self.lines[-1] = self.lines[-1].replace("%r = arith.constant 0.0 : f32\nrop.yield %r", "rop.yield %e0")
            empty = self.values[-1][0]
            if start == 0:
                self.values.pop()

    def text(self) -> str:
        results = [self.values[-1], *self.draw(st.lists(st.sampled_from(self.values), max_size=2))]
        arguments = ", ".join(f"%a{number}: {tensor(shape)}" for number, shape in enumerate(self.arguments))
        types = ", ".join(tensor(shape) for _, shape in results)
        names = ", ".join(name for name, _ in results)
        body = "\n".join(self.lines)
        return f"func.func @main({arguments}) -> ({types}) {{\n{body}\nfunc.return {names} : {types}\n}}"


STEPS = (
    Program.transpose,
    Program.reshape,
    Program.slice,
    Program.pad,
    Program.expand,
    Program.unary,
    Program.unary,
    Program.binary,
    Program.reduce,
    Program.window,
    Program.window,
    Program.product,
    Program.grouped,
    Program.concatenate,
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    program = Program(draw)
    for shape in draw(st.lists(st.sampled_from([(2, 3), (4,), (2, 2, 3), (3, 2)]), min_size=1, max_size=2)):
        program.values.append(program.argument(shape))
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=9)):
        if max(prod(shape) for _, shape in program.values) <= 400:
            step(program)
    if not program.lines:
        program.unary()
    return program.text()


def assert_fused(module: ModuleOp) -> None:
    """Every generic is in an operator, each operator is a legal group."""
    for op in module.walk():
        if isinstance(op, GenericOp):
            assert isinstance(op.parent_op(), OperatorOp | WeightOp)
        if isinstance(op, OperatorOp):
            assert is_legal(generics_of(op), 16384)


@settings(max_examples=100, deadline=None)
@given(programs(), st.sampled_from(PIPELINES))
def test_random_programs(text: str, pipeline: str) -> None:
    module = check_pass(text, pipeline)
    if "fuse-operators" in pipeline or pipeline == "optimize-rop":
        assert_fused(module)


STATES = {
    # Two states, one of them a result; an unchanged one; two that change places; a result that is no state.
    "update": ("%new, %sum", "%new"),
    "unchanged": ("%h, %sum", "%h"),
    "swapped": ("%c, %h", "%new"),
    "separate": ("%new, %c", "%sum"),
    "twice": ("%new, %sum", "%new, %new"),
}


def scan_program(yielded: str, results: str, length: str, reverse: str) -> str:
    count = results.count(",") + 1
    row, rows = tensor((2, 3)), tensor((4, 2, 3))
    outputs = ", ".join(f"%all{number}" for number in range(count))
    types = ", ".join([row, row, *[rows] * count])
    steps = ", ".join([row] * (2 + count))
    argument = "" if length else ", %n: index"
    maps = ", ".join(["affine_map<(i, j) -> (i, j)>"] * 5)
    return f"""
    func.func @main(%x: {rows}, %h0: {row}, %c0: {row}, %w: tensor<3x2xf32>{argument}) -> ({types}) {{
      {length}
      %wt = rop.generic bounds [2, 3] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
        ins(%w : tensor<3x2xf32>) {{
      ^bb0(%e: f32):
        rop.yield %e : f32
      }} -> {row}
      %hl, %cl, {outputs} = rop.scan %n {reverse} scanned(%x : {rows}) carried(%h0, %c0 : {row}, {row})
        captured(%wt : {row}) {{
      ^bb0(%t: index, %xt: {row}, %h: {row}, %c: {row}, %ws: {row}):
        %new, %sum = rop.generic bounds [2, 3] maps [{maps}, affine_map<(i, j) -> (i, j)>]
          ins(%xt, %h, %c, %ws : {row}, {row}, {row}, {row}) {{
        ^bb0(%p: f32, %q: f32, %r: f32, %s: f32):
          %0 = arith.mulf %q, %s : f32
          %1 = arith.addf %p, %0 : f32
          %2 = arith.subf %1, %r : f32
          rop.yield %2, %1 : f32, f32
        }} -> {row}, {row}
        rop.yield {yielded}, {results} : {steps}
      }} -> {types}
      func.return %hl, %cl, {outputs} : {types}
    }}"""


@pytest.mark.parametrize("pipeline", ["materialize-scan-state", "optimize-rop"])
@pytest.mark.parametrize("reverse", ["", "reverse"])
@pytest.mark.parametrize("length", [0, 1, 3, 4, None, -3])
@pytest.mark.parametrize("states", STATES)
def test_scans(states: str, length: int | None, reverse: str, pipeline: str) -> None:
    """A length that is given when the program runs, or (None and -3) a constant: that of the tensors, and 3 of it."""
    is_constant = length is None or length < 0
    constant = f"%n = arith.constant {4 if length is None else -length} : index" if is_constant else ""
    inputs = {} if is_constant else {4: np.asarray(length)}
    module = check_pass(scan_program(*STATES[states], constant, reverse), pipeline, inputs=inputs)
    (scan,) = (op for op in module.walk() if isinstance(op, ScanOp))
    assert not scan.scanned
    assert not scan.scanned_results


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) / 2


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("batch", [1, 2])
def test_lstm_has_one_operator_a_step(direction: str, batch: int) -> None:
    directions = 2 if direction == "bidirectional" else 1
    layers = [("x", 3), ("s", 4 * directions)]
    constants: dict[str, NDArray[Any]] = {"shape": np.array([5, batch, 4 * directions])}
    for layer, (_, inputs) in enumerate(layers):
        constants[f"w{layer}"] = normal(directions, 16, inputs, seed=layer)
        constants[f"r{layer}"] = normal(directions, 16, 4, seed=2 + layer)
        constants[f"b{layer}"] = normal(directions, 32, seed=4 + layer)
    nodes = [
        helper.make_node("LSTM", ["x", "w0", "r0", "b0"], ["y0"], hidden_size=4, direction=direction),
        helper.make_node("Transpose", ["y0"], ["t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["t", "shape"], ["s"]),
        helper.make_node("LSTM", ["s", "w1", "r1", "b1"], ["y1", "h1", "c1"], hidden_size=4, direction=direction),
    ]
    model = graph_model(nodes, {"x": normal(5, batch, 3)}, ["y1", "h1", "c1"], constants=constants)
    imported = import_model(model)
    weights = {name: np.asarray(imported.weights[name]) for name in imported.weights}
    module = check_pass(imported.module, "optimize-rop", weights=weights)
    assert_fused(module)
    scans = [op for op in module.walk() if isinstance(op, ScanOp)]
    assert len(scans) == 2 * directions
    for scan in scans:
        (operator,) = (op for op in scan.body.block.ops if isinstance(op, OperatorOp))
        gates, update = generics_of(operator)
        assert gates.bounds == (batch, 4, 4, 4)
        assert update.bounds == (batch, 4)
        assert len(update.into) == 2


def light_model(name: str) -> Path:
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"


def group_kinds(name: str) -> Counter[tuple[str, ...]]:
    """How many operators of an optimised model have which kinds of generics."""
    module = import_model(light_model(name)).module
    run_passes(new_context(), module, parse_pass_pipeline("optimize-rop"))
    assert_fused(module)
    assert not any(isinstance(op, GenericOp) and is_copy(op) for op in module.walk())
    return Counter(
        tuple(kind_of(generic).name for generic in generics_of(op))
        for op in module.walk()
        if isinstance(op, OperatorOp)
    )


def test_squeezenet() -> None:
    """26 convolutions with bias and activation, 3 pools, a global pool, softmax; no concatenation is left."""
    contraction, rows, pointwise = Kind.CONTRACTION.name, Kind.ROWS.name, Kind.ELEMENTWISE.name
    assert group_kinds("squeezenet") == {
        (contraction, pointwise, pointwise): 26,
        (contraction,): 3,
        (rows, pointwise): 1,
        (rows, pointwise, rows, pointwise): 1,
    }


def test_grouped_convolutions_take_their_epilogue_along() -> None:
    contraction, rows, pointwise = Kind.CONTRACTION.name, Kind.ROWS.name, Kind.ELEMENTWISE.name
    groups = group_kinds("bvlc_alexnet")
    assert groups[contraction, pointwise, pointwise] == 7
    assert groups[rows, pointwise, rows, pointwise] == 1
    assert all(kinds[0] in (contraction, rows) for kinds in groups)


UNSORTED = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4xf32>
  %b = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) {
  ^bb0(%e: f32):
    rop.yield %e : f32
  } -> tensor<4xf32>
  func.return %b : tensor<4xf32>
}
"""


def test_sorting_a_block() -> None:
    module = parse_module(new_context(), UNSORTED)
    first, second = (op for op in module.walk() if isinstance(op, GenericOp))
    block = first.parent
    assert block is not None
    assert depends_on(second.res[0], first)
    assert not depends_on(first.res[0], second)
    assert not depends_on(block.args[0], first)
    first.detach()
    block.insert_op_after(first, second)
    sort_block(block)
    assert list(block.ops)[:2] == [first, second]
    module.verify()


def test_ops_in_a_circle_cannot_be_sorted() -> None:
    module = parse_module(new_context(), UNSORTED)
    first, second = (op for op in module.walk() if isinstance(op, GenericOp))
    first.operands[0] = second.res[0]
    assert first.parent is not None
    with pytest.raises(ValueError, match="in a circle"):
        sort_block(first.parent)
