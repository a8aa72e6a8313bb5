"""Everything a renderer needs and nothing else: plain data, no SymPy, no torch. A saved report renders without recomputing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import cache, partial, reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from .errors import InputError

SCHEMA = "gradcheck_rl/report/1"

Say = Callable[..., str]


def english(sentence: str, *parts: object) -> str:
    return sentence.format(*parts) if parts else sentence


COUNTED = {"proved": "{} proved", "agrees": "{} agree", "refuted": "{} refuted", "undecided": "{} undecided"}
VERDICTS = tuple(COUNTED)


@dataclass(frozen=True)
class Route:
    """One way in which a claim was evaluated, and what it says."""

    route: str
    verdict: str
    gap: float | None = None
    slack: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Line:
    """One claim, erratum or step of a derivation, and what became of it.

    value, radius and expected are the two sides at `point`: the given data, the witness, or one of the points; of a claim about
    every outcome at one outcome, which is in the point too.
    formula is the tree of what is stated, right_formula that of the line which is right instead of an erratum.
    """

    id: str
    says: str
    kind: str
    source: str
    verdict: str
    ok: bool
    routes: tuple[Route, ...] = ()
    value: list[Any] | None = None
    radius: list[float] | None = None
    expected: list[Any] | None = None
    labels: list[str] | None = None
    point: dict[str, Any] | None = None
    witness: dict[str, Any] | None = None
    reason: str = ""
    remark: str = ""
    resolution: float = 1e-6
    evidence: str = ""
    correction: str = ""
    points: int = 0
    removed: int = 0
    sizes: dict[str, str] = field(default_factory=dict)
    elapsed_s: float = 0.0
    formula: list[Any] = field(default_factory=list)
    right_formula: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Caught:
    """A planted mistake, the claim that must catch it, and whether it did."""

    id: str
    says: str
    breaks: str
    caught: bool
    by: list[str]
    reason: str = ""
    witness: dict[str, Any] | None = None
    signature: list[Any] | None = None
    source: str = ""


@dataclass(frozen=True)
class BlindSpot:
    """Published data on which an answer does not move when an input does."""

    id: str
    says: str
    inputs: list[str]


@dataclass(frozen=True)
class Form:
    """A closed form, or one line of a derivation, ready to print. `math` is its tree, as notation.py describes it."""

    name: str
    text: str
    latex: str
    reason: str = ""
    math: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Chain:
    """A derivation: forms joined by equals signs; each sign is a step among the report's claims.

    `sizes` says at which numbers a chain in letters, as in K actions, is checked.
    """

    title: str
    forms: tuple[Form, ...]
    steps: tuple[str, ...]
    sizes: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """What one function sends to each block of parameters: 'none' (no path), 'zero', or 'some'."""

    function: str
    blocks: dict[str, str]


@dataclass(frozen=True, repr=False)
class Report:
    """What a check found. It shows itself; `ok` says in a word, and `require()` by raising, whether all is as it should be.

    `claims` are its lines: each has an id, a verdict, the sides `value` and `expected`, and where it is refuted a `witness`.
    """

    problem: str
    title: str
    about: str
    seed: int
    versions: dict[str, str]
    elapsed_s: float
    claims: tuple[Line, ...]
    mistakes: tuple[Caught, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    derivations: tuple[Chain, ...] = ()
    flow: tuple[Flow, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    answer: list[str] = field(default_factory=list)
    replay: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """How many claims are proved, agree, are refuted and undecided; how many errata there are; and whether all is well."""
        stated = [c for c in self.claims if c.kind != "erratum"]
        counts: dict[str, Any] = {v: sum(c.verdict == v for c in stated) for v in VERDICTS}
        return counts | {"errata": sum(c.kind == "erratum" for c in self.claims), "ok": self.ok}

    @property
    def ok(self) -> bool:
        """Is all as it should be? Not where a claim is undecided, or nothing was checked."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 all as it should be; 1 refuted, or an erratum that holds; 3 undecided; 4 a mistake not caught; 5 nothing checked."""
        codes = [0 if c.ok else 3 if c.verdict == "undecided" else 1 for c in self.claims] + [
            0 if m.caught else 4 for m in self.mistakes
        ]
        return worst(codes) if codes else 5

    def require(self) -> Report:
        """This report, if all is as it should be; otherwise an AssertionError that says what is not."""
        if not self.ok:
            raise AssertionError(self.text())
        return self

    def __bool__(self) -> NoReturn:
        raise TypeError("a report is not true or false: write report.ok, or report.require(), which says what is wrong.")

    def __repr__(self) -> str:
        return self.text()

    def text(self, say: Say = english) -> str:
        """What is not as it should be, in a few lines; all that is, in one."""
        counts = self.summary
        told = [say(words, counts[verdict]) for verdict, words in COUNTED.items()]
        said = reduce(partial(say, "{}, {}"), told) if self.claims else say("nothing was checked")
        rows = [f"{say(self.title)}: {said}"]
        for c in self.claims:
            if not c.ok:
                rows.append(f"  {c.id}: {say(c.says)} {say(c.verdict).upper()}. {say(c.reason)}".rstrip())
                rows += ["      " + say("at {}", f"{name} = {plain(value)}") for name, value in (c.witness or {}).items()]
        missed = [m for m in self.mistakes if not m.caught]
        rows += [f"  {m.id}: {say(m.says)}: {say('NOT caught by {}.', m.breaks)} {say(m.reason)}".rstrip() for m in missed]
        if not self.ok:
            rows.append("  " + say("replay: {}", self.replay))
        return "\n".join(rows)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, which `from_dict` reads again."""
        return {"schema": SCHEMA, **asdict(self), "summary": self.summary}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Report:
        """The report that was saved; keys that a later version added are passed over."""
        try:
            return _read(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError("this is no saved report: Report.from_dict(...) reads what report.to_dict() gave.") from error

    def _repr_html_(self) -> str:
        from .render import html  # a notebook asks the report itself, and only then

        return html.framed(self)

    def _repr_latex_(self) -> str | None:
        """Where each derivation that holds starts and ends; without one a notebook shows the page."""
        from .render import html

        signed = [chain for chain in self.derivations if 1 < len(chain.forms) <= len(chain.steps) + 1]
        return html.ends([chain for chain in signed if self.holds(chain)]) or None

    def holds(self, chain: Chain) -> bool:
        """Is every equals sign of it as it should be?"""
        held = {line.id for line in self.claims if line.ok}
        return held.issuperset(chain.steps)


def _read(data: Any) -> Report:
    def line(c: Any) -> Line:
        routes: Any = tuple(Route(**_known(Route, r)) for r in c["routes"])
        return Line(**{**_known(Line, c), "routes": routes})

    def chain(d: Any) -> Chain:
        forms: Any = tuple(Form(**_known(Form, f)) for f in d["forms"])
        known: dict[str, Any] = _known(Chain, d) | {"forms": forms, "steps": tuple(d["steps"])}
        return Chain(**known)

    parts: dict[str, Any] = {
        "claims": tuple(map(line, data["claims"])),
        "mistakes": tuple(Caught(**_known(Caught, m)) for m in data["mistakes"]),
        "blind_spots": tuple(BlindSpot(**_known(BlindSpot, b)) for b in data["blind_spots"]),
        "derivations": tuple(map(chain, data.get("derivations", ()))),
        "flow": tuple(Flow(**_known(Flow, f)) for f in data.get("flow", ())),
    }
    return Report(**_known(Report, data) | parts)


def _known(kind: Any, data: Any) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {k: v for k, v in data.items() if k in names}


def versions() -> dict[str, str]:
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    modules = {"gradcheck_rl": "gradcheck_rl", "sympy": "sympy", "numpy": "numpy", "torch": "torch", "python-flint": "flint"}
    return {"python": sys.version.split()[0]} | {name: _version(name, module) for name, module in modules.items()}


def _version(name: str, module: str) -> str:
    """What the module says; before it is imported, the file that torch has beside it, or, slower, what is installed."""
    if module in sys.modules:
        return str(sys.modules[module].__version__)
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return "not installed"
    said = Path(spec.origin).with_name("version.py")
    found = re.search(r"^__version__ = '(.*)'", said.read_text(encoding="utf-8"), re.M) if said.is_file() else None
    if found:
        return found.group(1)
    from importlib.metadata import version

    return version(name)


def worst(codes: list[int]) -> int:
    """Of several exit codes the one to return: 4, then 1, 3, 5, 0."""
    return max(codes, key=(0, 5, 3, 1, 4, 2, 130).index, default=0)


def plain(value: Any, number: Callable[[Any], str] = str) -> str:
    """Nested lists of numbers as a person writes them: (1, (2, 3))."""
    return f"({', '.join(plain(part, number) for part in value)})" if isinstance(value, (list, tuple)) else number(value)


def printable(text: str) -> str:
    """The text with every character that does not print written as its escape: a file's text may not drive what shows it."""
    lines = str(text).expandtabs(4).split("\n")
    return "\n".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)
