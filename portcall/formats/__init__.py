"""Formats of the hook message: one module per format, each a function from event to message.

A further format plugs in through the entry-point group `portcall.formats`.
"""
