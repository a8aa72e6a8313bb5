"""What a training run reports: plain data, as a report's, and the figure of its curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ..figures import Figure
from ..report import Line, plain, worst

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = "gradcheck_rl/learned/1"
NONE = "nothing was checked, since no batch was learned from (more --steps come to one)"


@dataclass(frozen=True)
class Epoch:
    """The mean return of some episodes, after so many steps of the environment."""

    number: int
    steps: int
    mean: float
    episodes: int

    def __str__(self) -> str:
        return f"  epoch {self.number:3}  {self.steps:7} steps  return {self.mean:8.1f}  mean of {self.episodes} episodes"


@dataclass(frozen=True)
class Checkpoint:
    """The page's claims, at the points that the networks and a batch make."""

    steps: int
    claims: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        return all(line.ok for line in self.claims)

    def __str__(self) -> str:
        rows = [f"  checked at step {self.steps}:"]
        for line in self.claims:
            rows.append(f"    {line.verdict:9} {line.id}: {line.says}")
            if line.ok:
                gaps = [r.gap for r in line.routes if r.gap is not None]
                rows.append(f"              at {line.points} points, within {max(gaps, default=0.0):.0e}")
            else:
                rows.append(f"              {line.reason}")
                rows += [f"              at {name} = {plain(value)}" for name, value in (line.witness or {}).items()]
        return "\n".join(rows)


@dataclass(frozen=True)
class Learned:
    """One run of one seed. `interrupted`: it was stopped, and this is what was learned until then."""

    problem: str
    title: str
    environment: str
    seed: int
    goal: float
    answer: list[str]
    versions: dict[str, str]
    epochs: tuple[Epoch, ...]
    checkpoints: tuple[Checkpoint, ...]
    replay: str
    interrupted: bool = False
    elapsed_s: float = 0.0

    @property
    def last(self) -> float | None:
        return self.epochs[-1].mean if self.epochs else None

    @property
    def exit_code(self) -> int:
        """0 every checkpoint agrees; 1 one is refuted; 3 undecided; 130 stopped; 5 nothing was checked."""
        lines = [line for c in self.checkpoints for line in c.claims]
        codes = [0 if line.ok else 3 if line.verdict == "undecided" else 1 for line in lines] or [5]
        return 130 if self.interrupted else worst(codes)

    @property
    def refuted(self) -> bool:
        return any(line.verdict == "refuted" for c in self.checkpoints for line in c.claims)

    def text(self) -> str:
        """How it ended, and what to type to have it again."""
        lines = [line for c in self.checkpoints for line in c.claims]
        shown = f"{sum(line.ok for line in lines)} of {len(lines)} checks agree" if lines else NONE
        stopped = "interrupted, " if self.interrupted else "stopped, " if self.refuted else ""
        last = "no epoch was finished" if self.last is None else f"return {self.last:.1f} in epoch {len(self.epochs)}"
        took = f"took {self.elapsed_s:g} s; " if self.elapsed_s else ""
        return f"{self.title}, seed {self.seed}: {stopped}{last}; {shown}.\n{took}replay: {self.replay}"

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self), "ok": self.exit_code == 0}


def typical(runs: Sequence[Learned]) -> str:
    """The median of several runs beside the goal."""
    found = [run.last for run in runs if run.last is not None]
    if not found:
        return "No run finished an epoch."
    if any(run.interrupted or run.refuted for run in runs):
        return "Not every run came to its end: their median says nothing."
    middle, goal = median(found), runs[0].goal
    word = "passes" if middle >= goal else "does not pass"
    return f"The median of seeds {', '.join(str(run.seed) for run in runs)} is {middle:.1f}: it {word} {goal:g}."


def curves(runs: Sequence[Learned], _: int = 0) -> dict[str, Any]:
    """The learning curves, as the figure draws them."""
    return {
        "title": f"{runs[0].title} on {runs[0].environment}",
        "goal": runs[0].goal,
        "runs": [{"seed": r.seed, "steps": [e.steps for e in r.epochs], "mean": [e.mean for e in r.epochs]} for r in runs],
    }


def draw(data: Mapping[str, Any], ax: Axes) -> None:
    for run in data["runs"]:
        ax.plot(run["steps"], run["mean"], marker="o", markersize=3, linewidth=1, label=f"seed {run['seed']}")
    ax.axhline(data["goal"], color="gray", linewidth=0.8, linestyle="--", label=f"goal {data['goal']:g}")
    ax.set(title=data["title"], xlabel="steps of the environment", ylabel="mean return")
    ax.legend(frameon=False)


CURVES = Figure("learning", curves, draw)
