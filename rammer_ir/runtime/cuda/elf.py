"""What a cubin says of its functions."""

import struct
from typing import Final

_SECTIONS_AT: Final = 0x28
_SECTION_COUNTS_AT: Final = 0x3A
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL_BYTES: Final = 24

_INFO: Final = ".nv.info"
_SYMBOLS: Final = ".symtab"
_NAMES: Final = ".strtab"
_WITH_VALUE: Final = 4
_REGISTER_COUNT: Final = 0x2F


def function_registers(cubin: bytes) -> dict[str, int]:
    """
    Registers a thread of each function uses, by the function's name; none if `cubin` is damaged.

    NVIDIA documents none of this: it is how `cuobjdump --dump-resource-usage` finds them. Section `.nv.info` is a
    list of attributes, of which number 0x2f gives a symbol's index and its register count.
    """
    try:
        return _function_registers(cubin)
    except (struct.error, ValueError, KeyError, IndexError):
        return {}


def _function_registers(cubin: bytes) -> dict[str, int]:
    sections = _sections(cubin)
    (info, info_end), (symbols, _), (names, _) = (sections[name] for name in (_INFO, _SYMBOLS, _NAMES))
    registers: dict[str, int] = {}
    while info < info_end:
        form, attribute, size = struct.unpack_from("<BBH", cubin, info)
        info += 4
        if form != _WITH_VALUE:
            continue
        if attribute == _REGISTER_COUNT:
            symbol, count = struct.unpack_from("<II", cubin, info)
            (name,) = struct.unpack_from("<I", cubin, symbols + symbol * _SYMBOL_BYTES)
            registers[_text(cubin, names + name)] = count
        info += size
    return registers


def _sections(cubin: bytes) -> dict[str, tuple[int, int]]:
    """Name to begin and end of each section of an ELF file of 64 bits."""
    (table,) = struct.unpack_from("<Q", cubin, _SECTIONS_AT)
    _, count, names_number = struct.unpack_from("<HHH", cubin, _SECTION_COUNTS_AT)
    headers = [_SECTION.unpack_from(cubin, table + number * _SECTION.size) for number in range(count)]
    names = headers[names_number][4]
    return {_text(cubin, names + header[0]): (header[4], header[4] + header[5]) for header in headers}


def _text(data: bytes, begin: int) -> str:
    return data[begin : data.index(b"\0", begin)].decode()
