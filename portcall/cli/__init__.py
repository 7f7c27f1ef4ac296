"""The commands: an entry point like `api` and `worker`, for people and for scripts."""
