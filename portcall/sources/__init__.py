"""Kinds of source: one module per registry, each a parser from a notification to events.

A further kind plugs in through the entry-point group `portcall.sources`.
"""
