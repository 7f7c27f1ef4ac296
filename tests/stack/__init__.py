"""docker-compose.yml brought up for real. `make test-stack` runs it, `make test` does not."""
