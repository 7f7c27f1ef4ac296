"""Temporal activities: fetch, decide, do, through the ports."""
