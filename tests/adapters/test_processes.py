import asyncio
import os
import sys

import pytest

PRINTED = """
import resource
from portcall.adapters.processes import allow_many_files
allow_many_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("given", "becomes"), [("200 400", "400 400"), ("400 400", "400 400")])
async def test_a_process_takes_as_many_open_files_as_it_may(given, becomes):
    soft, hard = given.split()
    shell = f'ulimit -Sn {soft}; ulimit -Hn {hard}; exec "$0" -c "$1"'
    child = await asyncio.create_subprocess_exec(
        "sh", "-c", shell, sys.executable, PRINTED, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    printed, _ = await child.communicate()
    assert printed.decode().strip() == becomes
