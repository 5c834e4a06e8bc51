"""Views, Concat and Split against onnxruntime."""

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir.affine import AffineMap

from rammer_ir.dialects.rop import GenericOp
from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.indices import loop_dims, reshape_indices
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.indexing.ranges import extent_ranges, map_ranges
from rammer_ir.testing.onnx_models import check_import, graph_model, node_model


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(*items: int) -> NDArray[Any]:
    return np.array(items, np.int64)


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((2, 3, 4), (6, 4)),
        ((2, 3, 4), (2, -1)),
        ((2, 3, 4), (0, 0, 2, 2)),
        ((2, 3, 4), (4, 3, 2)),
        ((6, 4), (2, 3, 4, 1)),
        ((1, 1), (1,)),
        ((5,), (1, 5, 1)),
        ((4, 6), (8, 3)),
    ],
)
def test_reshape(shape: Any, target: Any) -> None:
    inputs = {"x": normal(*shape)}
    check_import(node_model("Reshape", inputs, constants={"shape": integers(*target)}), inputs)


@st.composite
def _shapes_of(draw: st.DrawFn, factors: list[int]) -> tuple[int, ...]:
    """Shapes with as many elements as the factors' product, dimensions of one element among them."""
    order = draw(st.permutations([*factors, 1, 1]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=4)))
    bounds = [0, *cuts, len(order)]
    return tuple(prod(order[start:end]) for start, end in pairwise(bounds))


_FACTORS = st.sampled_from([[2, 2, 3], [2, 2, 3, 3], [2, 2, 3, 5], [2, 2, 2, 2]])


@given(_FACTORS.flatmap(lambda factors: st.tuples(_shapes_of(factors), _shapes_of(factors))))
@settings(max_examples=200)
def test_reshape_indices(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    source, target = shapes
    index_map = AffineMap(len(target), 0, reshape_indices(source, target, loop_dims(len(target))))
    for values, extent in zip(map_ranges(index_map, extent_ranges(target)), source, strict=True):
        assert values.low >= 0
        assert values.high < extent
    grid: Any = np.indices(target)
    positions: Any = index_map.eval(list(grid), [])
    array = np.arange(prod(source)).reshape(source)
    assert np.array_equal(array[tuple(np.broadcast_to(p, target) for p in positions)], array.reshape(target))


def test_reshape_keeps_the_dimensions_that_stay() -> None:
    indices = reshape_indices((2, 3, 4, 5), (2, 12, 5), loop_dims(3))
    assert str(AffineMapAttr(AffineMap(3, 0, indices))) == (
        "affine_map<(d0, d1, d2) -> (d0, (d1 floordiv 4), (d1 mod 4), d2)>"
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_flatten(axis: int) -> None:
    inputs = {"x": normal(2, 3, 4)}
    check_import(node_model("Flatten", inputs, axis=axis), inputs)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axes", [(0,), (0, 2), (-1,), None])
def test_squeeze(opset: int, axes: Any) -> None:
    inputs = {"x": normal(1, 3, 1) if axes != (-1,) else normal(2, 3, 1)}
    if axes is None:
        model = node_model("Squeeze", inputs, opset=opset)
    elif opset < 13:
        model = node_model("Squeeze", inputs, opset=opset, axes=list(axes))
    else:
        model = node_model("Squeeze", inputs, opset=opset, constants={"axes": integers(*axes)})
    check_import(model, inputs)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axes", [(0,), (1, 3), (-1,)])
def test_unsqueeze(opset: int, axes: Any) -> None:
    inputs = {"x": normal(2, 3)}
    if opset < 13:
        model = node_model("Unsqueeze", inputs, opset=opset, axes=list(axes))
    else:
        model = node_model("Unsqueeze", inputs, opset=opset, constants={"axes": integers(*axes)})
    check_import(model, inputs)


@pytest.mark.parametrize("attributes", [{}, {"perm": [1, 0, 2]}, {"perm": [2, 0, 1]}, {"perm": [0, 1, 2]}])
def test_transpose(attributes: dict[str, Any]) -> None:
    inputs = {"x": normal(2, 3, 4)}
    check_import(node_model("Transpose", inputs, **attributes), inputs)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ((1,), (3,), (1,), None),
        ((1, 0), (4, 2), None, None),
        ((-2,), (1000,), (0,), None),
        ((0,), (-1,), (-1,), (2,)),
        ((-1,), (-1000,), (1,), (-1,)),
        ((3, 5), (0, 0), (0, 1), (-1, -2)),
        ((-1000,), (2**62,), (1,), (3,)),
    ],
)
def test_slice(starts: Any, ends: Any, axes: Any, steps: Any) -> None:
    inputs = {"x": normal(4, 6)}
    constants = {"starts": integers(*starts), "ends": integers(*ends)}
    order = ["x", "starts", "ends"]
    if axes is not None or steps is not None:
        order.append("" if axes is None else "axes")
    for name, items in (("axes", axes), ("steps", steps)):
        if items is not None:
            constants[name] = integers(*items)
    if steps is not None:
        order.append("steps")
    check_import(node_model("Slice", inputs, constants=constants, order=order), inputs)


def test_slice_by_attributes() -> None:
    inputs = {"x": normal(4, 6)}
    check_import(node_model("Slice", inputs, opset=9, starts=[1, -3], ends=[3, 100], axes=[0, 1]), inputs)


def test_empty_slice_is_refused() -> None:
    constants = {"starts": integers(3), "ends": integers(1)}
    with pytest.raises(UnsupportedModelError, match="leaves no elements"):
        import_model(node_model("Slice", {"x": normal(4)}, constants=constants))


def test_slice_by_computed_bounds_is_refused() -> None:
    inputs = {"x": normal(4), "starts": integers(1), "ends": integers(3)}
    with pytest.raises(UnsupportedModelError, match=r"op Slice \(opset 17\) needs constant starts"):
        import_model(node_model("Slice", inputs))


@pytest.mark.parametrize(("shape", "target"), [((3, 1), (3, 4)), ((3, 1), (2, 1, 4)), ((3,), (1,)), ((1,), (2, 3))])
def test_expand(shape: Any, target: Any) -> None:
    inputs = {"x": normal(*shape)}
    check_import(node_model("Expand", inputs, constants={"shape": integers(*target)}), inputs)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(axis: int) -> None:
    shapes = [[2, 3, 4] for _ in range(3)]
    for position, shape in enumerate(shapes):
        shape[axis] = position + 1
    inputs = {
        name: normal(*shape, seed=position) for position, (name, shape) in enumerate(zip("abc", shapes, strict=True))
    }
    check_import(node_model("Concat", inputs, axis=axis), inputs)


def test_concat_of_the_same_tensor_and_a_constant() -> None:
    inputs = {"x": normal(2, 3)}
    model = node_model("Concat", inputs, constants={"c": normal(2, 2)}, order=["x", "c", "x"], axis=1)
    check_import(model, inputs)


def test_concat_of_one() -> None:
    inputs = {"x": normal(2, 3)}
    check_import(node_model("Concat", inputs, axis=0), inputs)


def test_concat_of_shapes_that_do_not_fit() -> None:
    inputs = {"a": normal(2, 3), "b": normal(3, 4)}
    with pytest.raises(InvalidInputError, match="do not fit op Concat"):
        import_model(node_model("Concat", inputs, axis=0))


def test_split_in_equal_parts() -> None:
    inputs = {"x": normal(6, 2)}
    check_import(node_model("Split", inputs, outputs=("a", "b", "c")), inputs)
    check_import(node_model("Split", inputs, outputs=("a", "b"), opset=18, num_outputs=2), inputs)


def test_split_by_lengths() -> None:
    inputs = {"x": normal(2, 7)}
    constants = {"lengths": integers(1, 4, 2)}
    check_import(node_model("Split", inputs, constants=constants, outputs=("a", "b", "c"), axis=1), inputs)
    check_import(node_model("Split", inputs, outputs=("a", "b"), opset=11, axis=-1, split=[3, 4]), inputs)


def test_split_in_unequal_parts() -> None:
    inputs = {"x": normal(7, 2)}
    check_import(node_model("Split", inputs, outputs=("a", "b", "c"), opset=18, num_outputs=3), inputs)


def test_views_of_views() -> None:
    from onnx.helper import make_node

    inputs = {"x": normal(2, 8, 3, 3)}
    nodes = [
        make_node("Reshape", ["x", "grouped"], ["a"]),
        make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
        make_node("Reshape", ["b", "flat"], ["y"]),
    ]
    constants = {"grouped": integers(2, 2, 4, 3, 3), "flat": integers(2, 8, 3, 3)}
    imported = check_import(graph_model(nodes, inputs, ["y"], constants=constants), inputs)
    views = [op for op in imported.module.walk() if isinstance(op, GenericOp)]
    assert all(len(list(view.body.block.ops)) == 1 for view in views)
