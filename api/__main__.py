"""The API process: `python -m api`, or `portcall api`."""

import asyncio
import signal
import socket
import sys

import structlog
import uvicorn

from api.app import create_app
from api.wiring import running_services
from portcall.adapters.logs import configure_logging
from portcall.adapters.processes import allow_many_files, leave
from portcall.adapters.temporal import connect
from portcall.errors import ConfigurationError, PortcallError
from portcall.settings import Settings, load_settings

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; Temporal may be away and come later."""
    listener = _listen(settings.host, settings.port)
    client = await connect(lazy=True)
    async with running_services(settings, client) as services:
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(services),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=10,
            )
        )
        beside = [
            asyncio.create_task(services.forwarder.run(services.intake.is_busy)),
            asyncio.create_task(services.silence.run()),
        ]
        try:
            log.info("API answers", address="http://{}:{}".format(*listener.getsockname()[:2]))
            _end_in_order()
            await server.serve(sockets=[listener])
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


def _end_in_order() -> None:
    """Let no signal end the process once it has served: what is left to do is still done.

    uvicorn raises the signals that it took again in the end, for whoever took them before it.
    """
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else, so that one in use is one clear sentence."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Set PORTCALL_PORT or --port."
        ) from None
    # asyncio sets it for protocol TCP alone, and this socket has 0: without, an answer's body waits
    # for the sender's delayed acknowledgement of its head, 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


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
