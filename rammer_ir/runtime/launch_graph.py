"""The launches of one run of a program: their order, and as a graph which come after which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rammer_ir.runtime.program_image import ProgramImage


@dataclass(frozen=True)
class LaunchNode:
    """One submission of a launch, by its number, at a loop index; `after` are the numbers of earlier nodes."""

    launch: int
    iteration: int
    after: tuple[int, ...]


def launch_order(image: ProgramImage, scalars: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(Launch, loop index) in the order of submission: host loops repeat the launches they span."""
    loops = {loop.first: loop for loop in image.host_loops}
    number = 0
    while number < len(image.launches):
        loop = loops.get(number)
        if loop is None:
            yield number, 0
            number += 1
            continue
        iterations = loop.iterations if loop.scalar is None else scalars[image.scalars.index(loop.scalar)]
        for iteration in range(iterations):
            for repeated in range(loop.first, loop.first + loop.count):
                yield repeated, iteration
        number = loop.first + loop.count


def launch_graph(image: ProgramImage, scalars: Sequence[int]) -> list[LaunchNode]:
    """The nodes of one run, in an order that is legal too; `scalars` are the run-time lengths."""
    nodes: list[LaunchNode] = []
    last: dict[int, int] = {}
    """For each launch, its last node."""
    leaves: set[int] = set()
    """The nodes that no other comes after."""
    for number, iteration in launch_order(image, scalars):
        named = image.launches[number].after
        # What stood in a loop of no iterations has no node: what comes after it comes after all before.
        is_ordered = named is not None and all(launch in last for launch in named)
        after = {last[launch] for launch in named or ()} if is_ordered else leaves
        last[number] = len(nodes)
        nodes.append(LaunchNode(number, iteration, tuple(sorted(after))))
        leaves = leaves - after | {last[number]}
    return nodes
