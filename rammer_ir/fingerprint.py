"""What ops are, in few letters: the same for equal ops, whatever their values are called."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

from xdsl.ir import Attribute, Block, Operation, Region, SSAValue


def fingerprint(op: Operation) -> str:
    """The SHA-256 of an op with all that is nested in it, in hexadecimal; names of values and places do not count."""
    return _hash(_lines(op, {}))


def region_fingerprint(region: Region) -> str:
    """The same of a region, which must use no values from outside of it."""
    numbers: dict[SSAValue, int] = {}
    return _hash(line for block in region.blocks for line in _block_lines(block, numbers))


def _hash(lines: Iterable[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()


def _lines(op: Operation, numbers: dict[SSAValue, int]) -> Iterator[str]:
    operands = [numbers[value] for value in op.operands]
    for result in op.results:
        numbers[result] = len(numbers)
    types = [_text(result.type) for result in op.results]
    details = sorted((*op.properties.items(), *op.attributes.items()))
    yield f"{op.name} {operands} {types} {[(name, _text(value)) for name, value in details]}"
    for region in op.regions:
        for block in region.blocks:
            yield from _block_lines(block, numbers)


def _block_lines(block: Block, numbers: dict[SSAValue, int]) -> Iterator[str]:
    for argument in block.args:
        numbers[argument] = len(numbers)
    yield f"({[_text(argument.type) for argument in block.args]}"
    for op in block.ops:
        yield from _lines(op, numbers)
    yield ")"


@lru_cache(maxsize=4096)
def _text(attribute: Attribute) -> str:
    return str(attribute)
