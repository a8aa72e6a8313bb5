"""What became of a submission: plain data, from which every format is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

WORDS = ("PASS", "FAIL", "UNDECIDED", "INVALID", "TIMEOUT", "CRASH", "GRADER_ERROR")
FREE = ("INVALID", "GRADER_ERROR")  # nobody loses an attempt by these


class Judgement(NamedTuple):
    """The word for one part, and why."""

    verdict: str
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One part: its word, its points, and what the student may read."""

    id: str
    kind: str
    verdict: str
    points: float
    out_of: float
    visibility: str = "visible"
    says: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.verdict == "PASS"


@dataclass(frozen=True)
class Row:
    """One submission."""

    name: str
    digest: str
    problem: str
    isolation: str
    parts: tuple[Result, ...]
    output: str = ""
    note: str = ""
    seconds: float = 0.0
    attempt: int = 1
    key: str = ""

    @property
    def score(self) -> float:
        return sum(part.points for part in self.parts)

    @property
    def out_of(self) -> float:
        return sum(part.out_of for part in self.parts)

    @property
    def share(self) -> float:
        return self.score / self.out_of if self.out_of else 0.0

    @property
    def counts(self) -> bool:
        """Is it an attempt? One that could not be read, or that the grader failed on, is none."""
        return any(part.verdict not in FREE for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "score": self.score, "out_of": self.out_of}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Row:
        known: dict[str, Any] = {k: v for k, v in data.items() if k in Row.__dataclass_fields__}
        rows: list[dict[str, Any]] = [{**p, "says": tuple(p["says"])} for p in data["parts"]]
        known["parts"] = tuple(Result(**row) for row in rows)
        return Row(**known)
