"""What a program is made for, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.passes import ModulePass

from rammer_ir.errors import InvalidInputError
from rammer_ir.pass_pipeline import parse_pass_pipeline
from rammer_ir.pipelines import DEFAULT_PRECISION, DEFAULT_STRATEGY, PRECISIONS, STRATEGIES
from rammer_ir.runtime.selection import Target


@dataclass(frozen=True)
class Settings:
    """What a program is made for, and how: a device, a strategy, a precision."""

    target: Target
    strategy: str
    precision: str

    @classmethod
    def of(cls, target: Target, strategy: str | None, precision: str | None) -> "Settings":
        """The defaults where there is None; raises InvalidInputError for names that there are not."""
        chosen = cls(target, strategy or DEFAULT_STRATEGY, precision or DEFAULT_PRECISION)
        if chosen.strategy not in STRATEGIES:
            raise InvalidInputError(f"there is no strategy '{strategy}'; choose one of {', '.join(STRATEGIES)}")
        if chosen.precision not in PRECISIONS:
            raise InvalidInputError(f"there is no precision '{precision}'; choose one of {', '.join(PRECISIONS)}")
        return chosen

    @property
    def passes(self) -> Sequence[ModulePass]:
        """The device's description first, then the precision, then the strategy."""
        precision = f'set-precision{{precision="{self.precision}"}}'
        return parse_pass_pipeline(f"{self.target.device_pass},{precision},{self.strategy}")
