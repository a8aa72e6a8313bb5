"""The page on hybrid actions: what holds on it, by which routes, and the numbers it must reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl import check, module, torch
from gradcheck_rl.report import Caught, Report

from .reading import line, read

# The routes that must answer each claim; another may answer too.
CLIPS = ("minimum", "stack", "amin", "where", "max")
ROUTES = {
    " ".join(f"by_{way}_has_the_same_slopes also_on_the_boundary_by_{way}" for way in CLIPS): "symbolic autodiff",
    "regions": "symbolic",
    "slope rising falling narrow single valid valid_narrow halved interval smooth": "symbolic autodiff",
    "sample epoch_one seen numbers_own entry by_normaliser own_logit": "listed autodiff",
    "choice everyone blind_choice share rest passes_right learnt something": "symbolic listed autodiff",
    "drawn": "symbolic listed autodiff sampled",
    "by_value own_by_value": "differences listed",
    "shown_d shown_c parts most less against twisted_here open_gates closed_gates": "symbolic",
    "seen_by_model by_normaliser_too centre aligned": "proof symbolic",
    "kink low_kink original": "symbolic listed autodiff",
    "potential potential_x twisted": "listed autodiff differences",
    "full value full_clipped value_clipped full_alone value_alone": "symbolic listed autodiff",
    "up down slant slant_own quieter louder": "listed autodiff",
    "same_clip number_likely sample_path": "autodiff",
    "same_value same_value_stopped same_alone own_entry no_entry nothing": "listed autodiff",
    "separate mixed": "symbolic autodiff",
    "joint joint_gradient path": "integrated autodiff",
    "chain.1 chain.2 chain_d.1": "proof",
    "reads.1 splits.1 splits.2 curl.1": "proof symbolic",
}


page, whole, _ = read("problem2")


@pytest.fixture(scope="module")
def report() -> Report:
    return whole()


def mistake(report: Report, says: str) -> Caught:
    return next(m for m in report.mistakes if m.says == says)


def test_the_page_holds_at_every_size(report: Report) -> None:
    report.require()
    assert set(line(report, "everyone").sizes) == {"K = 2"}


def test_every_entry_of_the_section_is_there(report: Report) -> None:
    sources = {s.strip() for c in report.claims for s in c.source.split(",")}
    assert {f"A-{n:03}" for n in range(23, 39)} <= sources


@pytest.mark.parametrize(("names", "routes"), ROUTES.items())
def test_no_route_stops_answering(report: Report, names: str, routes: str) -> None:
    for name in names.split():
        shown = [r for r in line(report, name).routes if r.verdict in ("proved", "agrees")]
        assert set(routes.split()) <= {word for r in shown for word in r.route.split(" + ")}, name


def test_every_claim_stands_in_the_table_of_routes(report: Report) -> None:
    table = {name for names in ROUTES for name in names.split()}
    assert {c.id for c in report.claims if c.kind != "erratum"} == table


# ---- the instances once more, from values alone: a derivative here is mpmath's, of nothing but the definition ------------------


@dataclass(frozen=True)
class Instance:
    """U x(c) + b for three actions, A = (1, -2, 1/2), epsilon = 1/5; the data come from c = (1/10, -2/5), b = (1/10, -1/5, 0)."""

    weights: Sequence[Sequence[str]]
    bias: Sequence[str] = ("1/10", "-1/5", "0")
    now: Sequence[str] = ("3/10", "-7/10")
    before: Sequence[str] = ("1/10", "-2/5")

    def numbers(self, c: Sequence[Any]) -> list[Any]:
        return [mpmath.tanh(c[0]), mpmath.sin(c[0] + c[1]), c[0] * c[1]]

    def policy(self, x: Sequence[Any], bias: Sequence[str]) -> list[Any]:
        e = [
            mpmath.exp(sum(mpmath.mpf(u) * y for u, y in zip(row, x, strict=True)) + mpmath.mpf(b))
            for row, b in zip(self.weights, bias, strict=True)
        ]
        return [w / sum(e) for w in e]

    @property
    def old(self) -> list[Any]:
        return self.policy(self.numbers([mpmath.mpf(c) for c in self.before]), ("1/10", "-1/5", "0"))

    def term(self, k: int, x: Sequence[Any]) -> Any:
        """What sample k adds to the surrogate."""
        a, r = (mpmath.mpf(1), mpmath.mpf(-2), mpmath.mpf("1/2"))[k], self.policy(x, self.bias)[k] / self.old[k]
        return self.old[k] * min(r * a, min(max(r, mpmath.mpf("4/5")), mpmath.mpf("6/5")) * a)

    def slope(self, moves: Callable[[int, int], bool]) -> list[Any]:
        """The gradient by c where in sample k only the numbers j with moves(k, j) depend on c."""
        at = [mpmath.mpf(c) for c in self.now]
        still = self.numbers(at)

        def value(*c: Any) -> Any:
            x = self.numbers(c)
            return sum(self.term(k, [x[j] if moves(k, j) else still[j] for j in range(3)]) for k in range(3))

        return [mpmath.diff(value, at, tuple(int(i == n) for i in range(2))) for n in range(2)]

    @property
    def value(self) -> Any:
        x = self.numbers([mpmath.mpf(c) for c in self.now])
        return sum(self.term(k, x) for k in range(3))


U = (("1", "1/2", "-1/4"), ("-1/3", "3/4", "1/5"), ("1/6", "-1/2", "2/3"))
DIAGONAL = (("1", "0", "0"), ("0", "3/4", "0"), ("0", "0", "2/3"))
INSTANCE, CLIPPED, ALONE = Instance(U), Instance(U, bias=("3/5", "-9/10", "0")), Instance(DIAGONAL)

# The catalogue's digits: surrogate, gradient for theta_c, own share of it.
DIGITS = {
    INSTANCE: (
        "0.2645088835566171240182811",
        ("0.3300027287389447975592786", "-0.2082034223998962818079307"),
        ("-0.03599924355336413897003054", "-0.1679549649914853498156198"),
    ),
    CLIPPED: (
        "0.2537912219168545192186702",
        ("-0.2363967367991162273157798", "-0.07444023766449033891762661"),
        ("-0.06577523093546958697567582", "0.02818938468662982298957535"),
    ),
    ALONE: (
        "0.2334312813373503730404605",
        ("-0.004696599167232532513275595", "-0.3030400219846627747878038"),
        ("-0.04606071431770591191360279", "-0.2056929301054622933965123"),
    ),
}


def close(found: Sequence[Any], digits: Sequence[str]) -> bool:
    return all(abs(mpmath.mpf(x) - mpmath.mpf(d)) < 2e-12 for x, d in zip(found, digits, strict=True))


@pytest.mark.parametrize("instance", DIGITS)
def test_the_definition_gives_the_catalogues_digits(instance: Instance) -> None:
    value, full, own = DIGITS[instance]
    with mpmath.workdps(60):
        found = [instance.value, *instance.slope(lambda k, j: True), *instance.slope(lambda k, j: k == j)]
        assert all(abs(x - mpmath.mpf(d)) < 1e-24 for x, d in zip(found, [value, *full, *own], strict=True))


@pytest.mark.parametrize(
    ("instance", "gradient", "value"),
    [(INSTANCE, "full", "value"), (CLIPPED, "full_clipped", "value_clipped"), (ALONE, "full_alone", "value_alone")],
)
def test_torch_and_the_model_reach_them(report: Report, instance: Instance, gradient: str, value: str) -> None:
    for name, digits in ((gradient, DIGITS[instance][1]), (value, DIGITS[instance][:1])):
        found = line(report, name)
        assert found.value is not None and found.expected is not None
        assert close(found.value[: len(digits)], digits), "torch"
        assert close(found.expected[: len(digits)], digits), "the model"


@pytest.mark.parametrize(
    ("says", "signature"),
    [
        ("only the own number", DIGITS[INSTANCE][2]),
        ("only the own number, two ratios clipped", DIGITS[CLIPPED][2]),
        (
            "only the other numbers",
            [str(mpmath.mpf(a) - mpmath.mpf(b)) for a, b in zip(DIGITS[INSTANCE][1], DIGITS[INSTANCE][2], strict=True)],
        ),
        ("numbers stopped", ("0", "0")),
        # the seven slopes at A = 1.
        ("no min", ("0", "1", "1", "1", "1", "1", "0")),
    ],
)
def test_a_mistake_leaves_its_signature(report: Report, says: str, signature: Sequence[str]) -> None:
    found = mistake(report, says)
    assert found.caught and found.signature is not None
    assert close(found.signature[: len(signature)], signature)


def test_flow_tells_the_variants_apart(report: Report) -> None:
    reaches = {f.function: f.blocks["theta_c"] for f in report.flow}
    assert {
        reaches[name] for name in ("surrogate", "own_only", "others_only", "multi_pass_surrogate", "reparameterised", "pathwise")
    } == {"some"}
    assert {reaches[name] for name in ("stopped", "sampled", "blind")} == {"none"}


def test_a_diagonal_instance_cannot_see_the_weights_off_the_diagonal(report: Report) -> None:
    blind = next(b for b in report.blind_spots if b.id == "value_alone").inputs
    assert {f"U_{i}_{j}" for i in range(3) for j in range(3) if i != j} <= set(blind)


# ---- any seed, any answer -------------------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_no_seed_breaks_the_page(seed: int) -> None:
    found = check(
        page(), seed=seed, points=6, only=["regions", "slope", "sample", "entry", "seen", "everyone", "potential", "own_entry"]
    )
    assert [c.id for c in found.claims if not c.ok] == []


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.data())
def test_each_logit_with_its_own_number_makes_the_interference_an_ally(counts: list[int], data: st.DataObject) -> None:
    """A-033 in fractions. By dp_k/dx_j = p_k (1[j = k] - p_j) the own term of coordinate j is A_j p_j (1 - p_j), the others
    are -A_k p_k p_j; A less its mean makes their sum p_j A_j."""
    p = [Fraction(n, sum(counts)) for n in counts]
    raw = data.draw(st.lists(st.integers(-9, 9), min_size=len(p), max_size=len(p)))
    a = [x - sum(q * y for q, y in zip(p, raw, strict=True)) for x in raw]
    for j, (q, b) in enumerate(zip(p, a, strict=True)):
        own, others = b * q * (1 - q), sum(-a[k] * p[k] * q for k in range(len(p)) if k != j)
        assert own == (1 - q) * (own + others)
        assert others == q * (own + others)


def limited(ratio: Any, gain: Any, epsilon: Any) -> Any:
    """The limit by the sign of the gain. At r = 1 + epsilon its slope is half of A, which is one of Clarke's."""
    return torch.min(ratio * gain, torch.where(gain > 0, 1 + epsilon, 1 - epsilon) * gain)


def wrong_limit(ratio: Any, gain: Any, epsilon: Any) -> Any:
    return torch.min(ratio * gain, torch.where(gain > 0, 1 - epsilon, 1 + epsilon) * gain)


@pytest.mark.parametrize(("answer", "wrong"), [(limited, set[str]()), (wrong_limit, {"valid", "valid_narrow", "slope"})])
def test_a_clip_without_clamp_is_right_too(answer: Any, wrong: set[str]) -> None:
    found = check(page(), {page().functions["clipped"]: answer})
    assert {c.id for c in found.claims if not c.ok} >= wrong and found.ok == (not wrong)


def network(transposed: bool = False) -> Callable[[], Any]:
    def make() -> Any:
        class Choice(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = torch.nn.Linear(3, 3)

            def forward(self, x: Any) -> Any:
                head = self.head
                return torch.nn.functional.linear(x, head.weight.T if transposed else head.weight, head.bias)

        return Choice()

    return make


@pytest.mark.parametrize("transposed", [False, True])
def test_a_students_module_drops_into_the_slot(transposed: bool) -> None:
    slot = page().functions["logits"]
    answer = {slot: module(network(transposed), slot, U="head.weight", theta_d="head.bias")}
    found = check(page(), answer, points=4, only=["everyone", "seen"])
    assert [c.verdict for c in found.claims] == (["refuted"] * 2 if transposed else ["agrees"] * 2)


def test_the_table_of_interference_is_what_differences_show() -> None:
    """Sample k's objective in numbers alone: min(r A, clip(r) A) with r the ratio of two softmax probabilities."""
    found = next(f for f in page().figures if f.name == "interference").data(page(), 0)
    U = np.array([[1, 0.5, -0.25], [-1 / 3, 0.75, 0.2], [1 / 6, -0.5, 2 / 3]])
    bias, gain = np.array([0.1, -0.2, 0]), np.array([1, -2, 0.5])

    def heads(c: tuple[float, float]) -> Any:
        return np.array([np.tanh(c[0]), np.sin(c[0] + c[1]), c[0] * c[1]])

    def policy(x: Any, bias: Any) -> Any:
        p = np.exp(U @ x + bias)
        return p / p.sum()

    for at, shifted in enumerate((bias, np.array([0.6, -0.9, 0]))):
        old, x = policy(heads((0.1, -0.4)), bias), heads((0.3, -0.7))
        ratio = [policy(x + h, shifted) / old for h in (*(1e-6 * np.eye(3)), *(-1e-6 * np.eye(3)))]
        kept = np.minimum(ratio * gain, np.clip(ratio, 0.8, 1.2) * gain)
        for (k, j), entry in np.ndenumerate(((kept[:3] - kept[3:]) / 2e-6).T):
            assert found[f"{k},{j}"][at] == pytest.approx(entry, abs=1e-8)


def test_the_shares_add_up() -> None:
    data = next(f for f in page().figures if f.name == "shares").data(page(), 0)
    for n in range(2):
        assert data[f"own {n}"][0] + data[f"others {n}"][0] == pytest.approx(data[f"gradient {n}"][0])
