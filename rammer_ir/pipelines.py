"""Named pipelines: a strategy is a tuple of passes, not a flag that passes ask for."""

PIPELINES: dict[str, tuple[str, ...]] = {}
"""Name to passes with their options, or other named pipelines, as in `rammer-opt -p`."""
