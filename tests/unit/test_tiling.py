"""How operators are cut: task dimensions, boxes, sizes of tiles, contractions and their packed weights."""

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import AffineMapAttr, ModuleOp
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import OperatorOp, TilingAttr, tensor_type
from rammer_ir.dialects.rtask import BoxAttr
from rammer_ir.indexing.sums import additive_terms, sum_of
from rammer_ir.interpreters.rop import evaluate_recipe
from rammer_ir.lowering.bodies.contraction_columns import StagedColumns
from rammer_ir.lowering.bodies.contraction_rows import StagedRows
from rammer_ir.lowering.bodies.contraction_shape import ContractionShape
from rammer_ir.lowering.bodies.vector_panel import VectorPanel
from rammer_ir.parsing import parse_module
from rammer_ir.testing import operators
from rammer_ir.tiling.boxes import touched_box, union_box
from rammer_ir.tiling.contraction import Contraction, match_contraction
from rammer_ir.tiling.exact_tiles import writes_exactly
from rammer_ir.tiling.k_blocks import block_of_k, blocks_of_a_tap, k_of_row
from rammer_ir.tiling.packed_weight import PackedWeight
from rammer_ir.tiling.strips import Extents, strips
from rammer_ir.tiling.task_dimensions import generics_of, task_dimensions
from rammer_ir.tiling.tile_sizes import (
    CUDA_BLOCKS,
    CUDA_ROW_BLOCKS,
    HOST_BLOCKS,
    THREADS,
    contraction_tiles,
    generic_tiles,
    rectangle,
)

Index = tuple[int, ...]


def module_of(text: str) -> ModuleOp:
    module = parse_module(new_context(), text)
    module.verify()
    return module


def operator_in(module: ModuleOp) -> OperatorOp:
    return next(op for op in module.walk() if isinstance(op, OperatorOp))


def indices(extents: Sequence[int]) -> list[Index]:
    return list(product(*map(range, extents)))


# Expressions.


@st.composite
def expressions(draw: st.DrawFn, dims: int, symbols: int, *, is_linear: bool = False) -> AffineExpr:
    """A sum of a few terms: multiples, quotients and remainders of dims and symbols."""
    variables = [*map(AffineExpr.dimension, range(dims)), *map(AffineExpr.symbol, range(symbols))]
    terms: list[AffineExpr] = [AffineExpr.constant(draw(st.integers(-6, 6)))]
    for _ in range(draw(st.integers(0, 3))):
        term = draw(st.sampled_from(variables)) * draw(st.integers(-3, 5))
        kind = "plain" if is_linear else draw(st.sampled_from(["plain", "plain", "quotient", "remainder"]))
        if kind != "plain":
            term = term + draw(st.sampled_from(variables)) + draw(st.integers(0, 3))
            divisor = draw(st.integers(2, 4))
            term = term // divisor if kind == "quotient" else term % divisor
        terms.append(term)
    return sum_of(terms)


@given(expressions(2, 1), st.tuples(st.integers(0, 7), st.integers(0, 7)), st.integers(0, 7))
def test_terms_add_up_to_the_expression(expression: AffineExpr, dims: Index, symbol: int) -> None:
    terms = list(additive_terms(expression * 3))
    assert sum(term.eval(dims, (symbol,)) for term in terms) == 3 * expression.eval(dims, (symbol,))
    assert sum_of(terms).eval(dims, (symbol,)) == 3 * expression.eval(dims, (symbol,))


def test_terms_of_a_product_are_products() -> None:
    d0, d1 = AffineExpr.dimension(0), AffineExpr.dimension(1)
    assert list(additive_terms((d0 + d1 // 2) * 4)) == [d0 * 4, (d1 // 2) * 4]
    assert list(additive_terms(AffineExpr.constant(5))) == [AffineExpr.constant(5)]
    assert sum_of([]) == AffineConstantExpr(0)


# Boxes.

SHAPE = (7, 9)
GRID = (3, 2)
BOUNDS = (3, 4)
LOOP_INDICES = range(3)


def touched(affine_map: AffineMap, task: Index, loop: Index) -> set[Index]:
    """The elements of the tensor that a task touches."""
    found = {affine_map.eval(point, (*task, *loop)) for point in indices(BOUNDS)}
    return {
        tuple(place) for place in found if all(0 <= index < extent for index, extent in zip(place, SHAPE, strict=True))
    }


def elements(box: BoxAttr, task: Index, loop: Index) -> set[Index]:
    """The elements of the tensor in a box."""
    origin = box.origin.data.eval(task, loop)
    ranges = [
        range(max(low, 0), min(low + size, extent)) for low, size, extent in zip(origin, box.sizes, SHAPE, strict=True)
    ]
    return set(product(*ranges))


def is_interval(found: set[Index]) -> bool:
    """Whether a set of elements is a box itself."""
    spans = [range(min(column), max(column) + 1) for column in zip(*found, strict=True)]
    return found == set(product(*spans))


@settings(max_examples=150)
@given(st.data(), st.integers(0, 1))
def test_a_box_holds_what_a_task_touches(data: st.DataObject, loops: int) -> None:
    affine_map = AffineMap(2, 2 + loops, tuple(data.draw(expressions(2, 2 + loops)) for _ in SHAPE))
    box = touched_box(affine_map, BOUNDS, SHAPE, GRID, loops)
    for task, loop in product(indices(GRID), product(LOOP_INDICES, repeat=loops)):
        assert touched(affine_map, task, loop) <= elements(box, task, loop)


@settings(max_examples=150)
@given(st.data(), st.integers(0, 1))
def test_a_box_of_a_tile_of_plain_loops_is_exact(data: st.DataObject, loops: int) -> None:
    """Tiles of plain loops, at positions that move with task and loop index in any linear way."""
    positions = [data.draw(expressions(0, 2 + loops, is_linear=True)) for _ in SHAPE]
    results = [AffineExpr.dimension(dim) + position for dim, position in enumerate(positions)]
    affine_map = AffineMap(2, 2 + loops, tuple(results))
    box = touched_box(affine_map, BOUNDS, SHAPE, GRID, loops)
    for task, loop in product(indices(GRID), product(LOOP_INDICES, repeat=loops)):
        found = touched(affine_map, task, loop)
        if found:
            assert is_interval(found)
            assert elements(box, task, loop) == found


@settings(max_examples=100)
@given(st.data())
def test_the_union_of_boxes_holds_both(data: st.DataObject) -> None:
    boxes = [
        BoxAttr(
            AffineMapAttr(AffineMap(2, 1, tuple(data.draw(expressions(2, 1, is_linear=True)) for _ in SHAPE))),
            [data.draw(st.integers(1, 5)) for _ in SHAPE],
        )
        for _ in range(2)
    ]
    union = union_box(boxes[0], boxes[1], SHAPE)
    for task, loop in product(indices(GRID), LOOP_INDICES):
        both = elements(boxes[0], task, (loop,)) | elements(boxes[1], task, (loop,))
        assert both <= elements(union, task, (loop,))


def test_the_union_of_boxes_that_move_alike_is_the_smallest() -> None:
    d0 = AffineExpr.dimension(0)
    left = BoxAttr(AffineMapAttr(AffineMap(1, 0, (d0 * 2, d0 * 2 + 1))), [2, 3])
    right = BoxAttr(AffineMapAttr(AffineMap(1, 0, (d0 * 2 + 3, d0 * 2))), [1, 1])
    union = union_box(left, right, SHAPE)
    assert union.sizes == (4, 4)
    assert union.origin.data.eval([1], []) == (2, 2)


def test_what_moves_differently_widens_to_the_whole_dimension() -> None:
    d0 = AffineExpr.dimension(0)
    left = BoxAttr(AffineMapAttr(AffineMap(1, 0, (d0 * 2, d0))), [2, 3])
    right = BoxAttr(AffineMapAttr(AffineMap(1, 0, (d0 * 3, d0))), [2, 3])
    union = union_box(left, right, SHAPE)
    assert union.sizes == (7, 3)
    assert union.origin.data.eval([2], []) == (0, 2)


# Task dimensions.


def dimensions(text: str) -> list[tuple[tuple[int, ...], int]]:
    return [(dimension.loops, dimension.extent) for dimension in task_dimensions(operator_in(module_of(text)))]


def test_all_parallel_loops_of_a_convolution_and_what_follows_are_shared() -> None:
    found = dimensions(operators.convolution(batch=2, groups=3, channels=4, filters=5, size=(6, 7), pad=1))
    assert found == [((0, 0), 2), ((1, 1), 3), ((2, 2), 5), ((3, 3), 6), ((4, 4), 7)]


def test_rows_alone_are_shared_by_what_reduces_them() -> None:
    assert dimensions(operators.softmax(8, 30)) == [((0, 0, 0, 0), 8)]


def test_a_window_of_what_the_operator_makes_is_not_cut() -> None:
    text = """
    func.func @main(%a: tensor<4x9xf32>) -> tensor<4x7xf32> {
      %r = rop.operator ins(%a : tensor<4x9xf32>) {
      ^bb0(%x: tensor<4x9xf32>):
        %s = rop.generic bounds [4, 9] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
            ins(%x : tensor<4x9xf32>) {
        ^bb1(%p: f32):
          rop.yield %p : f32
        } -> tensor<4x9xf32>
        %t = rop.generic bounds [7, 4, 3] maps [affine_map<(j, i, k) -> (i, j + k)>, affine_map<(j, i, k) -> (i, j)>]
            reduce [add] ins(%s : tensor<4x9xf32>) {
        ^bb1(%p: f32):
          rop.yield %p : f32
        } -> tensor<4x7xf32>
        rop.yield %t : tensor<4x7xf32>
      } -> tensor<4x7xf32>
      func.return %r : tensor<4x7xf32>
    }
    """
    assert dimensions(text) == [((0, 1), 4)]


# Sizes of tiles.


@given(st.lists(st.integers(1, 300), min_size=1, max_size=3), st.integers(1, 300))
def test_a_rectangle_fits_and_its_tiles_are_alike(extents: list[int], capacity: int) -> None:
    sizes = rectangle(extents, capacity)
    assert prod(sizes) <= capacity
    for extent, size in zip(extents, sizes, strict=True):
        assert 1 <= size <= extent
        tasks = -(-extent // size)
        assert tasks * size - extent < tasks, "some tile could have been smaller"


@given(
    st.sampled_from(["cuda", "host"]),
    st.lists(st.integers(1, 200), min_size=1, max_size=2),
    st.integers(1, 300),
    st.booleans(),
)
def test_tiles_of_contractions_are_blocks(kind: str, m: list[int], n: int, rows: bool) -> None:
    tiles = contraction_tiles(kind, m, n, rows=rows)
    assert tiles
    assert len({(tile.tile_m, tile.block[1]) for tile in tiles}) == len(tiles), "only idle rows differ"
    for tile in tiles:
        block_m, block_n, block_k = tile.block
        assert prod(tile.tile_m) <= block_m
        assert tile.tile_n == min(n, block_n)
        if kind == "cuda":
            assert ContractionShape(block_m, block_n, block_k, tile.slices, THREADS[kind], 3).fits


@given(st.lists(st.integers(1, 200), min_size=1, max_size=2), st.integers(1, 300))
def test_a_core_computes_few_columns_beyond_those_of_a_contraction(m: list[int], n: int) -> None:
    tiles = contraction_tiles("host", m, n, rows=False)
    assert tiles
    for tile in tiles:
        assert -(-n // tile.block[1]) * tile.block[1] < n + 16


def test_blocks_that_are_considered_fit_their_threads() -> None:
    for (block_m, block_n, block_k), slices in CUDA_BLOCKS:
        shape = ContractionShape(block_m, block_n, block_k, slices, THREADS["cuda"], 3)
        assert shape.fits
        assert StagedColumns.fits(shape)
    for (block_m, block_n, block_k), slices in CUDA_ROW_BLOCKS:
        for rows in (block_m, block_m * 7 // 8):
            shape = ContractionShape(rows, block_n, block_k, slices, THREADS["cuda"], 3)
            assert shape.fits
            assert StagedRows.fits(shape)


@given(st.sampled_from(HOST_BLOCKS), st.integers(0, 1024))
def test_sums_of_a_panel_fit_the_vector_registers(block: tuple[tuple[int, int, int], int], registers: int) -> None:
    (_, block_n, _), _ = block
    panel = VectorPanel.of(block_n, registers)
    assert panel.rows >= 1
    assert block_n % panel.columns == 0
    assert panel.columns == panel.vectors * panel.width
    assert (panel.rows + 1) * panel.columns + panel.width <= max(registers, 128)


SHAPES = st.builds(
    ContractionShape,
    block_m=st.sampled_from([7, 8, 14, 16, 24, 28, 32, 56, 64, 112, 128]),
    block_n=st.sampled_from([4, 8, 16, 24, 32, 48, 64, 128]),
    block_k=st.sampled_from([8, 12, 32]),
    slices=st.sampled_from([1, 2, 3, 4, 8]),
    threads=st.sampled_from([16, 24, 64, 128, 256]),
    stages=st.just(3),
)


@settings(max_examples=300)
@given(SHAPES)
def test_threads_that_fit_a_block_share_it_without_gaps(shape: ContractionShape) -> None:
    if not shape.fits:
        return
    assert len({place_of(shape, thread) for thread in range(shape.slice_threads)}) == shape.slice_threads
    assert shape.slice_threads * shape.slices == shape.threads
    assert shape.threads_m * shape.thread_m == shape.block_m
    assert shape.slice_rows * shape.slices == shape.block_k
    assert shape.elements * shape.threads == shape.block_m * shape.block_n


def place_of(shape: ContractionShape, thread: int) -> tuple[int, int]:
    """Where the body puts a thread of a slice: two lanes along N, then lanes along M, then along N; warps likewise."""
    warp, lane = divmod(thread, 32)
    warps_m = shape.threads_m // shape.warp_m
    m = warp % warps_m * shape.warp_m + lane // 2 % shape.warp_m
    n = warp // warps_m * (32 // shape.warp_m) + lane // (2 * shape.warp_m) * 2 + lane % 2
    assert m < shape.threads_m
    assert n < shape.threads_n
    return m, n


LOOPS = st.lists(st.tuples(st.integers(1, 500), st.booleans()), max_size=4)


@given(LOOPS, st.integers(1, 200), st.integers(1, 5000), st.integers(0, 5000))
def test_generic_tiles_divide_where_they_must(
    loops: list[tuple[int, bool]], veus: int, work: int, handed_on: int
) -> None:
    extents, divide = [extent for extent, _ in loops], [flag for _, flag in loops]
    best, whole = generic_tiles(extents, divide, veus, work, handed_on)
    assert whole == tuple(extents)
    assert prod(best) * max(handed_on, 1) <= 16384
    for sizes in (best, whole):
        assert all(1 <= size <= extent for size, extent in zip(sizes, extents, strict=True))
        assert all(extent % size == 0 for size, (extent, exact) in zip(sizes, loops, strict=True) if exact)


@given(LOOPS, st.integers(1, 200), st.integers(1, 5000), st.integers(0, 5000), st.booleans(), st.integers(1, 5))
def test_strips_divide_where_they_must(
    loops: list[tuple[int, bool]], veus: int, steps: int, handed_on: int, is_contiguous: bool, length: int
) -> None:
    sizes, divide = tuple(extent for extent, _ in loops), tuple(flag for _, flag in loops)
    windows = ((2, length),) * len(loops)
    found = strips(Extents(sizes, divide, steps, handed_on, is_contiguous, windows), veus)
    assert found[-1] == (1,) * len(sizes)
    for strip in found:
        assert all(1 <= size <= extent for size, extent in zip(strip, sizes, strict=True))
        assert all(extent % size == 0 for size, (extent, exact) in zip(strip, loops, strict=True) if exact)
        assert prod(strip) * handed_on <= 16384 or prod(strip) == 1


RESHAPE = """
func.func @reshape(%x: tensor<5x{elements}xf32>) -> tensor<5x{rows}x{columns}xf32> {{
  %y = rop.operator ins(%x : tensor<5x{elements}xf32>) {{
  ^bb0(%a: tensor<5x{elements}xf32>):
    %r = rop.generic bounds [5, {elements}]
        maps [affine_map<(n, e) -> (n, e)>, affine_map<(n, e) -> (n, e floordiv {columns}, e mod {columns})>]
        ins(%a : tensor<5x{elements}xf32>) {{
    ^bb1(%p: f32):
      rop.yield %p : f32
    }} -> tensor<5x{rows}x{columns}xf32>
    rop.yield %r : tensor<5x{rows}x{columns}xf32>
  }} -> tensor<5x{rows}x{columns}xf32>
  func.return %y : tensor<5x{rows}x{columns}xf32>
}}
"""


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_tile_is_exact_if_what_each_task_writes_is_a_box(rows: int, columns: int, data: st.DataObject) -> None:
    elements = rows * columns
    size = data.draw(st.sampled_from([part for part in range(1, elements + 1) if elements % part == 0]))
    operator = operator_in(module_of(RESHAPE.format(elements=elements, rows=rows, columns=columns)))
    written = np.stack(np.divmod(np.arange(elements), columns)).reshape(2, -1, size)
    volumes = (np.ptp(written, axis=2) + 1).prod(axis=0)
    assert writes_exactly(operator, [1, size]) == bool((volumes == size).all())


def test_strips_give_all_units_a_task() -> None:
    """Images of [1, y, x, channel] and rows: as many tasks as vEUs at most, nearly all of them with one."""
    for sizes, steps, handed_on, is_contiguous, window in (
        ((1, 56, 56, 128), 9, 1, True, (1, 3)),
        ((1, 14, 14, 1024), 1, 0, True, (1, 1)),
        ((1, 2048), 49, 1, True, (1, 1)),
        ((128,), 768, 768, False, (1, 1)),
    ):
        windows = tuple(window if extent == 56 else (1, 1) for extent in sizes)
        strip, *_ = strips(Extents(sizes, (False,) * len(sizes), steps, handed_on, is_contiguous, windows), 132)
        assert 100 <= prod(-(-extent // size) for extent, size in zip(sizes, strip, strict=True)) <= 132
        assert not is_contiguous or strip[-1] % 4 == 0


# Contractions.


def contraction_of(text: str) -> Contraction | None:
    return match_contraction(operator_in(module_of(text)))


def test_roles_of_a_convolution() -> None:
    text = operators.convolution(batch=2, groups=3, channels=20, filters=8, size=(6, 7), kernel=(3, 2), pad=1)
    assert contraction_of(text) == Contraction(
        x=0, w=1, m=(3, 4), n=2, batch=(0, 1), k=(6, 7, 5), checked=(2, 3), channels=True
    )


def test_few_channels_make_no_chunks_of_one_tap() -> None:
    found = contraction_of(operators.convolution(channels=15))
    assert found is not None
    assert (found.k, found.checked, found.channels) == ((5, 6, 7), (), False)


@pytest.mark.parametrize("weight_first", [False, True])
def test_roles_of_a_matrix_product(weight_first: bool) -> None:
    found = contraction_of(operators.matrix_product(m=9, n=10, k=20, batch=2, weight_first=weight_first))
    x, w = (1, 0) if weight_first else (0, 1)
    assert found == Contraction(x=x, w=w, m=(0, 1), n=2, batch=(), k=(3,), checked=(), channels=True)


PRODUCT = operators.matrix_product(m=9, n=10, k=20)


@pytest.mark.parametrize(
    "text",
    [
        operators.softmax(8, 30),
        operators.matrix_product(m=1, n=10, k=20),
        operators.matrix_product(m=9, n=1, k=20),
        operators.matrix_product(m=9, n=10, k=1),
        PRODUCT.replace("arith.mulf", "arith.addf"),
        PRODUCT.replace("reduce [add]", "reduce [maximum]"),
        PRODUCT.replace("f32", "f64"),
        PRODUCT.replace("rop.get_weight @w", '"test.op"()').replace('"test.op"() :', '"test.op"() : () ->'),
        operators.convolution(pad=1).replace("pad [0.0 : f32, unit]", "pad [1.0 : f32, unit]"),
        operators.matrix_product(m=2**16, n=10, k=2**16),
    ],
    ids=["rows", "vector", "one", "outer", "sum", "maximum", "double", "no-weight", "pad", "large"],
)
def test_what_is_no_contraction(text: str) -> None:
    assert contraction_of(text) is None


def test_a_weight_that_is_read_again_is_not_packed() -> None:
    text = """
    rop.weight @w : tensor<20x20xf32> hash "w"
    func.func @main() -> tensor<20x20xf32> {
      %w = rop.get_weight @w : tensor<20x20xf32>
      %r = rop.operator ins(%w : tensor<20x20xf32>) {
      ^bb0(%x: tensor<20x20xf32>):
        %s = rop.generic bounds [20, 20, 20]
            maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>]
            reduce [add] ins(%x, %x : tensor<20x20xf32>, tensor<20x20xf32>) {
        ^bb1(%p: f32, %q: f32):
          %m = arith.mulf %p, %q : f32
          rop.yield %m : f32
        } -> tensor<20x20xf32>
        rop.yield %s : tensor<20x20xf32>
      } -> tensor<20x20xf32>
      func.return %r : tensor<20x20xf32>
    }
    """
    assert contraction_of(text) is None


# Packed weights.


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(1, 5), st.booleans())
def test_blocks_of_k_hold_every_index_once(extents: list[int], block_k: int, channels: bool) -> None:
    dims = [AffineExpr.dimension(dim) for dim in range(len(extents))]
    place = AffineMap(len(extents), 0, block_of_k(dims, extents, block_k, channels=channels))
    back = AffineMap(
        2,
        0,
        tuple(k_of_row(AffineExpr.dimension(0), AffineExpr.dimension(1), extents, block_k, channels=channels)),
    )
    blocks = blocks_of_a_tap(extents, block_k) * prod(extents[:-1]) if channels else -(-prod(extents) // block_k)
    inside: list[Index] = []
    for block, row in indices([blocks, block_k]):
        k = back.eval([block, row], [])
        if all(0 <= index < extent for index, extent in zip(k, extents, strict=True)):
            inside.append(tuple(k))
            assert place.eval(k, []) == (block, row)
    assert sorted(inside) == indices(extents)


CONTRACTIONS = st.one_of(
    st.builds(
        operators.convolution,
        groups=st.integers(1, 2),
        channels=st.sampled_from([3, 16, 19]),
        filters=st.integers(2, 11),
        kernel=st.tuples(st.integers(1, 3), st.integers(1, 2)),
        dilation=st.integers(1, 2),
        pad=st.integers(0, 1),
    ),
    st.builds(
        operators.matrix_product,
        m=st.integers(2, 5),
        n=st.integers(2, 19),
        k=st.integers(2, 40),
        is_transposed=st.booleans(),
        weight_first=st.booleans(),
    ),
)


@settings(max_examples=40)
@given(CONTRACTIONS, st.sampled_from([4, 8]), st.sampled_from([4, 16]))
def test_a_packed_weight_holds_every_element_once(text: str, block_k: int, block_n: int) -> None:
    operator = operator_in(module_of(text))
    contraction = match_contraction(operator)
    assert contraction is not None
    generic = generics_of(operator)[0]
    tiling = TilingAttr("contraction", generic.bounds, 64, block=(64, block_n, block_k))
    weight = PackedWeight.of(generic, contraction, tiling)

    source_type = tensor_type(generic.inputs[contraction.w])
    recipe = weight.recipe("source", "packed")
    module = module_of(f'rop.weight @source : {source_type} hash "s"')
    module.body.block.add_op(recipe)
    module.verify()
    shape = source_type.get_shape()
    source = np.arange(1, prod(shape) + 1, dtype=np.float32).reshape(shape)
    packed = evaluate_recipe(recipe, module, {"source": source})

    loops = np.indices(generic.bounds, sparse=False)
    places = weight.read_map().eval(list(loops), [])
    sources = generic.input_maps[contraction.w].data.eval(list(loops), [])
    np.testing.assert_array_equal(packed[tuple(places)], source[tuple(sources)])
    assert np.count_nonzero(packed) == source.size
    assert weight.description().chunks * block_k * block_n * weight.n_blocks * prod(packed.shape[:-4]) == packed.size
