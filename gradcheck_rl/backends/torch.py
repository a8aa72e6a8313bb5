"""Values and gradients of torch code for many points and outcomes at once.

The forward pass is mapped over points and outcomes, then one ordinary backward pass runs, with a leaf for each (point,
outcome). Code that cannot be mapped (it indexes or branches by a draw) steps down to concrete outcomes, then to a plain loop:
vmap raises a RuntimeError. Any other error is likely the author's own, which a plain call tells at once.
"""

from __future__ import annotations

import inspect
import itertools
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch.func import functional_call, vmap
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from ..chance import Replayed
from ..errors import RANDOM, SYMBOLIC, CodeError, InputError, NumpyError, Unsuitable, did_you_mean, raised, told
from ..estimate import Estimate, Floats
from ..rings import EPS, Float, Ring, flat_index
from . import remote

_rung: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # which rung code needed
_turn = threading.RLock()  # a default dtype belongs to the whole process: two threads take turns
CALLS = 1 << 14  # of code that can only be called for one point and outcome at a time


@dataclass(frozen=True)
class Batch:
    """values (B, M, n); gradients (B, M, P) or None where only values were asked for; which blocks a path leads to."""

    values: Floats
    gradients: Floats | None
    reached: dict[str, bool]


class precision:
    """One thread, gradients on, and this default dtype: a bare `torch.tensor(0.1)` in the code under test follows it."""

    def __init__(self, dtype: str) -> None:
        self.kind = getattr(torch, dtype)

    def __enter__(self) -> Any:
        _turn.acquire()
        self._before = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
        self._recording = torch.inference_mode(False) if torch.is_inference_mode_enabled() else None
        if self._recording is not None:
            self._recording.__enter__()
        torch.set_default_dtype(self.kind)
        if self._before[1] != 1:
            torch.set_num_threads(1)
        torch.set_grad_enabled(True)
        return self.kind

    def __exit__(self, *_: object) -> None:
        dtype, threads, gradients = self._before
        if self._recording is not None:
            self._recording.__exit__(None, None, None)
        torch.set_grad_enabled(gradients)
        if threads != 1:
            torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        _turn.release()


def run(
    code: Callable[..., Any],
    leaves: Mapping[str, Any],
    fixed: Mapping[str, Any],
    drawn: Mapping[str, Any],
    dtype: str,
    gradient: bool,
    key: Any,
    possible: Any = None,
) -> Batch:
    """leaves and fixed: (B, ...) each; drawn: (B, M, ...) each. `key` remembers which rung this code needed; `possible` (B, M)
    says which outcomes can happen: code that is called for one at a time need not survive the others."""
    name = getattr(key, "__name__", "the function")
    with precision(dtype) as kind, warnings.catch_warnings(action="ignore"), remote.only(possible), Replayed() as drawing:
        batch = _Call(code, name, gradient, kind, leaves, fixed, drawn, possible)
        one = batch.B * batch.M == 1 or not (batch.w or batch.o)  # there is nothing to map it over
        ladder = [batch.loop] if one else [batch.mapped, batch.points, batch.loop]
        if batch.w and not gradient:
            ladder.append(batch.recorded)
        at, called = 0 if one else min(_rung.get(key, 0), len(ladder) - 1), ladder.index(batch.loop)
        while True:
            try:
                result = ladder[at]()
                if drawing.moved() and not _same(result, ladder[at]()) and drawing.moved():
                    raise CodeError(key, f"`{name}` {RANDOM}")
            except (CodeError, Unsuitable, KeyboardInterrupt):
                raise
            except BaseException as error:  # SystemExit among them: code under test does not end the check
                if isinstance(error, RuntimeError) and at < len(ladder) - 1:
                    at += 1
                elif isinstance(error, Exception) and at < called:
                    at = called
                else:
                    raise CodeError(key, raised(name, error)) from error
            else:
                if not one:
                    _rung[key] = at
                return result


def _same(a: Batch, b: Batch) -> bool:
    pairs = ((a.values, b.values), (a.gradients, b.gradients))
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs if x is not None and y is not None)


def _copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Code may write into its arguments: it gets its own."""
    return {k: x.clone() for k, x in arguments.items()}


class _Call:
    def __init__(
        self, code: Any, name: str, gradient: bool, kind: Any, leaves: Any, fixed: Any, drawn: Any, possible: Any
    ) -> None:
        self.code, self.name, self.gradient, self.kind, self.possible = code, name, gradient, kind, possible
        self._records = gradient
        self.w = {k: self._tensor(v) for k, v in leaves.items()}
        self.f = {k: self._tensor(v) for k, v in fixed.items()}
        self.o = {k: self._drawn(v) for k, v in drawn.items()}
        some = next(iter((self.w | self.f | self.o).values()), None)
        self.B = 1 if some is None else len(some)
        self.M = next(iter(self.o.values())).shape[1] if self.o else 1

    def _tensor(self, x: Any) -> Any:
        return torch.tensor(np.ascontiguousarray(x), dtype=self.kind)

    def _drawn(self, x: Any) -> Any:
        """Draws of a finite law are whole numbers: code indexes with them."""
        return torch.tensor(np.ascontiguousarray(x), dtype=self.kind if np.asarray(x).dtype.kind == "f" else torch.int64)

    def call(self, *groups: Mapping[str, Any]) -> Any:
        out = self.code(**{k: v for g in groups for k, v in g.items()})
        if isinstance(out, torch.Tensor):
            if self.gradient and out.dim() and out.numel() != 1:
                raise CodeError(
                    self.code,
                    f"`{self.name}` returned shape {tuple(out.shape)}; a gradient needs one number: end with .sum() or .mean().",
                )
            return out.reshape(()) if self.gradient else out.reshape(-1)
        if isinstance(out, (tuple, list)) and not self.gradient and all(isinstance(x, torch.Tensor) for x in out):
            return torch.cat([x.reshape(-1) for x in out])
        if isinstance(out, (int, float, bool)) and not self.gradient:
            return torch.tensor([float(out)])
        if hasattr(out, "free_symbols"):
            raise CodeError(self.code, f"`{self.name}` {SYMBOLIC}")
        if isinstance(out, Estimate):
            raise NumpyError(self.code, f"`{self.name}` returned an Estimate; a tensor was expected.")
        what = "None" if out is None else type(out).__name__
        fix = "keep it a tensor: no .item(), float() or .numpy()"
        if out is None or isinstance(out, (tuple, list, Mapping)):
            fix = "end with `return loss`" + ("" if out is None else ", and nothing beside it")
        if isinstance(out, Coroutine):
            out.close()
            fix = "write def, without async"
        raise CodeError(self.code, f"`{self.name}` returned {what}; a tensor was expected: {fix}.")

    def _leaves(self) -> dict[str, Any]:
        return {
            k: v[:, None].expand(self.B, self.M, *v.shape[1:]).clone().requires_grad_(self._records) for k, v in self.w.items()
        }

    def _back(self, y: Any, leaves: Mapping[str, Sequence[Any]]) -> Batch:
        """`leaves`: of each block one tensor for all points and outcomes, or one for each."""
        if y.is_complex():
            raise CodeError(self.code, f"`{self.name}` returned complex numbers; real ones were expected: take .real or .abs().")
        y = y.reshape(self.B, self.M, -1)
        values = y.detach().double().numpy()
        if not self.gradient:
            return Batch(values, None, {})
        wanted = [x for parts in leaves.values() for x in parts]
        grads = iter(torch.autograd.grad(y.sum(), wanted, allow_unused=True) if y.requires_grad else [None] * len(wanted))
        found = {k: [(x, next(grads)) for x in parts] for k, parts in leaves.items()}
        reached = {k: any(g is not None for _, g in pairs) for k, pairs in found.items()}
        flat = [
            torch.stack([torch.zeros_like(x) if g is None else _dense(g) for x, g in pairs]).reshape(self.B, self.M, -1)
            for pairs in found.values()
        ]
        return Batch(values, torch.cat(flat, -1).double().numpy() if flat else np.zeros((self.B, self.M, 0)), reached)

    def mapped(self) -> Batch:
        leaves = self._leaves()
        inner = vmap(self.call, in_dims=(0, None, 0), randomness="error")
        y = vmap(inner, in_dims=(0, 0, 0), randomness="error")(leaves, _copied(self.f), _copied(self.o))
        return self._back(y, {k: [x] for k, x in leaves.items()})

    def points(self) -> Batch:
        """The outcome is concrete where it is the same at every point, so indexing and branching on it work."""
        leaves = self._leaves()
        columns = []
        for m in range(self.M):
            drawn = {k: x[:, m] for k, x in self.o.items()}
            same = {k: x[0].clone() for k, x in drawn.items() if bool((x == x[:1]).all()) and not x.dtype.is_floating_point}
            other = {k: x for k, x in drawn.items() if k not in same}
            row = {k: x[:, m] for k, x in leaves.items()}
            columns.append(
                vmap(lambda w, f, o, same=same: self.call(w, f, o, same), in_dims=(0, 0, 0), randomness="error")(
                    row, _copied(self.f), _copied(other)
                )
            )
        return self._back(torch.stack(columns, 1), {k: [x] for k, x in leaves.items()})

    def loop(self) -> Batch:
        can = np.ones((self.B, self.M), bool) if self.possible is None else np.asarray(self.possible, bool)
        leaves = {k: [x.clone().requires_grad_(self._records) for x in v for _ in range(self.M)] for k, v in self.w.items()}
        if can.sum() > CALLS:
            self._one(leaves, *np.argwhere(can)[0])  # an error of its own comes first
            raise Unsuitable(
                f"`{self.name}` can only be called for one sample at a time, which {can.sum()} calls would be: "
                "write it so that torch.func.vmap can map it (no .item(), no `if` on a tensor, no numpy)"
            )
        rows = [self._one(leaves, b, m) if can[b, m] else None for b in range(self.B) for m in range(self.M)]
        shapes = {r.shape for r in rows if r is not None}
        if len(shapes) != 1:
            raise CodeError(self.code, f"`{self.name}` returned different shapes at different points: return one shape.")
        blank = torch.zeros(shapes.pop())
        return self._back(torch.stack([blank if r is None else r for r in rows]), leaves)

    def recorded(self) -> Batch:
        """For the value of code that differentiates inside, by what it is given."""
        self._records = True
        return self.loop()

    def _one(self, leaves: Mapping[str, Sequence[Any]], b: int, m: int) -> Any:
        given = {k: x[b] for k, x in self.f.items()} | {k: x[b, m] for k, x in self.o.items()}
        return self.call({k: rows[b * self.M + m] for k, rows in leaves.items()}, _copied(given))


def _dense(gradient: Any) -> Any:
    """That of nn.Embedding(sparse=True) has the rows that were looked up, and no others."""
    return gradient if gradient.layout == torch.strided else gradient.to_dense()


def module(make: Callable[[], Any], like: Callable[..., Any], **parameters: str) -> Callable[..., Any]:
    """An nn.Module in the slot of the function `like`: which argument becomes which parameter; the others are its inputs.

    `module(Policy, policy, W="n1.weight", b="n1.bias")`. An argument has the axes of its parameter: a row `v` in the place
    of a weight of shape (1, 2) is one row of a matrix, so that what a network returns has the axes that it has in use.
    """
    names = list(inspect.signature(like).parameters)
    for name in parameters:
        if name not in names:
            raise InputError(f"{like.__name__} has no argument `{name}`; it has {', '.join(names)}.{did_you_mean(name, names)}")
    if isinstance(make, torch.nn.Module):
        kind = type(make).__name__
        wanted = f"write module({kind}, ...), or module(lambda: {kind}(8), ...)"
        raise InputError(f"a network is made anew for `{like.__name__}`: {wanted}.")
    with precision("float64"):
        net = make()
    title, has = getattr(make, "__name__", "the module"), [name for name, p in net.named_parameters() if p.requires_grad]
    for parameter in parameters.values():
        if parameter not in has:
            raise InputError(f"{title} has no parameter `{parameter}`; it has {', '.join(has)}.{did_you_mean(parameter, has)}")
    if left := [name for name in has if name not in parameters.values()]:
        raise InputError(
            f"{title} has the parameter `{left[0]}`, which no argument gives: write which one, as `{names[0]}={left[0]!r}`."
        )

    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}

    def misfit(argument: str, shape: tuple[int, ...]) -> InputError:
        name = parameters[argument]
        write = f"torch.nn.Parameter(torch.zeros({', '.join(map(str, shape)) or '()'}))"
        has = f"`{name}` of {title} has shape {shapes[name]}, and should have that of `{argument}`, {shape}"
        return InputError(f"{has}: write another layer, or {write}.")

    def placed(argument: str, value: Any) -> Any:
        shape, given = shapes[parameters[argument]], tuple(value.shape)
        for axis, length in enumerate(shape):
            if length == 1 and axis <= value.ndim < len(shape):
                value = value.unsqueeze(axis)
        if value.ndim != len(shape) or any(n == 1 != m for n, m in zip(shape, value.shape, strict=True)):
            raise misfit(argument, given)
        return value

    def forward(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        own = {k: placed(k, v) for k, v in given.items() if k in parameters}
        inputs = tuple(v for k, v in given.items() if k not in parameters)
        try:
            return functional_call(net.to(torch.get_default_dtype()), {parameters[k]: v for k, v in own.items()}, inputs)
        except Exception as error:
            for argument, value in own.items():
                if tuple(value.shape) != shapes[parameters[argument]]:
                    raise misfit(argument, tuple(given[argument].shape)) from error
            raise

    forward.__name__ = title
    forward.__signature__ = inspect.signature(like)  # pyright: ignore[reportFunctionMemberAccess]
    return forward


# ---- formulas, with autograd in the place of SymPy's derivative -----------------------------------------------------------


class Tensors(Ring):
    """Float64 tensors of one number each. A stop-gradient is a detached tensor."""

    add, multiply, raised, root = torch.add, torch.mul, torch.pow, torch.sqrt
    minimum, maximum, absolute, sign = torch.minimum, torch.maximum, torch.abs, torch.sign
    exp, log, tanh, sin, cos, tan, atan = torch.exp, torch.log, torch.tanh, torch.sin, torch.cos, torch.tan, torch.atan
    erf, erfc, power = torch.erf, torch.erfc, torch.pow

    def number(self, p: int, q: int) -> Any:
        return torch.tensor(p / q, dtype=torch.float64)

    def constant(self, name: str) -> Any:
        return torch.tensor(float(Float().constant(name)), dtype=torch.float64)

    def held(self, x: Any) -> Any:
        return x.detach()

    def weigh(self, weight: Any, x: Any) -> Any:
        """A weight that is zero here may have a slope; what is not a number counts for nothing even so."""
        return weight * x if weight != 0 or x.isfinite() else self.number(0, 1)

    def step(self, x: Any) -> Any:
        return torch.heaviside(x.detach(), self.number(1, 1))

    def side(self, x: Any) -> Any:
        return torch.heaviside(x.detach(), self.number(1, 2))

    def pick(self, table: list[Any], shape: tuple[int, ...], *index: Any) -> Any:
        return table[flat_index(shape, index)]


def of_formulas(program: Any, rows: Floats, by: Sequence[int], shaken: int = 0) -> Floats:
    """The derivatives of a program's outputs by some of its inputs: (rows, outputs x inputs); with a seed, at results that are
    off in their last digit."""
    found: list[Any] = []
    with Shaken(shaken) if shaken else nullcontext():
        for row in torch.tensor(rows, dtype=torch.float64):
            inputs = [x.clone().requires_grad_(n in by) for n, x in enumerate(row)]
            leaves = [inputs[n] for n in by]
            for y in program(Tensors(), inputs):
                flows = y.requires_grad
                grads = torch.autograd.grad(y, leaves, allow_unused=True, retain_graph=True) if flows else [None] * len(by)
                found += [0.0 if g is None else float(g) for g in grads]
    return np.array(found).reshape(len(rows), -1)


# ---- one loss, as a practitioner has it -----------------------------------------------------------------------------------


_directions = torch.Generator()
BEFORE = "what was computed before: compute it inside, lambda: loss(model(batch))."


class Lines:
    """The value and the gradient of a loss wherever its parameters are moved; its random numbers are the same everywhere.

    They move within a `with`, after which everything is as it was.
    """

    def __init__(self, loss: Callable[[], Any], parameters: Any) -> None:
        self.loss, self.leaves = loss, _leaves_of(parameters)
        self.name: str = getattr(loss, "__name__", type(loss).__name__)
        self.blocks: dict[str, slice] = {}
        self._cells: list[Floats] = []
        self._away: list[tuple[Any, Any]] = []
        end = 0
        for name, p in self.leaves.items():
            cell = p.numpy(force=True)
            self.blocks[name] = slice(end, end := end + cell.size)
            self._cells.append(cell)
            if not p.is_cpu:
                self._away.append((p, torch.from_numpy(cell)))
        self.here = _flat(self._cells)
        self._owned = any(type(p) is not torch.Tensor for p in self.leaves.values())  # by modules, which may have buffers
        self._buffers: dict[Any, dict[str, tuple[Any, Any]]] = {}
        self._others: list[tuple[Any, Any]] = []  # parameters of modules that are called, which are not moved here
        self._moved = {id(p) for p in self.leaves.values()}
        for module in parameters.modules() if isinstance(parameters, torch.nn.Module) else ():
            self._keep(module)
        self._modes = {module: module.training for module in self._buffers}
        self._made: Any = None
        self._graph = self._walked = False
        self.coarse = ""  # the type of fewer digits that a shaken run met
        self._precision = precision("float64")

    def __enter__(self) -> Lines:
        self._precision.__enter__()
        self._state = torch.get_rng_state()
        grads = [(p, p.grad) for p in self.leaves.values()]
        self._grads = [(p, g, *((None, 0) if g is None else (g.detach().clone(), g._version))) for p, g in grads]
        return self

    def __exit__(self, *_: object) -> None:
        self.move(self.here)
        self._put_back()
        for p, grad, before, version in self._grads:  # a loss that calls .backward() adds to them
            p.grad = grad
            if grad is not None and grad._version != version:
                grad.detach().copy_(before)
        self._precision.__exit__()

    def _put_back(self) -> None:
        """What a run of the loss moves by itself: chance, modules' running means and modes, parameters of others."""
        torch.set_rng_state(self._state)
        for module, trains in self._modes.items():
            if module.training != trains:
                module.training = trains
        for module, buffers in self._buffers.items():
            for name, (buffer, before) in buffers.items():
                module._buffers[name] = buffer.copy_(before)
        for parameter, before in self._others:
            parameter.detach().copy_(before)

    def _keep(self, module: Any, *_: Any) -> None:
        if not torch.compiler.is_compiling() and module not in self._buffers:
            self._buffers[module] = {k: (b, b.clone()) for k, b in module._buffers.items() if b is not None}
            others = (p for p in module._parameters.values() if p is not None and id(p) not in self._moved)
            self._others += [(p, p.detach().clone()) for p in others if not torch.nn.parameter.is_lazy(p)]

    def drawn(self, count: int, seed: int) -> Floats:
        """Rows of numbers from -1 to 1, of 24 bits, that come from the seed and the loss's name, and from nothing else."""
        _directions.manual_seed(zlib.crc32(f"{seed}/differences/{self.name}".encode()))
        empty = torch.empty(count, self.here.size, dtype=torch.float32, device="cpu")
        return empty.uniform_(-1, 1, generator=_directions).numpy()

    def move(self, there: Floats) -> None:
        """The numbers are written where the parameters keep theirs, so that whatever shares them moves too."""
        for cell, at in zip(self._cells, self.blocks.values(), strict=True):
            cell[...] = there[at].reshape(cell.shape)
        for parameter, cell in self._away:
            parameter.detach().copy_(cell)

    def value(self) -> float:
        try:
            return self._run().item()
        except InputError:
            if not self.records():
                raise
        return self.value()

    def records(self) -> bool:
        """From now on values are computed with their graph, which a loss that differentiates inside needs; was it without?"""
        before, self._graph = self._graph, True
        torch.set_grad_enabled(True)
        return not before

    def gradient(self) -> tuple[float, Floats, list[str]]:
        """The value, autograd's gradient as flat numbers, and the blocks that no path leads to."""
        torch.set_grad_enabled(True)
        return self._back(self._run())

    def _back(self, y: Any) -> tuple[float, Floats, list[str]]:
        wanted = [*self.leaves.values()]
        try:
            grads = torch.autograd.grad(y, wanted, allow_unused=True) if y.requires_grad else [None] * len(wanted)
        except Exception as error:
            if "second time" in str(error) and self._walked:
                raise InputError(f"`{self.name}` uses {BEFORE}") from error
            why = "return the loss without .backward()" if "second time" in str(error) else told(error)
            raise InputError(f"the backward pass of `{self.name}` failed: {why}") from error
        torch.set_grad_enabled(self._graph)
        self._walked = True
        flat: list[Floats] = []
        unreached: list[str] = []
        for name, cell, g in zip(self.leaves, self._cells, grads, strict=True):
            if g is None:
                unreached.append(name)
                flat.append(np.zeros(cell.size))
            else:
                flat.append(_dense(g).cpu().numpy())
        return y.item(), _flat(flat), unreached

    def shaken(self, seed: int) -> tuple[float, Floats]:
        """Value and gradient at home with every intermediate result off in its last digit, as if it were rounded elsewise."""
        self.move(self.here)
        torch.set_grad_enabled(True)
        try:
            with _eager(), Shaken(seed) as shaken:
                value, gradient, _ = self.gradient()
        except InputError:  # a checkpoint runs again unshaken: the gradient is taken beside home then
            with _eager(), Shaken(seed) as shaken:
                value = self._run().item()
            self.move(self.here * (1 + 2 * EPS * np.random.default_rng(seed).uniform(-1, 1, self.here.size)))
            gradient = self.gradient()[1]
        self.coarse = shaken.coarse or self.coarse
        return value, gradient

    def otherwise(self, without: str) -> Floats | None:
        """The gradient at home without one of WITHOUT; None where the loss does not stand that."""
        self.move(self.here)
        torch.set_grad_enabled(True)
        try:
            with _eager(), WITHOUT[without]():
                y = self._run()
            return self._back(y)[1]
        except InputError:
            return None

    def held(self) -> Held:
        """What leaves autograd on the way, as it is at home."""
        self.move(self.here)
        torch.set_grad_enabled(True)
        with _eager(), Held() as held:
            self._run()
        torch.set_grad_enabled(self._graph)
        return held

    def value_with(self, held: Held, who: Collection[str]) -> float:
        """The value with that held which these gave at home."""
        torch.set_grad_enabled(True)
        with _eager(), held.again(who):
            y = self._run()
        torch.set_grad_enabled(self._graph)
        return y.item()

    def steps(self) -> dict[str, bool]:
        """What autograd walks back through, by torch's names, and whether it is written in Python."""
        self.move(self.here)
        torch.set_grad_enabled(True)
        left, seen = [self._run().grad_fn], set[Any]()
        torch.set_grad_enabled(self._graph)
        while left:
            node = left.pop()
            if node is not None and node not in seen:
                seen.add(node)
                left += [before for before, _ in node.next_functions]
        return {node.name(): isinstance(node, torch.autograd.function.BackwardCFunction) for node in seen}

    def iterates(self) -> bool:
        """Is a spectral norm in training among the modules, which holds the vectors that it iterates?"""
        parts = ((m, *m._forward_pre_hooks.values()) for m in self._buffers if m.training)
        return any(type(part).__name__ in ("_SpectralNorm", "SpectralNorm") for found in parts for part in found)

    def hooked(self, name: str) -> bool:
        return bool(self.leaves[name]._backward_hooks)

    def written(self) -> list[str]:
        """The parameters that a run of the loss writes into."""
        self.move(self.here)
        self._run()
        return [
            k for (k, at), cell in zip(self.blocks.items(), self._cells, strict=True) if (self.here[at] != cell.ravel()).any()
        ]

    def _run(self) -> Any:
        if self._made is not None:
            with torch._C.DisableTorchFunction():  # pyright: ignore[reportPrivateUsage]  no mode sees what is put back
                self._put_back()
        first = self._owned and self._made is None
        watch = register_module_forward_pre_hook(self._keep) if first else None  # which modules it calls
        try:
            y = self.loss()
        except Exception as error:
            raise InputError(raised(self.name, error)) from error
        finally:
            if watch is not None:
                watch.remove()
        if not isinstance(y, torch.Tensor):
            kept = "end it with `return loss`" if y is None else "keep it a tensor, without .item() or float()"
            if isinstance(y, (tuple, list, Mapping)):
                kept = "return the loss alone"
            raise InputError(f"`{self.name}` returned {type(y).__name__}; a tensor was expected: {kept}.")
        if y.numel() != 1:
            shape = tuple(y.shape)
            raise InputError(f"`{self.name}` returned shape {shape}; one number was expected: end it with .mean() or .sum().")
        if y.dtype != torch.float64:
            raise InputError(f"`{self.name}` returned {_word(y)}{_unreal(y)}: give it float64 data, and no .float() inside.")
        if y is self._made and y.grad_fn is not None:
            raise InputError(f"`{self.name}` returned {BEFORE}")
        self._made = y
        return y


def _eager() -> Any:
    """Within it, what torch.compile made is called as it was written: a mode is no part of it."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


DETACHES = (torch.Tensor.detach, torch.detach, torch.Tensor.data.__get__)  # pyright: ignore[reportAttributeAccessIssue]
PICKS = ("clamp", "clip", "max", "maximum", "min", "minimum", "relu", "where")


class Shaken(TorchFunctionMode):
    """Multiplies what each function makes by 1 + eps u, u between 1/2 and 1 either way, and moves what is nearly 0 by the least
    number there is. Equal numbers move alike, and a number as its negative does: what ties, ties. What aliases an input or is
    picked out of two stays as it is, and whole numbers do: masks, counts and indices are not rounded."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._key = int(np.random.default_rng(seed).integers(-(2**62), 2**62))
        self.coarse = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not isinstance(out, torch.Tensor) or not out.is_floating_point():
            return out
        if out._is_view() or func in DETACHES or getattr(func, "__name__", "") in PICKS or any(out is x for x in args):
            return out
        if out.dtype.itemsize < 8 and out.requires_grad:
            self.coarse = _word(out)
        size = out.detach().abs()
        whole = (size == size.round()) & (size < 2**31)
        u, info = torch.where(whole, 0, _scattered(size, self._key)), torch.finfo(out.dtype)
        return out * (1 + info.eps * u) + info.eps * info.tiny * u.sign()


def _scattered(x: Any, key: int) -> Any:
    """A number between 1/2 and 1 either way for each, which its bits and the key alone decide."""
    bits = (x.double().view(torch.int64) ^ key) * -0x61C8864680B583EB
    u = ((bits ^ (bits >> 32)) * -0x6B2FB644ECCEEE15 * 2.0**-64).to(x.dtype)
    return u + u.sign() / 2


class _Attached(TorchFunctionMode):
    """Detaches nothing, keeps gradients on where the code under test switches them off, and differentiates what it makes: a
    sample of a normal law among it, and what .item() takes out."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in DETACHES or func is torch.Tensor.item:
            return args[0]
        if func is torch.normal and all(isinstance(x, torch.Tensor) for x in args) and not kwargs:
            mean, spread = torch.broadcast_tensors(*args)
            with torch.enable_grad():
                return mean + spread * torch.randn_like(mean)
        more = {"create_graph": True} if func is torch.autograd.grad else {}
        with torch.enable_grad():
            return func(*args, **(kwargs or {}) | more)


class Held(TorchFunctionMode):
    """Keeps the numbers that leave autograd, and by whom; when it runs again, some are given in place of what is made there."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, list[Any], Any]] = []
        self._left: Iterator[tuple[str, list[Any], Any]] | None = None
        self._who: Collection[str] = ()

    def again(self, who: Collection[str]) -> Held:
        self._left, self._who = iter(self.kept), who
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [(x, x._version) for x in (*args, *(kwargs or {}).values()) if isinstance(x, torch.Tensor)]
        out = func(*args, **(kwargs or {}))
        if func is torch.nn.functional.batch_norm:
            options = _given(func, args, kwargs or {})
            written = [options[k] for k in ("running_mean", "running_var") if options["training"] and options[k] is not None]
        else:
            written = [x for x, version in given if x._version != version and _parted(x)]
        loose = not torch.is_grad_enabled() or any(x.requires_grad for x, _ in given)
        made = out if loose and _parted(out) and all(out is not x for x in written) else None
        if not written and made is None:
            return out
        by = _taker(func)
        if self._left is None:
            self.kept.append((by, _copies(written), _copies(made)))
            return out
        was, before, instead = next(self._left, ("", [], None))
        if was != by:
            raise RuntimeError("the loss goes another way")
        if by in self._who:
            with torch.no_grad():
                for x, number in zip(written, before, strict=True):
                    x.copy_(number)
            return out if made is None else _with_held(out, instead)
        return out


def _parted(x: Any) -> bool:
    """Numbers of which autograd knows nothing."""
    if isinstance(x, torch.Tensor):
        return x.is_floating_point() and not x.requires_grad
    return any(map(_parted, x)) if isinstance(x, (tuple, list)) else isinstance(x, (float, np.ndarray))


def _copies(x: Any) -> Any:
    if isinstance(x, (tuple, list)):
        return [_copies(part) for part in x]
    if not _parted(x):
        return None
    return x.clone() if isinstance(x, torch.Tensor) else x.copy() if isinstance(x, np.ndarray) else x


def _with_held(x: Any, kept: Any) -> Any:
    if isinstance(x, (tuple, list)):
        return type(x)([_with_held(*pair) for pair in zip(x, kept, strict=True)])
    return x if kept is None else _copies(kept)


def _taker(function: Any) -> str:
    """Who takes numbers out of autograd, as one writes it: the call of a library that this is a part of, if it has a name."""
    frame = inspect.currentframe()
    while frame is not None:
        name, home = frame.f_code.co_name, frame.f_globals.get("__name__", "")
        if name in TAKERS and home.split(".")[0] in ("copy", "torch"):
            return TAKERS[name]
        frame = frame.f_back
    name = getattr(function, "__name__", "")
    return TAKERS.get(name) or (f".{name}()" if torch.is_grad_enabled() else "torch.no_grad()")


TAKERS = {
    "sample": ".sample()",
    "deepcopy": "deepcopy",
    "state_dict": ".state_dict()",
    "batch_norm": "BatchNorm in training",
    "__get__": ".data",
    "__array__": ".numpy()",
    "__float__": "float()",
    "grad": "torch.autograd.grad",
}


class _Instead(TorchFunctionMode):
    """Another function in the place of one of torch's."""

    def __init__(self, replaced: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self._replaced = replaced

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._replaced.get(func, func)(*args, **(kwargs or {}))


def _idle(tensor: Any, _: Any) -> Any:
    return tensor.register_hook(lambda gradient: None)


def _held(*args: Any, **kwargs: Any) -> Any:
    drawn = torch.nn.functional.gumbel_softmax(*args, **kwargs)
    return drawn.detach() if _given(torch.nn.functional.gumbel_softmax, args, kwargs)["hard"] else drawn


def _with(lookup: Callable[..., Any], **other: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: lookup(**_given(lookup, args, kwargs) | other)


def _given(function: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, Any]:
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


EMBEDDING = torch.nn.functional.embedding

# What parts a gradient from its value, and how a loss is run without it.
WITHOUT: dict[str, Callable[[], TorchFunctionMode]] = {
    "detaching": _Attached,
    "hooks": lambda: _Instead({torch.Tensor.register_hook: _idle}),
    "soft draws": lambda: _Instead({torch.nn.functional.gumbel_softmax: _held}),
    "counts": lambda: _Instead({f: _with(f, scale_grad_by_freq=False) for f in (EMBEDDING, torch.nn.functional.embedding_bag)}),
    "padding": lambda: _Instead({EMBEDDING: _with(EMBEDDING, padding_idx=None)}),
}


def _flat(blocks: Sequence[Floats]) -> Floats:
    return np.concatenate(blocks, axis=None)


def _leaves_of(parameters: Any) -> dict[str, Any]:
    """Parameters by name: of a module, a mapping, pairs or tensors one after the other."""
    if isinstance(parameters, torch.nn.Module):
        given = [(k, p) for k, p in parameters.named_parameters() if p.requires_grad]
        if lazy := next((k for k, p in given if torch.nn.parameter.is_lazy(p)), None):
            raise InputError(f"`{lazy}` has no numbers yet: call the model once before.")
    elif isinstance(parameters, Mapping):
        given = list(parameters.items())
    else:
        single = isinstance(parameters, torch.Tensor) or not hasattr(parameters, "__iter__")
        items = [parameters] if single else list(parameters)
        pairs = all(isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str) for x in items)
        given = items if pairs else [(f"parameter {n}", x) for n, x in enumerate(items)]
    if not given:
        raise InputError("no parameters were given (an iterator is empty after its first use): write differences(loss, model).")
    found: dict[str, Any] = {}
    for name, p in given:
        if problem := _unfit(p):
            raise InputError(f"`{name}` {problem}")
        word = str(name)
        found[word if word not in found else _another(word, found)] = p
    return _apart(found) if len(found) > 1 else found


def _another(name: str, names: Mapping[str, Any]) -> str:
    """Two modules may have a `weight` each."""
    return next(f"{name} ({k})" for k in itertools.count(2) if f"{name} ({k})" not in names)


def _apart(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Each once, and no two in one place of memory, where moving one would move the other."""
    once: dict[int, str] = {}
    for name, p in leaves.items():
        once.setdefault(id(p), name)
    kept = {name: leaves[name] for name in once.values()}
    places = sorted((p.data_ptr(), p.nbytes, name) for name, p in kept.items() if p.is_contiguous())
    for (start, size, name), (other_start, _, other) in itertools.pairwise(places):
        if other_start < start + size:
            raise InputError(f"`{other}` keeps its numbers where `{name}` does: write .clone() before its .requires_grad_().")
    return kept


def _unfit(p: Any) -> str:
    if not isinstance(p, torch.Tensor):
        return f"is {type(p).__name__}, not a tensor: write differences(loss, model), or {{'name': tensor}}."
    if p.layout != torch.strided or p.is_meta:
        return (
            f"is a {'meta' if p.is_meta else 'sparse'} tensor, whose numbers cannot be moved: give a dense one that has numbers."
        )
    if not p.is_leaf:
        return "was computed from others: give those, or make it a leaf with .detach().requires_grad_() before the loss uses it."
    if not p.requires_grad:
        return "asks for no gradient: write .requires_grad_() on it, or leave it out."
    if not p.is_contiguous() and any(step == 0 for n, step in zip(p.shape, p.stride(), strict=True) if n > 1):
        return "has several entries in one place of memory, as .expand() makes them: write .clone() before .requires_grad_()."
    if p.dtype != torch.float64:
        owned = "write model.double()" if isinstance(p, torch.nn.Parameter) else "make it with dtype=torch.float64"
        fix = "give its real and imaginary part" if p.is_complex() else f"{owned}, and give the loss float64 data"
        return f"is {_word(p)}{_unreal(p)}: {fix}."
    return ""


def _unreal(x: Any) -> str:
    if x.is_complex():
        return ", and real numbers were expected"
    return ", in which a slope is known to few digits" if x.is_floating_point() else ", which has no slope"


def _word(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")
