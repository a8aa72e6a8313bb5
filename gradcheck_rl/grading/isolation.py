"""How a submission is kept apart: the tiers there are, the one that is chosen, and what it leaves open.

In every tier the worker limits itself (memory, time, size of files) and, on Linux, gives up new processes, signals, sockets
and changes of files by a seccomp filter. The tiers differ in what can be read.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError

HERE = Path(__file__).parent
PACKAGE = HERE.parent
PROGRAMS = ("worker.py", "confine.py")
SYSTEM = ("/lib", "/lib64", "/lib32", "/bin", "/etc/ld.so.cache", "/etc/localtime")
PREFIXES = ("/usr", "/usr/local")  # not all that is beneath them: courses lie in /usr/src, and in the folder of a venv
HOLDS = ("bin", "lib", "lib64", "lib32", "share", "pyvenv.cfg")
ASKED = ("/dev/urandom", "/dev/null", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
CHOICES = ("auto", "require", "bubblewrap", "landlock", "rlimits")


@dataclass(frozen=True)
class Tier:
    """One way to keep a submission apart. `strong`: it reads nothing but Python and its libraries."""

    name: str
    strong: bool
    leaves_open: str


BUBBLEWRAP = Tier("bubblewrap", True, "")
LANDLOCK = Tier("landlock", True, "it sees the names of files and processes, not what is in them")
RLIMITS = Tier("rlimits", False, "it can read what this user can read: problem files, other submissions")
TIERS = (BUBBLEWRAP, LANDLOCK, RLIMITS)


@dataclass(frozen=True)
class Limits:
    """What one worker may use, from when its libraries are imported."""

    seconds: float = 10.0
    memory: int = 1 << 30
    file_size: int = 1 << 20
    files: int = 64
    answer: int = 1 << 27


@cache
def available() -> tuple[Tier, ...]:
    """The tiers that work here, strongest first."""
    found = [BUBBLEWRAP] if _bubblewrap_works() else []
    return (*found, *([LANDLOCK] if _landlock_version() > 0 else []), RLIMITS)


def chosen(word: str) -> Tier:
    """The tier for `--isolation WORD`; `require` fails where none is strong."""
    if find_spec("resource") is None:
        raise InputError(
            "submissions are limited in time and memory by Python's `resource`, which is not here: "
            "grade on Linux, or in WSL on Windows."
        )
    here = available()
    if word == "auto":
        return here[0]
    if word == "require":
        if not here[0].strong:
            raise InputError(
                "--isolation=require: neither bubblewrap nor Landlock works here, so nothing was run. "
                "Install bubblewrap, or write --isolation=rlimits to run with less."
            )
        return here[0]
    tier = next((t for t in TIERS if t.name == word), None)
    if tier is None:
        raise InputError(f"--isolation={word} is not known: write {', '.join(CHOICES)}.")
    if tier not in here:
        raise InputError(f"--isolation={word} does not work here: write {' or '.join(t.name for t in here)}.")
    return tier


def _bubblewrap_works() -> bool:
    program = shutil.which("bwrap")
    if program is None:
        return False
    kept = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    test = [program, *kept, sys.executable, "-I", "-S", "-c", ""]
    try:
        return subprocess.run(test, capture_output=True, timeout=30, stdin=subprocess.DEVNULL, env={}).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _landlock_version() -> int:
    if platform.system() != "Linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def environment() -> dict[str, str]:
    """All that a worker knows of where it runs."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    nowhere = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"), "")  # with them torch does not stand a fork
    # torch.optim makes sure that its folder is there, and matplotlib that its own could be written; nothing is.
    folders = {"TORCHINDUCTOR_CACHE_DIR": "/usr", "MPLCONFIGDIR": "/dev/shm"}
    # Without a PATH: torch with CUDA looks for a library by way of a compiler, which writes a file, if one is found.
    return {**threads, **nowhere, **folders, "MPLBACKEND": "agg", "LC_ALL": "C.UTF-8", "PATH": ""}


def command(tier: Tier, libraries: Sequence[str]) -> list[str]:
    """What starts the process that workers are forked from; its input is where it is asked for them."""
    python, given = [sys.executable, "-I", "-B", "-u"], [",".join(libraries), *search_path()]
    if tier is not BUBBLEWRAP:
        return [*python, str(HERE / PROGRAMS[0]), *given]
    program = shutil.which("bwrap")
    assert program is not None
    words = [program, "--unshare-all", "--new-session", "--cap-drop", "ALL", "--hostname", "worker"]
    for path in [p for p in roots() if os.path.exists(p)]:
        words += ["--ro-bind", path, path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in hidden():
        words += ["--tmpfs", path, "--remount-ro", path]
    for name in PROGRAMS:
        words += ["--ro-bind", str(HERE / name), f"/worker/{name}"]
    return [*words, "--remount-ro", "/", "--chdir", "/", *python, f"/worker/{PROGRAMS[0]}", *given]


def readable(tier: Tier) -> dict[str, bool] | None:
    """What Landlock lets a worker read, for `confine.landlock`."""
    return _readable(roots(), tuple(hidden())) if tier is LANDLOCK else None


@cache
def _readable(roots: Sequence[str], hidden: Sequence[str]) -> dict[str, bool]:
    out: dict[str, bool] = {}
    for path in (*roots, *ASKED):
        _allow(Path(path), [Path(p) for p in hidden], out)
    return out


def _allow(path: Path, kept: Sequence[Path], out: dict[str, bool]) -> None:
    """The path with all that is beneath, around what is hidden: where that lies inside, child by child."""
    if path in kept:
        return
    inside = [h for h in kept if path in h.parents]
    out[str(path)] = not inside
    if inside and path.is_dir():
        for child in sorted(path.iterdir()):
            _allow(child, inside, out)


def roots() -> tuple[str, ...]:
    """Where the system's libraries, Python and what a submission may import lie, outermost folders only."""
    held = [os.path.join(prefix, part) for prefix in (*PREFIXES, sys.base_prefix, sys.prefix) for part in HOLDS]
    homes = [*SYSTEM, *held, os.path.dirname(os.path.realpath(sys.executable)), *search_path()]
    folders = sorted({os.path.abspath(h) for h in homes})
    return tuple(f for f in folders if not any(f != g and f.startswith(g.rstrip("/") + "/") for g in folders))


def search_path() -> list[str]:
    """Where numpy and torch are found."""
    found: list[str] = []
    for name in ("numpy", "torch"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(str(Path(spec.origin).parent.parent))
    return list(dict.fromkeys(found))


def hidden() -> list[str]:
    """This package and its problems, where they lie among the libraries."""
    inside = [PACKAGE, PACKAGE.parent / "problems"]
    return [str(p) for p in inside if p.is_dir() and any(Path(root) in p.parents for root in roots())]


def says(tier: Tier, ready: Mapping[str, object]) -> str:
    """The tier as the report writes it."""
    open_ = [tier.leaves_open] if tier.leaves_open else []
    if not ready.get("seccomp", True):
        open_ += ["it can start processes and use the network"]
    return tier.name + (f" ({'; '.join(open_)})" if open_ else "")
