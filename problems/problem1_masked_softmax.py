"""Softmax policy with an action mask.

One state, seen as a price s0. An action is drawn from a softmax over the logits w_i s0 of the actions that are allowed, and
pays its reward. The gradient of the expected reward is estimated by the score, weighted with the reward. A forbidden
action has probability zero, and its weight must receive no gradient. The exercise works this out for three actions, without
and with a mask, and says that the difference shows what the mask does. On its data the mask does nothing.
"""

import numpy as np
from sympy import Derivative, IndexedBase, Integral, KroneckerDelta, Rational, Sum, atanh, exp, log, oo, sqrt, symbols

from gradcheck_rl import (
    AtMost,
    Categorical,
    Claim,
    Covariance,
    Derivation,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Figure,
    Gradient,
    Integers,
    LogRational,
    Masks,
    Mean,
    Mistake,
    Named,
    NonFinite,
    OneOf,
    Parameter,
    Point,
    Problem,
    Raises,
    Rows,
    Size,
    Trace,
    Uniform,
    Value,
    Variable,
    along,
    array,
    diff,
    log_softmax,
    softmax,
    torch,
)

# The setting: a weight for each action, the price, the rewards, and which actions are allowed.
K = Size("K", 3, also=(2, 4, 5, 6))
w = Parameter("w", K, over=LogRational())
s0 = Variable("s0", over=OneOf(1, 2, -1))
reward = Variable("reward", K, over=Uniform(-2, 2))
allowed = Variable("allowed", K, over=Masks())
baseline = Variable("baseline", over=Uniform(-2, 2))
penalty = Variable("penalty", over=OneOf(5, 10, 20))

# The policy, and the objective.
pi = softmax(w * s0, allowed)
action = Draw("action", Categorical(logits=w * s0, allowed=allowed))
J = E(reward[action])

# The same without a mask.
pi_all = softmax(w * s0)
any_action = Draw("any_action", Categorical(logits=w * s0))
J_all = E(reward[any_action])

identity = array(*([int(i == k) for i in range(K)] for k in range(K)))
score = s0 * (identity[action] - pi)

# A state of several features, and a weight for each action and feature.
W = Variable("W", (K, 2), over=LogRational())
state = Variable("state", 2, over=Integers(-1, 2))
pi_of_state = softmax(W @ state, allowed)
choice = Draw("choice", Categorical(pi_of_state))

# Logits that share what lies beneath them: v_i u s0.
u = Variable("u", over=LogRational())
v = Variable("v", K, over=Uniform(-2, 2))
J_shared = E(reward[Draw("shared_action", Categorical(logits=v * u * s0, allowed=allowed))])


# What a student writes, in torch. Arguments are bound by name.
def log_pi(w, s0, allowed):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)


def log_prob(w, s0, allowed, action, log_pi=log_pi):
    return log_pi(w, s0, allowed)[action]


def log_prob_of_state(W, state, allowed, choice):
    return (W @ state).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)[choice]


def reinforce(w, s0, allowed, reward, action, log_prob=log_prob):
    return log_prob(w, s0, allowed, action) * reward[action]


def with_baseline(w, s0, allowed, reward, baseline, action, log_prob=log_prob):
    return log_prob(w, s0, allowed, action) * (reward[action] - baseline)


def entropy(w, s0, allowed):
    policy = torch.distributions.Categorical(logits=(w * s0).masked_fill(allowed == 0, -torch.inf), validate_args=True)
    return policy.entropy()


def unmasked(w, s0, reward, action):
    return (w * s0).log_softmax(-1)[action] * reward[action]


# Other ways to forbid an action.
def added(w, s0, allowed, action):
    return (w * s0 + torch.where(allowed == 0, -torch.inf, 0.0)).log_softmax(-1)[action]


def added_large(w, s0, allowed, action):
    return (w * s0 + torch.where(allowed == 0, -1e9, 0.0)).log_softmax(-1)[action]


def added_in_half(w, s0, allowed, action):  # float16 ends at 65504
    return ((w * s0).half() + torch.where(allowed == 0, -6e4, 0.0).half()).log_softmax(-1)[action]


def filled_in_half(w, s0, allowed):
    return (w * s0).half().masked_fill(allowed == 0, -1e9).log_softmax(-1)


def removed(w, s0, allowed, action):  # the forbidden logits are not there at all
    kept = allowed.nonzero().flatten().tolist()
    return (w * s0)[kept].log_softmax(-1)[kept.index(action)]


def removed_middle(w, s0, allowed, removed=removed):
    return removed(w, s0, allowed, 1)


def by_categorical(w, s0, allowed, action):
    return torch.distributions.Categorical(logits=(w * s0).masked_fill(allowed == 0, -torch.inf)).log_prob(action)


def chosen_first(w, s0, allowed, action):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1)[action].log()


def penalised(w, s0, allowed, penalty, action):
    return (w * s0 - penalty * (1 - allowed)).log_softmax(-1)[action]


def finite_mask(w, s0, allowed, penalty, reward, action, log_prob=penalised):
    return log_prob(w, s0, allowed, penalty, action) * reward[action]


def probabilities(w, s0, allowed):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1)


def finite_probabilities(w, s0, allowed, penalty):
    return (w * s0 - penalty * (1 - allowed)).softmax(-1)


def log_shares(w, s0, allowed, penalty, shares=finite_probabilities):
    return shares(w, s0, allowed, penalty).log()


def divergence(w, s0, allowed):
    logits = (x + torch.where(allowed == 0, -torch.inf, 0.0) for x in (w * s0, torch.zeros_like(w)))
    return torch.distributions.kl_divergence(*(torch.distributions.Categorical(logits=x) for x in logits))


# The gradient from data, each allowed action once, and what optimisers make of it.
def from_data(objective, w, s0, allowed, *given):
    w, data = w.detach().clone().requires_grad_(), allowed.nonzero().flatten()
    mean = sum(objective(w, s0, allowed, *given, action) for action in data) / len(data)
    (slope,) = torch.autograd.grad(mean, w)
    return slope


def leak(w, s0, allowed, penalty, reward, finite_mask=finite_mask):  # to the middle weight, in units of exp(-C)
    return from_data(finite_mask, w, s0, allowed, penalty, reward)[1] * penalty.exp()


def by_descent(w, s0, allowed, reward, reinforce=reinforce):
    return w + 0.1 * from_data(reinforce, w, s0, allowed, reward)


def by_decaying_descent(w, s0, allowed, reward, reinforce=reinforce):
    return w + 0.1 * (from_data(reinforce, w, s0, allowed, reward) - 0.1 * w)


def by_adam(w, s0, allowed, reward, reinforce=reinforce):  # one step before the mask, one after
    mean = square = 0
    for step, mask in enumerate((torch.ones_like(allowed), allowed), start=1):
        gradient = from_data(reinforce, w, s0, mask, reward)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        w = w + 0.1 * mean / (1 - 0.9**step) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return w


def by_shared_descent(u, v, s0, allowed, reward, log_pi=log_pi):  # how far each logit moves
    trunk = u.detach().clone().requires_grad_()
    expected = log_pi(v * trunk, s0, allowed).exp() @ reward
    (slope,) = torch.autograd.grad(expected, trunk)
    return v * s0 * slope / 10


# How long gradient flow takes to J = 9/10, by Runge and Kutta's steps along J.
def flow_time(w, s0, reward, allowed, steps=120):
    def chances(w):
        return (w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1)

    def pace(w):  # dw/dJ, whose square is dt/dJ
        p = chances(w)
        slope = s0 * p * (reward - p @ reward)
        return slope / (slope @ slope)

    time, h = 0, (0.9 - chances(w) @ reward) / steps
    for _ in range(steps):
        a = pace(w)
        b = pace(w + h / 2 * a)
        c = pace(w + h / 2 * b)
        d = pace(w + h * c)
        w = w + h / 6 * (a + 2 * b + 2 * c + d)
        time = time + h / 6 * (a @ a + 2 * b @ b + 2 * c @ c + d @ d)
    return time


# What must be true, at every point and for every K.
scores = Claim(
    "The score of an action is s0 (1[a = i] - pi_i), in every sample.",
    source="A-001, A-009",
    that=Equal(Gradient(log_prob), score),
)
derivative = Claim(
    "Differentiating log pi gives the same score.",
    source="A-001",
    that=Equal(Gradient(log_softmax(w * s0)), array(*(s0 * (identity[k] - pi_all) for k in range(K)))),
)
derivative_masked = Claim(
    "Differentiating the masked log pi gives the score whose sum is over the allowed actions alone.",
    source="A-008",
    that=Equal(Gradient(action.log_prob()), score),
)
shift = Claim(
    "A constant added to every logit changes nothing: each row of scores sums to zero.",
    source="A-002",
    that=Equal(Value(array(*(sum(diff(x, weight) for weight in w) for x in log_softmax(w * s0)))), 0),
)
of_state = Claim(
    "Of a state of several features each weight receives its feature times the same (1[a = i] - pi_i).",
    source="A-009",
    that=Equal(Gradient(log_prob_of_state, W), (identity[choice] - pi_of_state)[:, None] * state[None, :]),
)
likely_of_state = Claim(
    "The log-probability there is that of the allowed actions.",
    source="A-009",
    that=Equal(Value(log_prob_of_state), choice.log_prob()),
)
centred = Claim("The score has mean zero.", Equal(Mean(Gradient(log_prob)), 0), source="A-002")
slope = Claim(
    "The gradient of the expected reward is s0 pi_i (r_i - J).", Equal(Gradient(J), s0 * pi * (reward - J)), source="A-007"
)
slope_all = Claim(
    "Without a mask it is the same formula over all actions.",
    Equal(Gradient(J_all), s0 * pi_all * (reward - J_all)),
    source="A-007",
)
unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="A-007")
drawn = Claim(
    "Samples say so too.",
    Equal(Mean(Gradient(reinforce)), Gradient(J)),
    by="sampled",
    resolution=0.05,
    source="A-007",
)
policy = Claim("The masked policy is the softmax over the allowed logits.", Equal(Value(probabilities), pi), source="A-009")
improbable = Claim(
    "A forbidden action has probability zero.", Equal(Value(probabilities) * (1 - allowed), 0), source="A-009, A-012"
)
silent = Claim(
    "Its weight receives no gradient, in no sample.",
    source="A-009",
    that=Equal(Gradient(reinforce) * (1 - allowed), 0),
)
mask_ignored = Claim(
    "Code that ignores the mask weights the score of the policy over all actions, in every sample.",
    source="A-005",
    that=Equal(Gradient(unmasked), reward[action] * s0 * (identity[action] - pi_all)),
)
likely = Claim(
    "The mean log-probability is minus the entropy.", Equal(Mean(Value(log_prob)), E(action.log_prob())), source="A-015"
)
surprise = Claim("The entropy is that of the allowed actions.", Equal(Value(entropy), -E(action.log_prob())), source="A-015")
disorder = Claim(
    "The gradient of the entropy is that of the allowed actions.",
    Equal(Gradient(entropy), Gradient(-E(action.log_prob()))),
    source="A-015",
)
soft = softmax(w * s0 - penalty * (1 - allowed))
leaning = Claim(
    "C in place of infinity leaves a forbidden action a share.", Equal(Value(finite_probabilities), soft), source="A-010"
)
residue = Claim(
    "Subtracting C instead leaves every weight s0 (share_i - soft_i total): a forbidden one receives -s0 soft_i total.",
    source="A-010",
    that=Equal(Mean(Gradient(finite_mask)), s0 * (pi * reward - soft * J)),
)

# Baselines.
loudness = E((score * score).sum())
best = E(reward[action] * (score * score).sum()) / loudness
spread, spread_with = Trace(Covariance(Gradient(reinforce))), Trace(Covariance(Gradient(with_baseline)))
loud = Claim(
    "The score has E|g|^2 = s0^2 (1 - sum pi_i^2).", Equal(Value(loudness), s0**2 * (1 - (pi * pi).sum())), source="A-014"
)
harmless = Claim("A constant baseline leaves the mean alone.", Equal(Mean(Gradient(with_baseline)), Gradient(J)), source="A-014")
parabola = Claim(
    "A baseline b changes the variance by b (b - 2 b*) E|g|^2, where b* = E[|g|^2 r] / E[|g|^2].",
    source="A-014",
    where=Differs(loudness, 0),
    that=Equal(spread_with - spread, baseline * (baseline - 2 * best) * loudness),
)
lower = Claim(
    "Strictly between 0 and 2 b* it lowers the variance.",
    source="A-014",
    where=AtMost(baseline * E((baseline - 2 * reward[action]) * (score * score).sum()), 0),
    that=AtMost(spread_with, spread),
)

# On the page: every weight 1, price 1, rewards -1, 0, 1, each action once; then without the middle action.
third, half = Rational(1, 3), Rational(1, 2)
published = Point(w=1, s0=1, reward=(-1, 0, 1), allowed=1)
masked = published.but(allowed=(1, 0, 1))
telling, telling_masked = published.but(reward=(-1, 0, 2)), masked.but(reward=(-1, 0, 2))
each, outer, middle = Rows(action=(0, 1, 2)), Rows(action=(0, 2)), Rows(action=(1,))


def estimate(f, data):
    return Mean(Gradient(f), over=data)


first = Claim(
    "Question 1: the estimate is (-1/3, 0, 1/3).",
    Equal(estimate(reinforce, each), (-third, 0, third)),
    at=published,
    source="A-003",
)
second = Claim(
    "Question 2, masked: it is (-1/2, 0, 1/2).", Equal(estimate(reinforce, outer), (-half, 0, half)), at=masked, source="A-004"
)
rows = Claim(
    "Under the mask the score of the first action is (1/2, 0, -1/2).",
    at=masked,
    source="A-004, A-008",
    that=Equal(Mean(Gradient(log_prob), over=Rows(action=(0,))), (half, 0, -half)),
)
same = Claim(
    "On this data the estimate is the same with and without the mask, since the returns sum to zero.",
    at=masked,
    source="A-005",
    that=Equal(estimate(reinforce, outer), estimate(unmasked, outer)),
)
anywhere = Claim(
    "It is the same at any other weights.",
    at=masked.but(w=(third, -2, 5)),
    source="A-005",
    that=Equal(estimate(reinforce, outer), (-half, 0, half)),
)
told = Claim(
    "Rewards -1, 0, 2 can tell. All three actions give (-4/9, -1/9, 5/9),",
    at=telling,
    source="A-006",
    that=Equal(estimate(reinforce, each), array(-4, -1, 5) / 9),
)
told_two = Claim(
    "the outer two (-2/3, -1/6, 5/6),", Equal(estimate(reinforce, outer), array(-4, -1, 5) / 6), at=telling, source="A-006"
)
told_masked = Claim(
    "and under the mask (-3/4, 0, 3/4).",
    Equal(estimate(reinforce, outer), array(-3, 0, 3) / 4),
    at=telling_masked,
    source="A-006",
)
lucky = Claim(
    "At w = (1, 1, 1) the estimate is the true gradient: each action occurs as often as it should.",
    at=published,
    source="A-007",
    that=Equal(estimate(reinforce, each), Gradient(J)),
)
skewed = Claim(
    "At w = (0, log 2, log 3) the true gradient is (-2/9, -1/9, 1/3), and the estimate what it was.",
    at=published.but(w=(0, log(2), log(3))),
    source="A-007",
    that=Equal(Gradient(J) - estimate(reinforce, each), array(1, -1, 0) / 9),
)
residual, residual_20, residual_40 = (
    Claim(
        f"C = {c} leaves the middle weight -exp(-{c}) / (2 (2 + exp(-{c}))).",
        at=telling_masked.but(penalty=c),
        source="A-010",
        that=Equal(Value(leak), -1 / (2 * (2 + exp(-c)))),
    )
    for c in (10, 20, 40)
)
log_share = Claim(
    "`penalised` is the logarithm of the middle share, allowed or forbidden.",
    Equal(Mean(Value(penalised), over=middle), log(soft[1])),
    source="A-010",
)
log_20, log_40, log_104 = (
    Claim(
        f"At C = {c} the logarithm of the middle share is -{c} - log(2 + exp(-{c})).",
        at=masked.but(penalty=c),
        source="A-010",
        that=Equal(Value(log_shares)[1], -c - log(2 + exp(-c))),
    )
    for c in (20, 40, 104)
)
underflow_32 = Claim(
    "In float32 it is -inf at C = 104: the share is 0.",
    Equal(Value(log_shares, dtype="float32")[1], -oo),
    at=masked.but(penalty=104),
    source="A-010",
)
underflow_64 = Claim("In float64 too at C = 745.", Equal(Value(log_shares)[1], -oo), at=masked.but(penalty=745), source="A-010")
noise = Claim(
    "One sample has variance 2/27 in each weight,",
    Equal(Covariance(Gradient(reinforce))[::4], Rational(2, 27)),
    at=published,
    source="A-014",
)
quiet = Claim(
    "and none under the mask: every sample is the same vector.",
    Equal(Covariance(Gradient(reinforce)), 0),
    at=masked,
    source="A-014",
)
steep = published.but(w=(800, 0, -800))
large = Claim(
    "Logits 800, 0, -800 do no harm.",
    Equal(Mean(Gradient(reinforce)), Gradient(J)),
    at=steep,
    source="A-015",
)
divergent = Claim(
    "The divergence of the masked policy from the even one is log n minus the entropy, over n allowed actions.",
    source="A-015",
    that=Equal(Value(divergence), E(action.log_prob()) + log(allowed.sum())),
)
twins = Claim("It is 0 where the policy is even,", Equal(Value(divergence), 0), at=masked, source="A-015")
torn = Claim("and there its gradient is not a number.", Equal(NonFinite(Gradient(divergence)), 1), at=masked, source="A-015")
ways = tuple(
    Claim(f"{where}`{f.__name__}` has the same {what}.", Equal(found, expected), source="A-015")
    for f in (added, added_large, removed, by_categorical, chosen_first)
    for where, what, found, expected in (
        ("", "scores", Gradient(f), score),
        ("In float32 ", "scores", Gradient(f, dtype="float32"), score),
        ("", "log-probabilities", Value(f), action.log_prob()),
    )
)
half_score, half_log = (
    Claim(
        f"In float16 `added_in_half` has the same {what}, to two digits.", Equal(found, expected), resolution=0.01, source="A-015"
    )
    for what, found, expected in (
        ("scores", Gradient(added_in_half), score),
        ("log-probabilities", Value(added_in_half), action.log_prob()),
    )
)
far_score, far_log = (
    Claim(f"The middle action has the {what} there.", Equal(found, expected), at=steep, source="A-015")
    for what, found, expected in (
        ("score (-1, 1, 0)", estimate(log_prob, middle), (-1, 1, 0)),
        ("log-probability -800", Mean(Value(log_prob), over=middle), -800),
    )
)
steady = tuple(
    Claim(
        f"`{f.__name__}` has the right {what} for an allowed action, however improbable.",
        Equal(found, expected),
        where=Equal(allowed[1], 1),
        source="A-015",
    )
    for f in (added, added_large, removed, by_categorical)
    for what, found, expected in (
        ("score", estimate(f, middle), s0 * (identity[1] - pi)),
        ("log-probability", Mean(Value(f), over=middle), log(pi[1])),
    )
)
sunk = Claim(
    "At logits 800, 0, -800 `chosen_first` has the logarithm of 0,",
    Equal(Mean(Value(chosen_first), over=middle), -oo),
    at=steep,
    source="A-015",
)
lost = Claim(
    "and no score.",
    Equal(NonFinite(estimate(chosen_first, middle)), 1),
    at=steep,
    source="A-015",
)
pushes = Claim(
    "A datum on the forbidden action sends its own weight nothing through masked_fill, and still pushes the others.",
    at=masked,
    source="A-016",
    that=Equal(estimate(log_prob, middle), (-half, 0, -half)),
)
never = Claim("Its log-probability is -inf.", Equal(Mean(Value(log_prob), over=middle), -oo), at=masked, source="A-016")
pushes_too = Claim(
    "A Categorical does the same.", Equal(estimate(by_categorical, middle), (-half, 0, -half)), at=masked, source="A-016"
)
pulls, pulls_large, pulls_half = (
    Claim(f"Through an added {x} it sends it 1.", Equal(estimate(f, middle), (-half, 1, -half)), at=masked, source="A-016")
    for x, f in (("-inf", added), ("-1e9", added_large), ("-6e4 in float16", added_in_half))
)
pulls_single = Claim(
    "Through an added -1e9 in float32 too.",
    Equal(Mean(Gradient(added_large, dtype="float32"), over=middle), (-half, 1, -half)),
    at=masked,
    source="A-016",
)
breaks = Claim(
    "Through the logarithm of a probability 0 it sends the others no number.",
    Equal(NonFinite(estimate(chosen_first, middle)), (1, 0, 1)),
    at=masked,
    source="A-016",
)
unlikely = tuple(
    Claim(
        f"`{f.__name__}` gives a forbidden action the log-probability -inf.",
        Equal(Mean(Value(f), over=middle), -oo),
        where=Equal(allowed[1], 0),
        source="A-016",
    )
    for f in (added, by_categorical, chosen_first)
)
unlikely_large = Claim(
    "`added_large` gives it -1e9 - log 2 here.",
    Equal(Mean(Value(added_large), over=middle) + 10**9, -log(2)),
    at=masked,
    resolution=1e-5,
    source="A-016",
)
unlikely_half = Claim(
    "In float16 `added_in_half` gives it -6e4: log 2 is lost.",
    Equal(Mean(Value(added_in_half), over=middle), -60000),
    at=masked,
    source="A-016",
)
too_large = Claim("In float16 masked_fill refuses -1e9.", Raises(filled_in_half, RuntimeError), at=masked, source="A-016")
absent = Claim(
    "Where the action is removed there is no such datum.", Raises(removed_middle, ValueError), at=masked, source="A-016"
)
nothing_left, nothing_added, nothing_chosen = (
    Claim(
        f"With every action forbidden, {where} leaves no policy.",
        Equal(NonFinite(q), 1),
        at=masked.but(allowed=0),
        source="A-012",
    )
    for where, q in (
        ("-inf", Value(log_pi)),
        ("an added -inf", Mean(Value(added), over=middle)),
        ("a softmax before the logarithm", Mean(Value(chosen_first), over=middle)),
    )
)
refused = Claim("A Categorical refuses it.", Raises(entropy, ValueError), at=masked.but(allowed=0), source="A-012")
illegal = Claim(
    "With every action forbidden, a large number leaves an ordinary policy over forbidden actions.",
    at=masked.but(allowed=0, w=(0, log(2), log(3)), penalty=10**8),
    source="A-012",
    that=Equal(Value(finite_probabilities), array(1, 2, 3) / 6),
)
absorbed = Claim(
    "In float32 the logits 1, 2, 3 vanish beside 1e8: that policy is uniform.",
    at=masked.but(allowed=0, w=(1, 2, 3), penalty=10**8),
    source="A-012",
    that=Equal(Value(finite_probabilities, dtype="float32"), third),
)
start, step = array(0, log(2), log(3)), array(-1, 0, 1) / 16
uneven = telling_masked.but(w=tuple(start))
still = Claim(
    "Plain descent leaves the forbidden weight where it is,",
    Equal(Value(by_descent), start + step),
    at=uneven,
    source="A-011",
)
decayed = Claim(
    "weight decay does not: it takes a hundredth,",
    Equal(Value(by_decaying_descent), start * 99 / 100 + step),
    at=uneven,
    source="A-011",
)
moved = Claim(
    "nor do logits that share a weight: each moves by v_i s0 dJ/du, a forbidden one too.",
    Equal(Value(by_shared_descent), v * s0 * diff(J_shared, u[()]) / 10),
    source="A-011",
)
tiny = Rational(1, 10**8)
pushed_on = Claim(
    "nor does Adam, whose momentum lasts: 9/19 of the step before, over sqrt(999/1999) of its size.",
    source="A-011",
    at=telling_masked,
    that=Equal(Value(by_adam)[1], 1 - (1 / (1 + 9 * tiny) + Rational(9, 19) / (sqrt(Rational(999, 1999)) + 9 * tiny)) / 10),
)


def pace(objective):  # dJ/dt of gradient flow
    return sum(diff(objective, weight) ** 2 for weight in w)


x = symbols("x", real=True)
faster = Claim(
    "At the start this mask speeds learning up: 1/2 against 2/9.",
    Equal(Value(array(pace(J), pace(J_all))), (half, Rational(2, 9))),
    at=masked,
    source="A-013",
)


def in_time(J):
    return J / (1 - J**2) + atanh(J).rewrite(log)


most = Rational(9, 10)
arrival = Claim(
    "Under it gradient flow, at speed (1 - J^2)^2 / 2, reaches J at time J / (1 - J^2) + artanh J.",
    at=masked,
    source="A-013",
    that=Equal(Value(Integral(2 / (1 - x**2) ** 2, (x, 0, most))), in_time(most)),
)
followed = Claim(
    "From J = 1/2 to 9/10, at a price of 2, it takes a quarter of that: following it shows the same, to seven digits.",
    Equal(Value(flow_time), (in_time(most) - in_time(half)) / s0**2),
    at=masked.but(w=(0, 0, log(3) / 2), s0=2),
    resolution=1e-7,
    source="A-013",
)
later = Claim(
    "Without the mask it takes more than half as long again.",
    AtMost(Rational(3, 2) * in_time(most), Value(flow_time)),
    at=published,
    source="A-013",
)

# What is printed and wrong.
shows = Erratum(
    "The difference between the two printed gradients shows what the mask does.",
    source="A-005",
    at=masked,
    that=Differs(estimate(reinforce, outer), estimate(unmasked, outer)),
    instead=same,
)
equals = Erratum(
    "The estimate from each action once is the gradient.",
    Equal(estimate(reinforce, each), Gradient(J_all)),
    source="A-007",
    instead=unbiased,
    where=Equal(allowed, 1),
)
displayed = Erratum(
    "The masked score has exp(w_1 s0) in its numerator and denominator.",
    source="A-008",
    at=masked,
    that=Equal(Gradient(log_softmax(w * s0, allowed)[0]), s0 * (identity[0] - pi_all)),
    instead=derivative_masked,
)
untouched = Erratum(
    "The update leaves forbidden weights alone, whatever the optimiser.",
    Equal(Value(by_adam)[1], w[1]),
    at=telling_masked,
    source="A-011",
    instead=still,
)
always = Erratum(
    "A mask speeds learning up.",
    AtMost(Value(pace(J_all)), Value(pace(J))),
    at=published.but(allowed=(1, 1, 0)),
    source="A-013",
    instead=faster,
)
zero = Erratum(
    "A large number in place of infinity stops the gradient.",
    Equal(estimate(finite_mask, outer)[1], 0),
    at=telling_masked.but(penalty=10),
    source="A-010",
    instead=residual,
)
nothing = Erratum(
    "A datum on a forbidden action contributes nothing.",
    Equal(estimate(log_prob, middle), 0),
    at=masked,
    source="A-016",
    instead=pushes,
)
guarantee = Erratum(
    "A large number guarantees legal actions.", Equal(Value(soft * (1 - allowed)), 0), source="A-012", instead=improbable
)
calmer = Erratum("A baseline lowers the variance.", AtMost(spread_with, spread), source="A-014", instead=lower)

# Why, for any number of actions K, any mask m and any data: R_k is the sum of the returns of the data that took action k, over N.
i, j, k, size = symbols("i j k K", integer=True)
weight, returns, mask = IndexedBase("w", real=True), IndexedBase("R", real=True), IndexedBase("m", positive=True)
price = symbols("s_0", real=True)
partition = Sum(mask[j] * exp(weight[j] * price), (j, 0, size - 1))
share = Named("pi_i", mask[i] * exp(weight[i] * price) / partition)[()]
shares = Derivation(
    "The shares",
    Sum(share, (i, 0, size - 1)),
    ((1, "each is divided by their sum"),),
    sizes={size: (2, 3, 4, 5, 6)},
    source="A-009",
)
closed_form = Derivation(
    "The estimate",
    Derivative(Sum(returns[k] * (log(mask[k]) + weight[k] * price - log(partition)), (k, 0, size - 1)), weight[i]),
    (
        (Sum(returns[k] * price * (KroneckerDelta(k, i) - share), (k, 0, size - 1)), "the score of each action"),
        (price * (returns[i] - share * Sum(returns[k], (k, 0, size - 1))), "only its own data see the first term"),
    ),
    sizes={size: (2, 3, 4, 5, 6), i: (0, 1)},
    at={"w": (1, 1, 1), "s_0": 1, "m": (1, 1, 1), "R": (-third, 0, third)},
    source="A-009",
)


# The figures: where gradient flow takes a policy, as points of a triangle whose corners are the actions.
def flow(p, J):
    pace = [sum(diff(p_i, weight) * diff(J, weight) for weight in w) for p_i in p]
    return {f"p{n}": p_i for n, p_i in enumerate(p)} | {f"speed{n}": x for n, x in enumerate(pace)}


def policies(parts=9):
    shares = ((i, j, parts - i - j) for i in range(1, parts) for j in range(1, parts - i))
    return [published.but(w=tuple(log(n) for n in share)) for share in shares]


def free_flow(problem, seed):
    return along(problem, flow(pi_all, J_all), policies())


def masked_flow(problem, seed):  # each policy, and where the mask puts it
    before = {f"q{n}": q for n, q in enumerate(pi_all)}
    return along(problem, flow(pi, J) | before, [p.but(allowed=(1, 0, 1)) for p in policies()])


def on_triangle(data, name):
    first, second, third = (np.array(data[f"{name}{n}"]) for n in range(3))
    return third - first, second * 3**0.5


def draw_triangle(ax, title):
    ax.plot((-1, 0, 1, -1), (0, 3**0.5, 0, 0), color="#999999", linewidth=1)
    for at, text, place in (((-1, 0), "pays -1", "top"), ((0, 3**0.5), "pays 0", "bottom"), ((1, 0), "pays 1", "top")):
        ax.text(*at, text, ha="center", va=place)
    ax.set(xlim=(-1.15, 1.15), ylim=(-0.25, 1.95), aspect="equal", title=title)
    ax.axis("off")


def draw_arrows(ax, at, speed):
    ax.quiver(*at, *speed, angles="xy", scale_units="xy", scale=2.2, color="#14315f", width=0.006, zorder=3)


def draw_free_flow(data, ax):
    draw_triangle(ax, "Gradient flow of a policy")
    draw_arrows(ax, on_triangle(data, "p"), on_triangle(data, "speed"))


def draw_masked_flow(data, ax):
    draw_triangle(ax, "With the second action forbidden")
    from_x, from_y = on_triangle(data, "q")
    to_x, to_y = on_triangle(data, "p")
    ax.plot((from_x, to_x), (from_y, to_y), color="#c8742a", linewidth=0.6, alpha=0.5)
    ax.plot(from_x, from_y, "o", color="#c8742a", markersize=2.5)
    some = np.isclose(data["q1"], min(data["q1"]))
    draw_arrows(ax, (to_x[some], to_y[some]), [speed[some] for speed in on_triangle(data, "speed")])


# What people get wrong, and the claim that must catch it.
def mask_forgotten(w, s0, allowed):
    return (w * s0).log_softmax(-1)


def mask_inverted(w, s0, allowed):
    return (w * s0).masked_fill(allowed == 1, -torch.inf).log_softmax(-1)


def masked_afterwards(w, s0, allowed):
    return (w * s0).log_softmax(-1).masked_fill(allowed == 0, -torch.inf)


def masked_by_zero(w, s0, allowed):
    return (w * s0 * allowed).log_softmax(-1)


def masked_by_ten(w, s0, allowed):
    return (w * s0 - 10 * (1 - allowed)).log_softmax(-1)


def infinity_times_zero(w, s0, allowed):
    return (w * s0 + (1 - allowed) * -torch.inf).log_softmax(-1)


def log_of_softmax(w, s0, allowed):  # the value is right, the gradient 0 * inf
    return (w * s0).masked_fill(allowed == 0, -torch.inf).softmax(-1).log()


def log_of_softmax_less_1e9(w, s0, allowed):
    return (w * s0 - 1e9 * (1 - allowed)).softmax(-1).log()


def renormalised(w, s0, allowed):
    p = (w * s0).softmax(-1) * allowed
    return (p / p.sum()).log()


def one_hot(w, s0, allowed, action):  # the gradient is right, the value 0 * inf
    return ((torch.arange(len(w)) == action) * log_pi(w, s0, allowed)).sum()


def price_forgotten(w, s0, allowed):
    return w.masked_fill(allowed == 0, -torch.inf).log_softmax(-1)


def probability(w, s0, allowed, action):
    return log_pi(w, s0, allowed)[action].exp()


def descent(w, s0, allowed, reward, action):
    return -reinforce(w, s0, allowed, reward, action)


def averaged_reward(w, s0, allowed, reward, action):
    return log_prob(w, s0, allowed, action) * reward.mean()


def baseline_of_the_action(w, s0, allowed, reward, baseline, action):
    return log_prob(w, s0, allowed, action) * (reward[action] - baseline * action)


def entropy_by_hand(w, s0, allowed):
    logs = log_pi(w, s0, allowed)
    return -(logs.exp() * logs).sum()


def one_less(w, s0, allowed, penalty, reward, action):
    return finite_mask(w, s0, allowed, penalty - 1, reward, action)


problem = Problem(
    title="Softmax policy with an action mask",
    claims=(
        scores,
        derivative,
        derivative_masked,
        shift,
        of_state,
        likely_of_state,
        centred,
        slope,
        slope_all,
        unbiased,
        drawn,
        policy,
        improbable,
        silent,
        mask_ignored,
        likely,
        surprise,
        disorder,
        leaning,
        residue,
        loud,
        harmless,
        parabola,
        lower,
        first,
        second,
        rows,
        same,
        anywhere,
        told,
        told_two,
        told_masked,
        lucky,
        skewed,
        residual,
        residual_20,
        residual_40,
        log_share,
        log_20,
        log_40,
        log_104,
        underflow_32,
        underflow_64,
        noise,
        quiet,
        large,
        half_score,
        half_log,
        far_score,
        far_log,
        *ways,
        *steady,
        sunk,
        lost,
        divergent,
        twins,
        torn,
        pushes,
        never,
        pushes_too,
        pulls,
        pulls_large,
        pulls_half,
        pulls_single,
        breaks,
        *unlikely,
        unlikely_large,
        unlikely_half,
        too_large,
        absent,
        nothing_left,
        nothing_added,
        nothing_chosen,
        refused,
        illegal,
        absorbed,
        still,
        decayed,
        moved,
        pushed_on,
        faster,
        arrival,
        followed,
        later,
    ),
    errata=(shows, equals, displayed, zero, untouched, guarantee, always, calmer, nothing),
    derivations=(shares, closed_form),
    figures=(Figure("flow", free_flow, draw_free_flow), Figure("masked_flow", masked_flow, draw_masked_flow)),
    corners=(steep, masked.but(w=(0, log(2), log(3)), s0=2), telling_masked),
    mistakes=(
        Mistake("mask forgotten", {log_pi: mask_forgotten}, breaks=unbiased, source="A-009"),
        Mistake("mask inverted", {log_pi: mask_inverted}, breaks=unbiased, source="A-009"),
        Mistake("masked after the softmax, not renormalised", {log_pi: masked_afterwards}, breaks=scores, source="A-015"),
        Mistake("forbidden logits set to zero", {log_pi: masked_by_zero}, breaks=scores, source="A-015"),
        Mistake("10 subtracted from forbidden logits", {log_pi: masked_by_ten}, breaks=scores, source="A-015"),
        Mistake("(1 - allowed) times -inf", {log_pi: infinity_times_zero}, breaks=scores, source="A-015"),
        Mistake("log of the masked softmax", {log_pi: log_of_softmax}, breaks=scores, source="A-015"),
        Mistake("log of the softmax, masked by -1e9", {log_pi: log_of_softmax_less_1e9}, breaks=scores, source="A-015"),
        Mistake("masked, renormalised, then log", {log_pi: renormalised}, breaks=scores, source="A-015"),
        Mistake("one-hot times log-probabilities", {log_prob: one_hot}, breaks=likely, source="A-015"),
        Mistake("entropy written by hand", {entropy: entropy_by_hand}, breaks=disorder, source="A-015"),
        Mistake("price forgotten", {log_pi: price_forgotten}, breaks=unbiased),
        Mistake("probability instead of its logarithm", {log_prob: probability}, breaks=unbiased),
        Mistake("sign", {reinforce: descent}, breaks=unbiased),
        Mistake("mean reward instead of the action's", {reinforce: averaged_reward}, breaks=unbiased),
        Mistake("baseline sees the action", {with_baseline: baseline_of_the_action}, breaks=harmless),
        Mistake("another C", {finite_mask: one_less}, breaks=residual, source="A-010"),
    ),
)
