"""What a formula says, before it means anything. `at` is the offset of what a part begins with, or of its sign."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Number:
    at: int
    value: Fraction
    text: str


@dataclass(frozen=True)
class Name:
    """A word with what is written below it: R_i, W_{0,1}, pi_theta."""

    at: int
    word: str
    below: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Call:
    """f(x, y), and pi(a|s) with what stands behind the bar."""

    at: int
    of: Name
    arguments: tuple[Node, ...]
    given: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Entry:
    """w[0], W[0][1], W[0, 1]."""

    at: int
    of: Node
    index: tuple[Node, ...]


@dataclass(frozen=True)
class Sum:
    """Terms with their signs."""

    at: int
    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Product:
    """Factors; True where one divides."""

    at: int
    factors: tuple[tuple[bool, Node], ...]


@dataclass(frozen=True)
class Power:
    at: int
    base: Node
    exponent: Node


@dataclass(frozen=True)
class Total:
    """A sum over an index, from one number to another, or over every entry that it reads."""

    at: int
    body: Node
    index: str
    ends: tuple[Node, Node] | None


@dataclass(frozen=True)
class Vector:
    at: int
    entries: tuple[Node, ...]


Node = Number | Name | Call | Entry | Sum | Product | Power | Total | Vector
