"""Timelines, their numbers, the page that shows them, in a real browser, and the trace for Perfetto."""

import json
import re
import shutil
import subprocess
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rammer_ir
from rammer_ir.cli.rammer import main
from rammer_ir.pass_pipeline import parse_pass_pipeline
from rammer_ir.runtime.program_image import Event
from rammer_ir.testing.program_images import ImageBuilder, Loop, Words, barrier, signal, wait
from rammer_ir.testing.small_models import SMALL_MODELS
from rammer_ir.view.observation import pass_differences
from rammer_ir.view.schedule import PassDifference, chrome_trace, schedule_page, usage
from rammer_ir.view.statistics import critical_path, statistics
from rammer_ir.view.timeline import BARRIER, TASK, Timeline, predicted

HOSTILE = "*/ </script><script>window.hacked = 1</script><!-- \"'\n\u2028&lt;"


def timeline(rounds: int = 2, tasks: int = 3, veus: int = 2, node: str = "node") -> Timeline:
    """A loop of tasks on every vEU and a barrier; then the last vEU waits for a task of the first."""
    event = Event("ready", 0, 1)
    builder = ImageBuilder("main", events=(event,), barriers=1)
    body = builder.body("work", f"// {node}", service=False)
    run = [builder.run(body, [], [veu], count=tasks, node=node) for veu in range(veus)]
    streams: list[list[Words | Loop]] = [[Loop([run[veu], barrier(0, veus)], rounds)] for veu in range(veus)]
    streams[0] += [run[0], signal(event)]
    streams[-1] += [wait(event, 1), run[-1]]
    builder.launch(streams)
    image = builder.image()
    costs = {int(words[2]): 1.0 + veu for veu, words in enumerate(run)}
    return predicted(image, (), costs, 0.5)


def test_a_prediction() -> None:
    line = timeline()
    # Two rounds of three tasks of 2 us and a barrier; tasks of vEU 0; the wait; tasks of vEU 1.
    assert line.length == pytest.approx(2 * 6.5 + 3 + 0.5 + 6)
    numbers = statistics(line)
    assert (numbers.tasks, numbers.waits, numbers.veus) == (2 * 2 * 3 + 6, 5, 2)
    assert numbers.utilisation + numbers.waiting + numbers.overhead == pytest.approx(1)
    assert numbers.path.compute == pytest.approx(12 + 3 + 6)
    assert numbers.path.synchronisation == pytest.approx(1.5)
    assert (numbers.path.wait, numbers.path.tail) == (0, 0)
    # vEU 0 waits for the slower one; it is the last task of that which ends the wait.
    assert numbers.longest_waits[0].kind in ("barrier", "wait")
    assert numbers.longest_waits[0].length == pytest.approx(3.5)
    barriers = [k for k, item in enumerate(line.items) if item.kind == BARRIER and item.veu == 0]
    assert all(line.items[int(line.released_by[k])].veu == 1 for k in barriers)
    path = critical_path(line)
    assert all(line.end[a] <= line.end[b] for a, b in pairwise(path))
    strip = usage(line, 10)
    assert strip.sum() / 10 == pytest.approx(numbers.utilisation)


def test_names_stay_text() -> None:
    page = schedule_page(HOSTILE, HOSTILE, {HOSTILE: timeline(node=HOSTILE)}, [PassDifference(HOSTILE, [HOSTILE])])
    assert page.count("</script>") == 2
    assert "hacked" in page
    content = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert content is not None
    data = json.loads(content[1])
    assert data["title"] == data["operators"][0]["node"] == HOSTILE
    assert data["sources"] == [f"// {HOSTILE}"]


def test_a_trace_for_perfetto() -> None:
    line = timeline(node=HOSTILE)
    events = json.loads(chrome_trace({"predicted": line}))["traceEvents"]
    whole = [event for event in events if event["ph"] == "X"]
    assert len(whole) == len(line.items)
    assert {event["cat"] for event in whole} == {"task", "wait", "barrier"}
    assert sum(event["ph"] == "s" for event in events) == sum(event["ph"] == "f" for event in events) > 0
    assert max(event["ts"] + event["dur"] for event in whole) == pytest.approx(line.length)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, page, trace = (tmp_path / name for name in ("m.rammer", "m.html", "m.json"))
    with rammer_ir.compile(SMALL_MODELS["convolutions"](), device="cpu") as program:
        program.save(kept, keep_ir=True)
    given = [str(kept), "--device", "cpu"]
    assert main(["view", *given, "-o", str(page), "--perfetto", str(trace)]) == 0
    assert '"predicted"' in page.read_text(encoding="utf-8")
    assert main(["view", *given, "-o", str(page), "--passes"]) == 1
    assert "has run them" in capsys.readouterr().err
    assert {event["pid"] for event in json.loads(trace.read_text())["traceEvents"]} == {0, 1}
    capsys.readouterr()
    assert main(["stats", *given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measured"]["tasks"] == found["predicted"]["tasks"] > 0
    assert found["memory"]["arena"]["bytes"] >= found["memory"]["arena"]["live at one time"] > 0
    assert main(["stats", *given]) == 0
    assert "synchronisation" in capsys.readouterr().out


def test_differences_of_passes(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(SMALL_MODELS["lstm"]().SerializeToString())
    found = pass_differences(model, parse_pass_pipeline("set-device{device=host veus=2},optimize-rop"))
    assert [difference.name.split(":")[0] for difference in found][:2] == ["set-device", "fold-scales"]
    assert any(line.startswith("+") and "vdevice.device" in line for line in found[0].lines)


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FIRST = """<script>window.frames_ = []; window.requestAnimationFrame = (f) => {
  const start = performance.now(); f(); window.frames_.push(performance.now() - start); };</script>"""
LAST = """<script>
const mouse = (kind, x, y) => new MouseEvent(kind, { clientX: x, clientY: y, bubbles: true });
const where = document.getElementById("canvas");
where.dispatchEvent(new WheelEvent("wheel", { clientX: 400, deltaY: -800 }));
where.dispatchEvent(mouse("mousedown", 600, 200));
for (let i = 0; i < 60; i++) window.dispatchEvent(mouse("mousemove", 600 - 8 * i, 200));
window.dispatchEvent(mouse("mouseup", 100, 200));
where.dispatchEvent(mouse("mousedown", 300, 120)); window.dispatchEvent(mouse("mouseup", 300, 120));
where.dispatchEvent(mouse("click", 300, 120));
document.getElementById("operators").firstElementChild.click();
document.body.dataset.result = JSON.stringify({ ready: Number(document.body.dataset.ready), frames: window.frames_,
  hacked: window.hacked || 0, source: document.getElementById("source").textContent,
  title: document.title });
</script>"""


def opened(command: list[str]) -> dict[str, Any]:
    """What the page's last script says, in a browser."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'data-result="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[:2000]
    return json.loads(unescape(found[1]))


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page with")
def test_fifty_thousand_tasks_in_a_browser(tmp_path: Path) -> None:
    assert BROWSER is not None
    line = timeline(rounds=50, tasks=5, veus=200, node=HOSTILE)
    assert sum(item.kind == TASK for item in line.items) >= 50_000
    page = schedule_page("fifty thousand", "", {"predicted": line, "measured": line})
    file = tmp_path / "page.html"
    file.write_text(page.replace("<body>", f"<body>{FIRST}").replace("</body>", f"{LAST}</body>"), encoding="utf-8")
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=1600,900", "--dump-dom", file.as_uri()]
    # The best of a few: other processes may have the machine.
    results = [opened(command) for _ in range(3)]
    result = min(results, key=lambda result: result["ready"])
    assert result["ready"] < 3000
    assert len(result["frames"]) >= 60
    assert min(float(np.percentile(result["frames"], 90)) for result in results) < 100
    assert result["hacked"] == 0
    assert result["title"] == "fifty thousand"
    assert HOSTILE.splitlines()[0] in result["source"]
