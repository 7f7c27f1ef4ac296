"""Reads a request's raw body up to a limit: signatures and parsers want the bytes as they came."""

from fastapi import Request

from portcall.errors import TooLargeError


async def read_body(request: Request, limit: int) -> bytes:
    """Read the raw body; raise TooLargeError as soon as it passes `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"The body is over this kind's limit of {limit} bytes.")
    return bytes(body)
