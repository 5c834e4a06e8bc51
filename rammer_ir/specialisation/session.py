"""What all parts of one specialised model share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from rammer_ir.frontend.preparation import PreparedModel
from rammer_ir.program import Program
from rammer_ir.specialisation.plan import Demands

Compile = Callable[[PreparedModel, str], Program]
"""Makes a program of a static model that has the given name."""


@dataclass
class Session:
    """
    `compile` makes programs, of which `latest` is the last; `most_variants` are kept for each part. `host_ops` are the
    ops that the host ran.
    """

    compile: Compile
    most_variants: int
    demands: Demands = field(default_factory=Demands)
    host_ops: set[str] = field(default_factory=set[str])
    latest: Program | None = None

    def make(self, model: PreparedModel, name: str) -> Program:
        """A program of a static model."""
        self.latest = self.compile(model, name)
        return self.latest
