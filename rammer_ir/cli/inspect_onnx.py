"""What an ONNX file consists of, and whether it can be compiled."""

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import onnx

from rammer_ir.frontend.model_file import read_model_file
from rammer_ir.frontend.registry import find_handler


def model_facts(path: Path) -> dict[str, Any]:
    """
    The model's facts as JSON values; external data is not read.

    Raises InvalidInputError if the file cannot be read or is no ONNX model.
    """
    model = read_model_file(path)
    graph = model.graph
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    weights = {tensor.name for tensor in graph.initializer}
    used = Counter((node.domain, node.op_type) for node in graph.node)
    # Function bodies are expanded when a model is imported: their own ops would have to be looked at.
    functions = {(function.domain, function.name) for function in model.functions}
    unsupported = sorted(
        op for domain, op in used.keys() - functions if find_handler(domain, op, opsets.get(domain, 0)) is None
    )
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "graph": graph.name,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "ir_version": model.ir_version,
        "opsets": opsets,
        "inputs": [_tensor(value) for value in graph.input if value.name not in weights],
        "outputs": [_tensor(value) for value in graph.output],
        "weights": len(weights),
        "weight_elements": sum(prod(tensor.dims) for tensor in graph.initializer),
        "nodes": len(graph.node),
        "ops": {op: count for (_, op), count in sorted(used.items(), key=lambda item: (-item[1], item[0]))},
        "not_supported": unsupported,
    }


def describe_model(facts: dict[str, Any]) -> str:
    """The facts for people, one a line."""
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in facts["opsets"].items())
    ops = ", ".join(f"{count} {op}" for op, count in facts["ops"].items())
    lines = [
        f"file      {facts['path']}: ONNX model, {facts['bytes'] / 1e6:.1f} MB, not compiled",
        f"model     graph {facts['graph']!r}{_by(facts['producer'])}, IR version {facts['ir_version']}, opset {opsets}",
        *(f"input     {_form(tensor)}" for tensor in facts["inputs"]),
        *(f"output    {_form(tensor)}" for tensor in facts["outputs"]),
        f"weights   {facts['weights']} tensors of {facts['weight_elements']} elements",
        f"nodes     {facts['nodes']}: {ops}",
    ]
    if facts["not_supported"]:
        lines.append(f"not supported here: {', '.join(facts['not_supported'])}")
    return "\n".join(lines)


def _by(producer: str) -> str:
    return f" by {producer}" if producer else ""


def _form(tensor: dict[str, Any]) -> str:
    return f"{tensor['name']}: {tensor['dtype']} {tensor['shape']}"


def _tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [size.dim_param or (size.dim_value if size.HasField("dim_value") else "?") for size in tensor.shape.dim]
    types = onnx.TensorProto.DataType
    known = tensor.elem_type in types.values()
    return {"name": value.name, "dtype": types.Name(tensor.elem_type).lower() if known else "?", "shape": shape}
