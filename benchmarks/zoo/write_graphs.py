"""
The small models' graphs as text without weights, which tests fill with numbers of their own.

    python benchmarks/zoo/write_graphs.py [NAME ...] [--folder tests/zoo]

Without names, those that the folder has are written again. Weights are inputs called `weight_0`, `weight_1` and so on,
behind those of the model. Needs PyTorch: pip install 'rammer-ir[zoo]'.
"""

import argparse
import re
import tempfile
from math import prod
from pathlib import Path

import onnx
from onnx import helper
from onnx.printer import to_text

from rammer_ir.files import write_text_aside
from rammer_ir.zoo.catalogue import CATALOGUE
from rammer_ir.zoo.export import export_example, make_example

LONGEST_CONSTANT = 6
"""Elements of what is still written as numbers."""


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its larger constants of floats as inputs, and nothing but what is computed."""
    graph = model.graph
    large = [
        tensor
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and prod(tensor.dims) > LONGEST_CONSTANT
    ]
    names = {tensor.name: f"weight_{number}" for number, tensor in enumerate(large)}
    nodes = [
        helper.make_node(
            node.op_type,
            [names.get(name, name) for name in node.input],
            node.output,
            domain=node.domain,
            **{item.name: helper.get_attribute_value(item) for item in node.attribute if not is_default(node, item)},
        )
        for node in graph.node
    ]
    plain = helper.make_graph(
        nodes,
        "small",
        [
            *(without_comments(value) for value in graph.input),
            *(helper.make_tensor_value_info(names[item.name], item.data_type, item.dims) for item in large),
        ],
        [without_comments(value) for value in graph.output],
        [tensor for tensor in graph.initializer if tensor.name not in names],
    )
    return helper.make_model(plain, opset_imports=model.opset_import, ir_version=model.ir_version)


def is_default(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> bool:
    """Whether the attribute is what it is where it is left out."""
    return attribute == onnx.defs.get_schema(node.op_type, node.domain).attributes[attribute.name].default_value


def without_comments(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """The name and the type."""
    return onnx.ValueInfoProto(name=value.name, type=value.type)


def graph_text(model: onnx.ModelProto) -> str:
    """The model in ONNX's text form, without the empty names of nodes."""
    return re.sub(r'^ +\[""\] ', "  ", to_text(model), flags=re.MULTILINE).rstrip() + "\n"


def main() -> None:
    """Writes a file for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path("tests/zoo"))
    options = parser.parse_args()
    for name in options.names or sorted(path.stem for path in options.folder.glob("*.onnxtxt")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export_example(make_example(CATALOGUE[name], small=True), path)
            text = graph_text(without_weights(onnx.load(path)))
        with write_text_aside(options.folder / f"{name}.onnxtxt") as file:
            file.write(text)
        print(f"{name}: {len(text)} characters", flush=True)


if __name__ == "__main__":
    main()
