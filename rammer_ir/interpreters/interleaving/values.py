"""What tasks compute with: the interface of memories under an interleaving."""

from typing import Any, Protocol

from rammer_ir.interpreters.element_types import Array
from rammer_ir.interpreters.interleaving.tasks import Task

Snapshot = Any
"""What a task saw of plain memory when it began."""


class Memory(Protocol):
    """
    The memory of a program.

    A task looks at plain memory when it begins, and at words, which it waits for one by one, when it ends; then it
    writes. So a task that nothing holds back reads as early and writes as late as a thread could.
    """

    def begin(self, task: Task) -> Snapshot:
        """What the task reads of plain memory."""
        ...

    def words_ready(self, task: Task, launch: int) -> bool:
        """Whether all words that the task reads were written in this launch."""
        ...

    def end(self, task: Task, launch: int, snapshot: Snapshot) -> None:
        """Computes, from what was read, and writes."""
        ...

    def outputs(self) -> list[Array]:
        """The outputs of the program, in order."""
        ...
