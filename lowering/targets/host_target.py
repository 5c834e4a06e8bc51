"""The target `host`: a program's bodies as C++, or those of a module that has no program."""

from dataclasses import dataclass
from typing import IO, ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from rammer_ir.lowering.emission.bodies import module_bodies
from rammer_ir.lowering.emission.encode_program import encode_for, has_program


@dataclass(frozen=True)
class HostTarget(Target):
    """What the C++ compiler gets beside the dispatcher: the bodies' interface, the bodies, and the table of them."""

    name: ClassVar[str] = "host"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        if not has_program(module):
            output.write("\n".join(body.body.source for body in module_bodies(module, "host")))
            return
        from rammer_ir.runtime.host.build import body_table, prelude

        bodies = encode_for(module, "host").bodies
        output.write("\n".join([prelude(), *(body.source for body in bodies), body_table(bodies)]))
