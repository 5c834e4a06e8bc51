"""Builds a program image for the host: each body on its own, cached by content, linked with the dispatcher."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rammer_ir.errors import CompileError
from rammer_ir.runtime.host.compiler import Compiler
from rammer_ir.runtime.host.cores import available_cores
from rammer_ir.runtime.interface import ByteCache
from rammer_ir.runtime.program_image import Body, ProgramImage

_HOST: Final = Path(__file__).parent
_DEVICE: Final = _HOST.parent / "device"
_PRELUDE: Final = "vdevice.hpp"
_DISPATCHER: Final = ("virtual_unit.cpp", "program.cpp")
_TRACED: Final = "#define RAMMER_TRACE\n"
_BODY_FLAGS: Final = ("-std=c++14",)
"""Bodies need no later standard, whose <math.h> takes three times as long to read: a quarter of a second each."""
_SYMBOL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def body_source(body: Body) -> str:
    """The complete text that is compiled for one body."""
    return f'{prelude()}\n#line 1 "{body.name}"\n{body.source}'


def prelude() -> str:
    """The interface of bodies, as text to stand before them."""
    return (_DEVICE / _PRELUDE).read_text().replace("#pragma once\n", "")


def body_table(bodies: Sequence[Body]) -> str:
    """The generated text by which the dispatcher finds the bodies of a program."""
    functions = [body.name for body in bodies] + [_service(body) for body in bodies if body.service]
    lines = [
        "namespace rammer { struct Task; }",
        "using RammerBody = void (*)(rammer::Task*);",
        'extern "C" {',
        *(f"void {name}(rammer::Task*);" for name in functions),
        "extern const RammerBody rammer_bodies[];",
        "extern const RammerBody rammer_services[];",
        f"const RammerBody rammer_bodies[] = {{{_listed(body.name for body in bodies)}}};",
        "const RammerBody rammer_services[] = "
        f"{{{_listed(_service(body) if body.service else 'nullptr' for body in bodies)}}};",
        "}",
    ]
    return "\n".join(lines) + "\n"


def build_library(
    image: ProgramImage, compiler: Compiler, cache: ByteCache | None = None, *, traced: bool = False
) -> bytes:
    """The shared library of `image`, whose vEUs record what they do when if it is `traced`; raises CompileError."""
    return _build(image, _DISPATCHER, compiler, cache, shared=True, definitions=_TRACED if traced else "")


def build_main(image: ProgramImage, compiler: Compiler, cache: ByteCache | None = None) -> bytes:
    """An executable of `image` that takes its tables from a file; raises CompileError."""
    return _build(image, (*_DISPATCHER, "main.cpp"), compiler, cache, shared=False)


def _build(
    image: ProgramImage,
    dispatcher: Sequence[str],
    compiler: Compiler,
    cache: ByteCache | None,
    *,
    shared: bool,
    definitions: str = "",
) -> bytes:
    _check_symbols(image)
    sources = {f"kernel body {body.name!r}": body_source(body) for body in image.bodies}
    flags = dict.fromkeys(sources, _BODY_FLAGS)
    sources["the table of bodies"] = body_table(image.bodies)
    sources |= {name: definitions + (_HOST / name).read_text() for name in dispatcher}
    headers = _headers_text()
    keys = {
        name: _key("object", compiler.fingerprint, *flags.get(name, ()), headers, text)
        for name, text in sources.items()
    }
    linked_key = _key("shared" if shared else "executable", *keys.values())
    linked = cache.get(linked_key) if cache is not None else None
    if linked is None:
        objects = _compile_all(sources, flags, keys, compiler, cache)
        linked = compiler.link(objects, shared=shared)
        if cache is not None:
            cache.put(linked_key, linked)
    return linked


def _compile_all(
    sources: Mapping[str, str],
    flags: Mapping[str, Sequence[str]],
    keys: Mapping[str, str],
    compiler: Compiler,
    cache: ByteCache | None,
) -> list[bytes]:
    def compile_one(name: str) -> bytes:
        data = cache.get(keys[name]) if cache is not None else None
        if data is None:
            data = compiler.compile(name, sources[name], include=(_HOST, _DEVICE), more_flags=flags.get(name, ()))
            if cache is not None:
                cache.put(keys[name], data)
        return data

    with ThreadPoolExecutor(available_cores(), thread_name_prefix="compile") as pool:
        return list(pool.map(compile_one, sources))


def _check_symbols(image: ProgramImage) -> None:
    names = [body.name for body in image.bodies]
    for name in names:
        if _SYMBOL.fullmatch(name) is None or names.count(name) > 1:
            raise CompileError(f"kernel body {name!r} has no name of its own that C++ accepts", location=image.name)


def _headers_text() -> str:
    return "".join(path.read_text() for folder in (_DEVICE, _HOST) for path in sorted(folder.glob("*.hpp")))


def _key(kind: str, *parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return f"host-{kind}-{digest.hexdigest()}"


def _service(body: Body) -> str:
    return f"{body.name}_service"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nullptr"
