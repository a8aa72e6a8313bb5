"""Torch with one thing done otherwise: rounding shaken, numbers held that leave autograd, nothing detached."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

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
            self.coarse = word(out)
        size = out.detach().abs()
        whole = (size == size.round()) & (size < 2**31)
        u, info = torch.where(whole, 0, _scattered(size, self._key)), torch.finfo(out.dtype)
        return out * (1 + info.eps * u) + info.eps * info.tiny * u.sign()


def _scattered(x: Any, key: int) -> Any:
    """A number between 1/2 and 1 either way for each, which its bits and the key alone decide."""
    bits = (x.double().view(torch.int64) ^ key) * -0x61C8864680B583EB
    u = ((bits ^ (bits >> 32)) * -0x6B2FB644ECCEEE15 * 2.0**-64).to(x.dtype)
    return u + u.sign() / 2


class AsAlone(TorchFunctionMode):
    """Of a whole tensor max, min and median give their slope to all that tie, alike; where vmap maps them, to one of these."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        of = (*args, *(kwargs or {}).values())
        if len(of) == 1 and func in MEDIANS:
            raise RuntimeError("it is called for one point at a time")
        if len(of) == 1 and func in WHOLE:
            return WHOLE[func](*of)
        return func(*args, **(kwargs or {}))


WHOLE: dict[Any, Callable[..., Any]] = {
    torch.max: torch.amax,
    torch.min: torch.amin,
    torch.Tensor.max: torch.amax,
    torch.Tensor.min: torch.amin,
}
MEDIANS = (torch.median, torch.nanmedian, torch.Tensor.median, torch.Tensor.nanmedian)


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
    return any(map(_parted, x)) if isinstance(x, (tuple, list)) else isinstance(x, float)


def _copies(x: Any) -> Any:
    if isinstance(x, (tuple, list)):
        return [_copies(part) for part in x]
    if not _parted(x):
        return None
    return x.clone() if isinstance(x, torch.Tensor) else x


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
    """What it is called with by name: torch hands over every option, given or not."""
    return inspect.signature(function).bind(*args, **kwargs).arguments


EMBEDDING = torch.nn.functional.embedding

# What parts a gradient from its value, and how a loss is run without it.
WITHOUT: dict[str, Callable[[], TorchFunctionMode]] = {
    "detaching": _Attached,
    "hooks": lambda: _Instead({torch.Tensor.register_hook: _idle}),
    "soft draws": lambda: _Instead({torch.nn.functional.gumbel_softmax: _held}),
    "counts": lambda: _Instead({f: _with(f, scale_grad_by_freq=False) for f in (EMBEDDING, torch.nn.functional.embedding_bag)}),
    "padding": lambda: _Instead({EMBEDDING: _with(EMBEDDING, padding_idx=None)}),
}


def word(x: Any) -> str:
    return str(x.dtype).removeprefix("torch.")
