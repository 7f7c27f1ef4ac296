"""Reads the files that a command is given: a name, `-` for stdin, or a directory's own files."""

import sys
from collections.abc import Iterable
from pathlib import Path

from portcall.errors import ConfigurationError

_ENDINGS = {".yaml", ".yml", ".json"}
_SCHEMA = ".schema.json"


def read_texts(names: Iterable[str]) -> dict[str, str]:
    """Give the text of each file by its name; raise ConfigurationError naming one that is wrong.

    Of a directory these are its *.yaml, *.yml and *.json by name, not those of directories in
    it, nor hidden ones, nor JSON Schemas (*.schema.json).
    """
    found = dict.fromkeys(file for name in names for file in _files(name))
    return {name: read_text(name) for name in found}


def read_text(name: str) -> str:
    """Give the text of one file, or of stdin."""
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}: not UTF-8 text.") from None
    except OSError as error:
        raise unusable(name, error) from None


def write_text(name: str, text: str, *, private: bool = False) -> None:
    """Write one file, a private one readable by its owner alone."""
    try:
        if private:
            Path(name).touch(mode=0o600)
            Path(name).chmod(0o600)
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise unusable(name, error) from None


def unusable(name: str, error: OSError) -> ConfigurationError:
    """Say why a file cannot be read or written."""
    return ConfigurationError(f"{name}: {(error.strerror or str(error)).lower()}.")


def _files(name: str) -> list[str]:
    if name == "-" or not Path(name).is_dir():
        return [name]
    try:
        files = [str(file) for file in sorted(Path(name).iterdir()) if _is_declaring(file)]
    except OSError as error:
        raise unusable(name, error) from None
    if not files:
        raise ConfigurationError(f"{name}: no *.yaml, *.yml or *.json in this directory.")
    return files


def _is_declaring(file: Path) -> bool:
    is_ours = file.suffix in _ENDINGS and not file.name.startswith(".")
    return is_ours and not file.name.endswith(_SCHEMA) and file.is_file()
