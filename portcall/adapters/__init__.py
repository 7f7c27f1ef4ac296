"""The only I/O of `portcall`: one adapter for each thing outside, behind the ports."""
