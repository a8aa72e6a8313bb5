"""Files that are to be written: what would be lost, or cannot be, is told before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError

# How what may be written anew begins. Sources are nobody's report.
REPORT = re.compile(r'\s*\{\s*"(schema": "gradcheck_rl/|error": "|reports": \[\s*\{\s*"schema": "gradcheck_rl/)')
STATEMENTS = re.compile("# Statements\n")
SOURCES = (".py", ".ipynb", ".toml")


def writable(typed: str, inputs: Iterable[Path], option: str, begins: re.Pattern[str] | None = None) -> None:
    """A file that is there is not touched yet; to be overwritten it is empty, or begins so."""
    path = Path(typed)
    if any(path.resolve() == other.resolve() for other in inputs):
        raise InputError(f"{option} {typed} would overwrite what is to be read: choose another file.")
    if typed.endswith(("/", os.sep)) and not path.is_dir():
        raise InputError(f"{option} {typed} names a folder, and a file is written: leave the {typed[-1]} out.")
    existed = path.exists()
    try:
        path.open("a").close()
        begun = _beginning(path) if path.is_file() else ""
    except OSError as error:
        raise InputError(f"{option} {typed} cannot be written: {error.strerror}.") from error
    if begun and (not begins.match(begun) if begins else path.suffix.lower() in SOURCES):
        raise InputError(f"{option} {typed} is there, and was not written by this command: choose another file, or remove it.")
    if not existed:
        path.unlink()


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(200).decode("utf-8", "replace")
