"""The system C++ compiler: found, asked what it is and what it builds for, and called with our flags."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from rammer_ir.errors import CompileError, MissingCompilerError

Sanitizer = Literal["thread"]

COMPILER_VARIABLE: Final = "CXX"
"""Environment variable that names the compiler; it may hold arguments too."""

_NAMES: Final = ("c++", "g++", "clang++")
_NATIVE: Final = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ("-mcpu=native",), ())
# No -ffast-math: results stay those of IEEE arithmetic in the written order, apart from fused multiply-add.
_FLAGS: Final = (
    "-std=c++17",
    "-fPIC",
    "-fvisibility=hidden",
    "-pthread",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp-simd",
    "-Wall",
)
_OPTIMIZED: Final = ("-O3",)
_SANITIZED: Final = ("-O1", "-g", "-fno-omit-frame-pointer")


@dataclass(frozen=True)
class Compiler:
    """
    A C++ compiler with its flags.

    `fingerprint` tells compilers, their versions, flags, and instruction sets of their target apart: it is part of each
    key under which what they make is cached.
    """

    command: tuple[str, ...]
    flags: tuple[str, ...]
    fingerprint: str

    def compile(self, name: str, source: str, *, include: Sequence[Path] = (), more_flags: Sequence[str] = ()) -> bytes:
        """The object file for `source`; raises CompileError, which names `name` and carries the compiler's output."""
        with tempfile.TemporaryDirectory(prefix="rammer-") as folder:
            result = Path(folder) / "result.o"
            folders = [f"-I{path}" for path in include]
            arguments = [*self.flags, *more_flags, *folders, "-c", "-x", "c++", "-", "-o", str(result)]
            self._call(arguments, source, f"{name} does not compile")
            return result.read_bytes()

    def link(self, objects: Sequence[bytes], *, shared: bool) -> bytes:
        """The shared library or the executable of these object files; raises CompileError."""
        with tempfile.TemporaryDirectory(prefix="rammer-") as folder:
            paths = [Path(folder) / f"{number}.o" for number in range(len(objects))]
            for path, data in zip(paths, objects, strict=True):
                path.write_bytes(data)
            result = Path(folder) / "result"
            arguments = [*self.flags, *(["-shared"] if shared else []), *map(str, paths), "-o", str(result)]
            self._call(arguments, "", "the program does not link")
            return result.read_bytes()

    def _call(self, arguments: Sequence[str], source: str, what: str) -> None:
        done = _run([*self.command, *arguments], source)
        if done.returncode != 0:
            raise CompileError(f"{what}: {_first_error(done.stderr)}", log=done.stderr)


def find_compiler(sanitize: Sanitizer | None = None) -> Compiler:
    """
    The compiler that CXX names, else the first of c++, g++ and clang++ on the PATH.

    With `sanitize`, what it makes reports data races at run time. Raises MissingCompilerError if there is no compiler,
    CompileError if it does not work.
    """
    return _probe(_command(os.environ.get(COMPILER_VARIABLE)), sanitize)


def _command(named: str | None) -> tuple[str, ...]:
    if named:
        command = tuple(shlex.split(named))
        if not command or shutil.which(command[0]) is None:
            raise CompileError(
                f"the C++ compiler {named!r}, named by {COMPILER_VARIABLE}, is not there: correct or unset it"
            )
        return command
    for name in _NAMES:
        path = shutil.which(name)
        if path is not None:
            return (path,)
    raise MissingCompilerError(
        "no C++ compiler found: install one (Debian, Ubuntu: `apt-get install g++`; Fedora: `dnf install gcc-c++`; "
        f"macOS: `xcode-select --install`), or name one in {COMPILER_VARIABLE}"
    )


@lru_cache(maxsize=8)
def _probe(command: tuple[str, ...], sanitize: Sanitizer | None) -> Compiler:
    """Take the first set of flags for this machine's CPU that the compiler knows."""
    log = ""
    chosen = (*_FLAGS, *_OPTIMIZED) if sanitize is None else (*_FLAGS, *_SANITIZED, f"-fsanitize={sanitize}")
    for native in _NATIVE:
        flags = (*chosen, *native)
        # The predefined macros tell the version and each instruction set that the target has.
        done = _run([*command, *flags, "-dM", "-E", "-x", "c++", "-"], "")
        if done.returncode == 0:
            return Compiler(command, flags, "\n".join([shlex.join(command), shlex.join(flags), done.stdout]))
        log = done.stderr
    raise CompileError(f"the C++ compiler {shlex.join(command)!r} does not work: {_first_error(log)}", log=log)


def _run(command: Sequence[str], source: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False, env=environment)


def _first_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")
