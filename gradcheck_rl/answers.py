"""An answer as the page calls it: by the names that its slot asks for, whatever it is and however it takes them."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .claims import Mistake
from .errors import InputError, ProblemError, did_you_mean
from .problem import Problem, called

ORDINARY = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def fitted(problem: Problem, answer: Mapping[Any, Any]) -> dict[Any, Callable[..., Any]]:
    """{reference function, or its name: replacement}, each checked against what the page can give it."""
    known = problem.functions
    answer = {known.get(f, f) if isinstance(f, str) else f: own for f, own in answer.items()}
    for f in answer:
        if f not in known.values():
            name = getattr(f, "__name__", str(f))
            raise InputError(
                f"`{name}` is no function of {problem.title!r}; it has {', '.join(known) or 'none'}.{did_you_mean(name, known)}"
            )
    return {f: _fitted(problem, f, own) for f, own in answer.items()}


def planted(problem: Problem, mistake: Mistake) -> dict[Any, Callable[..., Any]]:
    """The answer that a mistake of the page is."""
    try:
        return fitted(problem, mistake.answer)
    except InputError as error:
        raise ProblemError(f"the mistake {mistake.says!r} does not fit: {error}") from error


def _fitted(problem: Problem, slot: Callable[..., Any], own: Any) -> Callable[..., Any]:
    title = slot.__name__
    order = list(inspect.signature(slot).parameters)
    asked = [p.name for p in inspect.signature(slot).parameters.values() if p.kind in ORDINARY and p.default is p.empty]
    write = f"write `def {title}({', '.join(asked)}): ...`"
    if says := _network(problem, title, own, asked):
        raise InputError(f"the answer for `{title}` is {says}")
    if not callable(own) or isinstance(own, type):
        raise InputError(f"the answer for `{title}` is {type(own).__name__}, not a function: {write}.")
    try:
        parameters = list(inspect.signature(own).parameters.values())
    except (TypeError, ValueError):
        raise InputError(f"the answer for `{title}` does not tell its arguments: {write} around it.") from None
    given = [names for claim in problem.stated for f, names in called(claim, problem.bound) if f is slot]
    for p in parameters if given else ():  # a function that only the page's own code calls may name its arguments as it likes
        if p.kind not in VARIADIC and p.default is p.empty and not all(p.name in names for names in given):
            has = ", ".join(asked) or "nothing"
            meant = did_you_mean(p.name, asked)
            if p.name in {*order}.difference(asked) and callable(inspect.signature(slot).parameters[p.name].default):
                meant = f" `{p.name}` is a function: define it too, above, and write `{p.name}={p.name}` here."
            raise InputError(f"the answer for `{title}` asks for `{p.name}`; it is given {has}.{meant}")
    bound = own.keywords if isinstance(own, functools.partial) else {}
    named = [p for p in parameters if p.kind not in VARIADIC and p.name not in bound]
    wanted = [p for p in named if p.default is p.empty or p.name in asked]
    names = [p.name for p in wanted]
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD and (p.default is p.empty or p not in wanted) for p in parameters)
    if inspect.isfunction(own) and plain and (names == asked or not {*names} <= {*asked}):  # by position it is given the same
        return own
    return _by_name(title, own, parameters, names, order, asked)


def _by_name(
    title: str, own: Any, parameters: list[inspect.Parameter], wanted: list[str], order: list[str], asked: list[str]
) -> Callable[..., Any]:
    """A function that is called by names, and passes them on as `own` takes them."""
    variadic = {p.kind for p in parameters}.intersection(VARIADIC)
    names = list(dict.fromkeys([*wanted, *(asked if variadic else ())]))
    first = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    if variadic == {inspect.Parameter.VAR_POSITIONAL}:
        by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        first = [name for name in dict.fromkeys([*names, *order]) if name not in by_name]
    unread = set() if variadic else set(asked) - {p.name for p in parameters}

    def forward(*values: Any, **arguments: Any) -> Any:
        given = dict(zip(order, values, strict=False)) | arguments
        given = {name: value for name, value in given.items() if name not in unread}
        return own(*[given.pop(name) for name in first if name in given], **given)

    kept = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters if p.kind in ORDINARY and p.name not in names]
    forward.__name__ = getattr(own, "__name__", title)
    forward.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [*(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names), *kept]
    )
    return forward


def _network(problem: Problem, title: str, own: Any, asked: Sequence[str]) -> str:
    """What is said of a network that has parameters of its own in the place of the page's, and of its class."""
    if not hasattr(own, "named_parameters"):
        return ""
    moved = [name for name in asked if name in {p.name for p in problem.bound.parameters}]
    kind, has = (own, []) if isinstance(own, type) else (type(own), [name for name, _ in own.named_parameters()])
    takes = inspect.signature(own.forward).parameters
    if kind is not own and (not has or any(p.kind in VARIADIC for p in takes.values()) or takes.keys() >= {*moved}):
        return ""
    pairs = itertools.zip_longest(moved, has[: len(moved)], fillvalue="...")
    given = "".join(f", {name}={parameter!r}" for name, parameter in pairs)
    write = f"write `def {title}({', '.join(asked)}): ...`, and below it `{title} = module({kind.__name__}, {title}{given})`"
    return f"the network {kind.__name__}, whose parameters are its own: {write}, with `from gradcheck_rl import module`."
