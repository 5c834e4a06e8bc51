"""
Profiles of models: what each layer costs, in the text format of PipeDream's `graph.txt`.

    node1 -- Input -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=0.0, parameter_size=0.000
    node2 -- Conv -- forward_compute_time=3.4, backward_compute_time=6.8, activation_size=384000000.000,
    parameter_size=6835.000 <tab>node1 -- node2

Times are milliseconds and sizes are bytes, both at the batch size of the profile.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rammer_ir.errors import InvalidInputError

FIELDS = ("forward_compute_time", "backward_compute_time", "activation_size", "parameter_size")
LONGEST_TIME = 1e7
"""Milliseconds; a layer that needs hours was measured in another unit."""
LARGEST_SIZE = 1e14
"""Bytes; a larger tensor fits on no device."""

_FIELD = re.compile(r"(\w+)=(.*)")
_STAGE = re.compile(r"stage_id=\d+")


@dataclass(frozen=True, slots=True)
class Layer:
    """A node of a profile: times in seconds, sizes in bytes, at the profile's batch size."""

    name: str
    description: str
    forward: float
    backward: float
    activation: float
    parameters: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Layers in the order of the file, and the edges between them as pairs of positions, from producer to consumer."""

    layers: tuple[Layer, ...]
    edges: tuple[tuple[int, int], ...]


def read_profile(path: str | Path) -> Profile:
    """
    The profile in a file.

    Raises OSError where it cannot be read, and InvalidInputError with the line where it is not a profile.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError("not a profile: not UTF-8 text", location=str(path)) from error
    return parse_profile(text, str(path))


def profile_text(profile: Profile) -> str:
    """The profile in the format that `read_profile` reads."""
    lines = [
        f"{layer.name} -- {layer.description} -- forward_compute_time={layer.forward * 1000:.6f}, "
        f"backward_compute_time={layer.backward * 1000:.6f}, activation_size={layer.activation:.1f}, "
        f"parameter_size={layer.parameters:.1f}"
        for layer in profile.layers
    ]
    edges = [f"\t{profile.layers[a].name} -- {profile.layers[b].name}" for a, b in profile.edges]
    return "\n".join([*lines, *edges, ""])


def parse_profile(text: str, name: str = "profile") -> Profile:
    """
    The profile that a text describes; `name` stands for the file in errors.

    Raises InvalidInputError with the line: a line that is no node and no edge, an edge to a node that is not there,
    a node defined twice, a cycle, a node that no edges connect with the others, a time or size that is negative, not a
    number, or in another unit.
    """
    nodes: dict[str, Layer] = {}
    lines: list[int] = []
    edge_lines: list[tuple[int, str]] = []
    for number, line in _lines(text):
        if line[0] in " \t":
            edge_lines.append((number, line.strip()))
            continue
        layer = _layer(line.rstrip(), _place(name, number))
        if layer.name in nodes:
            raise InvalidInputError(f"node '{layer.name}' is defined twice", location=_place(name, number))
        nodes[layer.name] = layer
        lines.append(number)
    if not nodes:
        raise InvalidInputError("not a profile: it has no nodes", location=name)
    positions = {node: position for position, node in enumerate(nodes)}
    edges = [(number, _edge(line, positions, _place(name, number))) for number, line in edge_lines]
    _check_acyclic(len(nodes), edges, name)
    profile = Profile(tuple(nodes.values()), tuple(edge for _, edge in edges))
    _check_connected(profile, lines, name)
    if sum(layer.forward + layer.backward for layer in profile.layers) <= 0:
        raise InvalidInputError("all times are zero: there is nothing to plan", location=name)
    return profile


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _place(name: str, number: int) -> str:
    return f"{name}:{number}"


def _layer(line: str, place: str) -> Layer:
    parts = line.split(" -- ")
    if len(parts) not in (3, 4) or (len(parts) == 4 and _STAGE.fullmatch(parts[3]) is None):
        raise InvalidInputError(
            "a node is 'NAME -- DESCRIPTION -- forward_compute_time=…, …' with ' -- ' between; edges start with a tab",
            location=place,
        )
    fields = parts[2].split(", ")
    if len(fields) != len(FIELDS):
        raise InvalidInputError(
            f"a node has the {len(FIELDS)} fields {', '.join(FIELDS)}, separated by ', '", location=place
        )
    values = [_value(text, field, place) for text, field in zip(fields, FIELDS, strict=True)]
    return Layer(parts[0], parts[1], values[0] / 1000, values[1] / 1000, values[2], values[3])


def _value(text: str, field: str, place: str) -> float:
    match = _FIELD.fullmatch(text)
    if match is None or match[1] != field:
        raise InvalidInputError(f"'{field}=NUMBER' is expected where '{text}' stands", location=place)
    value = sum(_number(number, field, place) for number in _items(match[2]))
    if field.endswith("_time") and value > LONGEST_TIME:
        raise InvalidInputError(f"{field}={value:g} would be hours: times are milliseconds", location=place)
    if field.endswith("_size") and (value > LARGEST_SIZE or 0 < value < 1):
        raise InvalidInputError(f"{field}={value:g} cannot be right: sizes are bytes", location=place)
    return value


def _items(text: str) -> list[str]:
    """The numbers of `4` or of `[4; 5]`."""
    return text[1:-1].split("; ") if text.startswith("[") and text.endswith("]") else [text]


def _number(text: str, field: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise InvalidInputError(f"{field}: '{text}' is not a number", location=place) from error
    if not math.isfinite(number) or number < 0:
        raise InvalidInputError(f"{field} is {text}: it has to be a finite number, zero or more", location=place)
    return number


def _edge(line: str, positions: dict[str, int], place: str) -> tuple[int, int]:
    ends = line.split(" -- ")
    if len(ends) != 2:
        raise InvalidInputError("an edge is a tab and 'NAME -- NAME', separated by ' -- '", location=place)
    for end in ends:
        if end not in positions:
            raise InvalidInputError(f"the edge names '{end}', which is not a node", location=place)
    return positions[ends[0]], positions[ends[1]]


def _check_acyclic(count: int, edges: Sequence[tuple[int, tuple[int, int]]], name: str) -> None:
    """Removes nodes without producers until none is left; an edge between the nodes left over closes a cycle."""
    consumers: list[list[int]] = [[] for _ in range(count)]
    producers = [0] * count
    for _, (producer, consumer) in edges:
        consumers[producer].append(consumer)
        producers[consumer] += 1
    ready = [node for node in range(count) if producers[node] == 0]
    while ready:
        for consumer in consumers[ready.pop()]:
            producers[consumer] -= 1
            if producers[consumer] == 0:
                ready.append(consumer)
    on_cycle = _trim_consumers(consumers, [node for node in range(count) if producers[node] > 0])
    for number, (producer, consumer) in edges:
        if producer in on_cycle and consumer in on_cycle:
            raise InvalidInputError("the edge is part of a cycle", location=_place(name, number))


def _check_connected(profile: Profile, lines: Sequence[int], name: str) -> None:
    """Edges connect all layers that cost something."""
    neighbours: list[list[int]] = [[] for _ in profile.layers]
    for producer, consumer in profile.edges:
        neighbours[producer].append(consumer)
        neighbours[consumer].append(producer)
    left = [node for node, layer in enumerate(profile.layers) if layer.forward + layer.backward + layer.parameters > 0]
    parts: list[set[int]] = []
    while left:
        part, waiting = {left[0]}, [left[0]]
        while waiting:
            new = set(neighbours[waiting.pop()]) - part
            part |= new
            waiting += new
        parts.append(part)
        left = [node for node in left if node not in part]
    for part in sorted(parts, key=len)[:-1]:
        node = min(part)
        raise InvalidInputError(
            f"node '{profile.layers[node].name}' has no connection with most of the others",
            location=_place(name, lines[node]),
        )


def _trim_consumers(consumers: Sequence[Sequence[int]], left: Sequence[int]) -> set[int]:
    """Of the nodes behind a cycle, those that also lead into one."""
    kept = set(left)
    while True:
        ends = {node for node in kept if not any(consumer in kept for consumer in consumers[node])}
        if not ends:
            return kept
        kept -= ends
