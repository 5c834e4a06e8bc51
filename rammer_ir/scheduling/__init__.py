"""Algorithms of schedules, as pure functions over NumPy arrays: order, safety, waves, barriers and memory."""
