"""A page with a picture of a plan's pipeline: who computes which micro-batch when, where transfers and bubbles are."""

from html import escape

from rammer_ir.planner.plan import Plan
from rammer_ir.planner.simulator import Schedule, simulate, warmup_depths

MOST_MICRO_BATCHES = 24
"""Drawn at most: the steady phase repeats itself."""
WIDTH, ROW, LABEL = 1200, 26, 110
"""Pixels: of the picture, of a row, of the rows' names."""

_STYLE = """
body { font: 14px sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: 2px 10px; text-align: right; border-bottom: 1px solid #ddd }
svg text { font: 11px sans-serif; fill: #222 }
.row { fill: #f1f1ee } .forward { fill: #4c8dd6 } .backward { fill: #6fb96f } .all_reduce { fill: #d9843b }
.forward, .backward, .all_reduce { stroke: #fff; stroke-width: 0.5 }
svg .number { font-size: 9px; fill: #fff; text-anchor: middle; pointer-events: none }
"""


def pipeline_page(plan: Plan, title: str) -> str:
    """An HTML page that needs nothing else: the plan's stages in a table, and its first micro-batches in a picture."""
    times = plan.estimate.pipeline_times()
    drawn = min(plan.micro_batches, MOST_MICRO_BATCHES)
    schedule = simulate(times, drawn, warmup_depths("A", len(times.forward), drawn))
    whole = simulate(times, plan.micro_batches, warmup_depths("A", len(times.forward), plan.micro_batches))
    shown = "all" if drawn == plan.micro_batches else f"a pipeline of {drawn} of the"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>Speedup {plan.speedup:.4f} by policy {escape(plan.policy)}, global batch {plan.global_batch}, {plan.micro_batches}
micro-batches of {plan.micro_batch:g} samples in {plan.pipelines} pipeline(s).</p>
{_table(plan, whole)}
<p>Early backward schedule, {shown} {plan.micro_batches} micro-batches; grey is a bubble.
<svg width="430" height="14">{_legend()}</svg></p>
{_picture(schedule)}
</body></html>
"""


def _legend() -> str:
    parts: list[str] = []
    for index, (kind, name) in enumerate(
        [("forward", "forward"), ("backward", "backward"), ("all_reduce", "all-reduce"), ("row", "bubble")]
    ):
        parts.append(f'<rect class="{kind}" x="{index * 105}" y="1" width="12" height="12"/>')
        parts.append(f'<text x="{index * 105 + 17}" y="11">{name}</text>')
    return "".join(parts)


def _table(plan: Plan, whole: Schedule) -> str:
    rows = ["<tr><th>stage<th>states<th>devices<th>replicas<th>memory, GB<th>all-reduce, ms<th>bubble</tr>"]
    for number, stage in enumerate(plan.stages):
        devices = ", ".join(map(str, stage.devices))
        again = " (recomputed)" if stage.recompute else ""
        rows.append(
            f"<tr><td>{number}<td>{stage.first}–{stage.last}{again}<td>{devices}<td>{stage.replicas}"
            f"<td>{plan.memory[number] / 1e9:.2f}<td>{plan.estimate.all_reduce[number] * 1e3:.2f}"
            f"<td>{1 - whole.busy[2 * number]:.1%}</tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _picture(schedule: Schedule) -> str:
    count = len(schedule.busy)
    scale = (WIDTH - LABEL) / schedule.length
    parts: list[str] = []
    for position in range(count):
        name = f"stage {position // 2}" if position % 2 == 0 else f"{position // 2} → {position // 2 + 1}"
        top = position * ROW
        parts.append(f'<text x="0" y="{top + 15}">{name}</text>')
        parts.append(f'<rect class="row" x="{LABEL}" y="{top}" width="{WIDTH - LABEL}" height="{ROW - 4}"/>')
    for task in schedule.tasks:
        left, width = LABEL + task.start * scale, (task.end - task.start) * scale
        top = task.stage * ROW
        name = task.kind.replace("_", "-") + ("" if task.micro_batch < 0 else f" {task.micro_batch}")
        parts.append(
            f'<rect class="{task.kind}" x="{left:.2f}" y="{top}" width="{width:.2f}" height="{ROW - 4}">'
            f"<title>{name}: {task.start * 1e3:.3f} to {task.end * 1e3:.3f} ms</title></rect>"
        )
        if width > 12 and task.micro_batch >= 0:
            parts.append(f'<text class="number" x="{left + width / 2:.2f}" y="{top + 14}">{task.micro_batch}</text>')
    return f'<svg width="{WIDTH}" height="{count * ROW}">{"".join(parts)}</svg>'
