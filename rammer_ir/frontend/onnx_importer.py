"""ONNX models to the `rop` level."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FunctionType, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, OpResult, Region, SSAValue
from xdsl.transforms.dead_code_elimination import dce

from rammer_ir.errors import InvalidInputError, RammerError, UnsupportedModelError
from rammer_ir.frontend.element_types import dtype_of_onnx
from rammer_ir.frontend.folding import fold_node, is_foldable
from rammer_ir.frontend.graph_builder import GraphBuilder, name_location, renamed
from rammer_ir.frontend.hoisting import hoist_weight_computations
from rammer_ir.frontend.inference import infer_output_types
from rammer_ir.frontend.limits import checked_bytes
from rammer_ir.frontend.model_file import read_model_file
from rammer_ir.frontend.names import SymbolNames, identifier, quoted
from rammer_ir.frontend.node import Node, OutputType, unsupported_op
from rammer_ir.frontend.preparation import NO_SHAPES, PreparedModel, prepare_model, prepare_varying_model
from rammer_ir.frontend.registry import find_handler
from rammer_ir.frontend.schemas import normal_domain
from rammer_ir.frontend.storage_types import use_storage_types
from rammer_ir.frontend.value import Value
from rammer_ir.locations import set_location
from rammer_ir.weights.recipes import weight_ops, weights_read
from rammer_ir.weights.store import WeightStore

ENTRY = "main"
"""Symbol of the function that is the model."""


@dataclass(frozen=True)
class ImportedModel:
    """
    A model at the `rop` level.

    `module` holds `func.func @main`, whose arguments and results carry their names in the model as `rop.name`, and the
    weights; `weights` has the arrays of those with a hash (derived ones are computed by
    `rammer_ir.weights.recipes.evaluate_recipes`).
    """

    module: ModuleOp
    weights: WeightStore


def import_model(
    model: str | Path | onnx.ModelProto, *, name: str | None = None, shapes: Mapping[str, Sequence[int]] = NO_SHAPES
) -> ImportedModel:
    """
    Import an ONNX model, of a file or in memory. The module is called `name`; by default as the file, or the graph.

    `shapes` fixes those of inputs, by name.
    External data must lie in the file's folder. Raises InvalidInputError for files that cannot be read or break
    ONNX's rules, UnsupportedModelError for what has no counterpart (yet): ops, element types, varying shapes.
    """
    with _located(model):
        return import_prepared(_read(model, prepare_model, shapes), name or default_name(model))


def default_name(model: str | Path | onnx.ModelProto) -> str:
    """What a module is called unless it is named: as the file, or the graph."""
    return (model.graph.name if isinstance(model, onnx.ModelProto) else Path(model).stem) or "model"


def read_varying_model(
    model: str | Path | onnx.ModelProto, shapes: Mapping[str, Sequence[int]] = NO_SHAPES
) -> PreparedModel:
    """A model that is prepared, and not imported, because its shapes are not known yet; raises as `import_model`."""
    with _located(model):
        return _read(model, prepare_varying_model, shapes)


def _read(
    model: str | Path | onnx.ModelProto,
    prepare: Callable[[onnx.ModelProto, Path | None, Mapping[str, Sequence[int]]], PreparedModel],
    shapes: Mapping[str, Sequence[int]],
) -> PreparedModel:
    """The model, of a file or in memory, prepared."""
    if isinstance(model, onnx.ModelProto):
        return prepare(model, None, shapes)
    return prepare(read_model_file(Path(model)), Path(model).parent, shapes)


def import_prepared(model: PreparedModel, name: str) -> ImportedModel:
    """Import a prepared model; raises as `import_model`."""
    # Constants are what they are: infinite and undefined ones raise no warnings.
    with np.errstate(all="ignore"):
        return _Importer(model).run(name)


@contextmanager
def _located(model: str | Path | onnx.ModelProto) -> Generator[None]:
    """Errors without a location get that of the file."""
    try:
        yield
    except RammerError as error:
        if error.location is None and not isinstance(model, onnx.ModelProto):
            error.location = str(model)
        raise


class _Importer:
    def __init__(self, model: PreparedModel) -> None:
        self._model = model
        self._weights = WeightStore()
        self._symbols = SymbolNames(ENTRY)
        self._module = ModuleOp([])
        self._body = Block()
        self._builder = GraphBuilder(self._module.body.block, self._body, self._weights, self._symbols)
        self._values = {name: Value.of_array(name, array) for name, array in model.constants.items()}
        self._needed = {item for node in model.nodes for item in node.input} | set(model.outputs)

    def run(self, name: str) -> ImportedModel:
        self._module.sym_name = StringAttr(identifier(name))
        self._module.location = name_location(name)
        for value in self._model.inputs:
            self._add_input(value)
        for node in self._model.nodes:
            self._add_node(node)
        self._add_function([value.name for value in self._model.inputs], self._results())
        use_storage_types(self._module)
        hoist_weight_computations(self._module, self._symbols)
        dce(self._module)
        self._drop_unused_weights()
        return ImportedModel(self._module, self._weights)

    def _add_input(self, info: onnx.ValueInfoProto) -> None:
        what = f"input {quoted(info.name)}"
        if not info.type.HasField("tensor_type"):
            raise UnsupportedModelError(f"{what} is no tensor, which is not supported")
        tensor = info.type.tensor_type
        shape = _static_shape(tensor, what)
        dtype = dtype_of_onnx(tensor.elem_type, what)
        checked_bytes(shape, dtype.itemsize, what)
        _refuse_empty(shape, what)
        argument = self._body.insert_arg(Value(info.name, dtype, shape).type, len(self._body.args))
        argument.location = name_location(info.name)
        self._values[info.name] = renamed(Value.of_ssa(info.name, argument), info.name)

    def _add_node(self, proto: onnx.NodeProto) -> None:
        opsets = self._model.opsets
        inputs = [self._values[item] if item else None for item in proto.input]
        types = infer_output_types(proto, opsets, inputs)
        outputs: Sequence[Value | None] | None = None
        is_given = any(item in self._model.given for item in proto.input)
        if not is_given and is_foldable(proto, opsets, inputs, types):
            outputs = self._fold(proto, inputs, types)
        if outputs is None:
            outputs = self._import(proto, inputs, types)
        for item, value in zip(proto.output, outputs, strict=False):
            if item and value is not None:
                self._values[item] = renamed(value, item)

    def _fold(
        self, proto: onnx.NodeProto, inputs: Sequence[Value | None], types: Sequence[OutputType | None]
    ) -> Sequence[Value | None] | None:
        for item, output in zip(proto.output, types, strict=True):
            shape = None if output is None else output.static_shape
            if output is not None and shape is not None:
                what = f"value {quoted(item)}"
                self._model.loader.reserve(checked_bytes(shape, output.dtype.itemsize, what), what)
        arrays = fold_node(proto, self._model.opsets, inputs)
        if arrays is None:
            return None
        return [
            None if array is None else Value.of_array(item, array)
            for item, array in zip(proto.output, arrays, strict=True)
        ]

    def _import(
        self, proto: onnx.NodeProto, inputs: Sequence[Value | None], types: Sequence[OutputType | None]
    ) -> Sequence[Value | None]:
        domain = normal_domain(proto.domain)
        opset = self._model.opsets.get(domain, 1)
        handler = find_handler(domain, proto.op_type, opset)
        if handler is None:
            raise unsupported_op(proto, opset)
        node = Node(proto, opset, inputs, types, [bool(item) and item in self._needed for item in proto.output])
        for value in inputs:
            if value is not None and value.ssa is not None:
                _refuse_empty(value.shape, f"value {quoted(value.name)}")
        self._builder.enter(node.label)
        try:
            results = handler(node, self._builder)
        except RammerError as error:
            if error.location is None:
                error.location = f"node {quoted(node.label)}"
            raise
        outputs = [results] if isinstance(results, Value) else list(results)
        node.refuse_outputs_from(len(outputs))
        _check_types(node, outputs)
        return outputs

    def _results(self) -> list[SSAValue]:
        """The outputs; those that no op of its own computes are copied, so that each is a tensor of its own."""
        results: list[SSAValue] = []
        for item in self._model.outputs:
            value = self._values[item]
            _refuse_empty(value.shape, f"output {quoted(item)}")
            is_own = value.ssa is not None and isinstance(value.ssa, OpResult) and value.ssa not in results
            if not is_own:
                self._builder.enter(item)
                value = self._builder.copy(value)
            results.append(self._builder.read(value))
        return results

    def _add_function(self, inputs: Sequence[str], results: Sequence[SSAValue]) -> None:
        self._body.add_op(ReturnOp(*results))
        function = FuncOp(
            ENTRY,
            FunctionType.from_lists(list(self._body.arg_types), [result.type for result in results]),
            Region(self._body),
            arg_attrs=_names(inputs),
            res_attrs=_names(self._model.outputs),
        )
        self._module.body.block.add_op(function)
        set_location(self._module, self._module.location)

    def _drop_unused_weights(self) -> None:
        ops = weight_ops(self._module)
        function = self._module.body.block.last_op
        assert function is not None
        used = weights_read(function)
        for symbol in used:  # Grows while it is walked: recipes read weights too.
            used += [source for source in weights_read(ops[symbol]) if source not in used]
        for symbol, op in ops.items():
            if symbol not in used:
                op.detach()
                op.erase()
        self._weights.retain(used)


def _names(names: Sequence[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({"rop.name": StringAttr(name)}) for name in names])


def _static_shape(tensor: onnx.TypeProto.Tensor, what: str) -> tuple[int, ...]:
    if not tensor.HasField("shape"):
        raise UnsupportedModelError(f"{what} has no shape; shapes that vary are not supported: give it a fixed one")
    for dim in tensor.shape.dim:
        if not dim.HasField("dim_value"):
            name = f"dimension {quoted(dim.dim_param)}" if dim.dim_param else "a dimension without an extent"
            raise UnsupportedModelError(f"{what} has {name}; shapes that vary are not supported: give it an extent")
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _refuse_empty(shape: Sequence[int], what: str) -> None:
    if 0 in shape:
        raise UnsupportedModelError(f"{what} has no elements (shape {list(shape)}), which is not supported")


def _check_types(node: Node, outputs: Sequence[Value | None]) -> None:
    for value, inferred in zip(outputs, node.output_types, strict=False):
        if value is None or inferred is None:
            continue
        shape = value.shape if inferred.shape is None else inferred.shape
        fits = len(shape) == value.rank and all(
            extent in (None, actual) for extent, actual in zip(shape, value.shape, strict=True)
        )
        if not fits or inferred.dtype != value.dtype:
            raise InvalidInputError(
                f"{quoted(node.op_type)[1:-1]} gives {value.dtype}{list(value.shape)}, "
                f"but ONNX infers {inferred.dtype}{list(shape)}",
                location=f"node {quoted(node.label)}",
            )
