"""Schedules broken on purpose, and the judgement whether the proof refuses those that are unsafe."""
