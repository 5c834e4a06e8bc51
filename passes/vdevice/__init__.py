"""Passes on programs: launches, synchronisation, memory, and the proof."""
