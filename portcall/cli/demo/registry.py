"""A real CNCF distribution registry for the demo, and the push of a small image to it."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from portcall.adapters.processes import free_port, start_server, stop_server
from portcall.errors import UnavailableError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def configuration(port: int, storage: Path, notify: str, token: str) -> dict[str, Any]:
    """Give the registry's configuration: `notifications` is all that Portcall needs."""
    endpoint = {
        "name": "portcall",
        "url": notify,
        "headers": {"Authorization": [f"Bearer {token}"]},
        "timeout": "1s",
        "threshold": 3,
        "backoff": "1s",
    }
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": token},
        "notifications": {"endpoints": [endpoint]},
    }


@asynccontextmanager
async def running_registry(
    program: Path, directory: Path, notify: str, token: str
) -> AsyncIterator[str]:
    """Run a registry that notifies for the block; give its URL."""
    port = free_port()
    config = directory / "registry.yml"
    config.write_text(yaml.safe_dump(configuration(port, directory / "registry", notify, token)))
    log = directory / "logs" / "registry.log"
    env = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    with log.open("wb") as output:
        process = await start_server([program, "serve", config], env=env, log=output)
    try:
        url = f"http://127.0.0.1:{port}"
        await _answers(url, log)
        yield url
    finally:
        await stop_server(process, 5)


async def _answers(url: str, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(300):
            try:
                await http.get(f"{url}/v2/")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise UnavailableError(f"the registry does not come up; {log} says why")


async def push_image(url: str, repository: str, tag: str) -> str:
    """Push an image of one small layer by the OCI distribution API; give its digest."""
    async with httpx.AsyncClient(base_url=f"{url}/v2/{repository}/", trust_env=False) as http:
        config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}}).encode()
        layer = f"{repository}:{tag}".encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": await _push_blob(http, CONFIG, config),
            "layers": [await _push_blob(http, LAYER, layer)],
        }
        answer = await http.put(
            f"manifests/{tag}",
            content=json.dumps(manifest).encode(),
            headers={"Content-Type": MANIFEST},
        )
        return str(answer.raise_for_status().headers["Docker-Content-Digest"])


async def _push_blob(http: httpx.AsyncClient, media_type: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    upload = (await http.post("blobs/uploads/")).raise_for_status()
    place = httpx.URL(upload.headers["Location"]).copy_merge_params({"digest": digest})
    (await http.put(place, content=content)).raise_for_status()
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
