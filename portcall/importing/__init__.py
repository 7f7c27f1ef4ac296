"""Takes over what other registries' webhooks say: one module per thing that is read, no I/O."""
