import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from portcall.adapters.tools import find_registry, find_temporal
from portcall.errors import ConfigurationError

NEW = "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"
OLD = "temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)"
UNHEARD = lambda _: None  # noqa: E731


def _program(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def _answering(file: Path, version: str) -> Path:
    return _program(file, f"echo '{version}'")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a few plain commands, and no way out of this machine."""
    directory = tmp_path / "path"
    directory.mkdir()
    for name in ("sh", "cat", "sleep", "chmod"):
        (directory / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(directory))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return directory


def test_a_temporal_on_path_is_taken(path: Path, tmp_path: Path) -> None:
    program = _answering(path / "temporal", NEW)
    assert find_temporal(tmp_path / "cache", UNHEARD) == program


@pytest.mark.parametrize("fault", [f"echo '{OLD}'", f"echo '{NEW}'; exit 1", "echo something"])
def test_one_that_is_too_old_or_broken_is_passed_over_for_the_cached_one(
    path: Path, tmp_path: Path, fault: str
) -> None:
    _program(path / "temporal", fault)
    cached = _answering(tmp_path / "cache" / "bin" / "temporal-1.5.1", NEW)
    assert find_temporal(tmp_path / "cache", UNHEARD) == cached


def test_without_any_way_one_error_names_them_all(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_temporal(tmp_path / "cache", UNHEARD)
    message = caught.value.message
    for way in ("TEMPORAL_ADDRESS", "on PATH", "temporal-1.5.1", "download", "Docker", "`go`"):
        assert way in message


def test_go_builds_what_is_missing_and_the_cache_keeps_it(path: Path, tmp_path: Path) -> None:
    made = f"""
        case "$*" in
            *temporal@v1.5.1) ;;
            *) exit 1 ;;
        esac
        echo '#!/bin/sh' > "$GOBIN/temporal"
        echo "echo '{NEW}'" >> "$GOBIN/temporal"
    """
    _program(path / "go", made)
    heard: list[str] = []
    cached = tmp_path / "cache" / "bin" / "temporal-1.5.1"
    assert find_temporal(tmp_path / "cache", heard.append) == cached
    assert any(line.startswith("Building Temporal 1.5.1 (the first time only, ") for line in heard)

    (path / "go").unlink()
    assert find_temporal(tmp_path / "cache", UNHEARD) == cached


def test_docker_gives_the_program_of_the_official_image(path: Path, tmp_path: Path) -> None:
    given = f"""
        case "$1 $5" in
            "info ") ;;
            "run temporalio/temporal:1.5.1") echo '#!/bin/sh'; echo "echo '{NEW}'" ;;
            *) echo "unknown: $*"; exit 1 ;;
        esac
    """
    _program(path / "docker", given)
    found = find_temporal(tmp_path / "cache", UNHEARD)
    assert found == tmp_path / "cache" / "bin" / "temporal-1.5.1"


def test_a_build_that_fails_says_why_and_where_all_of_it_is(path: Path, tmp_path: Path) -> None:
    _program(path / "go", "echo first; echo 'no such module' >&2; exit 1")
    with pytest.raises(ConfigurationError, match="building it failed: no such module") as caught:
        find_temporal(tmp_path / "cache", UNHEARD)
    log = tmp_path / "cache" / "bin" / "temporal-1.5.1-build_with_go.log"
    assert str(log) in caught.value.message
    assert "first" in log.read_text()


def test_what_was_got_but_does_not_run_is_not_kept(path: Path, tmp_path: Path) -> None:
    _program(path / "go", 'echo "not a program" > "$GOBIN/temporal"')
    with pytest.raises(ConfigurationError, match="does not run here"):
        find_temporal(tmp_path / "cache", UNHEARD)
    assert not (tmp_path / "cache" / "bin" / "temporal-1.5.1").exists()


def test_an_interrupted_build_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    _program(path / "go", f"echo $$ > {tmp_path}/pid; sleep 60")

    def interrupt(_: str) -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_temporal(tmp_path / "cache", interrupt)
    assert not list((tmp_path / "cache" / "bin").glob(".new-*"))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_of_two_processes_one_builds_and_the_other_waits(path: Path, tmp_path: Path) -> None:
    made = f"""
        echo built >> {tmp_path}/count
        sleep 1.5
        echo '#!/bin/sh' > "$GOBIN/registry"
        echo "echo 'registry github.com/distribution/distribution/v3 v3.1.2'" >> "$GOBIN/registry"
    """
    _program(path / "go", made)
    script = (
        "import sys; from pathlib import Path\n"
        "from portcall.adapters.tools import find_registry\n"
        "print(find_registry(Path(sys.argv[1]), print))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert all(text.splitlines()[-1].endswith("registry-3.1.2") for text in said)
    assert (tmp_path / "count").read_text() == "built\n"
    assert sum("Another process is getting the distribution registry" in text for text in said) == 1


def test_a_registry_that_cannot_be_had_is_none_and_the_reason_is_told(
    path: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    assert find_registry(tmp_path / "cache", heard.append) is None
    assert "the distribution registry is not to be had" in heard[-1]
    assert "TEMPORAL_ADDRESS" not in heard[-1]


def test_a_cache_that_cannot_be_written_names_the_setting(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="PORTCALL_CACHE_DIR"):
        find_temporal(tmp_path / "file" / "cache", UNHEARD)
