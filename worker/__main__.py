"""The worker process: `python -m worker`, or `portcall worker`."""
