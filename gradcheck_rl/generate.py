"""A closed form as a function of numpy or torch: shared parts once, arrays of shape (K, B), no exponential that overflows.

The text is written from formulas by the words below and from nothing else: names are made of letters and digits, and what has
no word is refused. It is run once, here, against the exact model before it is shown; it is never evidence for the model.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq

from .derivation import Derivation, at_size, evaluable
from .errors import Unsuitable
from .expectation import closed
from .expressions import values
from .graph import Graph, Node, position
from .points import generator
from .rings import image
from .spaces import Masks, Normal, Simplex
from .stable import stable
from .symbols import bare, entries

# What a library writes in its own way, or not at all; {0}, {1} are written in place.
WORDS: dict[str, dict[str, str]] = {
    "numpy": {
        "softplus": "np.logaddexp(0, {0})",
        "logaddexp": "np.logaddexp({0}, {1})",
        "logit": "np.where({0} > 0, {1} + np.log(np.where({0} > 0, {0}, 1)), -np.inf)",
        "top": "{0}.max(axis={1})",
        "below": "np.clip({0}, -np.inf, 0)",  # three times as fast as np.minimum with a number
        "allowed": "(-1e300 * ({0} == 0) + {1})",  # numpy writes a sum into what was just made
        "sum": "{0}.sum(axis={1})",
        "dot": 'np.einsum("i...,i...", {0}, {1})',
        "product": "{0}.prod(axis={1})",
        "abs": "abs({0})",
        "eye": "np.eye(len({0}))[:, :, None]",
        "range": "np.arange(len({0}))[:, None]",
        "arctan": "np.arctan({0})",
        "erf": "np.vectorize(math.erf, [float])({0})",
        "erfc": "np.vectorize(math.erfc, [float])({0})",
        "erfinv": "",
        "step": "np.heaviside({0}, 1)",
        "stack": "np.stack(np.broadcast_arrays({0}))",
    },
    "torch": {
        "softplus": "torch.nn.functional.softplus({0}, threshold=40)",  # beyond, rounding hides the 1
        "logaddexp": "torch.logaddexp({0}, {1})",
        "logsumexp": "torch.logsumexp({0}, {1})",
        "logit": "torch.where({0} > 0, {1} + torch.where({0} > 0, {0}, 1.0).log(), -torch.inf)",
        "softmax": "{0}.softmax({1})",
        "sum": "{0}.sum({1})",
        "dot": 'torch.einsum("i...,i...", {0}, {1})',
        "product": "{0}.prod({1})",
        "abs": "abs({0})",
        "eye": "torch.eye(len({0}), dtype=torch.float64)[:, :, None]",
        "range": "torch.arange(len({0}), dtype=torch.float64)[:, None]",
        "arctan": "torch.atan({0})",
        "step": "torch.heaviside({0}, torch.ones_like({0}))",
        "stack": "torch.stack(torch.broadcast_tensors({0}))",
        "sqrt": "{0} ** 0.5",
    },
}
MODULES = {"numpy": ("np", "import numpy as np"), "torch": ("torch", "import torch")}
SUM, PRODUCT, POWER, WHOLE = range(4)

ROWS, LARGE, CLOSE = 3, 10**4, 1e-9


# ---- the graph as text ----------------------------------------------------------------------------------------------------

LEAVES = frozenset({"name", "number", "item", "length", "axes", "swapped", "-"})


class Text:
    """The graph in the words of a library: lines for what is used more than once or has a name, and the outputs."""

    def __init__(self, graph: Graph, library: str) -> None:
        self.graph, self.words, self.module = graph, WORDS[library], MODULES[library][0]
        self.lines: list[str] = []
        self._written: dict[int, tuple[str, int]] = {}
        self._uses: list[int] = []

    def outputs(self, nodes: Sequence[int]) -> list[str]:
        self._uses = [0] * len(self.graph.nodes)
        waiting = list(nodes)
        while waiting:
            at = waiting.pop()
            self._uses[at] += 1
            node = self.graph.nodes[at]
            if self._uses[at] == 1 or node.word == "-":  # what is negative twice is written twice
                waiting += node.args * self.words.get(node.word, "").count("{0}") or node.args
        return [self._write(at) for at in nodes]

    def _own_line(self, at: int) -> bool:
        node = self.graph.nodes[at]
        words = [self.graph.nodes[a].word for a in node.args]
        short = node.word in LEAVES or (node.word == "*" and words[0] == "number" and words[1:] == ["name"])
        return at in self.graph.names or (self._uses[at] > 1 and not short)

    def _write(self, at: int, least: int = SUM) -> str:
        if at not in self._written:
            own = self._own_line(at)
            if own and self._is_share(at):
                whole, total = self.graph.nodes[at].args
                name = self._named(at, self._composed(self.graph.nodes[whole])[0])
                self._written[whole] = name, WHOLE
                self.lines.append(f"{name} /= {self._write(total)}")
            elif own:
                self._named(at, self._composed(self.graph.nodes[at])[0])
            else:
                self._written[at] = self._composed(self.graph.nodes[at])
        text, level = self._written[at]
        return text if level >= least else f"({text})"

    def _named(self, at: int, text: str) -> str:
        name = self.graph.names.get(at) or self.graph.name(f"part{len(self.lines) + 1}", ("shared", at))
        self.lines.append(f"{name} = {text}")
        self._written[at] = name, WHOLE
        return name

    def _is_share(self, at: int) -> bool:
        """Exponentials over their own sum, which nothing else uses, are divided in place."""
        nodes = self.graph.nodes
        match nodes[at]:
            case Node("/", (whole, total)) if nodes[total] == Node("sum", (whole,), "0"):
                exponential = "exp" in (
                    nodes[whole].word,
                    *(nodes[n].word for n in nodes[whole].args if nodes[whole].word == "*"),
                )
                alone = self._uses[whole] == 2 and whole not in self.graph.names and whole not in self._written
                return exponential and alone
            case _:
                return False

    def _composed(self, node: Node) -> tuple[str, int]:
        args = node.args
        match node.word:
            case "name" | "number":
                return node.extra, PRODUCT if "/" in node.extra else WHOLE
            case "+":
                first = SUM if self.graph.nodes[args[0]].word == "-" else PRODUCT
                return self._write(args[0], first) + "".join(map(self._added, args[1:])), SUM
            case "-":
                return f"-{self._write(args[0], PRODUCT)}", SUM
            case "*":
                first, *rest = args
                return " * ".join([self._write(first, PRODUCT), *(self._write(a, POWER) for a in rest)]), PRODUCT
            case "/":
                return f"{self._write(args[0], PRODUCT)} / {self._write(args[1], POWER)}", PRODUCT
            case "**":
                return f"{self._write(args[0], WHOLE)} ** {self._write(args[1], WHOLE)}", POWER
            case "item" | "axes":
                return f"{self._write(args[0], WHOLE)}[{node.extra}]", WHOLE
            case "swapped":
                return f"{self._write(args[0], WHOLE)}.swapaxes(0, 1)", WHOLE
            case "length":
                return f"len({self._write(args[0])})", WHOLE
            case "diagonal":
                every = f"range(len({self._write(args[0])}))"
                return f"{self._write(args[0], WHOLE)}[{every}, {every}]", WHOLE
            case word if word in self.words:
                method = self.words[word].startswith("{0}")
                pieces = [self._write(a, WHOLE) if method and a == args[0] else self._argument(a) for a in args]
                return self.words[word].format(*pieces, *([node.extra] if node.extra else [])), POWER if word == "sqrt" else WHOLE
            case word:
                return f"{self.module}.{word}({', '.join(map(self._argument, args))})", WHOLE

    def _argument(self, at: int) -> str:
        """Functions of torch take no plain numbers."""
        text = self._write(at)
        return f"torch.tensor({text}, dtype=torch.float64)" if self.module == "torch" and self._is_plain(at) else text

    def _is_plain(self, at: int) -> bool:
        node = self.graph.nodes[at]
        return node.word in ("number", "length") or (
            node.word in ("+", "-", "*", "/", "**") and all(map(self._is_plain, node.args))
        )

    def _added(self, at: int) -> str:
        node = self.graph.nodes[at]
        if node.word == "-" and not self._own_line(at):
            return f" - {self._write(node.args[0], PRODUCT)}"
        return f" + {self._write(at, PRODUCT)}"


def functions(chosen: Mapping[str, Derivation], shown: Container[str], library: str, seed: int = 0) -> str:
    """The closed forms of those derivations that are shown, as one module; where there is no code, a comment says why."""
    texts: list[str] = []
    for name, d in chosen.items():
        try:
            if name not in shown:
                raise Unsuitable("it is left out, since not every step of it holds")
            texts.append(function(name, d, library, seed))
        except Unsuitable as error:
            texts.append(f"# {name}: {error}.\n")
    needed = "import math\n\n" if any("math.erf" in text for text in texts) else ""
    return "\n\n".join([f"{needed}{MODULES[library][1]}\n", *texts])


def function(name: str, d: Derivation, library: str, seed: int = 0) -> str:
    """The last line of a derivation as a function of `library`, after it has agreed with the exact model."""
    cells = [closed(e) for e in entries(d.lines[-1][0])]
    graph = Graph(d.counts, WORDS[library])
    for entry in sorted({i for e in cells for i in bare(e).atoms(sp.Indexed) if i.free_symbols & set(d.sizes)}, key=str):
        graph.visit(entry)  # how far its letters run is known before a Kronecker delta asks
    placed = [graph.visit(stable(e)) for e in cells]
    index = tuple(sorted({i for _, own in placed for i in own}, key=str))
    text = Text(graph, library)
    outputs = text.outputs([graph.aligned(p, index) for p in placed])
    whole = outputs[0] if len(outputs) == 1 else WORDS[library]["stack"].format(", ".join(outputs))
    if not graph.inputs:
        raise Unsuitable(f"it is {whole}, whatever is given")
    order = sorted(graph.inputs, key=lambda n: (-graph.inputs[n][1], n))
    called = graph.name(name, d)
    says = _quoted(f"{d.title}. {_shapes(graph, order, index, len(outputs))}")
    lines = [f"def {called}({', '.join(order)}):", says, *text.lines, f"return {whole}"]
    code = "\n    ".join(lines) + "\n"
    _compare(_compiled(code, called, library), d, cells, index, [graph.inputs[n] for n in order], seed)
    return code


def _shapes(graph: Graph, order: Sequence[str], index: Sequence[Any], outputs: int) -> str:
    def shape(axes: Sequence[str]) -> str:
        return f"({', '.join([*axes, 'B'])}{'' if axes else ','})"

    found: dict[str, list[str]] = {}
    for name in order:
        of, axes = graph.inputs[name]
        own = ["K"] * axes if isinstance(of, sp.Basic) else [str(n) for n in of.shape]
        found.setdefault(shape(own), []).append(name)
    takes = "; ".join(f"{', '.join(names)}: {axes}" for axes, names in found.items())
    returned = ([str(outputs)] if outputs > 1 else []) + [str(i) for i in index]
    return f"{takes}. Returns {shape(returned)}."


def _quoted(text: str) -> str:
    """A docstring that no text can end."""
    plain = "".join("'" if c == '"' else c if c.isprintable() and c != "\\" else " " for c in text)
    return f'"""{plain}"""'


# ---- the check ------------------------------------------------------------------------------------------------------------


def _compiled(code: str, name: str, library: str) -> Callable[..., Any]:
    """The function that this module has just written. Nothing else is ever run."""

    def run(module: Any) -> Callable[..., Any]:
        space: dict[str, Any] = {MODULES[library][0]: module, "math": math}
        exec(compile(code, f"<{name}>", "exec"), space)  # noqa: S102
        return space[name]

    if library == "numpy":
        return run(np)
    from .backends.torch import torch

    made = run(torch)
    return lambda *arguments: made(*(torch.as_tensor(a, dtype=torch.float64) for a in arguments)).numpy()


def _compare(
    run: Callable[..., Any],
    d: Derivation,
    cells: Sequence[Any],
    index: Sequence[Any],
    inputs: Sequence[tuple[Any, int]],
    seed: int,
) -> None:
    """At drawn points and at large ones, for each size: the function gives what the exact model gives."""
    for case in _cases(d, index):
        count = max(case.values(), default=ROWS)
        known: dict[Any, Any] = {}
        free = [dict(zip(index, at, strict=True)) for at in np.ndindex(*([count] * len(index)))]
        wanted = [evaluable(bare(at_size(e, case | f)), known) for e in cells for f in free]
        rows = _rows(sorted({s for e in wanted for s in e.free_symbols}, key=str), generator(seed, d.title, "code"))
        model = values(wanted, rows)
        exact, radius = model.value, model.radius
        with np.errstate(all="ignore"):
            try:
                got = np.asarray(run(*(_argument(of, axes, known, case, rows, count) for of, axes in inputs)), dtype=float)
            except IndexError as error:
                at = ", ".join(f"{k} = {n}" for k, n in case.items())
                raise Unsuitable(f"its code reads beyond the end at {at}: it is not shown") from error
        shape = (*([len(cells)] if len(cells) > 1 else []), *([count] * len(index)), len(rows))
        found = np.broadcast_to(got, shape).reshape(len(wanted), len(rows)).T
        size = 1 + np.abs(exact) + np.array([[max((abs(float(x)) for x in row.values()), default=0.0)] for row in rows])
        with np.errstate(all="ignore"):
            wrong = np.isfinite(exact) & np.isfinite(radius) & ~(np.abs(found - exact) <= radius + CLOSE * size)
        if wrong.any():
            row, cell = map(int, np.argwhere(wrong)[0])
            at = ", ".join([*(f"{k} = {n}" for k, n in case.items()), *(f"{s} = {float(x):.3g}" for s, x in rows[row].items())])
            raise Unsuitable(f"its code gives {found[row, cell]:.12g} for {exact[row, cell]:.12g} at {at}: it is not shown")


def _cases(d: Derivation, index: Sequence[Any]) -> list[dict[Any, int]]:
    counts = {k: map(int, tried) for k, tried in d.sizes.items() if k not in index}
    return [dict(zip(counts, ns, strict=True)) for ns in itertools.product(*counts.values())]


def _rows(atoms: Sequence[Any], rng: np.random.Generator) -> list[dict[Any, Any]]:
    """Drawn values, and two rows of large ones, with both signs, where an exponential would overflow: of all variables, and of
    each alone, as a temperature does not grow with what it divides."""
    homes = {id(a.home): a.home for a in atoms}
    rows: list[dict[Any, Any]] = []
    for _ in range(ROWS):
        drawn = {at: getattr(home, "over", Normal()).draw(rng, home.shape) for at, home in homes.items()}
        rows.append({a: fmpq(*float(image(drawn[id(a.home)][position(a)])).as_integer_ratio()) for a in atoms})
    last, large = rows[-1], {a: fmpq(round(LARGE * rng.normal())) for a in atoms}
    grown = [frozenset(homes), *(frozenset([at]) for at in homes)] if len(homes) > 1 else [frozenset(homes)]
    for which in dict.fromkeys(grown):
        for sign in (1, -1):
            rows.append({a: sign * large[a] if _free(a) and id(a.home) in which else x for a, x in last.items()})
    return rows


def _free(a: Any) -> bool:
    return not (a.is_positive or isinstance(getattr(a.home, "over", None), (Masks, Simplex)))


def _argument(of: Any, axes: int, known: Mapping[Any, Any], case: Mapping[Any, int], rows: Sequence[Any], count: int) -> Any:
    def column(symbol: Any) -> list[float]:
        return [float(image(row[symbol])) if symbol in row else 0.0 for row in rows]

    if isinstance(of, sp.Symbol):
        return np.array([float(case[of])] * len(rows) if of in case else column(known.get(of)))
    if isinstance(of, sp.IndexedBase):
        places = list(np.ndindex(*([count] * axes)))
        return np.array([column(known.get(of[at])) for at in places]).reshape(*([count] * axes), len(rows))
    cells = np.array(of.atoms, dtype=object).ravel()
    return np.array([column(a) for a in cells]).reshape(*of.shape, len(rows))
