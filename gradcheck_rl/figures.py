"""Pictures of a problem: plain data, which the report keeps, and a function that draws it and computes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import GradcheckError, InputError, ProblemError
from .evaluators import Scene, evaluate
from .files import put
from .points import Point, given
from .quantities import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What a picture is written as, and what of its metadata would differ from run to run.
FORMATS: Mapping[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.w_pad": 0.12,
    "svg.hashsalt": "gradcheck_rl",
}
WIDTH, HEIGHT, DOTS = 5.6, 4.4, 160


@dataclass(frozen=True, eq=False)
class Figure:
    """`data(problem, seed)` is what JSON can hold; `draw(data, ax)` puts it on a matplotlib Axes."""

    name: str
    data: Callable[[Any, int], Mapping[str, Any]] = field(repr=False)
    draw: Callable[[Mapping[str, Any], Axes], None] = field(repr=False)

    def calls(self, part: Callable[..., Any], *arguments: Any) -> Any:
        """What a part of this figure returns; its own error in a sentence."""
        try:
            return part(*arguments)
        except GradcheckError:
            raise
        except Exception as error:
            raise ProblemError(f"the figure `{self.name}` raised {type(error).__name__}: {error}") from error


def computed(figures: Sequence[Figure], problem: Any, seed: int) -> dict[str, Any]:
    """The data of each figure, by its name."""
    found = {f.name: f.calls(f.data, problem, seed) for f in figures}
    for f in figures:
        f.calls(json.dumps, found[f.name])
    return found


def along(problem: Any, quantities: Mapping[str, Any], points: Sequence[Point]) -> dict[str, list[float]]:
    """Each quantity, a number, at each of these points."""
    world = problem.bound
    found: dict[str, list[float]] = {name: [] for name in quantities}
    for point in points:
        scene = Scene(world, given(world.variables, point, list(point.values)))
        for name, q in quantities.items():
            found[name].append(float(evaluate(quantity(q), scene).value.item()))
    return found


def bars(values: Mapping[str, float], ax: Axes, notes: Mapping[str, str] | None = None) -> None:
    """A bar for each name, the first on top, with its number beside it; one that has a note is hatched."""
    for at, (name, value) in enumerate(values.items()):
        note = (notes or {}).get(name, "")
        hatch: Any = {"color": "white", "edgecolor": "#c8742a", "hatch": "////"} if note else {"color": "#14315f"}
        ax.barh(at, value, 0.7, **hatch)
        ax.text(value, at, f" {value:.4g}{note}", va="center", fontsize=8)
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.set_xlim(0, 1.5 * max(values.values(), default=1.0))


def picture(figure: Figure, data: Any, kind: str, transparent: bool = True, **style: Any) -> bytes:
    """One figure as .svg, .pdf or .png, on the paper of the page or on white. The same data give the same bytes."""
    return _drawn([figure], {figure.name: data}, kind, style, transparent)


def _drawn(figures: Sequence[Figure], data: Mapping[str, Any], kind: str, style: Any, transparent: bool) -> bytes:
    """The figures side by side. Without pyplot: no window, no state, and a fast import."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Sheet

    written = BytesIO()
    with mpl.rc_context(STYLE | style):
        sheet = Sheet(figsize=(WIDTH * len(figures), HEIGHT), layout="constrained")
        for figure, ax in zip(figures, sheet.subplots(1, len(figures), squeeze=False).flat, strict=True):
            figure.calls(figure.draw, data[figure.name], ax)
        sheet.savefig(written, format=kind[1:], dpi=DOTS, metadata=FORMATS[kind], transparent=transparent)
    return written.getvalue()


def plottable(path: str) -> None:
    """Found out before anything is computed: can a picture be written under this name?"""
    if Path(path).suffix.lower() not in FORMATS:
        raise InputError(f"--plot {path} names no kind of picture: end it in {', '.join(FORMATS)}.")
    if find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib, which is not installed: type pip install 'gradcheck_rl[plot]'.")


def plot(figures: Sequence[Figure], data: Mapping[str, Any], path: str) -> None:
    """The figures side by side in one file."""
    put(Path(path), _drawn(figures, data, Path(path).suffix.lower(), {}, transparent=False), "--plot")
