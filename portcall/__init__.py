"""What Portcall knows: values and decisions. No I/O outside `adapters/` and `cli/`."""
