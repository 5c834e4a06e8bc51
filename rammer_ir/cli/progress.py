"""Progress of long work on stderr."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def spinner(work: str) -> Generator[Callable[[str], None]]:
    """Shows what is going on with the work until the block ends; call what it gives with each new phase."""
    with Console(stderr=True).status(work) as status:

        def show(phase: str) -> None:
            status.update(f"{work}: {phase}")

        yield show
