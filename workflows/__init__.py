"""Temporal workflows: the order of steps, timers and children."""
