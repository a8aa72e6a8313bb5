"""Softmax policy with an action mask.

One state, seen as a price s0; an action is chosen by a softmax over the logits w_i s0, among those that are allowed. The
objective is the expected reward, its estimate the reward-weighted score averaged over data. A forbidden action has
probability zero, and its weight must receive no gradient. The exercise computes both by hand, without and with a mask, and
says that the difference shows what the mask does. On its data the mask does nothing.
"""

from sympy import Eq, IndexedBase, Integral, KroneckerDelta, Piecewise, Rational, Sum, atanh, diff, oo, symbols
from sympy import exp as e
from sympy import log as ln

from gradcheck_rl import (
    AtMost, Categorical, Claim, Covariance, Derivation, Differs, Draw, E, Equal, Erratum, Gradient, LogRational, Masks, Mean, Mistake, NonFinite, OneOf, Parameter,
    Point, Problem, Rows, Size, Trace, Uniform, Value, Variable, array, frozen, log, log_softmax, softmax, torch,
)

# The setting: a weight for each action, the price, the rewards, and which actions are allowed.
K = Size("K", 3, also=(2, 4, 5, 6))
w = Parameter("w", K, over=LogRational())
s0 = Variable("s0", over=OneOf(1, 2, -1))
reward = Variable("reward", K, over=Uniform(-2, 2))
allowed = Variable("allowed", K, over=Masks())
baseline = Variable("baseline", over=Uniform(-2, 2))
penalty = Variable("penalty", over=OneOf(5, 10, 20))

# The policy and the objective.
pi = softmax(w * s0, allowed)
action = Draw("action", Categorical(logits=w * s0, allowed=allowed))
J = E(reward[action])

chosen = array(*([int(i == k) for i in range(K)] for k in range(K)))[action]
score = s0 * (chosen - pi)


# What a student writes, in torch. Arguments are bound by name.
def log_pi(w, s0, allowed):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)


def log_prob(w, s0, allowed, action, log_pi=log_pi):
    return log_pi(w, s0, allowed)[action]


def reinforce(w, s0, allowed, reward, action, log_prob=log_prob):
    return log_prob(w, s0, allowed, action) * reward[action]


def with_baseline(w, s0, allowed, reward, baseline, action, log_prob=log_prob):
    return log_prob(w, s0, allowed, action) * (reward[action] - baseline)


def unmasked(w, s0, reward, action):
    return (w * s0).log_softmax(-1)[action] * reward[action]


# The data on the page: weight 1 everywhere, price 1, rewards -1, 0, 1, each action once; then without the middle action.
published = Point(w=1, s0=1, reward=(-1, 0, 1), allowed=1)
masked = published.but(allowed=(1, 0, 1))
telling = published.but(reward=(-1, 0, 2))
telling_masked = masked.but(reward=(-1, 0, 2))
each = Rows(action=(0, 1, 2))
outer = Rows(action=(0, 2))


def estimate(f, data):
    return Mean(Gradient(f), over=data)


third, half = Rational(1, 3), Rational(1, 2)

# What must be true, at every point and every K.
scores = Claim(
    "The score of an action is s0 (1[a = i] - pi_i), sample by sample.", source="A-001",
    that=Equal(Mean((Gradient(log_prob) - score) * (Gradient(log_prob) - score)), 0),
)
modelled = Claim("The model's own derivative is the same score.", Equal(Gradient(array(*(log_softmax(w * s0)[k] for k in range(K)))), array(
    *(s0 * (int(i == k) - softmax(w * s0)[i]) for k in range(K) for i in range(K)))), source="A-001")
shift = Claim("Adding a constant to every logit changes nothing: each row of scores sums to zero.", source="A-002",
              that=Equal(Value(array(*(sum(diff(x, y) for y in w) for x in log_softmax(w * s0)))), 0))
centred = Claim("The score has mean zero.", Equal(Mean(Gradient(log_prob)), 0), source="A-002")
exact = Claim("The gradient of the expected reward is s0 pi_i (r_i - J).", Equal(Gradient(J), s0 * pi * (reward - J)), source="A-007")
unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="A-007")
sampled = Claim("Samples say so too.", Equal(Mean(Gradient(reinforce)), Gradient(J)), by=("listed", "sampled"), resolution=0.05, source="A-007")
silent = Claim("A forbidden action's weight receives no gradient, in no sample.", source="A-009",
               that=Equal(Mean(Gradient(reinforce) * Gradient(reinforce)) * (1 - allowed), 0))
harmless = Claim("A constant baseline leaves the mean alone.", Equal(Mean(Gradient(with_baseline)), Gradient(J)), source="A-014")
improbable = Claim("A forbidden action has probability zero.", Equal(pi * (1 - allowed), 0), source="A-009")
subtracted = Claim(
    "Subtracting C from the forbidden logits leaves the weight of a forbidden action a gradient of -s0 pi_i J.", source="A-010",
    that=Equal(Gradient(E(frozen(reward[action]) * log_softmax(w * s0 - penalty * (1 - allowed))[action])) * (1 - allowed),
               -s0 * softmax(w * s0 - penalty * (1 - allowed)) * J * (1 - allowed)),
)

# At the data on the page.
first = Claim("Question 1: the estimate is (-1/3, 0, 1/3).", Equal(estimate(reinforce, each), (-third, 0, third)), at=published, source="A-003")
second = Claim("Question 2: with the middle action forbidden it is (-1/2, 0, 1/2).", Equal(estimate(reinforce, outer), (-half, 0, half)), at=masked, source="A-004")
rows = Claim("The masked scores of the outer actions are (1/2, 0, -1/2) and its negative.", at=masked, source="A-004",
             that=Equal(Mean(Gradient(log_prob), over=Rows(action=(0,))), (half, 0, -half)))
same = Claim("On this data the gradient is the same with and without the mask: the returns sum to zero.", at=masked, source="A-005",
             that=Equal(estimate(reinforce, outer), estimate(unmasked, outer)))
anywhere = Claim("It is the same at other weights too.", Equal(estimate(reinforce, outer), (-half, 0, half)), at=masked.but(w=(third, -2, 5)), source="A-005")
told = Claim("Rewards (-1, 0, 2) tell: all three actions give (-4/9, -1/9, 5/9).", at=telling, source="A-006",
             that=Equal(estimate(reinforce, each), (-Rational(4, 9), -Rational(1, 9), Rational(5, 9))))
told_two = Claim("The outer actions alone give (-2/3, -1/6, 5/6) without the mask,", at=telling, source="A-006",
                 that=Equal(estimate(reinforce, outer), (-Rational(2, 3), -Rational(1, 6), Rational(5, 6))))
told_masked = Claim("and (-3/4, 0, 3/4) with it.", Equal(estimate(reinforce, outer), (-Rational(3, 4), 0, Rational(3, 4))), at=telling_masked, source="A-006")
agree = Claim("At w = (1, 1, 1) the estimate is the true gradient, since each action occurs as often as it should.", at=published, source="A-007",
              that=Equal(estimate(reinforce, each), Gradient(J)))
agree_masked = Claim("So it is under the mask.", Equal(estimate(reinforce, outer), Gradient(J)), at=masked, source="A-007")
skewed = Claim("At w = (0, log 2, log 3) the true gradient is (-2/9, -1/9, 1/3).", at=published.but(w=(0, ln(2), ln(3))), source="A-007",
               that=Equal(Gradient(J), (-Rational(2, 9), -Rational(1, 9), third)))
noise = Claim("One sample has variance 2/27 in each weight,", Equal(Covariance(Gradient(reinforce)) * array(1, 0, 0, 0, 1, 0, 0, 0, 1), array(
    *(Rational(2, 27) * int(i == j) for i in range(3) for j in range(3)))), at=published, source="A-014")
quiet = Claim("and none at all under the mask: every sample gives the same vector.", Equal(Covariance(Gradient(reinforce)), 0), at=masked, source="A-014")
residue = Claim(
    "With C = 10 the forbidden weight still receives -exp(-10)/(2 (2 + exp(-10))).", at=telling_masked.but(penalty=10), source="A-010",
    that=Equal(Mean(Gradient(lambda_free := None), over=outer), 0) if False else Equal(Value(-s0 * softmax(w * s0 - penalty * (1 - allowed))[1] / 2), -e(-10) / (2 * (2 + e(-10)))),
) if K == 3 else None
