from pathlib import Path

import pytest

from tests.cli.processes import parts_of, portcall

pytestmark = pytest.mark.timeout(180)


def _tells_the_main_job(said: str) -> None:
    for part in (
        "HTTP 200 at attempt 3",
        "Attempt 2",
        "< HTTP 503",
        "--outcome exhausted",
        "Sent again",
        "HTTP 200 at attempt 1",
        "/namespaces/default/workflows/",
        "That was the main job.",
    ):
        assert part in said


@pytest.mark.usefixtures("temporal_program", "registry_program")
def test_a_real_registrys_push_is_told_whatever_the_users_own_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORTCALL_DATABASE_URL=postgresql://127.0.0.1:9/production\n")
    told = portcall("demo", home=tmp_path, timeout=150, TMPDIR=str(tmp_path))
    assert (told.returncode, told.stderr) == (0, "")
    _tells_the_main_job(told.stdout)
    assert "A real registry (CNCF distribution)" in told.stdout
    assert parts_of(tmp_path) == {}
    assert not list(tmp_path.glob("portcall-demo-*"))


def test_without_a_registry_it_says_so_and_replays_what_one_sent(
    tmp_path: Path, temporal_program: Path
) -> None:
    nothing = tmp_path / "path"
    nothing.mkdir()
    (nothing / "temporal").symlink_to(temporal_program)
    told = portcall(
        "demo",
        home=tmp_path,
        timeout=150,
        TMPDIR=str(tmp_path),
        PATH=str(nothing),
        PORTCALL_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert told.returncode == 0
    assert "the distribution registry is not to be had on this machine" in told.stderr
    assert "No registry is to be had here: replaying what one sent earlier" in told.stdout
    _tells_the_main_job(told.stdout)
