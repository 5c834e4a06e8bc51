"""Names for new symbols of a module."""

from xdsl.dialects.builtin import ModuleOp
from xdsl.traits import SymbolOpInterface


class FreshSymbols:
    """Hands out names that are no symbols of the module yet, each once: a model may call its tensors anything."""

    def __init__(self, module: ModuleOp) -> None:
        self._taken: set[str] = set()
        for op in module.ops:
            interface = op.get_trait(SymbolOpInterface)
            name = None if interface is None else interface.get_sym_attr_name(op)
            if name is not None:
                self._taken.add(name.data)

    def new(self, wanted: str) -> str:
        """The wanted name, with a number behind it if that is taken."""
        name = wanted
        number = 1
        while name in self._taken:
            name = f"{wanted}_{number}"
            number += 1
        self._taken.add(name)
        return name
