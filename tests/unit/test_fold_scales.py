"""Scales and additions by weights go into the weights of contractions; what is computed stays the same."""

from collections.abc import Sequence

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from rammer_ir.context import new_context
from rammer_ir.demo.models import light_model
from rammer_ir.dialects.rop import GenericOp
from rammer_ir.frontend.onnx_importer import import_model
from rammer_ir.interpreters.comparison import Tolerance
from rammer_ir.pass_pipeline import parse_pass_pipeline, run_passes
from rammer_ir.testing.equivalence import check_pass
from rammer_ir.testing.onnx_models import graph_model

CHANNELS = 4
LINKS = (
    "BatchNormalization",
    "Mul",
    "Div",
    "Add",
    "Sub",
    "Neg",
    "left Sub",
    "left Mul",
    "scalar Mul",
    "Relu",
    "x + x",
)


def generics_of(module: ModuleOp) -> list[GenericOp]:
    """The generics of the function, without recipes."""
    return [
        op
        for function in module.ops
        if isinstance(function, FuncOp)
        for op in function.walk()
        if isinstance(op, GenericOp)
    ]


def multiplies_only(op: GenericOp) -> bool:
    """Whether an element-wise generic multiplies something."""
    return not op.reduction_dims() and any(isinstance(inner, arith.MulfOp) for inner in op.body.block.ops)


def network(groups: int, links: Sequence[str]) -> ModuleOp:
    """A convolution of some groups (0: the input itself), and element-wise operators behind it."""
    generator = np.random.default_rng(0)
    constants: dict[str, NDArray[np.float32]] = {}

    def constant(*shape: int) -> str:
        name = f"k{len(constants)}"
        constants[name] = generator.uniform(0.5, 1.5, shape).astype(np.float32)
        return name

    nodes: list[onnx.NodeProto] = []
    value = "x"
    if groups:
        inputs = [value, constant(CHANNELS, CHANNELS // groups, 2, 1), constant(CHANNELS)]
        nodes.append(helper.make_node("Conv", inputs, ["c"], "conv", group=groups, pads=[1, 0, 0, 0]))
        value = "c"
    for number, link in enumerate(links):
        op = link.split()[-1]
        if op == "BatchNormalization":
            inputs = [value, *(constant(CHANNELS) for _ in range(4))]
        elif op in ("Neg", "Relu"):
            inputs = [value]
        elif link == "x + x":
            op, inputs = "Add", [value, value]
        else:
            other = constant(1) if link.startswith("scalar") else constant(CHANNELS, 1, 1)
            inputs = [other, value] if link.startswith("left") else [value, other]
        nodes.append(helper.make_node(op, inputs, [f"v{number}"], f"node{number}"))
        value = f"v{number}"
    image = {"x": np.zeros((1, CHANNELS, 3, 2), np.float32)}
    return import_model(graph_model(nodes, image, [value], constants=constants)).module


@settings(max_examples=30)
@given(st.sampled_from([0, 1, 2, CHANNELS]), st.lists(st.sampled_from(LINKS), min_size=1, max_size=4))
def test_random_chains(groups: int, links: Sequence[str]) -> None:
    check_pass(network(groups, links), "fold-scales", tolerance=Tolerance(relative=1e-4, absolute=1e-4))


def test_no_batch_normalisation_is_left() -> None:
    module = import_model(light_model("shufflenet")).module
    assert sum(multiplies_only(op) for op in generics_of(module)) == 49
    run_passes(new_context(), module, parse_pass_pipeline("fold-scales"))
    assert not any(multiplies_only(op) for op in generics_of(module))
