"""What `derive` does: derivations chosen, checked by the one loop, and worked out at numbers."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from operator import add, mul, sub, truediv
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp

from . import typeset
from .claims import Erratum
from .derivation import Derivation, at_size
from .errors import InputError, ProblemError, Unsuitable, did_you_mean
from .expectation import Expected, Slope, closed
from .loop import check
from .notation import size, stated
from .problem import Problem
from .replay import command
from .report import Chain, Report, plain
from .spaces import Simplex
from .symbols import Atom, array, bare, entries, formula

LONGEST = 10_000  # letters of --at
DEEPEST = 50
LARGEST_POWER = 300
READABLE = 130  # parts of a formula
WORDS = {char: word for word, char in typeset.LETTERS.items()}

FUNCTIONS = {"log": sp.log, "exp": sp.exp, "sqrt": sp.sqrt}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
AT, AT_GIVEN = "_at", "_at_given"
ANY_PARAMETER = "theta"

Values = Mapping[str, Any]


def derivations(problem: Problem, only: Collection[str] | None = None, in_letters: bool = False) -> dict[str, Derivation]:
    """The derivations of a page by name: those that are asked for, and with `in_letters` those for any size."""
    found = {name: d for name, d in problem.names.items() if isinstance(d, Derivation)}
    known = f"it has {', '.join(found)}" if found else "it has none"
    for word in only or ():
        if word not in found:
            raise InputError(f"{problem.title!r} has no derivation `{word}`: {known}.{did_you_mean(word, found)}")
    chosen = {name: d for name, d in found.items() if only is None or name in only}
    if in_letters:
        chosen = {name: d for name, d in chosen.items() if d.counts}
        if not chosen:
            raise InputError(f"no derivation of {problem.title!r} is for any size; without --symbolic-k: {known}.")
    return chosen


def printed_lines(problem: Problem) -> list[str]:
    """The errata whose both sides are formulas that a reader reads: no code is run for them."""
    found: list[str] = []
    for name, item in problem.names.items():
        if isinstance(item, Erratum) and not item.stated.code() and not item.instead.code():
            trees = [stated(claim.that, claim.where) for claim in (item, item.instead)]
            if all(tree and size(tree) <= READABLE for tree in trees):
                found.append(name)
    return found


def other_lines(problem: Problem, errata: Collection[str]) -> list[tuple[str, str]]:
    """The other errata, each with the right sentence: code must run for them, or they are too long to be read as formulas."""
    items = problem.names.items()
    return [(item.says, item.instead.says) for name, item in items if isinstance(item, Erratum) and name not in errata]


def derived(
    problem: Problem, chosen: Mapping[str, Derivation], typed: str = "", seed: int = 0, errata: Collection[str] = (), **asked: Any
) -> Report:
    """The report of these derivations and errata alone; with values, as they were typed, of what each comes to there too.

    `asked`: the options that chose them, for the line that replays.
    """
    worked_out = at_values(problem, chosen, read_values(typed)) if typed else at_given(chosen)
    items: dict[str, Derivation] = {}
    for name, d in chosen.items():
        items |= {name: d} | {name + at: there for (of, at), there in worked_out.items() if of == name}
    names = dict(problem.given_names) | {d: name for name, d in items.items()}
    page = problem.but(derivations=tuple(items.values()), given_names=names)
    report = check(page, seed=seed, only=[*items, *errata], formulas=True)
    chains = {chain.forms[0].name.rpartition(".")[0]: chain for chain in report.derivations}
    for name, at in worked_out:
        chains[name + at] = _shown(chains[name], chains[name + at])
    replay = command(problem, "derive", seed=seed, at=typed or None, **asked)
    return replace(report, derivations=tuple(chains.values()), replay=replay)


def _shown(chain: Chain, there: Chain) -> Chain:
    """At numbers: the closed form in letters, and what it comes to. Both ends are checked: the value is there twice."""
    value = there.forms[1]
    kind, *rows = value.math
    half = rows[: len(rows) // 2]
    tree = half[0][0] if len(half) == 1 else [kind, *half]
    form = replace(value, math=tree, text=typeset.text(tree), latex=typeset.latex(tree))
    return replace(there, forms=(replace(chain.forms[-1], name=there.forms[0].name, reason=""), form))


def stamps(report: Report) -> list[str]:
    """What was checked and how, in a few lines: a reader can run it again."""
    lines = {line.id: line for line in report.claims}
    used = ", ".join(f"{name} {version}" for name, version in report.versions.items() if name != "torch")
    said = [f"gradcheck_rl derive {report.problem}, seed {report.seed}; {used}"]
    for chain in report.derivations:
        for line in (lines[step] for step in chain.steps):
            routes = " + ".join(dict.fromkeys(r.route for r in line.routes if r.verdict == line.verdict))
            more = (line.remark, f"{line.points} random points" if line.points else "")
            said.append("; ".join(filter(None, (f"{line.id}: {line.verdict} by {routes}", *more))))
    said += [f"{line.id}: printed, and {line.verdict}" for line in report.claims if line.kind == "erratum"]
    return said


# ---- letters --------------------------------------------------------------------------------------------------------------


def letters(d: Derivation) -> dict[str, Any]:
    """What can be given a value: variables, symbols and indexed letters, by the name they are written with."""
    found: dict[str, Any] = {str(k): k for k in d.sizes}
    for line, _ in d.lines:
        for e in map(bare, entries(line)):
            bound = {x for s in e.atoms(sp.Sum, sp.Product, sp.Integral) for x in s.variables}
            for s in e.free_symbols - bound:
                if isinstance(s, Atom):
                    found.setdefault(s.home.name, s.home)
                elif not isinstance(s, sp.Indexed):
                    found.setdefault(str(s), s)
            found |= {str(i.base.label): i.base for i in e.atoms(sp.Indexed)}
    return found


def _key(name: str) -> str:
    """s0 and s_0 are one name to a person who types, and so are theta and θ."""
    spelled = "".join(WORDS.get(c, c) for c in name)
    return spelled.replace("_", "")


def called(problem: Problem, known: Collection[str]) -> dict[str, str]:
    """By what is typed the letter that is meant; theta is the page's only parameter too, where nothing else is."""
    found = {_key(letter): letter for letter in known}
    parameters = [v.name for v in problem.bound.parameters if v.name in known]
    if len(parameters) == 1 and ANY_PARAMETER not in map(_key, problem.bound.variables):
        found.setdefault(ANY_PARAMETER, parameters[0])
    return found


# ---- at numbers -----------------------------------------------------------------------------------------------------------


Worked = dict[tuple[str, str], Derivation]  # by the name of the chain, and what its own is called after


def at_given(chosen: Mapping[str, Derivation]) -> Worked:
    """What each comes to at the numbers that its page gives."""
    try:
        return {(name, AT): _at(d, _given(d)) for name, d in chosen.items() if d.at}
    except InputError as error:
        raise ProblemError(str(error).replace("--at", "at=... of a derivation")) from error


def _given(d: Derivation) -> dict[str, Any]:
    known = letters(d)
    if unknown := next((name for name in d.at if name not in known), None):
        have = ", ".join(sorted(known))
        raise ProblemError(f"at=... of {d.title!r} gives `{unknown}`; it has {have}.{did_you_mean(unknown, known)}")
    return {letter: _numbers(value) for letter, value in d.at.items()}


def _numbers(value: Any) -> Any:
    return tuple(map(_numbers, value)) if isinstance(value, (tuple, list)) else formula(value)


def at_values(problem: Problem, chosen: Mapping[str, Derivation], values: Values) -> Worked:
    """What each derivation that has some of these letters comes to; where others are left, also with what its page gives."""
    known = {name for d in chosen.values() for name in letters(d)}
    by_key = called(problem, known)
    meant: dict[str, Any] = {}
    for name, value in values.items():
        if _key(name) not in by_key:
            also = "".join(f" ({word} is {letter})" for word, letter in by_key.items() if word != _key(letter))
            if not chosen:
                wanted = "it is for chains, Problem(..., derivations=(...))"
                raise InputError(f"--at gives `{name}`, and {problem.id} has no derivation: {wanted}.")
            have = ", ".join(sorted(known))
            hint = did_you_mean(name, known)
            raise InputError(f"--at gives `{name}`; the derivations of {problem.id} have {have}{also}.{hint}")
        letter = by_key[_key(name)]
        if letter in meant:
            raise InputError(f"--at gives {letter} twice, the second time as `{name}`: write it once.")
        meant[letter] = value
    found: Worked = {}
    for name, d in chosen.items():
        last = letters(Derivation(d.title, d.lines[-1][0])).keys()
        own = {letter: value for letter, value in meant.items() if letter in letters(d)}
        if own.keys() & last:
            found[name, AT] = _at(d, own)
            rest = {letter: value for letter, value in _given(d).items() if letter not in own}
            if rest.keys() & last and _fit(d, own | rest):
                found[name, AT_GIVEN] = _at(d, own, rest)
    return found


def _fit(d: Derivation, values: Values) -> bool:
    """Have all indexed letters as many entries as is said? What a page gives is for its own number of them."""
    here = {home: values[letter] for letter, home in letters(d).items() if letter in values}
    counts = {len(row) if isinstance(row, tuple) else 0 for home, row in here.items() if isinstance(home, sp.IndexedBase)}
    return len(counts | {here[k] for k in d.counts if k in here}) <= 1


def _at(d: Derivation, values: Values, given: Values = MappingProxyType({})) -> Derivation:
    """The first and the last line with these values and those the page gives, and beside them the exact number."""
    case, rule = _rule(d, {**values, **given})
    first, last = ([_substituted(e, c, rule) for c in case for e in entries(line)] for line in (d.start, d.lines[-1][0]))
    worth = [_simplest(e) for e in last]
    said, page = (", ".join(f"{name} = {plain(value)}" for name, value in part.items()) for part in (values, given))
    said += f" and, on the page, {page}" if page else ""
    unfinished = any(e.has(Expected, Slope, sp.Integral) for e in first)
    before = [*(last if unfinished else first), *last]
    return Derivation(f"{d.title}, at {said}", array(*before), ((array(*worth * 2), f"at {said}"),), source=d.source)


def _rule(d: Derivation, values: Values) -> tuple[list[dict[Any, int]], dict[Any, Any]]:
    """The cases of the chain's letters, and the value of each symbol in it."""
    here = letters(d)
    case: dict[Any, int] = {}
    rule: dict[Any, Any] = {}
    lengths: dict[str, int] = {}
    for name, value in values.items():
        letter = here[name]
        if letter in d.sizes:
            if not isinstance(value, sp.Integer) or not 0 <= value <= 100:
                raise InputError(f"--at gives {name} = {plain(value)}: a whole number from 0 to 100 was expected.")
            case[letter] = int(value)
        elif isinstance(letter, sp.IndexedBase):
            cells = np.array(value, dtype=object)
            if cells.ndim == 0:
                raise InputError(f"--at gives {name} = {plain(value)}: write one number for each, as in {name}=(1, 2, 3).")
            lengths[name] = len(cells)
            rule |= {letter[index]: e for index, e in np.ndenumerate(cells)}
        elif isinstance(letter, sp.Symbol):
            if isinstance(value, tuple):
                raise InputError(f"--at gives {name} = {plain(value)}: one number was expected.")
            rule[letter] = value
        else:
            rule |= _entries_of(name, letter, value)
    counts = d.counts
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"--at gives {', '.join(f'{n} entries of {name}' for name, n in lengths.items())}: write as many of each."
        )
    for n in set(lengths.values()):
        for k in counts:
            if case.setdefault(k, n) != n:
                raise InputError(f"--at gives {n} entries of {', '.join(lengths)}, and {k} = {case[k]}.")
    missing = [k for k in counts if k not in case]
    if missing:
        raise InputError(f"--at must say how many there are: write {', '.join(f'{k}=3' for k in missing)} too.")
    return _cases(d, case, counts), rule


def _cases(d: Derivation, case: dict[Any, int], counts: Sequence[Any]) -> list[dict[Any, int]]:
    """A free index that is given no value takes each that there is."""
    free = {index: range(case[counts[0]]) if counts else tried for index, tried in d.sizes.items() if index not in case}
    return [case | dict(zip(free, at, strict=True)) for at in itertools.product(*free.values())]


def _entries_of(name: str, home: Any, value: Any) -> dict[Any, Any]:
    cells = np.array(value, dtype=object)
    atoms = getattr(home, "atoms", None)
    if not hasattr(home, "over") or atoms is None:
        raise InputError(f"--at gives `{name}`, which is drawn: only what is no draw has a value.")
    if cells.ndim and cells.shape != home.shape:
        raise InputError(f"--at gives {name} = {plain(value)}: shape {home.shape} was expected.")
    if isinstance(home.over, Simplex) and cells.ndim and any(sum(row) != 1 for row in cells.reshape(-1, cells.shape[-1])):
        raise InputError(f"--at gives {name} = {plain(value)}: probabilities that sum to 1 were expected.")
    return dict(zip(atoms.ravel(), np.broadcast_to(cells, home.shape).ravel(), strict=True))


def _substituted(e: Any, case: Mapping[Any, int], rule: Mapping[Any, Any]) -> Any:
    e = bare(at_size(e, case))
    with suppress(Unsuitable):
        e = closed(e)
    return e.xreplace(dict(rule))


def _simplest(e: Any) -> Any:
    """The shortest of a few ways to write it."""
    try:
        e = e.doit()
        ways = [e, sp.cancel(sp.together(e))]
        ways.append(sp.expand(ways[-1]))
        return min(ways, key=lambda way: (sp.count_ops(way), str(way)))
    except (sp.PolynomialError, NotImplementedError):
        return e


# ---- what is typed --------------------------------------------------------------------------------------------------------


def read_values(text: str) -> dict[str, Any]:
    """theta=(1, 1, 1), s0=1/2 as exact numbers by name. It is read, never run."""
    wrong = InputError(f'--at {text[:80]!r} is not understood: write it as in --at "theta=(1, 0, log(2)), s0=1/2".')
    if len(text) > LONGEST:
        raise wrong
    try:
        call = ast.parse(f"f({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise wrong from None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.args or not call.keywords:
        raise wrong
    found: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in found:
            raise wrong
        found[keyword.arg] = _read(keyword.value, f"f({text}\n)", wrong, 0)
    return found


def _read(node: ast.expr, text: str, wrong: InputError, depth: int) -> Any:
    def inner(part: ast.expr) -> Any:
        value = _read(part, text, wrong, depth + 1)
        if isinstance(value, tuple):
            raise wrong
        return value

    if depth > DEEPEST:
        raise wrong
    match node:
        case ast.Constant(value=bool()):
            raise wrong
        case ast.Constant(value=int() | float()):
            written = (ast.get_source_segment(text, node) or "").lower()
            if abs(int(written.partition("e")[2] or 0) if "x" not in written else 0) > LARGEST_POWER:
                raise wrong
            try:
                exact = Fraction(written)
            except ValueError:
                raise wrong from None
            return sp.Rational(exact.numerator, exact.denominator)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if parts:
            row = tuple(_read(part, text, wrong, depth + 1) for part in parts)
            if len({len(cell) if isinstance(cell, tuple) else -1 for cell in row}) > 1:
                raise wrong
            return row
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -inner(part)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            a, b = inner(left), inner(right)
            if isinstance(op, ast.Div) and b == 0:
                raise wrong
            return OPERATORS[type(op)](a, b)
        case ast.Call(func=ast.Name(id=name), args=[part], keywords=[]) if name in FUNCTIONS:
            value = FUNCTIONS[name](inner(part))
            if not (value.is_real and value.is_finite):
                raise wrong
            return value
        case _:
            raise wrong
