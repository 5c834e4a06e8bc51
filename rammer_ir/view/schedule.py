"""A page with a program's schedule, predicted above measured; and the same as a Chrome trace."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rammer_ir.runtime.program_image import ProgramImage
from rammer_ir.view.statistics import critical_path, name_of, split_path
from rammer_ir.view.timeline import TASK, WAIT, Timeline

USAGE_BINS = 600
"""Parts of a run in which the strip above it shows how busy vEUs are."""


@dataclass(frozen=True)
class PassDifference:
    """What a pass changed in the IR: lines of a unified difference."""

    name: str
    lines: Sequence[str] = field(default_factory=tuple[str, ...])


def schedule_page(
    title: str, summary: str, timelines: Mapping[str, Timeline], passes: Sequence[PassDifference] = ()
) -> str:
    """An HTML page that needs nothing else, with the timelines of one program by name, one above the other."""
    image = next(iter(timelines.values())).image
    descriptors = _descriptors(image)
    data = {
        "title": title,
        "summary": summary,
        "operators": _operators(image, descriptors),
        "sources": [body.source for body in image.bodies],
        "lines": [_line(name, timeline, descriptors) for name, timeline in timelines.items()],
        "passes": [{"name": difference.name, "lines": list(difference.lines)} for difference in passes],
    }
    page = files("rammer_ir.view").joinpath("schedule_page.html").read_text(encoding="utf-8")
    head, tail = page.split("DATA", 1)
    return head + _inside_script(data) + tail


def _inside_script(data: object) -> str:
    """JSON that no HTML parser takes for anything else, whatever strings it has."""
    text = json.dumps(data)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _descriptors(image: ProgramImage) -> dict[int, int]:
    """The number of each descriptor that runs use, in the order of the table."""
    used = np.unique(image.instructions[image.instructions[:, 0] == 1, 2])
    return {int(descriptor): number for number, descriptor in enumerate(used)}


def _operators(image: ProgramImage, descriptors: Mapping[int, int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{} for _ in descriptors]
    for words in image.instructions[image.instructions[:, 0] == 1].tolist():
        entry = found[descriptors[words[2]]]
        entry.setdefault("node", image.provenance.get(words[2], ""))
        entry.setdefault("name", image.bodies[int(words[1])].name)
        entry.setdefault("body", words[1])
        entry["tasks"] = entry.get("tasks", 0) + words[4]
    return found


def _line(name: str, timeline: Timeline, descriptors: Mapping[int, int]) -> dict[str, Any]:
    """A timeline as the page takes it: items by vEU, then by time."""
    veus = np.array([item.veu for item in timeline.items], np.int32)
    order = np.lexsort((timeline.start, veus))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    by = timeline.released_by[order]
    path = critical_path(timeline)
    split = split_path(timeline, path)
    numbers = np.array([descriptors.get(int(number), -1) for number in timeline.operators], np.int32)
    return {
        "name": name,
        "length": timeline.length,
        "split": f"compute {split.compute:.1f}, synchronisation {split.synchronisation:.1f}, wait {split.wait:.1f}, "
        f"tail {split.tail:.1f} us",
        "path": _packed(place[path], np.int32),
        "start": _packed(timeline.start[order], np.float32),
        "end": _packed(timeline.end[order], np.float32),
        "veu": _packed(veus[order], np.int32),
        "kind": _packed(timeline.kinds[order], np.int8),
        "operator": _packed(numbers[order], np.int32),
        "task": _packed(np.array([item.task for item in timeline.items])[order], np.int32),
        "by": _packed(np.where(by >= 0, place[np.maximum(by, 0)], -1), np.int32),
        "first": _packed(np.searchsorted(veus[order], np.arange(timeline.veus + 1)), np.int32),
        "usage": _packed(usage(timeline), np.float32),
    }


def usage(timeline: Timeline, bins: int = USAGE_BINS) -> NDArray[np.float64]:
    """The share of vEUs that are at a task, in equal parts of the run; shape [bins]."""
    tasks = timeline.kinds == TASK
    edges = np.linspace(0, max(timeline.length, 1e-9), bins + 1)
    start, end = np.sort(timeline.start[tasks]), np.sort(timeline.end[tasks])
    sums = [np.concatenate([[0.0], np.cumsum(times)]) for times in (start, end)]
    # The time at work before an edge: that of all that began there, less what of them lies behind it.
    before = [np.searchsorted(times, edges) for times in (start, end)]
    worked = (before[0] * edges - sums[0][before[0]]) - (before[1] * edges - sums[1][before[1]])
    return np.clip(np.diff(worked) / (edges[1] * max(timeline.veus, 1)), 0, 1)


def _packed(values: NDArray[Any], dtype: type[np.generic]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()).decode("ascii")


def chrome_trace(timelines: Mapping[str, Timeline]) -> str:
    """The timelines as JSON that Perfetto and chrome://tracing open: a process a timeline, a thread a vEU."""
    events: list[dict[str, Any]] = []
    for process, (name, timeline) in enumerate(timelines.items()):
        events.append({"ph": "M", "name": "process_name", "pid": process, "args": {"name": name}})
        events.extend(
            {"ph": "M", "name": "thread_name", "pid": process, "tid": veu, "args": {"name": f"vEU {veu}"}}
            for veu in range(timeline.veus)
        )
        for k, item in enumerate(timeline.items):
            start, end = float(timeline.start[k]), float(timeline.end[k])
            kind = {TASK: "task", WAIT: "wait"}.get(item.kind, "barrier")
            label = name_of(timeline, k) if item.kind == TASK else kind
            place = {"pid": process, "tid": item.veu}
            arguments = {"task": item.task, "iteration": item.iteration}
            events.append(
                {"ph": "X", "name": label, "cat": kind, "ts": start, "dur": end - start, **place, "args": arguments}
            )
            by = int(timeline.released_by[k])
            if item.kind != TASK and by >= 0 and timeline.items[by].veu != item.veu:
                source = {"pid": process, "tid": timeline.items[by].veu}
                flow = {"cat": "release", "name": "release", "id": k}
                events.append({"ph": "s", **flow, "ts": float(timeline.end[by]), **source})
                events.append({"ph": "f", "bp": "e", **flow, "ts": end, **place})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"})
