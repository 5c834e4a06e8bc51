"""Files that are either complete or absent."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def _aside(path: str | Path) -> Generator[Path]:
    final = Path(path).resolve()
    temporary = final.with_name(f".{final.name}.{uuid4().hex}")
    if final.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        # The user knows the file by the name that was asked for.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield temporary
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_text_aside(path: str | Path) -> Generator[IO[str]]:
    """
    A UTF-8 text file that takes the place of `path` when the block ends, and leaves no trace if it raises.

    Raises OSError where the folder is absent or not writable.
    """
    with _aside(path) as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            yield file


@contextmanager
def write_bytes_aside(path: str | Path) -> Generator[IO[bytes]]:
    """
    A binary file that takes the place of `path` when the block ends, and leaves no trace if it raises.

    Raises OSError where the folder is absent or not writable.
    """
    with _aside(path) as temporary:
        with temporary.open("wb") as file:
            yield file
