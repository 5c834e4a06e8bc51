"""A pytest plugin, installed with the package: `run_filecheck` and `check_pass` as fixtures."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rammer_ir.testing.equivalence import CheckPass
    from rammer_ir.testing.filecheck import RunFileCheck


@pytest.fixture(name="run_filecheck")
def run_filecheck_fixture() -> "RunFileCheck":
    """`rammer_ir.testing.filecheck.run_filecheck`: passes over a program, compared with the CHECK comments in it."""
    from rammer_ir.testing.filecheck import run_filecheck

    return run_filecheck


@pytest.fixture(name="check_pass")
def check_pass_fixture() -> "CheckPass":
    """`rammer_ir.testing.equivalence.check_pass`: a module before and after passes computes the same."""
    from rammer_ir.testing.equivalence import check_pass

    return check_pass
