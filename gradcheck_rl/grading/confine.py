"""What a process takes away from itself before it runs code of strangers: files, processes, the network, memory, time.

Standard library alone, and nothing of this package: it runs inside the worker. Landlock and seccomp are Linux; each says
whether it took hold, and the parent decides whether that is enough.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Mapping

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EPERM, EACCES, ENOSYS = 1, 13, 38
LOAD, EQUALS, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CLONE_THREAD = 0x10000
X32 = 0x40000000

PARENT_DIES, DUMPABLE, NO_NEW_PRIVS, SECCOMP_FILTER, ALL_THREADS = 1, 4, 38, 1, 1

# What is refused: name, number on x86_64, number on aarch64 (None: it has no such call).
REFUSED: tuple[tuple[str, int | None, int | None], ...] = (
    # New processes, and other ones.
    ("fork", 57, None),
    ("vfork", 58, None),
    ("execve", 59, 221),
    ("execveat", 322, 281),
    ("kill", 62, 129),
    ("tkill", 200, 130),
    ("tgkill", 234, 131),
    ("rt_sigqueueinfo", 129, 138),
    ("rt_tgsigqueueinfo", 297, 240),
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("kcmp", 312, 272),
    ("pidfd_open", 434, 434),
    ("pidfd_getfd", 438, 438),
    ("pidfd_send_signal", 424, 424),
    ("process_madvise", 440, 440),
    ("setpriority", 141, 140),
    ("setsid", 112, 157),
    ("setpgid", 109, 154),
    ("sched_setaffinity", 203, 122),
    ("sched_setscheduler", 144, 119),
    ("sched_setparam", 142, 118),
    ("sched_setattr", 314, 274),
    ("ioprio_set", 251, 30),
    ("migrate_pages", 256, 238),
    ("move_pages", 279, 239),
    # The network.
    ("socket", 41, 198),
    ("socketpair", 53, 199),
    ("bind", 49, 200),
    ("listen", 50, 201),
    ("connect", 42, 203),
    # What the kernel keeps, and ways around this filter.
    ("shmget", 29, 194),
    ("semget", 64, 190),
    ("msgget", 68, 186),
    ("mq_open", 240, 180),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    ("memfd_create", 319, 279),
    ("memfd_secret", 447, 447),
    ("userfaultfd", 323, 282),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    # Changes of files.
    ("creat", 85, None),
    ("rename", 82, None),
    ("renameat", 264, 38),
    ("renameat2", 316, 276),
    ("mkdir", 83, None),
    ("mkdirat", 258, 34),
    ("rmdir", 84, None),
    ("unlink", 87, None),
    ("unlinkat", 263, 35),
    ("link", 86, None),
    ("linkat", 265, 37),
    ("symlink", 88, None),
    ("symlinkat", 266, 36),
    ("chmod", 90, None),
    ("fchmod", 91, 52),
    ("fchmodat", 268, 53),
    ("fchmodat2", 452, 452),
    ("chown", 92, None),
    ("fchown", 93, 55),
    ("lchown", 94, None),
    ("fchownat", 260, 54),
    ("mknod", 133, None),
    ("mknodat", 259, 33),
    ("truncate", 76, 45),
    ("openat2", 437, 437),
    ("setxattr", 188, 5),
    ("lsetxattr", 189, 6),
    ("fsetxattr", 190, 7),
    ("removexattr", 197, 14),
    ("lremovexattr", 198, 15),
    ("fremovexattr", 199, 16),
    ("utime", 132, None),
    ("utimes", 235, None),
    ("futimesat", 261, None),
    ("utimensat", 280, 88),
    ("open_by_handle_at", 304, None),
)
NUMBERS = {"x86_64": 1, "aarch64": 2}
# Architecture, open, openat, clone, clone3, prlimit64, seccomp, fcntl, ioctl.
CALLS = {
    "x86_64": (0xC000003E, 2, 257, 56, 435, 302, 317, 72, 16),
    "aarch64": (0xC00000B7, None, 56, 220, 435, 261, 277, 25, 29),
}
SET_OWNER = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: a signal to any process, when a pipe can be read
TERMINAL = (0x8901, 0x8902, 0x5412)  # FIOSETOWN and SIOCSPGRP, the same; TIOCSTI types into a terminal

FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TCP, SCOPES = 3, 3


def keep_secrets() -> None:
    """This process's memory and environment, and those of what it forks, cannot be read by others of the same user."""
    if _linux():
        _libc().prctl(DUMPABLE, 0, 0, 0, 0)


def end_with_parent() -> None:
    """It does not outlive the process that it was forked from."""
    if _linux():
        _libc().prctl(PARENT_DIES, signal.SIGKILL, 0, 0, 0)


def limits(cpu_s: float, memory: int, file_size: int, files: int) -> None:
    """From here on: so many seconds of processor time, so much more memory, and no dump of it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + cpu_s) + 1
    now = _address_space()
    wanted = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: now + memory,
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_NOFILE: files,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in wanted.items():
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(limit, (most, most))
        except (ValueError, OSError):  # macOS refuses some of them
            continue


def _address_space() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 31


def landlock(readable: Mapping[str, bool]) -> int:
    """Only these paths can be read (True: with all that lies beneath; False: only listed), and nothing written.

    The version of Landlock that holds, or 0 where there is none.
    """
    libc = _libc()
    version = libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) if _linux() else 0
    if version < 1:
        return 0
    handled = FILE_RIGHTS[max(v for v in FILE_RIGHTS if v <= version)]
    attributes = struct.pack("QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(444, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        return 0
    for path, beneath in readable.items():
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        folder = os.path.isdir(path)
        rights = (READ_FILE | READ_DIR | EXECUTE if folder else READ_FILE | EXECUTE) if beneath else READ_DIR
        rights |= WRITE_FILE if path == "/dev/null" else 0
        libc.syscall(445, ctypes.c_int(rules), ctypes.c_int(1), struct.pack("=Qi", rights, place), ctypes.c_uint32(0))
        os.close(place)
    held = _no_new_privileges(libc) and libc.syscall(446, ctypes.c_int(rules), ctypes.c_uint32(0)) == 0
    os.close(rules)
    return version if held else 0


def seccomp() -> bool:
    """No new process, no signal to another, no socket, no file changed, in any thread of this process."""
    machine = platform.machine()
    if not _linux() or machine not in CALLS:
        return False
    libc = _libc()
    if not _no_new_privileges(libc):
        return False
    program = b"".join(_program(machine))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    filter_ = Filter(len(program) // 8, program)
    call = CALLS[machine][6]
    return libc.syscall(call, ctypes.c_uint(SECCOMP_FILTER), ctypes.c_uint(ALL_THREADS), ctypes.byref(filter_)) == 0


def _program(machine: str) -> list[bytes]:
    architecture, open_, openat, clone, clone3, prlimit, _, fcntl, ioctl = CALLS[machine]

    def step(code: int, k: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, k)

    def refuse(error: int) -> bytes:
        return step(RETURN, ERRNO | error)

    def argument(n: int) -> bytes:
        return step(LOAD, ARGUMENTS + 8 * n)

    out = [step(LOAD, ARCHITECTURE), step(EQUALS, architecture, 1, 0), refuse(EPERM), step(LOAD, NUMBER)]
    out += [step(AT_LEAST, X32, 0, 1), refuse(ENOSYS)]
    for number in [n for row in REFUSED if isinstance(n := row[NUMBERS[machine]], int)]:
        out += [step(EQUALS, number, 0, 1), refuse(EPERM)]
    out += [step(EQUALS, clone3, 0, 1), refuse(ENOSYS)]  # the C library then calls clone, whose flags can be read
    out += [step(EQUALS, clone, 0, 4), argument(0), step(ANY_BIT, CLONE_THREAD, 1, 0), refuse(EPERM), step(RETURN, ALLOW)]
    for number, at in ((openat, 2), (open_, 1)):
        if number is not None:
            out += [step(EQUALS, number, 0, 4), argument(at), step(ANY_BIT, WRITING, 0, 1), refuse(EACCES), step(RETURN, ALLOW)]
    out += [step(EQUALS, prlimit, 0, 4), argument(0), step(EQUALS, 0, 1, 0), refuse(EPERM), step(RETURN, ALLOW)]
    for number, commands in ((fcntl, SET_OWNER), (ioctl, TERMINAL)):
        out += [step(EQUALS, number, 0, len(commands) + 3), argument(1)]
        out += [step(EQUALS, command, len(commands) - n, 0) for n, command in enumerate(commands)]
        out += [step(RETURN, ALLOW), refuse(EPERM)]
    return [*out, step(RETURN, ALLOW)]


def _no_new_privileges(libc: ctypes.CDLL) -> bool:
    return libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _linux() -> bool:
    return platform.system() == "Linux"
