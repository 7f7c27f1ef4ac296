"""The worker process: builds adapters, gives them to activities, runs."""
