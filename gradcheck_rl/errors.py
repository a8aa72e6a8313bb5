"""What can go wrong, and whose it is to mend. Wrong mathematics is a verdict, never one of these."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType


class GradcheckError(Exception):
    """Base of every error this package raises on purpose: one sentence, no traceback needed."""


class InputError(GradcheckError):
    """What was typed cannot be run: an unknown name, an impossible option, an answer that does not fit."""


class ProblemError(GradcheckError):
    """A problem file is wrong: a name that binds to nothing, a shape that does not fit."""


class CodeError(GradcheckError):
    """A function under test did not return a number that can be differentiated; the sentence says what it did."""

    def __init__(self, function: object, says: str) -> None:
        super().__init__(says)
        self.function = function


class NumpyError(CodeError):
    """It returned an Estimate, as numpy code may, where it was called as torch code."""


class Unsuitable(GradcheckError):
    """This way of computing does not apply here; another one may."""


LIBRARIES = (os.path.dirname(os.__file__), os.path.dirname(__file__), "<frozen")
RANDOM = "gives another result each time it is called: it draws random numbers of its own. Take the noise as an argument."
ARRIVES = (
    (
        r"(as|for) ind(ices|ex)\b|index tensor of type|'indices' to have|dtype to be Long|only integers, slices",
        "what a variable gives are floats: to index with them write x.long(), or x.astype(int) in numpy",
    ),
    (
        r"(?i)same dtype, but .*\blong\b|for 'long'|output type Long|only support floating|floating point (or complex )?dtype",
        "what a finite draw gives are whole numbers: to reckon with them write x.to(theta.dtype)",
    ),
    (
        r"(?i)\bdouble\b.*\bfloat\b|\bfloat\b.*\bdouble\b",
        "numbers are float64 here: write model.double(), and x.double() on data",
    ),
    (
        r"escaped from inside a function being vmapped",
        "many points are one call, and what is computed in one is not there for the next: keep no state in it",
    ),
    (r"(?i)boolean (tensor|masks)|BoolTensor|'?invert\b|bitwise_", "what a mask gives are floats: write mask == 1"),
    (
        r"numpy\(\) on Tensor that requires grad",
        "numpy and the words of formulas have no gradient: write torch, as in torch.log(x)",
    ),
    (r"0-d\b|0-dim|of dimension 0", "that is one number here: copies, rows and episodes are given by Mean(..., over=...)"),
)
NAMESAKES = ("Bernoulli", "Categorical", "Normal", "Uniform")  # torch.distributions has these too
DETACHING = " Use tensor.detach().numpy() instead."  # torch's advice, by which the gradient is lost
SYMBOLIC = "returned a SymPy expression, and numbers were expected: give the formula, or take what it reads as arguments."


def told(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, which may be long, or raise in its turn."""
    try:
        says = (str(error).strip().splitlines() or [""])[0][:300]
    except Exception:
        says = "and its text cannot be read"
    return f"{type(error).__name__}: {says}" if says else type(error).__name__


def raised(name: str, error: BaseException) -> str:
    """What code under test raised, on which of its lines, and the likeliest reason on a page of SymPy names."""
    step, says = _own(error.__traceback__), told(error).removesuffix(DETACHING)
    if step is None:
        return str(error) if isinstance(error, GradcheckError) else f"`{name}` raised {says}"
    code = step.tb_frame.f_code
    said = f"`{name}` raised {says} ({os.path.basename(code.co_filename)}:{step.tb_lineno})"
    if isinstance(error, NameError):
        meant = did_you_mean(error.name or "", names_at(error))
        return f"{said}.{meant}" if meant else said
    if law := _outer(step.tb_frame, _is_namesake):
        return f"{said}; `{law}` is gradcheck_rl's there: in torch write torch.distributions.{law}"
    misspelt = isinstance(error, AttributeError) and not hasattr(error.obj, "free_symbols")
    if not misspelt and (symbol := _outer(step.tb_frame, lambda x: hasattr(x, "free_symbols"))):
        return said + f"; `{symbol}` is a SymPy name there, and no number: take it as an argument"
    hint = next((hint for pattern, hint in ARRIVES if re.search(pattern, told(error))), "")
    return f"{said}; {hint}" if hint else said


def _outer(frame: FrameType, fits: Callable[[object], bool]) -> str | None:
    """A name from outside the function that stands for something of this kind."""
    import dis  # only where something went wrong

    known = {**frame.f_globals, **frame.f_locals}
    outer = [i.argval for i in dis.get_instructions(frame.f_code) if i.opname in ("LOAD_GLOBAL", "LOAD_DEREF")]
    return next((name for name in outer if fits(known.get(name))), None)


def _is_namesake(x: object) -> bool:
    return isinstance(x, type) and x.__name__ in NAMESAKES and x.__module__.startswith("gradcheck_rl.")


def names_at(error: BaseException) -> list[str]:
    """What has a name where an error was raised."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    frame = step and step.tb_frame
    return [name for name in {**frame.f_locals, **frame.f_globals} if not name.startswith("_")] if frame else []


def _own(step: TracebackType | None) -> TracebackType | None:
    """The innermost step that is neither in a library nor in this package."""
    found = None
    while step is not None:
        path = step.tb_frame.f_code.co_filename
        if "site-packages" not in path and not path.startswith(LIBRARIES):
            found = step
        step = step.tb_next
    return found


def was_interrupted(error: BaseException) -> bool:
    """A compiled library makes an error of its own of Ctrl-C."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        seen.append(at)
        at = at.__cause__ or at.__context__
    return any(isinstance(e, KeyboardInterrupt) for e in seen)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """' Did you mean `x`?' or nothing."""
    from difflib import get_close_matches  # only where something went wrong

    close = get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""
