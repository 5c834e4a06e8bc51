"""The page on conformance counts what is in the outcomes, and names what does not pass."""

from rammer_ir.testing.conformance import Outcome
from rammer_ir.testing.conformance_page import conformance_page

OUTCOMES = [
    Outcome("node", "test_add", "Add", ("FLOAT",), "compiled"),
    Outcome("node", "test_add_expanded", "Add", ("FLOAT", "INT64"), "host", host_ops=("NonZero",)),
    Outcome("node", "test_sub", "Sub", ("INT64",), "unsupported", 'op "Sub" | is <not> supported'),
    Outcome("simple", "test_sign", "sign", ("FLOAT",), "failed", "wrong"),
]


def test_counts_and_names() -> None:
    lines = conformance_page(OUTCOMES, "abc").splitlines()
    assert "| node | 3 | 1 | 1 | 1 |  |" in lines
    assert "| simple | 1 |  |  |  | 1 |" in lines
    assert "| INT64 | 2 |  | 1 | 1 |  |" in lines
    assert "| `Add` | 2 | 1 | 1 |  |  |" in lines
    assert '| test_sub | unsupported | op "Sub" \\| is &lt;not> supported |' in lines
    assert not any("| test_add |" in line for line in lines)


def test_nothing_fails() -> None:
    assert "Nothing." in conformance_page(OUTCOMES[:2], "")
    assert "on the CUDA device" in conformance_page(OUTCOMES, "abc", "CUDA")
