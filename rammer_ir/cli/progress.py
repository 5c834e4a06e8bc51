"""Progress of long work on stderr."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def spinner() -> Generator[Callable[[str], None]]:
    """Shows what is going on until the block ends; call what it gives with each new phase."""
    with Console(stderr=True).status("compile") as status:

        def show(phase: str) -> None:
            status.update(f"compile: {phase}")

        yield show
