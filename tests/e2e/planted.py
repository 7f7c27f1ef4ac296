"""Secrets that can be found again, however they are written, and a receiver that repeats them."""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from tests.fixtures.receiver import Answer, ReceivedRequest, Receiver


@dataclass
class Planted:
    """The secrets by what they are; `key` ones are bytes behind a text."""

    values: dict[str, bytes] = field(default_factory=dict)

    def text(self, what: str) -> str:
        """Plant a text that has something to escape in every encoding."""
        value = f"Plant3d/{secrets.token_hex(6)}+~{len(self.values)}"
        self.values[what] = value.encode()
        return value

    def word(self, what: str) -> str:
        """Plant a text of letters and digits, for places that take nothing else."""
        value = f"Plant3d{secrets.token_hex(8)}"
        self.values[what] = value.encode()
        return value

    def key(self, what: str, prefix: str) -> str:
        """Plant 32 bytes as `whsec_` or `whsk_`."""
        value = secrets.token_bytes(32)
        encoded = base64.b64encode(value).decode()
        self.values |= {what: value, f"{what} as text": encoded.encode()}
        return prefix + encoded

    def pem(self, what: str, pem: str) -> str:
        """Plant the lines of a private key."""
        for number, line in enumerate(pem.splitlines()[1:-1]):
            self.values[f"{what}, line {number}"] = line.encode()
        return pem

    def found_in(self, corpora: Mapping[str, bytes]) -> list[tuple[str, str, str]]:
        """Give what was found, where, and how it was written."""
        return [
            (what, where, form)
            for what, value in self.values.items()
            for form, written in _forms(value)
            for where, text in corpora.items()
            if written in text
        ]


def _forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", value
    yield "hex", value.hex().encode()
    yield "HEX", value.hex().upper().encode()
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + value)
        inner = whole[-(-shift * 8 // 6) : (shift + len(value)) * 8 // 6]
        yield f"base64 at {shift}", inner
        yield f"base64url at {shift}", inner.translate(bytes.maketrans(b"+/", b"-_"))
    for name, written in (("percent", quote(value, safe="")), ("form", quote_plus(value))):
        if written.encode() != value:
            yield name, written.encode()
    if value.isascii():
        for name, written in (
            ("JSON", json.dumps(value.decode())[1:-1]),
            ("JSON, slashes escaped", json.dumps(value.decode())[1:-1].replace("/", "\\/")),
        ):
            yield name, written.encode()


class Echo(Receiver):
    """Repeats every request in header and body, in all encodings, with the status of its path.

    `/<status>/…` answers that; `/token` gives `token`, or repeats what it was sent.
    """

    token = ""

    def _answer_to(self, request: ReceivedRequest) -> Answer:
        if request.path.startswith("/token/refused"):
            said = {"error": "invalid_client", "error_description": self._all(request).decode()}
            return Answer(401, json.dumps(said).encode())
        if request.path.startswith("/token"):
            given = {"access_token": self.token, "token_type": "Bearer", "expires_in": 3600}
            return Answer(200, json.dumps(given).encode())
        status = 407 if request.method == "CONNECT" else int(request.path.split("/")[1])
        headers = {f"X-Echo-{name}": value for name, value in request.header_lines[:40]}
        location = {"Location": request.path} if status // 100 == 3 else {}
        return Answer(status, self._all(request), headers | location)

    def _all(self, request: ReceivedRequest) -> bytes:
        lines = [f"{name}: {value}" for name, value in request.header_lines]
        whole = "\r\n".join([request.path, *lines]).encode("latin-1") + request.body[:2000]
        text = whole.decode("latin-1")
        return b"\n".join(
            [
                b"you sent:",
                whole,
                base64.b64encode(whole),
                base64.urlsafe_b64encode(b"." + whole),
                whole.hex().encode(),
                quote(text).encode(),
                json.dumps(text).encode(),
            ]
        )
