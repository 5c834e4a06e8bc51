"""Models of the zoo as ONNX files, by PyTorch's exporter."""

# PyTorch is not among the dependencies: where it is missing, nothing is known of its types.
# pyright: basic, reportMissingImports=false

import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from rammer_ir.files import write_bytes_aside
from rammer_ir.zoo.catalogue import Entry
from rammer_ir.zoo.example import Example

SEED = 0


def make_example(entry: Entry, *, small: bool) -> Example:
    """The model with weights and inputs from the seed, ready for inference."""
    torch.manual_seed(SEED)
    example = entry.make(small=small)
    for module in example.module.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # As after training: nothing that a compiler could leave out.
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    example.module.eval()
    return example


def export_example(example: Example, path: Path) -> None:
    """Write the model to a file, weights and all."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        exported = torch.onnx.export(
            example.module,
            tuple(example.inputs.values()),
            input_names=list(example.inputs),
            output_names=list(example.outputs),
            dynamo=True,
            custom_translation_table=dict(example.translations),
            verbose=False,
        )
    assert exported is not None
    with write_bytes_aside(path) as file:
        file.write(exported.model_proto.SerializeToString())
