"""Models in ONNX's text form made into files: `python -m rammer_ir.testing.onnx_text model.onnxtxt model.onnx`."""

import sys
from pathlib import Path

import onnx.parser

from rammer_ir.errors import InvalidInputError
from rammer_ir.files import write_bytes_aside


def convert(source: Path, target: Path) -> None:
    """Write the model whose text is in `source`; raises InvalidInputError where the text does not parse."""
    try:
        model = onnx.parser.parse_model(source.read_text())
    except onnx.parser.ParseError as error:
        raise InvalidInputError(str(error), location=str(source)) from error
    with write_bytes_aside(target) as file:
        file.write(model.SerializeToString())


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
