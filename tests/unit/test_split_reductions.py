"""Products split into partial sums and their sum: what the operator computes, both kernels compute together."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.utils.hints import isa

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import OperatorOp, SplitAttr, TilingAttr, WeightOp, tensor_type
from rammer_ir.dialects.rtask import AlternativesOp, DispatchOp, KernelOp
from rammer_ir.errors import RammerError
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters import rop, rtask
from rammer_ir.interpreters.boxes import check_boxes
from rammer_ir.interpreters.comparison import Tolerance, describe_difference
from rammer_ir.interpreters.kernel_check import check_kernel
from rammer_ir.parsing import parse_module
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing import operators
from rammer_ir.tiling.split_reduction import SplitReduction
from rammer_ir.tiling.task_dimensions import generics_of

TOLERANCE = Tolerance(1e-4, 1e-4)

Array = NDArray[np.float32]


def run(module: ModuleOp, passes: str) -> ModuleOp:
    run_passes(new_context(), module, parse_pass_pipeline(passes))
    return module


def module_of(text: str) -> ModuleOp:
    return parse_module(new_context(), text)


def operator_in(module: ModuleOp) -> OperatorOp:
    return next(op for op in module.walk() if isinstance(op, OperatorOp))


def splits_of(operator: OperatorOp) -> Sequence[SplitAttr]:
    splits = operator.attributes.get("splits")
    return splits.data if isa(splits, ArrayAttr[SplitAttr]) else ()


def random_weights(module: ModuleOp) -> dict[str, Array]:
    generator = np.random.default_rng(1)
    weights = [op for op in module.ops if isinstance(op, WeightOp) and op.recipe is None]
    return {op.sym_name.data: generator.standard_normal(op.type.get_shape(), np.float32) for op in weights}


def random_inputs(module: ModuleOp) -> dict[int, Array]:
    generator = np.random.default_rng(2)
    operator = operator_in(module)
    (block,) = [operator.parent_block()]
    assert block is not None
    shapes = [tensor_type(argument).get_shape() for argument in block.args]
    return {number: generator.standard_normal(shape, np.float32) for number, shape in enumerate(shapes)}


def check(text: str) -> None:
    """All splits compute what the operator computes, and their bodies what their kernels compute."""
    before = module_of(text)
    after = run(before.clone(), "set-device{device=h100 veus=8},tile,split-reductions")
    assert splits_of(operator_in(after))
    run(after, "convert-rop-to-rtask").verify()
    weights, inputs = random_weights(before), random_inputs(before)
    (expected,) = rop.run_module(before, inputs, weights)
    (alternatives,) = [op for op in after.walk() if isinstance(op, AlternativesOp)]
    for number, candidate in enumerate(alternatives.candidates):
        if sum(isinstance(op, DispatchOp) for op in candidate.walk()) == 2:
            (found,) = rtask.run_module(after, inputs, weights, choice=lambda _, number=number: number)
            assert describe_difference(expected, found, TOLERANCE) is None
    split = [op for op in after.ops if isinstance(op, KernelOp) and "split" in op.sym_name.data]
    run(after, "convert-contraction-to-block,convert-matrix-vector-to-block,convert-generic-to-block")
    for kernel in split:
        check_boxes(kernel)
        check_kernel(after, kernel, tasks=[kernel.tasks - 1], tolerance=TOLERANCE)


def test_a_convolution_with_residual() -> None:
    check(operators.convolution(channels=128, filters=32, size=(5, 5), pad=1, residual=True))


def test_a_grouped_convolution() -> None:
    check(operators.convolution(groups=2, channels=64, filters=32, size=(5, 5), stride=2, pad=1))


def test_a_matrix_vector_product() -> None:
    check(operators.matrix_product(m=2, n=20, k=2048))


@settings(max_examples=4)
@given(st.sampled_from([2, 3, 4, 6]), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_any_number_of_parts(parts: int, m: int, n: int, is_transposed: bool) -> None:
    """Whatever tilings both kernels have."""
    text = operators.matrix_product(m=m, n=n, k=24, batch=2, is_transposed=is_transposed)
    operator = operator_in(module_of(text))
    (dim,) = generics_of(operator)[0].reduction_dims()
    split = SplitReduction.of(operator, dim, parts)
    tilings = [TilingAttr("generic", generics_of(made)[-1].bounds, 256) for made in (split.partial, split.total)]
    split.erase()
    before = module_of(text)
    after = before.clone()
    operator_in(after).attributes["tilings"] = ArrayAttr([TilingAttr("generic", [2, m, n], 256)])
    operator_in(after).attributes["splits"] = ArrayAttr([SplitAttr(dim, parts, tilings[0], tilings[1])])
    run(after, "convert-rop-to-rtask").verify()
    weights, inputs = random_weights(before), random_inputs(before)
    (expected,) = rop.run_module(before, inputs, weights)
    (found,) = rtask.run_module(after, inputs, weights, choice=lambda _: 1)
    assert describe_difference(expected, found, TOLERANCE) is None


def test_estimates_choose() -> None:
    """A few tiles with long sums are split, many tiles are not."""
    few = operators.convolution(channels=512, filters=512, size=(7, 7), pad=1)
    many = operators.convolution(channels=128, filters=128, size=(56, 56), pad=1)
    for text, is_split in ((few, True), (many, False)):
        module = run(
            module_of(text),
            "set-device{device=h100},tile,split-reductions,convert-rop-to-rtask,annotate-costs,select-kernels",
        )
        dispatches = [op for op in module.walk() if isinstance(op, DispatchOp)]
        assert (len(dispatches) == 2) == is_split


def test_strips_of_grouped_channels_do_not_interleave() -> None:
    """Channels are group * 192 + filter: a strip with part of each group would overlap others, as the proof says."""
    weight = numpy_helper.from_array(np.zeros((384, 192, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv", pads=[1, 1, 1, 1], group=2)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 384, 12, 12]) for name in ("x", "y")]
    graph = helper.make_graph([node], "grouped", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    module = run(import_model(model).module, "set-device{device=h100},persistent")
    names = [op.sym_name.data for op in module.ops if isinstance(op, KernelOp)]
    assert any(name.endswith("total") for name in names)


@pytest.mark.parametrize(("dim", "parts"), [(0, 2), (3, 5)])
def test_loops_that_cannot_be_split(dim: int, parts: int) -> None:
    """A loop that is not reduced, and one that the parts do not divide."""
    operator = operator_in(module_of(operators.matrix_product(k=24)))
    with pytest.raises(RammerError, match=f"loop {dim} can be split into {parts} equal parts"):
        SplitReduction.of(operator, dim, parts)


def test_what_is_no_product() -> None:
    operator = operator_in(module_of(operators.softmax(4, 16)))
    with pytest.raises(RammerError, match="no sum of products"):
        SplitReduction.of(operator, 1, 2)
