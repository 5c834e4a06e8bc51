"""A model made ready for import: checked, constants taken out, functions inlined, dead nodes dropped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import onnx
import onnx.checker
import onnx.defs

from rammer_ir.errors import InvalidInputError, UnsupportedModelError
from rammer_ir.frontend.element_types import Array, onnx_of_dtype
from rammer_ir.frontend.fixed_shapes import with_fixed_shapes
from rammer_ir.frontend.functions import expand_ops, inline_functions
from rammer_ir.frontend.names import first_line
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.frontend.subgraphs import names_read
from rammer_ir.frontend.tensors import TensorLoader
from rammer_ir.frontend.texts import check_texts


@dataclass(frozen=True)
class PreparedModel:
    """
    A model as the importer takes it.

    `nodes` are in an order of execution, and all of them are needed for `outputs`. `inputs` are those that a user
    gives; `constants` has the arrays of initializers and Constant nodes by name. `loader` reads further tensors.
    `given` names the constants that a user gave for one run: what is computed from them is never folded.
    `declared_outputs` is what the model says of the outputs' types.
    """

    nodes: Sequence[onnx.NodeProto]
    inputs: Sequence[onnx.ValueInfoProto]
    outputs: Sequence[str]
    constants: dict[str, Array]
    opsets: dict[str, int]
    loader: TensorLoader
    given: frozenset[str] = field(default_factory=frozenset[str])
    declared_outputs: Sequence[onnx.ValueInfoProto] = ()


NO_SHAPES: Final[Mapping[str, Sequence[int]]] = {}
"""Nothing is fixed."""


def prepare_model(
    model: onnx.ModelProto, folder: Path | None, shapes: Mapping[str, Sequence[int]] = NO_SHAPES
) -> PreparedModel:
    """
    Prepare a model; its external data must lie in `folder`. `shapes` fixes those of inputs. The model is not changed.

    Constants leave the model first, so that no later step copies them: the ONNX libraries work on serialised models.
    Functions of the model are inlined, and ops that only the ONNX standard's own function bodies can explain.
    Raises InvalidInputError for a model that breaks ONNX's rules, UnsupportedModelError for what cannot be imported.
    """
    return _prepared(model, folder, shapes, _expanded)


def prepare_varying_model(
    model: onnx.ModelProto, folder: Path | None, shapes: Mapping[str, Sequence[int]] = NO_SHAPES
) -> PreparedModel:
    """The same for a model whose shapes are not all known: ops that the standard defines by others stay as they are."""
    return _prepared(model, folder, shapes, _as_it_is)


_Expand: TypeAlias = Callable[[onnx.ModelProto, dict[str, int], AbstractSet[str]], onnx.ModelProto]


def _expanded(model: onnx.ModelProto, opsets: dict[str, int], constants: AbstractSet[str]) -> onnx.ModelProto:
    return expand_ops(model, opsets, constants)


def _as_it_is(model: onnx.ModelProto, opsets: dict[str, int], constants: AbstractSet[str]) -> onnx.ModelProto:
    return model


def _prepared(
    model: onnx.ModelProto, folder: Path | None, shapes: Mapping[str, Sequence[int]], expand: _Expand
) -> PreparedModel:
    check_texts(model)
    loader = TensorLoader(folder)
    if model.graph.sparse_initializer:
        raise UnsupportedModelError("sparse constants are not supported: store them as dense tensors")
    texts = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.STRING]
    numbers = [tensor for tensor in model.graph.initializer if tensor.data_type != onnx.TensorProto.STRING]
    constants = {tensor.name: loader.load(tensor, tensor.name) for tensor in numbers}
    skeleton = _without_constants(model, constants, texts, shapes)
    _check(skeleton)
    skeleton = inline_functions(skeleton)
    opsets = _opsets(skeleton)
    skeleton = expand(skeleton, opsets, constants.keys())
    nodes = list(skeleton.graph.node)
    outputs = [output.name for output in skeleton.graph.output]
    return PreparedModel(
        nodes=live_nodes(_take_constant_nodes(nodes, constants, loader), outputs),
        inputs=[value for value in skeleton.graph.input if value.name not in constants],
        outputs=outputs,
        constants=constants,
        opsets=opsets,
        loader=loader,
        declared_outputs=list(model.graph.output),
    )


def _opsets(model: onnx.ModelProto) -> dict[str, int]:
    opsets = {normal_domain(entry.domain): entry.version for entry in model.opset_import}
    newest = onnx.defs.onnx_opset_version()
    if opsets.get("", 1) > newest:
        raise UnsupportedModelError(f"the model uses opset {opsets['']}; the newest known is {newest}")
    return opsets


def _without_constants(
    model: onnx.ModelProto,
    constants: dict[str, Array],
    texts: Sequence[onnx.TensorProto],
    shapes: Mapping[str, Sequence[int]],
) -> onnx.ModelProto:
    """A copy of the model with constants as plain inputs, and those of strings as nodes; no number is copied."""
    skeleton = onnx.ModelProto(ir_version=model.ir_version)
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name
    graph.node.extend(onnx.helper.make_node("Constant", [], [text.name], value=text) for text in texts)
    graph.node.extend(model.graph.node)
    graph.output.extend(_typed_output(output) for output in model.graph.output)
    initialized = {tensor.name for tensor in model.graph.initializer}
    graph.input.extend(
        with_fixed_shapes([value for value in model.graph.input if value.name not in initialized], shapes)
    )
    for name, array in constants.items():
        graph.input.append(onnx.helper.make_tensor_value_info(name, onnx_of_dtype(array.dtype), array.shape))
    return skeleton


def _typed_output(output: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The output with some type and shape: the checker asks for what exporters leave out and inference finds."""
    kind = output.type.WhichOneof("value")
    if kind is not None and (kind != "tensor_type" or output.type.tensor_type.HasField("shape")):
        return output
    element = output.type.tensor_type.elem_type or onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor_value_info(output.name, element, ())


def _check(skeleton: onnx.ModelProto) -> None:
    try:
        cast("Any", onnx.checker).check_model(skeleton)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InvalidInputError(f"the model breaks ONNX's rules: {first_line(error)}") from error


def _take_constant_nodes(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, Array], loader: TensorLoader
) -> list[onnx.NodeProto]:
    """Moves tensors of Constant nodes to the constants; Constant nodes of numbers stay, and are folded later."""
    kept: list[onnx.NodeProto] = []
    for node in nodes:
        is_constant = node.op_type == "Constant" and not normal_domain(node.domain)
        value = next((attribute for attribute in node.attribute if attribute.name == "value"), None)
        if is_constant and value is not None and value.t.data_type != onnx.TensorProto.STRING:
            constants[node.output[0]] = loader.load(value.t, node.output[0])
        else:
            kept.append(node)
    return kept


def live_nodes(nodes: Sequence[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Those of the nodes, which are in an order of execution, that the outputs depend on."""
    needed = set(outputs)
    live: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if any(name in needed for name in node.output):
            needed.update(names_read(node))
            live.append(node)
    return live[::-1]
