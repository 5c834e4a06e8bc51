"""What commands ask about how a model is compiled."""

import argparse

from rammer_ir.pipelines import DEFAULT_PRECISION, DEFAULT_STRATEGY, PRECISIONS, STRATEGIES


def add_program_options(parser: argparse.ArgumentParser) -> None:
    """Adds the strategy and the precision; None where neither is given."""
    parser.add_argument(
        "--strategy", choices=STRATEGIES, default=None, help=f"how work is launched (default {DEFAULT_STRATEGY})"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=None,
        help=f"how exactly products of float32 are computed (default {DEFAULT_PRECISION})",
    )
