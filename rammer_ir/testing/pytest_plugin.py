"""A pytest plugin, installed with the package: `run_filecheck` as a fixture."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rammer_ir.testing.filecheck import RunFileCheck


@pytest.fixture(name="run_filecheck")
def run_filecheck_fixture() -> "RunFileCheck":
    """`rammer_ir.testing.filecheck.run_filecheck`: passes over a program, compared with the CHECK comments in it."""
    from rammer_ir.testing.filecheck import run_filecheck

    return run_filecheck
