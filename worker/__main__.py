"""The worker process: `python -m worker`, or `portcall worker`."""

import asyncio
import signal
import sys

import structlog
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from portcall.adapters.logs import configure_logging
from portcall.adapters.processes import allow_many_files, leave
from portcall.adapters.temporal import connect
from portcall.errors import ConfigurationError, EngineUnavailableError, PortcallError
from portcall.settings import Settings, load_settings
from worker.wiring import running_worker

PAUSE = 2.0

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; attempts under way are finished first."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    client = await _connected(settings, stop)
    if client is None:
        return
    async with running_worker(settings, client):
        log.info("worker runs", namespace=client.namespace)
        await stop.wait()
        log.info("worker stops once the attempts under way have ended")


async def _connected(settings: Settings, stop: asyncio.Event) -> Client | None:
    """Connect, however long Temporal takes to come; None where told to stop before."""
    runtime = _runtime(settings)
    while not stop.is_set():
        try:
            return await connect(runtime=runtime)
        except EngineUnavailableError as error:
            log.warning("waiting for Temporal", why=error.message)
        try:
            async with asyncio.timeout(PAUSE):
                await stop.wait()
        except TimeoutError:
            continue
    return None


def _runtime(settings: Settings) -> Runtime:
    """Give the SDK's runtime, with its figures for Prometheus where a port is set."""
    if settings.metrics_port is None:
        return Runtime(telemetry=TelemetryConfig())
    address = f"{settings.host}:{settings.metrics_port}"
    try:
        metrics = PrometheusConfig(bind_address=address, durations_as_seconds=True)
        return Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"PORTCALL_METRICS_PORT: cannot use {address}: {error}") from None


def main() -> None:
    """Run until told to stop; the exit code is 2 where the settings do not allow it."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format)
        allow_many_files()
        asyncio.run(run(settings))
    except PortcallError as error:
        sys.stderr.write(f"error: {error.message}\n")
        leave(SystemExit(error.exit_code))
    leave(SystemExit(0))


if __name__ == "__main__":
    main()
