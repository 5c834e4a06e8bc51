"""Points of one thread."""

from collections.abc import Set as AbstractSet

Point = tuple[int, ...]
"""A point of a thread: for each loop class the distance from the thread's first index, a constant."""


def only(point: Point, classes: AbstractSet[int]) -> Point:
    """A point with 0 for all other classes."""
    return tuple(distance if number in classes else 0 for number, distance in enumerate(point))


def moved(point: Point, number: int, by: int) -> Point:
    """A point with another distance in one class."""
    return tuple(distance + by if position == number else distance for position, distance in enumerate(point))


def sum_of_points(point: Point, other: Point) -> Point:
    """The distances of both together."""
    return tuple(a + b for a, b in zip(point, other, strict=True))
