"""Files that are to be written: what would be lost, or cannot be, is told before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

# How what may be written anew begins. Sources are nobody's report.
REPORT = re.compile(r'\s*\{\s*"(schema": "gradcheck_rl/|error": "|reports": \[\s*\{\s*"schema": "gradcheck_rl/)')
STATEMENTS = re.compile("# Statements\n")
SOURCES = (".py", ".ipynb", ".toml")


def writable(typed: str, inputs: Iterable[Path], option: str, begins: re.Pattern[str] | None = None) -> None:
    """A file that is there is not touched yet; to be overwritten it is empty, or begins so."""
    path = Path(typed)
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise InputError(f"{option} {typed} would overwrite what is to be read: choose another file.")
    if typed.endswith(("/", os.sep)) and not os.path.isdir(path):
        raise InputError(f"{option} {typed} names a folder, and a file is written: leave the {typed[-1]} out.")
    existed = os.path.exists(path)
    with refused(typed, option):
        path.open("a").close()
        begun = _beginning(path) if path.is_file() else ""
    if begun and (not begins.match(begun) if begins else path.suffix.lower() in SOURCES):
        raise InputError(f"{option} {typed} is there, and was not written by this command: choose another file, or remove it.")
    if not existed:
        os.unlink(os.path.realpath(path))


def all_writable(files: Mapping[str, str | None], inputs: Iterable[Path], begins: re.Pattern[str] | None = None) -> None:
    """The same of several files, by the option that names each: no two are one, and what `-o` overwrites begins so."""
    taken = list(inputs)
    for option, typed in files.items():
        if typed:
            writable(typed, taken, option, begins if option == "-o" else None)
            taken.append(Path(typed))


def put(path: Path, content: str | bytes, option: str = "-o") -> Path:
    """The whole file or none of it: written beside it, then put in its place. A link, a device or a pipe stays one."""
    written = content.encode() if isinstance(content, str) else content
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{os.urandom(8).hex()}.part")
    with refused(path, option):
        if path.exists() and not (path.is_file() and os.access(place.parent, os.W_OK)):
            path.write_bytes(written)
            return path
        try:
            with beside.open("xb") as file:
                file.write(written)
            if place.exists():
                beside.chmod(place.stat().st_mode)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
    return path


@contextmanager
def refused(path: str | Path, option: str = "-o") -> Generator[None]:
    """What the system refuses, in a sentence."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{option} {path} cannot be written: {error.strerror}.") from error


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(200).decode("utf-8", "replace")
