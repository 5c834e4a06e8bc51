"""All mutations by name."""

from rammer_ir.testing.mutants.launches import LAUNCHES
from rammer_ir.testing.mutants.memory import MEMORY
from rammer_ir.testing.mutants.order import ORDER
from rammer_ir.testing.mutants.sites import Mutation
from rammer_ir.testing.mutants.synchronisation import SYNCHRONISATION

MUTATIONS: dict[str, Mutation] = {**SYNCHRONISATION, **ORDER, **MEMORY, **LAUNCHES}
"""Name to mutation."""
