"""
A file of named sections, each aligned to a page and with a checksum: docs/artefact.md describes the format.

Nothing is read that was not checked first, and nothing of a section is copied: it is a view of the mapped file.
"""

import json
import mmap
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from rammer_ir.artefact.records import integer_of, list_of, object_of
from rammer_ir.errors import InvalidInputError
from rammer_ir.files import write_bytes_aside

MAGIC: Final = b"\x89RMR\r\n\x1a\n"
"""Like that of PNG: a transfer that changes line ends or drops the eighth bit breaks it."""

FORMAT_VERSION: Final = 2
"""
Goes up with every change of the container, of the manifest, and of the tables of a program that old files break.
"""

PAGE: Final = 4096
_HEADER: Final = struct.Struct("<8sIIQQ32s")
"""Magic, format version, zero, bytes of the manifest, bytes of the file, SHA-256 of the manifest."""

_MANIFEST_BYTES_MAXIMUM: Final = 1 << 28

CHECKSUMS: Final[Mapping[str, Callable[[memoryview], str]]] = {
    "sha256": lambda data: sha256(data).hexdigest(),
    "crc32": lambda data: f"{zlib.crc32(data):08x}",
}
"""CRC-32 is an order faster: for the weights, which are large and where a wrong byte crashes nothing."""


@dataclass(frozen=True)
class NewSection:
    """What goes into a file: `checksum` is the name of one."""

    name: str
    data: memoryview
    checksum: str = "sha256"


@dataclass(frozen=True)
class Section:
    """A section of a file; nothing was compared with its checksum yet."""

    name: str
    data: memoryview
    checksum: str
    expected: str

    @property
    def is_intact(self) -> bool:
        """Whether the bytes are those that were written."""
        return CHECKSUMS[self.checksum](self.data) == self.expected


@dataclass(frozen=True)
class Container:
    """A file that is mapped into memory, as long as anything refers to one of its sections."""

    path: Path
    size: int
    manifest: dict[str, object]
    sections: Mapping[str, Section]

    def read(self, name: str) -> memoryview:
        """The bytes of a section, compared with its checksum; raises InvalidInputError if it is absent or damaged."""
        section = self.sections.get(name)
        if section is None:
            raise damaged(self.path, f"it has no section '{name}'")
        if not section.is_intact:
            raise damaged(self.path, f"section '{name}' is not what was written")
        return section.data


def damaged(path: Path, reason: str) -> InvalidInputError:
    """The error for a file that is not as it was written; `reason` may quote what is in it."""
    line = " ".join("".join(char if char.isprintable() else " " for char in reason).split())
    return InvalidInputError(f"a damaged artefact: {line}; compile the model again", location=str(path))


def is_container(path: str | Path) -> bool:
    """Whether the file begins as an artefact does; raises OSError where it cannot be read."""
    with Path(path).open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def write_container(path: str | Path, manifest: Mapping[str, object], sections: Sequence[NewSection]) -> None:
    """Write a file, aside and then renamed; raises OSError. `manifest` must have no key "sections"."""
    # Places depend on the manifest's size, and that on the places: they are relative to the end of the manifest.
    offset = 0
    listed: list[dict[str, object]] = []
    for section in sections:
        checksum = CHECKSUMS[section.checksum](section.data)
        listed.append(
            {"name": section.name, "offset": offset, "bytes": section.data.nbytes, section.checksum: checksum}
        )
        offset += _padded(section.data.nbytes)
    text = json.dumps({**manifest, "sections": listed}, allow_nan=False).encode()
    start = _padded(_HEADER.size + len(text))
    size = start + offset
    with write_bytes_aside(path) as file:
        file.write(_HEADER.pack(MAGIC, FORMAT_VERSION, 0, len(text), size, sha256(text).digest()))
        file.write(text)
        for section, place in zip(sections, listed, strict=True):
            _pad(file, start + int(str(place["offset"])))
            file.write(section.data)
        _pad(file, size)


def open_container(path: str | Path) -> Container:
    """
    Map a file and check its header and its manifest.

    Raises InvalidInputError if it is no artefact, of another version, or damaged; OSError if it cannot be read.
    """
    place = Path(path)
    with place.open("rb") as file:
        header = file.read(_HEADER.size)
        if not header.startswith(MAGIC):
            raise InvalidInputError("not an artefact of rammer compile", location=str(place))
        if len(header) < _HEADER.size:
            raise damaged(place, "it ends in its header")
        _, version, _, manifest_bytes, size, digest = _HEADER.unpack(header)
        if version != FORMAT_VERSION:
            raise InvalidInputError(
                f"an artefact of format {version}, this version of Rammer IR reads format {FORMAT_VERSION}: compile "
                "the model again",
                location=str(place),
            )
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if mapped.nbytes != size:
        raise damaged(place, f"it has {mapped.nbytes} bytes, {size} were written")
    if manifest_bytes > min(_MANIFEST_BYTES_MAXIMUM, size - _HEADER.size):
        raise damaged(place, "its manifest is larger than the file")
    text = mapped[_HEADER.size : _HEADER.size + manifest_bytes]
    if sha256(text).digest() != digest:
        raise damaged(place, "its manifest is not what was written")
    try:
        manifest = object_of(json.loads(bytes(text)), "the manifest")
        sections = _sections(mapped, manifest.pop("sections", None), _padded(_HEADER.size + manifest_bytes))
    except InvalidInputError as error:
        raise damaged(place, error.message) from error
    except (ValueError, RecursionError) as error:
        raise damaged(place, "its manifest is no JSON") from error
    return Container(place, size, manifest, sections)


def _sections(mapped: memoryview, listed: object, start: int) -> dict[str, Section]:
    sections: dict[str, Section] = {}
    for number, value in enumerate(list_of(listed, "sections")):
        where = f"section {number}"
        entry = object_of(value, where)
        name, checksum, expected = _name_and_checksum(entry, where)
        offset = start + integer_of(entry["offset"], f"{where}, offset", mapped.nbytes)
        size = integer_of(entry["bytes"], f"{where}, bytes", mapped.nbytes)
        if offset % PAGE != 0 or offset + size > mapped.nbytes or name in sections:
            raise InvalidInputError(f"{where} lies outside of the file, or is there twice")
        sections[name] = Section(name, mapped[offset : offset + size], checksum, expected)
    return sections


def _name_and_checksum(entry: dict[str, Any], where: str) -> tuple[str, str, str]:
    for checksum in CHECKSUMS:
        if set(entry) == {"name", "offset", "bytes", checksum}:
            name, expected = entry["name"], entry[checksum]
            if isinstance(name, str) and isinstance(expected, str):
                return name, checksum, expected
    raise InvalidInputError(f"{where} has other fields than expected")


def _padded(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _pad(file: IO[bytes], offset: int) -> None:
    file.write(bytes(offset - file.tell()))
