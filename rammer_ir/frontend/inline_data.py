"""
Weights inside a model's file, left where they are.

Parsing a protocol buffer copies what is in it. So large `raw_data` is cut out of the bytes that are parsed, and each
tensor refers to its place in the file instead, as to external data.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

LEAST_BYTES: Final = 1 << 12
"""Smaller tensors are parsed."""

_GRAPH: Final = 7  # of ModelProto
_INITIALIZER: Final = 5  # of GraphProto
_RAW_DATA: Final = 9  # of TensorProto, as the next two
_EXTERNAL_DATA: Final = 13
_DATA_LOCATION: Final = 14
_VARINT: Final = 0
_BYTES: Final = 2


class _Field(NamedTuple):
    """A field of a message: where it starts, and where its content starts and ends."""

    number: int
    kind: int
    start: int
    content: int
    end: int


def without_inline_data(file: memoryview, location: str) -> bytes:
    """
    The bytes of a model without its large initializers' data; these refer to the file `location` instead.

    Raises ValueError for bytes that are no message.
    """
    return b"".join(_model(file, location))


def _model(file: memoryview, location: str) -> Iterator[bytes]:
    for field in _fields(file, 0, len(file)):
        if field.number == _GRAPH and field.kind == _BYTES:
            yield _nested(_GRAPH, b"".join(_graph(file, field, location)))
        else:
            yield bytes(file[field.start : field.end])


def _graph(file: memoryview, graph: _Field, location: str) -> Iterator[bytes]:
    for field in _fields(file, graph.content, graph.end):
        if field.number == _INITIALIZER and field.kind == _BYTES and field.end - field.content >= LEAST_BYTES:
            yield _nested(_INITIALIZER, _tensor(file, field, location))
        else:
            yield bytes(file[field.start : field.end])


def _tensor(file: memoryview, tensor: _Field, location: str) -> bytes:
    fields = list(_fields(file, tensor.content, tensor.end))
    raw = [field for field in fields if field.number == _RAW_DATA]
    is_external = any(field.number == _DATA_LOCATION for field in fields)
    if len(raw) != 1 or raw[0].kind != _BYTES or raw[0].end - raw[0].content < LEAST_BYTES or is_external:
        return bytes(file[tensor.content : tensor.end])
    kept = b"".join(bytes(file[field.start : field.end]) for field in fields if field is not raw[0])
    place = {"location": location, "offset": str(raw[0].content), "length": str(raw[0].end - raw[0].content)}
    entries = (_nested(1, key.encode()) + _nested(2, value.encode()) for key, value in place.items())
    external = b"".join(_nested(_EXTERNAL_DATA, entry) for entry in entries)
    return kept + external + _varint(_DATA_LOCATION << 3 | _VARINT) + _varint(1)


def _nested(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _fields(file: memoryview, start: int, end: int) -> Iterator[_Field]:
    while start < end:
        tag, content = _read_varint(file, start, end)
        kind = tag & 7
        match kind:
            case 0:
                _, stop = _read_varint(file, content, end)
            case 1:
                stop = content + 8
            case 2:
                length, content = _read_varint(file, content, end)
                stop = content + length
            case 5:
                stop = content + 4
            case _:
                raise ValueError(f"a field of kind {kind}")
        if stop > end:
            raise ValueError("a field ends behind its message")
        yield _Field(tag >> 3, kind, start, content, stop)
        start = stop


def _read_varint(file: memoryview, start: int, end: int) -> tuple[int, int]:
    """The number at a position, and where it ends."""
    value = shift = 0
    for position in range(start, min(end, start + 10)):
        byte = file[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise ValueError("a number does not end")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
