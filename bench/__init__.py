"""First figures: Portcall beside the bare SDK doing the same shape on the same server."""
