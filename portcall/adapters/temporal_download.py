"""Downloads the Temporal CLI as the SDK does, as a process that can be given up.

The SDK's download can neither be watched nor interrupted; `tools.py` runs this instead.
"""

import asyncio
import sys

from temporalio.testing import WorkflowEnvironment


async def download(version: str, directory: str) -> None:
    """Put the CLI into `directory`; the SDK starts the server once, in memory."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_download_version=f"v{version}", download_dest_dir=directory
    )
    await environment.shutdown()


if __name__ == "__main__":
    asyncio.run(download(*sys.argv[1:]))
