"""
The code in docs/ is run: each document in a folder of its own, its blocks in their order.

A block with `file=NAME` is written to that file. A `console` block holds commands after `$ `, each with its output
(standard error included). In the output, `...` stands for anything: within a line or, on a line of its own, any lines.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNNABLE = [path.name for path in sorted(DOCS.glob("*.md")) if "```console" in path.read_text(encoding="utf-8")]


@dataclass
class Block:
    """A fenced block of a document."""

    language: str
    file: str | None
    text: str


def blocks_of(text: str) -> list[Block]:
    return [Block(*match.groups()) for match in BLOCK.finditer(text)]


def commands_of(console: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output it is to have."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.strip()


def matches(expected: str, output: str) -> bool:
    def pattern_of(line: str) -> str:
        return r"(?s:.*)" if line == "..." else ".*".join(map(re.escape, line.split("...")))

    pattern = "\n".join(pattern_of(line) for line in expected.split("\n"))
    return re.fullmatch(pattern, output) is not None


def run(command: str, folder: Path) -> str:
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
    )
    lines = (line.rstrip() for line in result.stdout.splitlines())
    return "\n".join(lines).strip()


@pytest.mark.parametrize("name", RUNNABLE)
def test_document(name: str, tmp_path: Path) -> None:
    for block in blocks_of((DOCS / name).read_text(encoding="utf-8")):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, expected in commands_of(block.text):
                output = run(command, tmp_path)
                assert matches(expected, output), f"$ {command}\n{output}"


def test_tutorials_are_run() -> None:
    assert {"adding-a-body.md", "writing-a-pass.md"} <= set(RUNNABLE)


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a ... c", "a b c", True),
        ("a ... c", "a\nb c", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
    ],
)
def test_dots_stand_for_anything(expected: str, output: str, same: bool) -> None:
    assert matches(expected, output) == same
