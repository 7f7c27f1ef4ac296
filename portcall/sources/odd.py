"""Makes notifications that no registry sends out of those that one does.

Always the same ones, so that what fails can be repeated: in the place of every member something
else, or nothing; in the place of the body too; much too long, much too deep.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from portcall.sources.kind import Notification

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    10**25,
    "",
    "\x00\ud800",
    "a/b:c@d",
    "sha256:" + "a" * 64,
    "2025-06-15T17:06:40Z",
    "0001-01-01T00:00:00+23:59",
    "x" * 5000,
    [],
    [[None], {}],
    {"": {"\x00": []}},
)
ODD_BODIES = (
    b"",
    b"\xff\xfe{\x00}\x00",
    b"{",
    b"[NaN]",
    b"[1e999]",
    b"[" * 100_000,
    b'{"events":' * 100_000,
    b"[" + b"9" * 5000 + b"]",
)

_NOTHING = object()


def odd_notifications(samples: Sequence[Notification], limit: int) -> Iterator[Notification]:
    """Give odd notifications, each close to one of the samples, none over `limit` bytes."""
    return (odd for odd in _odd(samples, limit) if len(odd.body) <= limit)


def _odd(samples: Sequence[Notification], limit: int) -> Iterator[Notification]:
    seen: set[str] = set()
    for sample in samples:
        for body in _odd_bodies(sample.body, seen, limit):
            yield replace(sample, body=body)
        yield from _odd_headers(sample, seen)
    for body in (*ODD_BODIES, *map(_written, ODD_VALUES)):
        yield replace(samples[0], body=body)
    for hint in (None, "x" * 5000, "\x00", "../%2F?"):
        yield replace(samples[0], hint=hint)


def _odd_headers(sample: Notification, seen: set[str]) -> Iterator[Notification]:
    for name in sample.headers:
        if name in seen:
            continue
        seen.add(name)
        others = {key: value for key, value in sample.headers.items() if key != name}
        yield replace(sample, headers=others)
        for value in ("", "\x00", "%ff", "\xff", "x" * 5000, '"'):
            yield replace(sample, headers={**others, name: value})


def _odd_bodies(body: bytes, seen: set[str], limit: int) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    try:
        value = json.loads(body)
    except ValueError:
        return
    for path in _places(value):
        name = "/".join([step for step in path if isinstance(step, str)][-2:])
        if name not in seen:
            seen.add(name)
            yield from _odd_in(value, path, limit)


def _odd_in(value: Any, path: Sequence[str | int], limit: int) -> Iterator[bytes]:
    for odd in (*ODD_VALUES, _NOTHING):
        yield _written(_with(value, path, odd))
    here = value
    for step in path:
        here = here[step]
    if isinstance(here, list):
        copies = min(20_000, limit // 2 // max(1, len(_written(here))))
        yield _written(_with(value, path, here * copies))


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the way to every member, and to what is in it."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, item in inner:
        yield (*path, step)
        yield from _places(item, (*path, step))


def _with(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """Copy the value with something else, or nothing, in one place."""
    if not path:
        return new
    step, *rest = path
    items = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    items[step] = _with(items[step], rest, new)
    kept = {key: item for key, item in items.items() if item is not _NOTHING}
    return kept if isinstance(value, dict) else list(kept.values())


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()
