"""One loss, as a practitioner has it: its values along lines through its parameters, and what it does besides."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd.graph import _engine_run_backward as walk_back  # pyright: ignore[reportPrivateUsage]
from torch.distributions import Distribution
from torch.nn.modules.module import register_module_forward_pre_hook

from ..errors import InputError, raised, told
from ..estimate import Floats
from ..rings import EPS
from .modes import WITHOUT, Held, Shaken, word
from .torch import dense, precision

_directions = np.random.SFC64(0)
_FRESH, _ODD = _directions.state, np.uint64(0x0001_0001_0001_0001)
UNIT = 2.0**-15  # of the numbers that make a direction
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
        self._buffers: dict[Any, dict[str, tuple[Any, Any]]] = {}
        self._others: list[tuple[Any, Any]] = []  # parameters of modules that are called, which are not moved here
        self._moved = {p.untyped_storage().data_ptr() for p in self.leaves.values()}
        for module in parameters.modules() if isinstance(parameters, torch.nn.Module) else ():
            self._keep(module)
        self._modes = {module: module.training for module in self._buffers}
        self._made: Any = None
        self._graph = self._walked = False
        self.coarse = ""  # the type of fewer digits that a shaken run met
        self._precision = precision("float64")

    def __enter__(self) -> Lines:
        self._precision.__enter__()
        self._looks = Distribution._validate_args  # pyright: ignore[reportPrivateUsage]
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
        self.strictly()
        self._precision.__exit__()

    def strictly(self) -> None:
        """From now on laws look at their arguments, as they do by themselves. Else they look once: that is half of their time."""
        Distribution.set_default_validate_args(self._looks)

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
            self._buffers[module] = {k: (b, b.clone()) for k, b in module._buffers.items() if self._is_put_back(b)}
            self._others += [(p, p.detach().clone()) for p in module._parameters.values() if self._is_put_back(p)]

    def _is_put_back(self, x: Any) -> bool:
        """Is it put back? What lies in the memory of a moved parameter moves with it; what vmap hands over ends with the call."""
        if x is None or torch.nn.parameter.is_lazy(x) or is_functorch_wrapped_tensor(x):
            return False
        return x.layout != torch.strided or x.untyped_storage().data_ptr() not in self._moved

    def drawn(self, count: int, seed: int) -> Any:
        """Rows of odd numbers of 16 bits, as many above 0 as below, that come from the seed and the loss's name alone."""
        start = blake2b(f"{seed}/differences/{self.name}".encode(), digest_size=32).digest()
        _directions.state = {**_FRESH, "state": {"state": np.frombuffer(start, np.uint64)}}
        words = _directions.random_raw((count, (self.here.size + 3) // 4))
        words |= _ODD
        return words.view(np.int16)[:, : self.here.size]

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
        if not torch.is_grad_enabled():
            torch.set_grad_enabled(True)
        return self._back(self._run())

    def _back(self, y: Any) -> tuple[float, Floats, list[str]]:
        wanted = (*self.leaves.values(),)
        grads: Sequence[Any] = [None] * len(wanted)
        try:  # torch.autograd.grad, without a look at its arguments, which is half of the time that a small loss takes it
            if y.requires_grad:
                grads = walk_back((y,), (torch.ones_like(y),), False, False, wanted, True, accumulate_grad=False)
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
                flat.append(dense(g).cpu().numpy())
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
        watch = register_module_forward_pre_hook(self._keep) if self._made is None else None  # which modules it calls
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
            raise InputError(f"`{self.name}` returned {word(y)}{_unreal(y)}: give it float64 data, and no .float() inside.")
        if y is self._made and y.grad_fn is not None:
            raise InputError(f"`{self.name}` returned {BEFORE}")
        if self._made is None:
            Distribution.set_default_validate_args(False)
        self._made = y
        return y


def _eager() -> Any:
    """Within it, what torch.compile made is called as it was written: a mode is no part of it."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


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
    if isinstance(p, torch.nn.Module):
        return "is a module, and one alone is taken: write differences(loss, nn.ModuleList([actor, critic]))."
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
        return f"is {word(p)}{_unreal(p)}: {fix}."
    return ""


def _unreal(x: Any) -> str:
    if x.is_complex():
        return ", and real numbers were expected"
    return ", in which a slope is known to few digits" if x.is_floating_point() else ", which has no slope"
