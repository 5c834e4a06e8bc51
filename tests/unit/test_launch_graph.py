"""The launches of a run as a list and as a graph."""

from dataclasses import replace

import pytest

from rammer_ir.errors import VerificationError
from rammer_ir.runtime.image_checks import check_tables
from rammer_ir.runtime.launch_graph import LaunchNode, launch_graph, launch_order
from rammer_ir.runtime.program_image import Binding, HostLoop, ProgramImage
from rammer_ir.testing.program_images import ImageBuilder, Operand


def program(*after: tuple[int, ...] | None, loop: HostLoop | None = None) -> ProgramImage:
    """A launch for each argument, after the launches of these numbers."""
    builder = ImageBuilder(
        "program",
        outputs=(Binding("y", (32,), "float32"),),
        scalars=("count",),
        host_loops=() if loop is None else (loop,),
    )
    body = builder.body("work", "")
    for _ in after:
        builder.launch([[builder.run(body, [Operand(builder.space("y"))])]])
    image = builder.image()
    launches = tuple(replace(launch, after=named) for launch, named in zip(image.launches, after, strict=True))
    return replace(image, launches=launches)


LOOP = HostLoop(1, 2, 0, "count")


def test_host_loops_repeat_the_launches_they_span() -> None:
    image = program(None, None, None, None, None, loop=LOOP)
    assert list(launch_order(image, [2])) == [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (3, 0), (4, 0)]
    assert list(launch_order(image, [0])) == [(0, 0), (3, 0), (4, 0)]


def test_launches_come_after_those_they_name() -> None:
    graph = launch_graph(program((), (0,), (0,), (), (1, 2)), [0])
    assert [node.after for node in graph] == [(), (0,), (0,), (), (1, 2)]
    assert [node.launch for node in graph] == [0, 1, 2, 3, 4]


def test_a_launch_that_names_none_comes_after_all() -> None:
    graph = launch_graph(program((), (), None, (2,), (2,), None), [0])
    assert [node.after for node in graph] == [(), (), (0, 1), (2,), (2,), (3, 4)]


def test_loops_are_in_line() -> None:
    image = program((), None, None, (2,), (2,), loop=LOOP)
    assert launch_graph(image, [2]) == [
        LaunchNode(0, 0, ()),
        LaunchNode(1, 0, (0,)),
        LaunchNode(2, 0, (1,)),
        LaunchNode(1, 1, (2,)),
        LaunchNode(2, 1, (3,)),
        LaunchNode(3, 0, (4,)),
        LaunchNode(4, 0, (4,)),
    ]
    assert [node.after for node in launch_graph(image, [0])] == [(), (0,), (1,)]


@pytest.mark.parametrize("after", [(1,), (2,), (-1,)])
def test_launches_come_after_earlier_ones_only(after: tuple[int, ...]) -> None:
    check_tables(program((), (0,)))
    with pytest.raises(VerificationError, match="comes after launch"):
        check_tables(program((), after))


def test_launches_in_a_loop_name_none() -> None:
    with pytest.raises(VerificationError, match="stands in a loop and names"):
        check_tables(program((), (0,), None, None, loop=LOOP))
