"""Fixtures that start real servers live in `tests/fixtures`, one file per server."""

pytest_plugins = [
    "tests.fixtures.portcall",
    "tests.fixtures.postgres",
    "tests.fixtures.receiver",
    "tests.fixtures.registry",
    "tests.fixtures.temporal",
]
