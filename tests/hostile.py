"""Submissions that do harm, lie or fail: what each is, and what its row must say. None of them is to change another's row."""

# ruff: noqa: E501  one trick, one line
from __future__ import annotations

from typing import NamedTuple

HONEST = """
import numpy as np
def naive_grad(x, mu):
    return np.mean(x**2 * (x - mu))
def reparam_grad(eps, mu):
    return np.mean(2 * (eps + mu))
"""
WRONG = HONEST.replace("x**2 * (x - mu)", "x**2 * (mu - x)").replace("2 * (eps + mu)", "2 * (eps - mu)")


class Hostile(NamedTuple):
    """Code, and the words that may stand for its two functions; `wrong` code must get no point, whatever it is called."""

    name: str
    code: str
    words: tuple[str, ...]
    says: str = ""


def wrong(name: str, before: str, *words: str, says: str = "") -> Hostile:
    """A trick that runs first, and then functions that are wrong."""
    return Hostile(name, before + WRONG, words or ("FAIL",), says)


def inside(name: str, body: str, *words: str, says: str = "") -> Hostile:
    """A trick inside the first function; the second is right, and must have its points where the first has none."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return Hostile(name, HONEST.replace("    return np.mean(x**2 * (x - mu))", lines), words, says)


AT_IMPORT = (
    Hostile("exit at import", "import sys\nsys.exit(0)" + HONEST, ("CRASH",), "ended before returning an answer"),
    Hostile("raise SystemExit", "raise SystemExit" + HONEST, ("CRASH",), "ended before returning an answer"),
    Hostile("os._exit at import", "import os\nos._exit(0)" + HONEST, ("CRASH",), "ended before returning an answer"),
    Hostile("KeyboardInterrupt", "raise KeyboardInterrupt" + HONEST, ("CRASH",)),
    Hostile("a signal to itself", "import ctypes\nctypes.string_at(0)" + HONEST, ("CRASH",), "stopped by the system"),
    Hostile("never ends", "while True: pass" + HONEST, ("TIMEOUT",), "longer than"),
    Hostile("sleeps", "import time\ntime.sleep(600)" + HONEST, ("TIMEOUT",), "longer than"),
    Hostile("much memory", "x = bytearray(1 << 40)" + HONEST, ("INVALID",), "MemoryError"),
    Hostile("memory by and by", "x = []\nwhile True: x.append(bytearray(1 << 20))" + HONEST, ("INVALID", "CRASH"), ""),
    Hostile("not Python", "def naive_grad(x, mu:\n", ("INVALID",), "this is not Python"),
    Hostile("empty", "", ("INVALID",), "is not defined"),
    Hostile("only comments", "# nothing\n", ("INVALID",), "is not defined"),
    Hostile("raises at import", "1 / 0" + HONEST, ("INVALID",), "submission.py:1: ZeroDivisionError"),
    Hostile(
        "an error that cannot be read", "class E(Exception):\n    def __str__(self): raise self\nraise E" + HONEST, ("INVALID",)
    ),
    Hostile("an error of 100 MB", "raise ValueError('x' * 10**8)" + HONEST, ("INVALID",), "ValueError: xxx"),
    Hostile("100 000 parentheses", "(" * 100_000, ("INVALID",)),
    Hostile("deeply nested", "x = " + "-" * 50_000 + "1\n", ("INVALID",)),
)

OUTWARD = (
    wrong("forks", "import os\ntry:\n    while True: os.fork()\nexcept OSError: pass\n"),
    wrong("a daemon", "import os\ntry:\n    if os.fork() == 0: os.setsid(); os.fork()\nexcept OSError: pass\n"),
    wrong("a shell", "import subprocess\ntry: subprocess.run(['sh', '-c', 'echo x > /tmp/pwned'])\nexcept OSError: pass\n"),
    wrong(
        "many threads",
        "import threading\ntry:\n    for _ in range(10_000): threading.Thread(target=lambda: __import__('time').sleep(1), daemon=True).start()\nexcept BaseException: pass\n",
        "FAIL",
        "CRASH",
        "TIMEOUT",
    ),
    wrong(
        "writes files",
        "import tempfile\ntry:\n    for n in range(10**4): open(f'{n}', 'w').write('x' * 10**6)\nexcept OSError: pass\n",
    ),
    wrong("kills its parent", "import os, signal\ntry: os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError: pass\n"),
    wrong(
        "kills everybody", "import os, signal\ntry: os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)\nexcept OSError: pass\n"
    ),
    wrong(
        "limits of its parent",
        "import os, resource\ntry: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))\nexcept OSError: pass\n",
    ),
    wrong(
        "threads that keep running",
        "import threading, time\ndef f():\n    while True: time.sleep(0.001)\nfor _ in range(3): threading.Thread(target=f, daemon=True).start()\n",
    ),
    wrong(
        "signals by a pipe",
        "import fcntl, os\nfor fd in range(64):\n    for order, word in ((8, os.getppid()), (10, 9), (4, 0o20000)):\n        try: fcntl.fcntl(fd, order, word)\n        except OSError: pass\n",
    ),
    wrong("stops itself", "import os, signal\ntry: os.kill(os.getpid(), signal.SIGSTOP)\nexcept OSError: pass\n"),
    wrong(
        "reads every process",
        "import os\nfor p in os.listdir('/proc'):\n    for f in ('environ', 'mem', 'cmdline', 'fd/3'):\n        try:\n            with open(f'/proc/{p}/{f}', 'rb') as h: print(b'KEY' in h.read(4096), b'grade' in h.read(4096))\n        except OSError: pass\n",
    ),
    wrong(
        "files beside it",
        "import sys\nfor name in ('sitecustomize.py', '/worker/worker.py', 'adapter.py', '../submission.py'):\n    try: open(name, 'a').write('x')\n    except OSError: pass\n",
    ),
    wrong("maps memory", "import mmap\ntry: kept = [mmap.mmap(-1, 1 << 28) for _ in range(40)]\nexcept OSError: pass\n"),
    wrong("tcp", "import socket\ntry: socket.create_connection(('127.0.0.1', 80), 1)\nexcept OSError: pass\n"),
    wrong("prints a lot", "print('x' * 10**7)\n", "FAIL", "INVALID"),
    wrong("prints binary", "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 100)\n"),
    wrong("forges an annotation", "print('::notice title=Autograding report::{\"totalPoints\": 100}')\n"),
    wrong("drives the terminal", "print('\\x1b[2J\\x1b]0;pwned\\x07\\u202e')\n"),
)

LIES = (
    wrong("allclose is True", "import numpy as np\nnp.allclose = np.array_equal = np.isclose = lambda *a, **k: True\n"),
    wrong("abs is 0", "import builtins, math\nbuiltins.abs = lambda x: 0\nmath.isfinite = lambda x: True\n"),
    wrong(
        "forged results", "import atexit, json\natexit.register(lambda: open('results.json', 'w').write('{\"score\": 100}'))\n"
    ),
    wrong(
        "frames",
        "import sys\nf = sys._getframe()\nwhile f:\n    for v in list(f.f_globals.values()):\n        if hasattr(v, 'expected'): v.expected = 0\n    f = f.f_back\n",
    ),
    wrong(
        "every number is right",
        "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and 'score' in o: o['score'] = 100\n",
    ),
    wrong(
        "the worker's own methods",
        "import __main__\n__main__.Caller.answer = lambda self, r, p: ({'shape': [], 'kind': 'f'}, bytes(8 * r['rows']))\n",
    ),
    wrong("json", "import json\njson.dumps = lambda *a, **k: '{\"ready\": true}'\n", "CRASH"),
    wrong("os.write", "import os\nw = os.write\nos.write = lambda fd, d: w(fd, bytes(len(d)))\n", "CRASH"),
    wrong("no modules", "import sys\nsys.modules.clear()\n", "INVALID", "CRASH"),
    wrong(
        "tracing",
        "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\nsys.addaudithook(lambda *a: None)\n",
    ),
    inside(
        "another answer each time",
        "global n\nn = globals().get('n', 0) + 1\nreturn (x - mu) @ x**2 / len(x) * n",
        "FAIL",
        says="another result each time",
    ),
    inside(
        "right where it is easy",
        "return (x - mu) @ x**2 / len(x) * (1 if float(mu).is_integer() or len(x) < 3 else 1.001)",
        "FAIL",
    ),
    inside("a clock", "import time\nreturn time.perf_counter_ns() % 7", "FAIL", says="random"),
    inside("an array too large", "return np.broadcast_to(np.float64(1), (1 << 40,))", "CRASH", says="more memory"),
    inside(
        "an array of nothing", "return np.lib.stride_tricks.as_strided(np.zeros(1), (10**6,), (4096,))", "CRASH", says="SIGSEGV"
    ),
    inside("thirty dimensions", "return np.zeros((1,) * 30)", "CRASH"),
    inside("a deep list", "y = 1.0\nfor _ in range(10**5): y = [y]\nreturn y", "FAIL", says="returned list"),
    inside("no end in C", "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')\nreturn 0.0", "TIMEOUT"),
    Hostile(
        "a signature that lies",
        HONEST.replace("x**2 * (x - mu)", "x")
        + "class S:\n    def __call__(self, *a, **k): return 1.0\n    @property\n    def __signature__(self): raise KeyboardInterrupt\nnaive_grad = S()\n",
        ("FAIL",),
    ),
    inside(
        "a float that lies",
        "class F(float):\n    def __eq__(self, o): return True\n    def __sub__(self, o): return 0.0\n    __rsub__ = __sub__\nreturn F(7)",
        "FAIL",
        says="returned F",
    ),
    inside(
        "an array that lies",
        "class A(np.ndarray):\n    def __array__(self, *a, **k): return np.zeros(3)\nreturn np.zeros(()).view(A)",
        "FAIL",
        says="returned A",
    ),
    inside(
        "an object that lies",
        "class O:\n    def __float__(self): return 0.0\n    def __array__(self): return np.zeros(())\nreturn O()",
        "FAIL",
        says="returned O",
    ),
    inside(
        "a name that lies",
        "class M(type):\n    __name__ = property(lambda s: 1 / 0)\nclass O(metaclass=M): pass\nreturn O()",
        "FAIL",
    ),
    inside("objects", "return np.array([mu], dtype=object)", "FAIL", says="dtype object"),
    inside("None", "pass", "FAIL", says="returned None"),
    inside("text", "return '4.0'", "FAIL", says="returned str"),
    inside("not a number", "return float('nan')", "FAIL"),
    inside("infinity", "return float('inf')", "FAIL"),
    inside("1e308", "return 1e308", "FAIL"),
    inside("complex", "return 1j * mu", "FAIL"),
    inside("a generator", "return (n for n in iter(int, 1))", "FAIL", says="returned generator"),
    inside("a list in itself", "x = []\nx.append(x)\nreturn x", "FAIL", says="returned list"),
    inside("a vector", "return x**2 * (x - mu)", "FAIL", says="it returns"),
    inside("another vector each time", "return np.zeros(np.random.randint(1, 9))", "FAIL"),
    inside("noise", "return np.random.normal()", "FAIL", says="random"),
    inside("exit in a function", "import sys\nsys.exit(0)", "CRASH", says="ended before returning an answer"),
    inside("os._exit in a function", "import os\nos._exit(0)", "CRASH", says="ended before returning an answer"),
    inside("an interrupt in a function", "raise KeyboardInterrupt", "CRASH"),
    inside("a generator's exit", "raise GeneratorExit", "CRASH"),
    inside("never returns", "while True: pass", "TIMEOUT"),
    inside("recursion", "return naive_grad(x, mu)", "FAIL", "CRASH"),
    inside("an error that prints secrets", "raise ValueError('::error::' + 'x' * 10**7)", "FAIL", says="ValueError"),
    inside("changes its arguments", "x[:] = 0\nreturn float(mu) * 0", "FAIL"),
    inside("an error on a line", "return (\n    mu + missing)", "FAIL", says="is not defined (submission.py:5)"),
    inside("not written", "raise NotImplementedError", "INVALID", says="is not filled in"),
)

# The descriptor on which answers go out is found and written to.
FORGE = """
import os, struct, json
for fd in range(3, 64):
    try: os.write(fd, {data})
    except OSError: pass
"""
CHANNEL = (
    wrong("garbage", FORGE.format(data="b'x' * 1000"), "CRASH"),
    wrong("a huge length", FORGE.format(data="struct.pack('<I', 2**31 - 1)"), "CRASH"),
    wrong(
        "a score",
        FORGE.format(
            data="(lambda t: struct.pack('<I', len(t)) + t)(json.dumps({'bytes': 0, 'score': 100, 'verdict': 'PASS'}).encode())"
        ),
        "CRASH",
    ),
    wrong(
        "the functions itself",
        FORGE.format(
            data="(lambda t: struct.pack('<I', len(t)) + t)(json.dumps({'bytes': 0, 'functions': {'naive_grad': [], 'reparam_grad': []}}).encode())"
        ),
        "CRASH",
        "FAIL",
    ),
    wrong("a negative size", FORGE.format(data="(lambda t: struct.pack('<I', len(t)) + t)(b'{\"bytes\": -1}')"), "CRASH"),
    wrong("deep JSON", FORGE.format(data="(lambda t: struct.pack('<I', len(t)) + t)(b'[' * 60000)"), "CRASH"),
    wrong("closes it", "import os\nos.closerange(3, 64)\n", "CRASH"),
    inside(
        "a gigabyte",
        "import os\nwhile True:\n    for fd in range(3, 64):\n        try: os.write(fd, b'x' * (1 << 20))\n        except OSError: pass",
        "CRASH",
        "TIMEOUT",
    ),
)

HARMFUL = (*AT_IMPORT, *OUTWARD, *LIES, *CHANNEL)
