"""What commands ask about the schedule of a plan."""

import argparse
from pathlib import Path


def add_plan_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the file of the plan."""
    parser.add_argument("plan", type=Path, help="the plan as JSON")


def add_schedule_options(parser: argparse.ArgumentParser) -> None:
    """Adds the policy of warm-up, and a limit to the micro-batches in flight."""
    parser.add_argument(
        "--warmup",
        choices=("A", "B"),
        default="A",
        help="forward passes first: S - i (A) or 2 (S - i) - 1 (B) (default A)",
    )
    parser.add_argument("--depth", type=int, metavar="N", help="micro-batches in flight, at most (default: no limit)")
