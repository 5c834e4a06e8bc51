"""Whole models: files, constants, names, functions, provenance, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.helper import make_node
from xdsl.dialects.builtin import NameLoc
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from rammer_ir.context import new_context
from rammer_ir.dialects.rop import GenericOp, GetWeightOp, WeightOp
from rammer_ir.errors import InvalidInputError, RammerError, UnsupportedModelError
from rammer_ir.frontend import limits
from rammer_ir.frontend.model_file import read_model_file
from rammer_ir.frontend.onnx_importer import ImportedModel, import_model
from rammer_ir.parsing import parse_module
from rammer_ir.testing.onnx_models import check_import, graph_model, node_model

LIGHT_MODELS = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def ops_of(imported: ImportedModel, kind: type[Operation]) -> list[Operation]:
    return [op for op in imported.module.walk() if isinstance(op, kind)]


def mlp() -> onnx.ModelProto:
    nodes = [make_node("Gemm", ["x", "w"], ["h"], name="first"), make_node("Relu", ["h"], ["y"], name="second")]
    return graph_model(nodes, {"x": normal(2, 3)}, ["y"], constants={"w": normal(3, 4, seed=1)})


class TestFiles:
    def test_file(self, tmp_path: Path) -> None:
        path = tmp_path / "my model.onnx"
        path.write_bytes(mlp().SerializeToString())
        imported = import_model(path)
        assert imported.module.sym_name is not None
        assert imported.module.sym_name.data == "my_model"
        np.testing.assert_array_equal(imported.weights["w"], normal(3, 4, seed=1))
        assert import_model(str(path), name="other").module.sym_name != imported.module.sym_name

    @pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07", b"\x00" * 100])
    def test_no_model(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "bad.onnx"
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=r"bad\.onnx: .*(not an ONNX model|ONNX's rules)") as caught:
            import_model(path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    def test_truncated_file(self, tmp_path: Path, share: float) -> None:
        content = (LIGHT_MODELS / "light_squeezenet.onnx").read_bytes()
        path = tmp_path / "short.onnx"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(RammerError, match=r"short\.onnx: ") as caught:
            import_model(path)
        assert "\n" not in str(caught.value)

    def test_absent_file(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError, match=r"none\.onnx: cannot read the model: No such file"):
            import_model(tmp_path / "none.onnx")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError, match="cannot read the model: Is a directory"):
            import_model(tmp_path)

    def test_the_given_model_is_not_changed(self) -> None:
        model = mlp()
        before = model.SerializeToString()
        import_model(model)
        assert model.SerializeToString() == before


class TestExternalData:
    def save(self, folder: Path, **entries: str) -> Path:
        model = mlp()
        (tensor,) = model.graph.initializer
        (folder / "weights.bin").write_bytes(b"0123" + tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in ({"location": "weights.bin", "offset": "4", "length": "48"} | entries).items():
            tensor.external_data.add(key=key, value=value)
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    def test_is_mapped(self, tmp_path: Path) -> None:
        weights = import_model(self.save(tmp_path)).weights["w"]
        np.testing.assert_array_equal(weights, normal(3, 4, seed=1))
        base: Any = weights
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert base is not None

    @pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "sub/../../weights.bin", ""])
    def test_outside_of_the_folder(self, tmp_path: Path, location: str) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (tmp_path / "weights.bin").write_bytes(bytes(52))
        with pytest.raises(InvalidInputError, match="outside of the model's folder"):
            import_model(self.save(folder, location=location))

    def test_link_to_the_outside(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (tmp_path / "secret.bin").write_bytes(bytes(52))
        (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
        with pytest.raises(InvalidInputError, match="outside of the model's folder"):
            import_model(self.save(folder, location="link.bin"))

    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            ({"location": "none.bin"}, "needs the external file"),
            ({"offset": "8"}, r"needs 48 bytes at offset 8, but weights\.bin has 44"),
            ({"offset": "1" * 19}, "needs 48 bytes at offset"),
            ({"length": "40"}, "needs 48 bytes, but its external data has 40"),
            ({"offset": "-4"}, "must be a non-negative integer"),
            ({"length": "x"}, "must be a non-negative integer"),
            ({"location": "a\0b"}, "unusable external location"),
        ],
    )
    def test_damaged(self, tmp_path: Path, entries: dict[str, str], reason: str) -> None:
        with pytest.raises(InvalidInputError, match=reason):
            import_model(self.save(tmp_path, **entries))

    def test_without_a_folder(self, tmp_path: Path) -> None:
        model = read_model_file(self.save(tmp_path))
        with pytest.raises(InvalidInputError, match="give the model's path"):
            import_model(model)


class TestSizes:
    def damaged(self, dims: list[int]) -> onnx.ModelProto:
        model = mlp()
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)
        return model

    def test_data_that_do_not_fit(self) -> None:
        with pytest.raises(InvalidInputError, match=r'constant "w" needs 60 bytes for its shape \[3, 5\], but has 48'):
            import_model(self.damaged([3, 5]))

    def test_negative_extent(self) -> None:
        with pytest.raises(InvalidInputError, match="negative extent"):
            import_model(self.damaged([-3, -4]))

    def test_overflow(self) -> None:
        with pytest.raises(UnsupportedModelError, match="the limit is"):
            import_model(self.damaged([2**62, 2**62, 2]))

    def test_values_that_are_too_large(self) -> None:
        model = node_model("Expand", {"x": normal(1)}, constants={"s": np.array([2**40], np.int64)})
        with pytest.raises(UnsupportedModelError, match=r'value "y" takes 4398046511104 bytes; the limit is'):
            import_model(model)

    def test_constants_that_are_too_large_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MOST_CONSTANT_BYTES", 1000)
        nodes = [make_node("ConstantOfShape", ["s"], [f"c{i}"]) for i in range(3)]
        nodes.append(make_node("Sum", ["x", "c0", "c1", "c2"], ["y"]))
        model = graph_model(nodes, {"x": normal(100)}, ["y"], constants={"s": np.array([100], np.int64)})
        with pytest.raises(UnsupportedModelError, match="constants take more than 1000 bytes"):
            import_model(model)


class TestRefusals:
    def test_unsupported_op(self) -> None:
        model = node_model("NonZero", {"x": normal(2, 3)})
        with pytest.raises(UnsupportedModelError, match=r'^node "tested": op NonZero \(opset 17\) is not supported$'):
            import_model(model)

    def test_unnamed_node(self) -> None:
        model = graph_model([make_node("NonZero", ["x"], ["found"])], {"x": normal(2)}, ["found"])
        with pytest.raises(UnsupportedModelError, match=r'^node "NonZero\(found\)": op NonZero'):
            import_model(model)

    def test_op_of_another_domain(self) -> None:
        model = mlp()
        model.graph.node[1].domain = "com.example"
        model.opset_import.append(onnx.helper.make_opsetid("com.example", 3))
        with pytest.raises(UnsupportedModelError, match=r"op com\.example\.Relu \(opset 3\) is not supported"):
            import_model(model)

    def test_old_meaning_of_an_op(self) -> None:
        model = node_model("Reshape", {"x": normal(2)}, opset=4, shape=[2])
        with pytest.raises(UnsupportedModelError, match=r"op Reshape \(opset 4\) is not supported"):
            import_model(model)

    def test_newer_opset(self) -> None:
        model = mlp()
        model.opset_import[0].version = 1000
        with pytest.raises(RammerError, match="1000"):
            import_model(model)

    @pytest.mark.parametrize("extent", ["batch", None])
    def test_shapes_that_vary(self, extent: str | None) -> None:
        model = mlp()
        dim = model.graph.input[0].type.tensor_type.shape.dim[0]
        dim.ClearField("dim_value")
        if extent is not None:
            dim.dim_param = extent
        with pytest.raises(UnsupportedModelError, match=r'input "x" has .*; shapes that vary are not supported'):
            import_model(model)

    def test_shape_that_depends_on_data(self) -> None:
        inputs = {"x": normal(2, 3), "shape": np.array([3, 2], np.int64)}
        with pytest.raises(UnsupportedModelError, match=r"op Reshape \(opset 17\) has an output whose shape depends"):
            import_model(node_model("Reshape", inputs))

    def test_element_type(self) -> None:
        model = node_model("Identity", {"x": np.zeros(3, np.complex64)})
        with pytest.raises(UnsupportedModelError, match=r'value "x" has element type .*, which is not supported'):
            import_model(model)

    def test_types_that_do_not_go_together(self) -> None:
        model = mlp()
        model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.zeros((3, 4)), "w"))
        with pytest.raises(
            InvalidInputError, match=r'node "first": .* op Gemm .* a tensor\(double\) where another is a'
        ):
            import_model(model)

    def test_undefined_value(self) -> None:
        model = mlp()
        model.graph.node[1].input[0] = "nowhere"
        with pytest.raises(InvalidInputError, match=r"the model breaks ONNX's rules: .*nowhere"):
            import_model(model)

    def test_name_that_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        path.write_bytes(mlp().SerializeToString().replace(b"first", b"fir\xfft"))
        with pytest.raises(InvalidInputError, match="a name in it is not text"):
            import_model(path)

    def test_empty_tensor(self) -> None:
        with pytest.raises(UnsupportedModelError, match=r'input "x" has no elements \(shape \[0, 3\]\)'):
            import_model(node_model("Relu", {"x": normal(0, 3)}))


class TestConstants:
    def test_folding(self) -> None:
        nodes = [
            make_node("Shape", ["x"], ["s"]),
            make_node("Gather", ["s", "zero"], ["rows"]),
            make_node("Concat", ["rows", "rest"], ["shape"], axis=0),
            make_node("Reshape", ["x", "shape"], ["r"]),
            make_node("Constant", [], ["two"], value_float=2.0),
            make_node("Transpose", ["w"], ["t"]),
            make_node("Mul", ["t", "two"], ["scaled"]),
            make_node("MatMul", ["r", "scaled"], ["y"]),
        ]
        constants = {
            "zero": np.array([0], np.int64),
            "rest": np.array([-1], np.int64),
            "w": normal(5, 6, seed=1),
        }
        inputs = {"x": normal(4, 2, 3)}
        imported = check_import(graph_model(nodes, inputs, ["y"], constants=constants), inputs)
        assert list(imported.weights) == ["scaled"]
        assert len(ops_of(imported, GenericOp)) == 2

    def test_random_ops_are_not_folded(self) -> None:
        nodes = [make_node("RandomNormal", [], ["r"], shape=[3], seed=1.0), make_node("Add", ["x", "r"], ["y"])]
        imported = import_model(graph_model(nodes, {"x": normal(3)}, ["y"]))
        assert not imported.weights
        assert len(ops_of(imported, GenericOp)) == 2

    def test_undefined_constants_raise_no_warning(self) -> None:
        nodes = [make_node("Log", ["c"], ["l"]), make_node("Add", ["x", "l"], ["y"])]
        inputs = {"x": normal(2)}
        check_import(graph_model(nodes, inputs, ["y"], constants={"c": np.array([0, -1], np.float32)}), inputs)

    def test_initializers_that_are_inputs(self) -> None:
        model = mlp()
        model.ir_version = 3
        model.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [3, 4]))
        imported = check_import(model, {"x": normal(2, 3)})
        (function,) = ops_of(imported, FuncOp)
        assert isinstance(function, FuncOp)
        assert len(function.args) == 1

    def test_dead_nodes_and_weights_go(self) -> None:
        nodes = [
            make_node("MatMul", ["x", "unused"], ["dead"]),
            make_node("Dropout", ["x"], ["d"]),
            make_node("Identity", ["d"], ["i"]),
            make_node("Relu", ["i"], ["y"]),
            make_node("MatMul", ["x", "measured"], ["m"]),
            make_node("Shape", ["m"], ["s"]),
            make_node("Expand", ["y", "s"], ["z"]),
        ]
        constants = {"unused": normal(3, 3), "measured": normal(3, 3, seed=1)}
        inputs = {"x": normal(3, 3)}
        imported = check_import(graph_model(nodes, inputs, ["z"], constants=constants), inputs)
        assert len(ops_of(imported, GenericOp)) == 1
        assert not imported.weights
        assert not ops_of(imported, WeightOp)

    def test_a_weight_is_read_once(self) -> None:
        nodes = [make_node("MatMul", ["x", "w"], ["h"]), make_node("MatMul", ["h", "w"], ["y"])]
        inputs = {"x": normal(3, 3)}
        imported = check_import(graph_model(nodes, inputs, ["y"], constants={"w": normal(3, 3, seed=1)}), inputs)
        assert len(ops_of(imported, GetWeightOp)) == 1


class TestOutputs:
    def test_input_as_output(self) -> None:
        nodes = [make_node("Identity", ["x"], ["a"]), make_node("Identity", ["x"], ["b"])]
        imported = check_import(graph_model(nodes, {"x": normal(3)}, ["a", "b"]), {"x": normal(3)})
        assert len(ops_of(imported, GenericOp)) == 2

    def test_one_value_as_two_outputs(self) -> None:
        nodes = [make_node("Relu", ["x"], ["a"]), make_node("Identity", ["a"], ["b"])]
        imported = check_import(graph_model(nodes, {"x": normal(3)}, ["a", "b"]), {"x": normal(3)})
        assert len(ops_of(imported, GenericOp)) == 2

    def test_constant_as_output(self) -> None:
        nodes = [make_node("Relu", ["x"], ["a"]), make_node("Identity", ["c"], ["b"])]
        constants = {"c": np.array([1, 2], np.int64)}
        check_import(graph_model(nodes, {"x": normal(3)}, ["a", "b"], constants=constants), {"x": normal(3)})

    def test_outputs_without_a_shape(self) -> None:
        model = mlp()
        model.graph.output[0].type.tensor_type.ClearField("shape")
        check_import(model, {"x": normal(2, 3)})


class TestNames:
    NAMES = ('a"b\n\\', "1/x:0", "for", "ünïcode ✓", "a b", "a_b", "")

    def model(self) -> onnx.ModelProto:
        constants = {name or "none": normal(3, seed=position) for position, name in enumerate(self.NAMES)}
        nodes = [make_node("Sum", ["in\n put", *constants], ['out"put'], name='node"\n%s')]
        return graph_model(nodes, {"in\n put": normal(3)}, ['out"put'], constants=constants)

    def test_symbols_are_identifiers(self) -> None:
        imported = check_import(self.model(), {"in\n put": normal(3)})
        symbols = [op.sym_name.data for op in ops_of(imported, WeightOp) if isinstance(op, WeightOp)]
        assert symbols == ["a_b", "_1_x_0", "for", "n_code", "a_b_1", "a_b_2", "none"]
        assert list(imported.weights) == symbols

    def test_text_parses_back(self) -> None:
        module = import_model(self.model()).module
        text = str(module)
        parsed = parse_module(new_context(), text)
        parsed.verify()
        assert str(parsed) == text

    def test_names_of_arguments_and_results(self) -> None:
        (function,) = ops_of(import_model(self.model()), FuncOp)
        assert isinstance(function, FuncOp)
        assert function.arg_attrs is not None
        assert function.res_attrs is not None
        (argument,), (result,) = function.arg_attrs.data, function.res_attrs.data
        assert str(argument.data["rop.name"]) == '"in\\0A put"'
        assert str(result.data["rop.name"]) == '"out\\22put"'

    def test_messages_stay_on_one_line(self) -> None:
        model = self.model()
        model.graph.node[0].op_type = 'No\n"such'
        with pytest.raises(RammerError) as caught:
            import_model(model)
        assert "\n" not in str(caught.value)


class TestProvenance:
    def test_ops_carry_their_node(self) -> None:
        imported = import_model(mlp())
        generics = ops_of(imported, GenericOp)
        names = [op.location.desc.data for op in generics if isinstance(op.location, NameLoc)]
        assert names == ["first", "second"]
        for op in generics:
            assert all(nested.location == op.location for nested in op.walk())

    def test_weights_carry_their_name(self) -> None:
        (weight,) = ops_of(import_model(mlp()), WeightOp)
        assert isinstance(weight.location, NameLoc)
        assert weight.location.desc.data == "w"

    def test_derived_weights_carry_their_node(self) -> None:
        constants = {name: normal(3) for name in ("scale", "bias", "mean")} | {"var": np.ones(3, np.float32)}
        imported = import_model(node_model("BatchNormalization", {"x": normal(1, 3, 2)}, constants=constants))
        derived = [op for op in ops_of(imported, WeightOp) if isinstance(op, WeightOp) and op.recipe is not None]
        assert {str(op.location) for op in derived} == {str(derived[0].location)}
        assert "tested" in str(derived[0].location)


FUNCTION_MODEL = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
graph (float[2,3] x) => (float[2,3] y) {
  y = local.scaled_relu <factor = 2.0> (x)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
scaled_relu <factor> (a) => (c) {
  f = Constant <value_float: float = @factor> ()
  b = local.doubled_relu (a)
  c = Mul (b, f)
}
<domain: "local", opset_import: ["" : 17]>
doubled_relu (a) => (c) {
  b = Relu (a)
  c = Add (b, b)
}
"""


def test_functions_are_inlined() -> None:
    imported = check_import(onnx.parser.parse_model(FUNCTION_MODEL), {"x": normal(2, 3)})
    assert len(ops_of(imported, GenericOp)) == 3


def test_ops_are_expanded_by_the_standard_with_its_defaults() -> None:
    check_import(node_model("ThresholdedRelu", {"x": normal(5) * 3}, opset=18), {"x": normal(5) * 3})
    inputs = {"x": normal(2, 3, 2, 2)}
    check_import(node_model("MeanVarianceNormalization", inputs, opset=13), inputs, rtol=1e-4, atol=1e-4)


def with_random_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The light models make their weights by ConstantOfShape; random ones tell more. Scaled as He et al. do."""
    shapes = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for position, node in enumerate(model.graph.node):
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = [int(extent) for extent in shapes[node.input[0]]]
        scale = np.float32(np.sqrt(2 / max(np.prod(shape[1:]), 1)))
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(normal(*shape, seed=position) * scale, node.output[0])
        )
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.ir_version = 8
    return model


def test_squeezenet() -> None:
    model = with_random_weights(read_model_file(LIGHT_MODELS / "light_squeezenet.onnx"))
    inputs = {"data_0": normal(1, 3, 224, 224)}
    imported = check_import(model, inputs, rtol=1e-4, atol=1e-6)
    generics = [op for op in ops_of(imported, GenericOp) if isinstance(op, GenericOp)]
    contractions = [op for op in generics if len(op.inputs) == 2 and op.reduction_dims()]
    assert len(contractions) == 26


@pytest.mark.parametrize("name", ["bvlc_alexnet", "densenet121", "inception_v1", "shufflenet", "vgg19", "zfnet512"])
def test_light_models_are_imported(name: str) -> None:
    imported = import_model(LIGHT_MODELS / f"light_{name}.onnx")
    imported.module.verify()
    assert imported.weights
