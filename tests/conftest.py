"""Fixtures that start real servers live in `tests/fixtures`, one file per server."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.fixtures.portcall",
    "tests.fixtures.postgres",
    "tests.fixtures.programs",
    "tests.fixtures.receiver",
    "tests.fixtures.registry",
    "tests.fixtures.temporal",
]

# A busy machine is slow by chance; pytest's own limit of 60 s stands.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
