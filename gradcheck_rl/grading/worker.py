"""The process that runs a submission: it receives numbers and returns numbers. A program of its own, alone in its process.

It imports nothing of this package but `confine`. What a submission returns is hostile until it is a float of an exact type;
what leaves here is a header in JSON and float64 bytes. All that a submission can forge is its own answers.

Libraries take their time to import, so one process imports them and nothing else, and each worker is forked from it: as fresh
as if it had imported them itself.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import math
import os
import random
import selectors
import signal
import socket
import struct
import sys
import tempfile
import types
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

SENTENCE = 300
CALLS, GROUPS = 1 << 14, 1 << 9
NAMES, NESTED = 40, 4
LIBRARIES = ("numpy", "torch")
RANDOM = "gives another result each time it is called: it draws random numbers of its own. Take the noise as an argument."
CONVERTIBLE = ("Fraction", "Decimal", "Float", "Rational", "Integer", "Half", "One", "Zero", "mpf")
# What to type where this was returned; of numbers, and of tensors, where something else was.
FORGOTTEN = {
    "None": "end with a `return`",
    "generator": "write `return`, not `yield`",
    "coroutine": "write `def`, not `async def`",
}
OF_NUMBERS = {**FORGOTTEN, **dict.fromkeys(CONVERTIBLE, "write `return float(...)` around it")}
OF_TENSORS = {**FORGOTTEN, **dict.fromkeys(("tuple", "list"), "write torch.stack(...)")}
ALONE = "a submission is graded without files, network or other processes"
MAIN = "write what is not asked for under `if __name__ == '__main__':`"
FIXES = (
    (
        "No module named",
        "leave this import out, or write it where the answers do not need it, under `if __name__ == '__main__':`",
    ),
    ("PermissionError", f"{ALONE}: {MAIN}"),
    ("FileNotFoundError", f"{ALONE}: {MAIN}"),
    ("attempted relative import", "write `from helper import ...`, without the point"),
    ("Can't call numpy() on Tensor that requires grad", "keep it a tensor, for a gradient does not pass through numpy"),
    ("[Errno 27] File too large", "it prints too much: leave its prints out"),
    ("EOF when reading a line", f"nobody is there to answer: {MAIN}"),
    ("Boolean value of Tensor with more than one value", "write torch.where or torch.minimum, for several numbers at once"),
)
DETACHING = " Use tensor.detach().numpy() instead."  # torch's advice, by which the gradient is lost


class Refused(Exception):
    """What a function did instead of returning numbers; `ended` where it tried to end the process."""

    def __init__(self, says: str, ended: bool = False) -> None:
        super().__init__(says)
        self.says, self.ended = says, ended


# ---- the channel: 4 bytes of length, a header in JSON, then as many bytes as the header says --------------------------------


def received(source: int) -> tuple[dict[str, Any], bytes]:
    (size,) = struct.unpack("<I", _exactly(source, 4))
    header = json.loads(_exactly(source, size))
    return header, _exactly(source, header["bytes"])


def _exactly(source: int, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        if not (part := os.read(source, min(count, 1 << 20))):
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def framed(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    text = json.dumps({**header, "bytes": len(payload)}).encode()
    return struct.pack("<I", len(text)) + text + payload


def send(sink: int, header: Mapping[str, Any], payload: bytes = b"") -> None:
    data = memoryview(framed(header, payload))
    while data:
        data = data[os.write(sink, data) :]


# ---- the submission -------------------------------------------------------------------------------------------------------


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The files of a submission, by the names they import each other with. There is no file here to read."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.sources = dict(config["sources"])
        self.main, self.left_out, self.tried = (config.get(k, ()) for k in ("main", "left_out", "tried"))

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in self.sources else None

    def get_source(self, fullname: str) -> str:
        """What `inspect` and TorchScript ask for."""
        return self.sources[fullname]

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        tree = ast.parse(self.sources[name], f"{name}.py")
        if name == self.main:
            kept = [(n, node) for n, node in enumerate(tree.body) if n not in self.left_out]
            tree.body = [_tried(node) if n in self.tried else node for n, node in kept]
        code = compile(tree, f"{name}.py", "exec", dont_inherit=True)
        module.__file__ = f"{name}.py"
        exec(code, module.__dict__)  # noqa: S102  this process exists to run it


def _tried(node: ast.stmt) -> ast.stmt:
    """A statement that is left out where it raises."""
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [ast.Pass()])
    return ast.fix_missing_locations(ast.copy_location(ast.Try([node], [handler], [], []), node))


def loaded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The functions that are asked for, by the names the page has for them."""
    sys.meta_path.insert(0, Modules(config))
    modules = [importlib.import_module(name) for name in config["modules"]]
    found: dict[str, Any] = {}
    for name, theirs in config["functions"].items():
        value = next((vars(m)[n] for m, n in ((m, n) for m in modules for n in (theirs, name)) if n in vars(m)), None)
        if callable(value):
            found[name] = value
    return found


def described(function: Any) -> list[list[Any]] | None:
    """Its parameters as [name, kind, has a default], or None where it does not tell them."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
        return [[str(p.name), int(p.kind), p.default is not p.empty] for p in parameters[:NAMES]]
    except BaseException:  # a callable may lie about its signature in any way
        return None


# ---- calls ----------------------------------------------------------------------------------------------------------------


class Caller:
    def __init__(self, functions: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        import numpy

        self.np: Any = numpy
        self.torch = sys.modules.get("torch")
        self.functions, self.config = functions, config
        self.rungs: dict[str, int] = {}
        self.as_arrays: dict[str, bool] = {}
        self.parts: list[list[int]] = []  # shapes, where a function returns several tensors at once
        self.plain: dict[str, Any] = {}  # numbers of the present request that are the same in all rows
        scalars = (t for kinds in (numpy.floating, numpy.integer) for t in _leaves_of(kinds))
        self.numbers = frozenset([float, int, bool, numpy.bool_, *scalars])

    def answer(self, request: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """What one request gives: {"shape", "whole", "reached"} and the numbers row by row."""
        arguments, cotangents = self._arguments(request, payload)
        name, passed = request["name"], request["pass"]
        if request["op"] == "slopes":
            return self._slopes(name, passed, arguments, cotangents, request["dtype"])
        first = self.as_arrays.get(name, bool(request["kind"] == "numpy"))
        try:
            return self._values(name, passed, arguments, request["dtype"], first)
        except Refused as error:
            if self.torch is None or error.ended or name in self.as_arrays:
                raise
            try:  # a numpy function may be written in torch, and the reverse
                found = self._values(name, passed, arguments, request["dtype"], not first)
            except Refused:
                raise error from None
            self.as_arrays[name] = not first
            return found

    def _arguments(self, request: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], Any]:
        at, rows, found = 0, request["rows"], dict[str, Any]()
        for name, shape, whole in request["arguments"]:
            count = rows * math.prod(shape)
            kind = self.np.int64 if whole else self.np.float64
            found[name] = self.np.frombuffer(payload, kind, count, at).reshape(rows, *shape)
            at += 8 * count
        self.plain = request["plain"]
        return found, self.np.frombuffer(payload, self.np.float64, -1, at)

    # ---- numpy ------------------------------------------------------------------------------------------------------------

    def _values(self, name: str, passed: Sequence[Any], arguments: Any, dtype: str, arrays: bool) -> tuple[dict[str, Any], bytes]:
        if arrays:

            def row(i: int) -> Any:
                return self._numbers(name, self._once(name, passed, {k: _own(v[i]) for k, v in arguments.items()}))

            found = [row(i) for i in range(len(next(iter(arguments.values()))) if arguments else 1)]
            if not self.np.array_equal(found[0], row(0), equal_nan=True):
                raise Refused(f"`{name}` {RANDOM}")
            if len({x.shape for x in found}) != 1:
                raise Refused(f"`{name}` returned different shapes for different data: return one shape.")
            stacked = self.np.stack(found)
            kind = {"f": "f", "b": "b"}.get(stacked.dtype.kind, "i")
            return {"shape": list(stacked.shape[1:]), "kind": kind}, self._bytes(stacked)
        self.parts = []
        y, _ = self._forward(name, passed, arguments, dtype, False)
        kind = "f" if y.dtype.is_floating_point else "b" if str(y.dtype) == "torch.bool" else "i"
        return {"shape": list(y.shape[1:]), "kind": kind, "parts": self.parts}, self._bytes(y.detach().double().numpy())

    def _numbers(self, name: str, out: Any, depth: int = 0) -> Any:
        """A number, or an array of them, of an exact type: a subclass may lie about itself."""
        np, torch = self.np, self.torch
        if type(out) in self.numbers:
            return np.asarray(out)
        if type(out) is np.ndarray and out.dtype.kind in "fiub":
            return np.array(out, subok=False)
        if torch is not None and type(out) is torch.Tensor and not out.is_complex():
            return out.detach().numpy()
        if type(out) in (list, tuple) and depth < NESTED and out:
            parts = [self._numbers(name, x, depth + 1) for x in out]
            if len({p.shape for p in parts}) == 1:
                return np.stack(parts)
        fix = OF_NUMBERS.get(self._word(out))
        says = f"`{name}` returned {self._word(out)}; a number or an array of floats was expected"
        raise Refused(f"{says}: {fix}." if fix else f"{says}.")

    def _word(self, out: Any) -> str:
        if out is None:
            return "None"
        if type(out) is self.np.ndarray:
            return f"dtype {out.dtype}"
        return safe_name(type(out))

    def _bytes(self, x: Any) -> bytes:
        return self.np.ascontiguousarray(x, self.np.float64).tobytes()

    # ---- torch ------------------------------------------------------------------------------------------------------------

    def _slopes(
        self, name: str, passed: Sequence[Any], arguments: Any, cotangents: Any, dtype: str
    ) -> tuple[dict[str, Any], bytes]:
        torch = self.torch
        if torch is None:
            raise Refused(f"`{name}` does not use torch, which its gradient needs.")
        y, leaves = self._forward(name, passed, arguments, dtype, True)
        torch.set_grad_enabled(True)  # a submission may have switched it off
        rows = len(y)
        flat = y.reshape(rows, -1)
        weights = torch.tensor(cotangents, dtype=flat.dtype).reshape(rows, -1)
        if weights.shape != flat.shape:
            raise Refused(f"`{name}` returned different shapes for the same data.")
        found: list[Any] = [None] * len(leaves)
        if flat.requires_grad and leaves:
            try:
                found = list(torch.autograd.grad((flat * weights).sum(), list(leaves.values()), allow_unused=True))
            except Exception as error:
                raise Refused(f"the gradient of {self._raised(name, error)}") from None
        parts = [
            (torch.zeros_like(v) if g is None else g).reshape(rows, -1).double()
            for g, v in zip(found, leaves.values(), strict=True)
        ]
        every = torch.cat(parts, -1) if parts else torch.zeros(rows, 0)
        reached = [g is not None for g in found]
        return {"shape": [every.shape[1]], "reached": reached}, self._bytes(every.detach().numpy())

    def _forward(self, name: str, passed: Sequence[Any], arguments: Any, dtype: str, slopes: bool) -> tuple[Any, dict[str, Any]]:
        """(rows, ...), and the leaves that it was computed from."""
        torch = self.torch
        if torch is None:
            raise Refused(f"`{name}` was given tensors, and torch is not here.")
        kind = getattr(torch, dtype)
        torch.set_default_dtype(kind)
        given = {k: torch.tensor(v, dtype=torch.int64 if v.dtype.kind == "i" else kind) for k, v in arguments.items()}
        leaves = {k: v.requires_grad_(slopes) for k, v in given.items() if v.dtype.is_floating_point}
        before = self._chance()
        with torch.enable_grad():
            y = self._rungs(name, passed, given)
            if self._chance() != before and not torch.equal(y, self._rungs(name, passed, given)):
                raise Refused(f"`{name}` {RANDOM}")
        if y.is_complex():
            raise Refused(f"`{name}` returned complex numbers; real ones were expected: take .real or .abs().")
        return y, leaves

    def _chance(self) -> Any:
        assert self.torch is not None
        kind, keys, *rest = self.np.random.get_state(legacy=True)
        return self.torch.get_rng_state().numpy().tobytes(), random.getstate(), kind, keys.tobytes(), rest

    def _rungs(self, name: str, passed: Sequence[Any], given: Mapping[str, Any]) -> Any:
        """All rows at once; else those together that share their whole numbers; else one by one."""
        ladder = (self._mapped, self._grouped, self._single)
        for rung in range(self.rungs.get(name, 0), len(ladder)):
            try:
                y = ladder[rung](name, passed, given)
            except Refused as error:
                if error.ended or rung == len(ladder) - 1:
                    raise
            except Exception as error:
                if rung == len(ladder) - 1:
                    raise Refused(self._raised(name, error)) from None
            else:
                self.rungs[name] = rung
                return y
        raise AssertionError("the last rung returns or raises")

    def _mapped(self, name: str, passed: Sequence[Any], given: Mapping[str, Any]) -> Any:
        assert self.torch is not None
        if not given:
            return self._tensor(name, passed, given)[None]
        return self.torch.func.vmap(lambda row: self._tensor(name, passed, row), randomness="error")(_copied(given))

    def _grouped(self, name: str, passed: Sequence[Any], given: Mapping[str, Any]) -> Any:
        torch = self.torch
        assert torch is not None
        whole = {k: v for k, v in given.items() if not v.dtype.is_floating_point}
        other = {k: v for k, v in given.items() if k not in whole}
        if not whole or not other:
            raise Refused(f"`{name}` cannot be mapped.")
        table = torch.cat([v.reshape(len(v), -1) for v in whole.values()], 1)
        kinds, back = torch.unique(table, dim=0, return_inverse=True)
        if len(kinds) > GROUPS:
            raise Refused(f"`{name}` cannot be mapped.")
        order, parts = list[Any](), list[Any]()
        for n in range(len(kinds)):
            at = (back == n).nonzero().reshape(-1)
            held = {k: v[at[0]] for k, v in whole.items()}
            rows = {k: v[at] for k, v in other.items()}
            call = torch.func.vmap(
                lambda row, held=held: self._tensor(name, passed, {**row, **_copied(held)}), randomness="error"
            )
            parts.append(call(_copied(rows)))
            order.append(at)
        return torch.cat(parts)[torch.argsort(torch.cat(order))]

    def _single(self, name: str, passed: Sequence[Any], given: Mapping[str, Any]) -> Any:
        assert self.torch is not None
        rows = len(next(iter(given.values()))) if given else 1
        if rows > CALLS:
            raise Refused(
                f"`{name}` can only be called for one sample at a time, which {rows} calls would be: "
                "write it so that torch.func.vmap can map it (no .item(), no `if` on a tensor, no numpy)."
            )
        found = [self._tensor(name, passed, {k: v[i].clone() for k, v in given.items()}) for i in range(rows)]
        if len({x.shape for x in found}) != 1:
            raise Refused(f"`{name}` returned different shapes at different points: return one shape.")
        return self.torch.stack(found)

    def _tensor(self, name: str, passed: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
        torch = self.torch
        assert torch is not None
        out = self._once(name, passed, arguments)
        if type(out) in (torch.Tensor, torch.nn.Parameter):
            return out
        if type(out) in self.numbers:
            return torch.tensor(float(out))
        if type(out) in (tuple, list) and out and all(type(x) is torch.Tensor or type(x) in self.numbers for x in out):
            several = [x if type(x) is torch.Tensor else torch.tensor(float(x)) for x in out]
            self.parts = [list(x.shape) for x in several]
            return torch.cat([x.reshape(-1) for x in several])
        fix = OF_TENSORS.get(self._word(out), "keep it a tensor: no .item(), float() or .numpy()")
        raise Refused(f"`{name}` returned {self._word(out)}; a tensor was expected: {fix}.")

    def _raised(self, name: str, error: BaseException) -> str:
        at = _line_of(error, self.config)
        says = told(error).removesuffix(DETACHING)
        return f"`{name}` raised {says}" + (f" ({at.removesuffix(': ')})" if at else "") + advice(error)

    def _once(self, name: str, passed: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
        """One call. `passed` says of each argument whether it goes by position, and under which name."""
        given = {**self.plain, **arguments}
        positional = [given[n] for n, as_name in passed if as_name is None]
        named = {as_name: given[n] for n, as_name in passed if as_name is not None}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.functions[name](*positional, **named)
        except Refused:
            raise
        except NotImplementedError:
            raise Refused(f"`{name}` is not filled in.") from None
        except Exception as error:
            raise Refused(self._raised(name, error)) from None
        except BaseException as error:
            raise Refused(f"`{name}` ended before returning an answer: {told(error)}", ended=True) from None


def _leaves_of(kind: Any) -> list[Any]:
    below = kind.__subclasses__()
    return [kind] if not below else [leaf for sub in below for leaf in _leaves_of(sub)]


def _own(x: Any) -> Any:
    """Code may write into its arguments: it gets its own."""
    return x.copy() if x.ndim else x


def _copied(given: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.clone() for k, v in given.items()}


# ---- what is said ---------------------------------------------------------------------------------------------------------


def safe_name(kind: type) -> str:
    try:
        return str(type.__dict__["__name__"].__get__(kind))[:60]
    except BaseException:
        return "object"


def told(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, which may be long, or raise in its turn."""
    kind = safe_name(type(error))
    try:
        says = str(error)
        lines = says[:4000].strip().splitlines() if type(says) is str else []
    except BaseException:
        lines = ["its text cannot be read"]
    return f"{kind}: {lines[0][:SENTENCE]}" if lines else kind


def advice(error: BaseException) -> str:
    """What to type, where the error does not tell it, or tells what is wrong here."""
    says = told(error)
    return next((f": {fix}" for words, fix in FIXES if words in says), "")


def warm(torch: Any) -> None:
    """What torch imports at its first use is torch's time, not the submission's."""
    x = torch.ones(2, requires_grad=True)
    torch.autograd.grad(torch.func.vmap(lambda v: v * v)(x).sum(), x)
    torch.distributions.Normal(x, 1.0).log_prob(x)


def imported(libraries: Sequence[str]) -> None:
    for library in libraries:
        if library not in sys.modules and library in LIBRARIES:
            module = importlib.import_module(library)
            if library == "numpy":
                importlib.import_module("numpy.random")
            if library == "torch":
                module.set_num_threads(1)
                warm(module)


class Workers:
    """What is forked here, each with the socket on which its grader waits for its end, or hangs up to end it."""

    def __init__(self, asked: socket.socket) -> None:
        self.living: dict[int, socket.socket] = {}
        self.asked, self.found = asked, selectors.DefaultSelector()
        self.woken, waking = socket.socketpair()
        for end in (self.woken, waking):
            end.setblocking(False)
        self.open = [self.found, asked, self.woken, waking]
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking.fileno())
        for end in (asked, self.woken):
            self.found.register(end, selectors.EVENT_READ)

    def forked(self) -> tuple[int, int] | None:
        """In a worker, its pipes; nothing once there is no grader."""
        while True:
            for key, _ in self.found.select():
                if key.fileobj is self.asked:
                    word, given, *_ = socket.recv_fds(self.asked, 1, 4)
                    if not word:
                        return self._kill(*self.living)
                    if (pid := os.fork()) == 0:
                        return self._alone(*given)
                    keeper = self.living[pid] = socket.socket(fileno=given.pop())
                    self.found.register(keeper, selectors.EVENT_READ, pid)
                    for end in given:
                        os.close(end)
                elif key.fileobj is self.woken:
                    self.woken.recv(1 << 10)
                    self._bury()
                elif key.data in self.living:
                    self.found.unregister(key.fileobj)
                    self._kill(key.data)

    def _kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        while self.living and (pid := (ended := os.waitpid(-1, os.WNOHANG))[0]):
            with self.living.pop(pid) as keeper:
                if keeper in self.found.get_map():
                    self.found.unregister(keeper)
                with contextlib.suppress(OSError):
                    keeper.send(struct.pack("<i", os.waitstatus_to_exitcode(ended[1])))

    def _alone(self, source: int, sink: int, output: int, keeper: int) -> tuple[int, int]:
        """Nothing of where it comes from is left open to a worker."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for place in (1, 2):
            os.dup2(output, place)
        for end in (*self.open, *self.living.values()):
            end.close()
        for end in (output, keeper):
            os.close(end)
        return source, sink


def main(source: int, sink: int, confine: Any) -> None:
    confine.end_with_parent()
    config, _ = received(source)
    sys.argv = ["submission.py"]  # a script may read its own
    os.chdir(config["folder"])
    landlock = confine.landlock(config["readable"]) if config["readable"] is not None else 0
    imported(config["libraries"])
    sys.modules["numpy.random"].seed()  # else all that are forked from one process draw the same
    confine.limits(config["cpu_s"], config["memory"], config["file_size"], config["files"])
    filtered = confine.seccomp()
    send(sink, {"ready": True, "landlock": landlock, "seccomp": filtered})
    received(source)  # the parent's word to begin: its clock runs now
    try:
        functions = loaded(config)
    except BaseException as error:
        ended = not isinstance(error, Exception)
        at = _line_of(error, config)
        send(sink, {"failed": f"{at}{told(error)}{advice(error)}", "ended": ended})
        return
    caller = Caller(functions, config)
    send(sink, {"functions": {name: described(f) for name, f in functions.items()}})
    while True:
        request, payload = received(source)
        numbers = b""
        try:
            header, numbers = caller.answer(request, payload)
        except Refused as error:
            header = {"refused": error.says, "ended": error.ended}
        except MemoryError:
            header = {"refused": f"`{request['name']}` needs more memory than it may have.", "ended": True}
        except Exception as error:  # as of a tensor that is sparse, or on another device
            header = {"refused": f"`{request['name']}` returned what cannot be read: {told(error)}", "ended": False}
        send(sink, {"id": request["id"], **header}, numbers)


def _line_of(error: BaseException, config: Mapping[str, Any]) -> str:
    """Where the error is in the submission, where it names a line of it."""

    def at(file: str, line: int | None) -> str:
        name = file.removesuffix(".py")
        return f"{place(file, line, config.get('cells', ()) if name == config.get('main') else ())}: "

    if isinstance(error, SyntaxError) and type(error.filename) is str:
        return at(error.filename, error.lineno)
    found, step = "", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name.removesuffix(".py") in config["sources"]:
            found = at(name, step.tb_lineno)
        step = step.tb_next
    return found


def place(file: str, line: int | None, cells: Sequence[Sequence[int]]) -> str:
    """file:line, or of a notebook the cell and its line."""
    before = [cell for cell in cells if line is not None and cell[0] <= line]
    if not before or line is None:
        return f"{file}:{line}"
    first, number = before[-1]
    return f"code cell {number}, line {line - first + 1}"


def _confine() -> Any:
    """The program beside this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    module = importlib.import_module("confine")
    sys.path.remove(here)
    return module


if __name__ == "__main__":
    libraries, *paths = sys.argv[1:]
    channel = socket.socket(fileno=os.dup(0))
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    confine = _confine()
    confine.keep_secrets()
    sys.path += [path for path in paths if path not in sys.path]
    tempfile.tempdir = "/"  # some libraries ask where they might write, and stop where they cannot
    if sys.platform == "linux":  # elsewhere what the system's libraries keep does not stand a fork
        with contextlib.suppress(Exception):  # a worker says why
            imported(libraries.split(","))
    gc.freeze()
    if pipes := Workers(channel).forked():
        try:
            main(*pipes, confine)
        except (EOFError, BrokenPipeError):
            os._exit(0)
