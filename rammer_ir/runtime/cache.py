"""Compiled code on disk, by key: checked on reading, written aside and renamed, bounded in size."""

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

from rammer_ir.errors import CacheError

FOLDER_VARIABLE: Final = "RAMMER_CACHE_DIR"
"""Environment variable that replaces the user's cache folder."""

_MAGIC: Final = b"RMR1"
_DIGEST_BYTES: Final = 32
_ENTRY: Final = ".entry"
_ASIDE: Final = ".aside"
_ASIDE_SECONDS: Final = 3600.0
_KEPT_FRACTION: Final = 0.8


def default_folder() -> Path:
    """`RAMMER_CACHE_DIR` if it is set, else the user's cache folder for Rammer IR."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else platformdirs.user_cache_path("rammer-ir")


class CompileCache:
    """
    A folder of entries that several processes may use at the same time.

    An entry is a file with a checksum over key and data. One that is damaged, or not readable, counts as absent and is
    removed, so that its owner makes it again. When the entries take more than `limit_bytes`, the least recently used
    ones go. Reading never fails; writing raises CacheError where the folder is not writable.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int = 1 << 30):
        self.folder: Final = default_folder() if folder is None else folder
        self.limit_bytes: Final = limit_bytes
        self._bytes: int | None = None

    def get(self, key: str) -> bytes | None:
        """The data stored under `key`, or None."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        data = _unpack(key, entry)
        with suppress(OSError):
            if data is None:
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`; raises CacheError if the folder cannot be written."""
        entry = _pack(key, data)
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_aside(path, entry)
        except OSError as error:
            raise CacheError(
                f"cannot write to the cache folder {self.folder} ({error.strerror or error}): "
                f"make it writable, or set {FOLDER_VARIABLE} to a folder that is"
            ) from error
        self._account(len(entry))

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}{_ENTRY}"

    def _account(self, added: int) -> None:
        """Keep the size within its limit; other processes' entries are seen whenever the folder is listed anew."""
        self._bytes = self._listed_bytes() if self._bytes is None else self._bytes + added
        if self._bytes > self.limit_bytes:
            self._bytes = self._shrink()

    def _listed_bytes(self) -> int:
        return sum(size for _, size, _ in self._entries())

    def _entries(self) -> list[tuple[float, int, Path]]:
        """(Time of last use, bytes, path) of each entry; what another process removes meanwhile is left out."""
        entries: list[tuple[float, int, Path]] = []
        for path in self.folder.glob(f"??/*{_ENTRY}"):
            with suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        return entries

    def _shrink(self) -> int:
        """Remove the least recently used entries, and what interrupted writers left; returns the bytes that stay."""
        self._remove_abandoned()
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        if total <= self.limit_bytes:
            return total
        for _, size, path in entries:
            if total <= self.limit_bytes * _KEPT_FRACTION:
                break
            with suppress(OSError):
                path.unlink(missing_ok=True)
                total -= size
        return total

    def _remove_abandoned(self) -> None:
        oldest = time.time() - _ASIDE_SECONDS
        for path in self.folder.glob(f"??/*{_ASIDE}"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key.encode()).digest() + data).digest()


def _pack(key: str, data: bytes) -> bytes:
    return _MAGIC + _digest(key, data) + data


def _unpack(key: str, entry: bytes) -> bytes | None:
    start = len(_MAGIC) + _DIGEST_BYTES
    data = entry[start:]
    if len(entry) < start or entry[:start] != _MAGIC + _digest(key, data):
        return None
    return data


def _write_aside(path: Path, entry: bytes) -> None:
    descriptor, aside = tempfile.mkstemp(suffix=_ASIDE, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(entry)
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise
