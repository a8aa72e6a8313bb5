"""Importance sampling: the gradient of one policy from trajectories of another.

The data were collected by an old policy; the gradient is wanted of a new one. Weighting each trajectory with the ratio of its
two probabilities makes every mean right, and the dynamics cancel from the ratio. To tame the weights people drop factors: the
ratios after a step, those before it, the law of the states. What is left is a gradient of something else, and at equal
policies, where it is usually tested, nobody can tell.
"""

import numpy as np
from sympy import Integral, Rational, Sum, binomial, limit, log, oo, pi, sqrt, symbols
from sympy import exp as e_to

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
    Gaussian,
    Gradient,
    Integers,
    LogRational,
    Mean,
    Mistake,
    Named,
    OneOf,
    Parameter,
    Point,
    Problem,
    Simplex,
    Size,
    Trace,
    Uniform,
    Value,
    Variable,
    along,
    array,
    bars,
    batch,
    diff,
    episode,
    log_prob,
    maximum,
    softmax,
    torch,
)
from gradcheck_rl import (
    step as at_least,
)

# The setting: an MDP, the policy that collected the data, and the one whose gradient is wanted.
T = Size("T", 3, also=(1, 2))
theta = Parameter("theta", (2, 2), over=LogRational())
old = Variable("old", (2, 2), over=LogRational())
start = Variable("start", 2, over=Simplex())
step = Variable("step", (2, 2, 2), over=Simplex())
reward = Variable("reward", (2, 2), over=Integers(-4, 4))
c = Variable("c", over=Uniform(-2, 2))  # added to every reward
third, half = Rational(1, 3), Rational(1, 2)

new_policy, old_policy = softmax(theta), softmax(old)
tau = episode(start, step, reward, old_policy, T)
states, actions, rewards = tau["states"], tau["actions"], tau["rewards"]
short, single = (episode(start, step, reward, old_policy, t) for t in (2, 1))
shifted = episode(start, step, reward + c, old_policy, T)
ahead = episode(start, step, reward, new_policy, T)  # what one would see under the new policy
identity = array((1, 0), (0, 1))


# The model: values backwards, the laws of the states forwards.
def Q(left, policy):  # with so many steps left
    return reward + (step * (policy * Q(left - 1, policy)).sum(-1)).sum(-1) if left > 1 else reward


def occupied(t, policy):  # the law of the state at time t
    return ((occupied(t - 1, policy)[:, None] * policy)[..., None] * step).sum((0, 1)) if t else start


def expected_return(policy):
    return (start * (policy * Q(T, policy)).sum(-1)).sum()


def scores(policy):  # of each state and action, by each logit
    return (identity[:, None, :, None] * (identity[:, None, :] - policy)).reshape(2, 2, 4)


def field(visited, chosen, score, judged):
    """sum_t sum_s d_t(s) sum_a chosen(s, a) score(s, a) Q_t(s, a): each estimator has a mean of this form."""
    by_step = ((visited(t)[:, None] * chosen * judged(t))[..., None] * score for t in range(T))
    return sum(term.sum((0, 1)) for term in by_step)


def d_new(t):
    return occupied(t, new_policy)


def d_old(t):
    return occupied(t, old_policy)


def Q_new(t):
    return Q(T - t, new_policy)


def Q_old(t):
    return Q(T - t, old_policy)


def steps_left(t):  # the values, if every reward is 1
    return T - t


J, J_old = expected_return(new_policy), expected_return(old_policy)
score_new, score_old = scores(new_policy), scores(old_policy)
squared = new_policy**2 / old_policy  # a ratio counted twice
without_future = field(d_new, new_policy, score_new, Q_old)
without_past = field(d_old, new_policy, score_new, Q_old)

# The same somewhere between the two policies.
delta = Variable("delta", over=Uniform(0, 1))
between = softmax(old + delta * (theta - old))


def d_between(t):
    return occupied(t, between)


def Q_between(t):
    return Q(T - t, between)


gradient_between = field(d_between, between, scores(between), Q_between)
off_without_future = field(d_between, between, scores(between), Q_old) - gradient_between
off_without_past = field(d_old, between, scores(between), Q_old) - gradient_between


def Q_moving(t):
    return array(*([diff(value, delta[()]) for value in row] for row in Q_between(t)))


def d_moving(t):
    return array(*(diff(chance, delta[()]) for chance in d_between(t)))


by_values = field(d_old, old_policy, score_old, Q_moving)

# The ratios of each step, and the weight of what happened up to it.
rho = [new_policy[s, a] / old_policy[s, a] for s, a in zip(states, actions, strict=True)]
weights = [array(*rho[: t + 1]).prod() for t in range(T)]
g = [score_new[s, a] for s, a in zip(states, actions, strict=True)]
g_old = [score_old[s, a] for s, a in zip(states, actions, strict=True)]
to_come = [rewards[t:].sum() for t in range(T)]

# The estimates.
total = weights[-1] * sum(g) * tau.total
parts = sum(g[t] * sum(weights[late] * rewards[late] for late in range(t, T)) for t in range(T))
parts_twice = sum(rho[t] * g[t] * sum(weights[late] * rewards[late] for late in range(t, T)) for t in range(T))
parts_dropped = sum(weights[t] * g[t] * to_come[t] for t in range(T))
parts_alone = sum(rho[t] * g[t] * to_come[t] for t in range(T))
parts_ahead = sum(
    (d_new(t) / d_old(t))[states[t]] * g[t] * sum(array(*rho[t : late + 1]).prod() * rewards[late] for late in range(t, T))
    for t in range(T)
)


def advantage(t):  # of the old policy
    return Q_old(t) - (old_policy * Q_old(t)).sum(-1)[:, None]


gain = sum((d_new(t)[:, None] * new_policy * advantage(t)).sum() for t in range(T))


def paid_at_old_states(policy):
    return J_old + sum((d_old(t)[:, None] * policy * advantage(t)).sum() for t in range(T))


surrogate = paid_at_old_states(new_policy)
short_of = expected_return(between) - paid_at_old_states(between)


def size(x):
    return maximum(x, -x)


def moved(t):  # how far the law of the states has gone
    return size(d_new(t) - d_old(t)).sum()


apart = size(new_policy - old_policy).sum(-1) / 2
furthest = maximum(*apart)

# Any two laws, and a function of the outcome.
p = Variable("p", 3, over=Simplex())
q = Variable("q", 3, over=Simplex())
f = Variable("f", 3, over=Uniform(-2, 2))
k = Draw("k", Categorical(q))
k_wanted = Draw("k_wanted", Categorical(p))
wanted = E(f[k_wanted])

# T independent steps in one state.
share = Variable("share", 2, over=Simplex())
old_share = Variable("old_share", 2, over=Simplex())
level = Variable("level", over=OneOf(half, Rational(1, 10), Rational(1, 100)))
flips = batch(Draw("flip", Categorical(old_share)), T)
weight_in_one_state = array(*(share[i] / old_share[i] for i in flips["flip"])).prod()


# More steps, even chances of old, 1/4 and 3/4 of new: the weight of k steps of the second kind among n is (1/2)^(n - k) (3/2)^k.
def weight_after(n, counts):  # of the second kind, from 0 to n
    chances = [Rational(binomial(n, i), 2**n) for i in counts]
    return array(*(half ** (n - i) * (3 * half) ** i for i in counts))[Draw(f"seconds{n}", Categorical(chances))]


many = {n: weight_after(n, range(n + 1)) for n in (1, 5, 10, 20, 50)}
rounds = Variable("rounds", over=OneOf(tuple(many)))

# A normal number of deviation `wide` or `narrow`, where one of deviation 1 is wanted.
wide = Variable("wide", over=Uniform(0.85, 2))
narrow = Variable("narrow", over=Uniform(0.2, 0.7))
reach = Variable("reach", over=Uniform(0, 5))
z = Draw("z", Gaussian(0, wide))
x = symbols("x", real=True)


def density(deviation):
    return e_to(log_prob(x, Gaussian(0, deviation)))


def second_moment(deviation, low, high):  # of the weight, as far as from low to high
    return Integral(density(1) ** 2 / density(deviation), (x, low, high))


# What a student writes, in torch: one number for a trajectory, whose gradient is the estimate.
def log_pi(theta, states, actions):
    return theta.log_softmax(-1)[states, actions]


def ratios(theta, old, states, actions, log_pi=log_pi):
    return (log_pi(theta, states, actions) - log_pi(old, states, actions)).exp()


def to_go(rewards):
    return rewards.flip(-1).cumsum(-1).flip(-1)


def weight(theta, old, states, actions, ratios=ratios):
    return ratios(theta, old, states, actions).prod()


def likelihood(theta, start, step, states, actions):
    chosen = theta.softmax(-1)[states, actions]
    return start[states[0]] * chosen.prod() * step[states[:-1], actions[:-1], states[1:]].prod()


def ratio_of_likelihoods(theta, old, start, step, states, actions, likelihood=likelihood):
    return likelihood(theta, start, step, states, actions) / likelihood(old, start, step, states, actions)


def by_trajectory(theta, old, states, actions, rewards, weight=weight):
    return weight(theta, old, states, actions) * rewards.sum()


def by_decision(theta, old, states, actions, rewards, ratios=ratios):
    return (ratios(theta, old, states, actions).cumprod(-1) * rewards).sum()


# The same as scores with detached weights.
def whole(theta, old, states, actions, rewards, log_pi=log_pi, weight=weight):
    return weight(theta, old, states, actions).detach() * log_pi(theta, states, actions).sum() * rewards.sum()


def causal(theta, old, states, actions, rewards, log_pi=log_pi, ratios=ratios):
    weights = ratios(theta, old, states, actions).detach().cumprod(-1)
    return (log_pi(theta, states, actions) * to_go(weights * rewards)).sum()


# As printed: the ratios up to a step stand outside, those from it on inside. The ratio of the step itself stands in both.
def counted_twice(theta, old, states, actions, rewards, log_pi=log_pi, ratios=ratios):
    ratio = ratios(theta, old, states, actions).detach()
    return (log_pi(theta, states, actions) * ratio * to_go(ratio.cumprod(-1) * rewards)).sum()


def future_dropped(theta, old, states, actions, rewards, log_pi=log_pi, ratios=ratios):
    weights = ratios(theta, old, states, actions).detach().cumprod(-1)
    return (log_pi(theta, states, actions) * weights * to_go(rewards)).sum()


def step_by_step(theta, old, states, actions, rewards, log_pi=log_pi, ratios=ratios):
    ratio = ratios(theta, old, states, actions).detach()
    return (log_pi(theta, states, actions) * ratio * to_go(rewards)).sum()


def step_by_step_at_old(theta, old, states, actions, rewards, log_pi=log_pi, ratios=ratios):
    ratio = ratios(theta, old, states, actions).detach()
    return (log_pi(old, states, actions) * ratio * to_go(rewards)).sum()


def visits(theta, start, step):  # the law of the state at each time
    laws = [start]
    for _ in range(T - 1):
        laws.append(torch.einsum("s,sa,sax->x", laws[-1], theta.softmax(-1), step))
    return torch.stack(laws)


def visit_ratios(theta, old, start, step, states, visits=visits):
    with torch.no_grad():
        return (visits(theta, start, step) / visits(old, start, step))[torch.arange(len(states)), states]


def by_states(theta, old, start, step, states, actions, rewards, visit_ratios=visit_ratios):
    ratio = ratios(theta, old, states, actions).detach() * visit_ratios(theta, old, start, step, states)
    return (log_pi(theta, states, actions) * ratio * to_go(rewards)).sum()


def by_states_at_old(theta, old, start, step, states, actions, rewards, visit_ratios=visit_ratios):
    ratio = ratios(theta, old, states, actions).detach() * visit_ratios(theta, old, start, step, states)
    return (log_pi(old, states, actions) * ratio * to_go(rewards)).sum()


def by_states_ahead(theta, old, start, step, states, actions, rewards, visit_ratios=visit_ratios):
    ratio = ratios(theta, old, states, actions).detach()
    later = to_go(ratio.cumprod(-1) * rewards) / ratio.cumprod(-1)  # the rewards with the ratios after the step
    here = ratio * visit_ratios(theta, old, start, step, states)
    return (log_pi(theta, states, actions) * here * later).sum()


def reward_to_go(old, states, actions, rewards):  # nothing to weight: the gradient of the old policy
    return (log_pi(old, states, actions) * to_go(rewards)).sum()


def each_step_from_its_own(old, states, actions, rewards):  # one step of each trajectory, as if they were independent pairs
    return (log_pi(old, states, actions) * to_go(rewards)).diagonal().sum()


# Any two laws; one state; normal numbers.
def reweighted(p, q, f, k):
    return p[k] / q[k] * f[k]


def normalised(p, q, f, k):  # the weights of a batch, divided by their sum
    return (p[k] / q[k] * f[k]).sum() / (p[k] / q[k]).sum()


def weight_of_flips(share, old_share, flip):
    return (share[flip] / old_share[flip]).prod()


def little(rounds, level):  # the chance of a weight below a level, by Pascal's triangle
    chances = np.ones(1)
    for _ in range(int(rounds)):
        chances = (np.append(chances, 0) + np.append(0, chances)) / 2
    second = np.arange(len(chances))
    return chances[3.0**second < 2.0**rounds * level].sum()


def normal_weight(wide, z):
    return (torch.distributions.Normal(0.0, 1.0).log_prob(z) - torch.distributions.Normal(0.0, wide).log_prob(z)).exp()


def spread(estimator, over=None):
    return Trace(Covariance(Gradient(estimator), over=over))


def variance(formula):
    return E(formula**2) - E(formula) ** 2


# What must be true of any two laws.
reweights = Claim(
    "Where q is positive, weighting with p/q makes the mean under q that under p.",
    source="C-043",
    that=Equal(Mean(Value(reweighted)), wanted),
)
levelled = Claim(
    "The ratio itself has mean 1: it is neither above 1 everywhere nor below.", Equal(E(p[k] / q[k]), 1), source="C-045"
)
louder_or_quieter = Claim(
    "It changes the variance by the mean, under p, of (p/q - 1) f^2.",
    source="C-044, C-045",
    that=Equal(Covariance(Value(reweighted)), variance(f[k_wanted]) + E((p[k_wanted] / q[k_wanted] - 1) * f[k_wanted] ** 2)),
)
even = Point(p=(half, half / 2, half / 2), q=(half, half / 2, half / 2), f=(1, 3, 3))  # 1 or 3, the latter twice
unseen = Claim(
    "What q never shows is lost: of the mean 2 is left 1/2.",
    at=even.but(q=(1, 0, 0)),
    source="C-043",
    that=Equal(Mean(Value(reweighted)), half),
)
some_spread = Claim(
    "Under p itself the variance of 1 or 3 is 1,", Equal(Covariance(Value(reweighted)), 1), at=even, source="C-044"
)
no_spread = Claim(
    "under q in proportion to p f nothing,",
    at=even.but(q=(half / 2, 3 * half / 4, 3 * half / 4)),
    source="C-044",
    that=Equal(Covariance(Value(reweighted)), 0),
)
more_spread = Claim(
    "under the opposite 1 + 13/3,",
    at=even.but(q=(3 * half / 2, half / 4, half / 4)),
    source="C-044",
    that=Equal(Covariance(Value(reweighted)), 1 + Rational(13, 3)),
)
less_spread = Claim(
    "and in between 1 - 20/21.",
    at=even.but(q=(Rational(6, 20), Rational(7, 20), Rational(7, 20))),
    source="C-044",
    that=Equal(Covariance(Value(reweighted)), 1 - Rational(20, 21)),
)
two_draws = batch(k, 2)
divided = Claim(
    "Weights divided by their sum: under the opposite two draws have the mean 27/16, not 2,",
    at=even.but(q=(3 * half / 2, half / 4, half / 4)),
    that=Equal(Mean(Value(normalised), over=two_draws), Rational(27, 16)),
)
constant = Claim(
    "but a constant is left as it is, in every sample.",
    that=Equal(Mean((Value(normalised) - 3) * (Value(normalised) - 3), over=two_draws), 0),
    at=even.but(q=(3 * half / 2, half / 4, half / 4), f=3),
)
normal_mean = Claim(
    "A normal number of another deviation: the weight has mean 1.", Equal(Mean(Value(normal_weight)), 1), source="C-045"
)
normal_each = Claim(
    "At z it is s exp((1 / s^2 - 1) z^2 / 2), of two densities that are highest at 0.",
    source="C-045",
    that=Equal(Value(normal_weight), wide * e_to((1 / wide**2 - 1) * z**2 / 2)),
)
highest = Claim(
    "They have no slope there.", Equal(array(*(density(s).diff(x).subs(x, 0) for s in (1, wide[()]))), 0), source="C-045"
)
normal_spread = Claim(
    "Its second moment is s^2 / sqrt(2 s^2 - 1) while s^2 > 1/2.",
    source="C-045",
    that=Equal(Covariance(Value(normal_weight)), wide**2 / sqrt(2 * wide[()] ** 2 - 1) - 1),
)
normal_integral = Claim(
    "So says the integral.",
    source="C-045",
    that=Equal(second_moment(wide[()], -oo, oo), wide**2 / sqrt(2 * wide[()] ** 2 - 1)),
)
infinite = tuple(
    Claim(f"At s^2 = {square} it is infinite.", Equal(second_moment(sqrt(square), -oo, oo).doit(), oo), source="C-045")
    for square in (half, Rational(2, 5))
)
no_bound = Claim(
    "Where s^2 <= 1/2 it grows without bound with what is counted: as far as x it is at least x s sqrt(2 / pi).",
    source="C-045",
    that=AtMost(reach * narrow * sqrt(2 / pi), second_moment(narrow[()], -reach[()], reach[()])),
)

# What must be true of the weights.
known = Claim(
    "A trajectory's likelihood is the product of its start, its moves and its actions.",
    source="C-046",
    that=Equal(
        Value(likelihood),
        start[states[0]]
        * array(*(new_policy[s, a] for s, a in zip(states, actions, strict=True))).prod()
        * array(1, *(step[states[t], actions[t], states[t + 1]] for t in range(T - 1))).prod(),
    ),
)
cancels = Claim(
    "The dynamics cancel: the ratio of two trajectories' likelihoods is the product of the policies' ratios, every time.",
    source="C-046",
    that=Equal(Value(ratio_of_likelihoods), Value(weight)),
)
fair = Claim("It has mean 1.", Equal(Mean(Value(weight)), 1), source="C-046")
worth = Claim("Weighted returns have the mean of the new policy's.", Equal(Mean(Value(by_trajectory)), J), source="C-046")
worth_each = Claim("So have rewards, each with the weight so far.", Equal(Mean(Value(by_decision)), J), source="C-046")
later_ratios = Claim(
    "The ratios after a step do not matter to the mean of what came before.",
    source="C-049",
    that=Equal(array(*(E(weights[-1] * rewards[t] * g[t]) - E(weights[t] * rewards[t] * g[t]) for t in range(T))), 0),
)

# What must be true of the estimators. Their gradients are compared at policies that differ.
by_whole = Claim(
    "The gradient of the weighted return is unbiased.", Equal(Mean(Gradient(by_trajectory)), Gradient(J)), source="C-047"
)
same_whole = Claim(
    "It is the weight times the score times the return, in every sample.",
    source="C-047",
    that=Equal(Gradient(whole), Gradient(by_trajectory)),
)
other_side = Claim(
    "By the old policy's logits it would be minus the old score: old probabilities are data.",
    source="C-047",
    that=Equal(Gradient(by_trajectory, old), -weights[-1] * sum(g_old) * tau.total),
)
by_parts = Claim(
    "So is that of the weighted rewards,",
    source="C-048",
    that=Equal(Mean(Gradient(by_decision)), Gradient(J)),
)
same_parts = Claim(
    "which is, in every sample, each score with the rewards to come, each of them weighted with the ratios up to itself.",
    source="C-048",
    that=Equal(Gradient(causal), Gradient(by_decision)),
)
sample_by_sample = tuple(
    Claim(f"The model of `{f.__name__}` is right in every sample.", Equal(Gradient(f), formula), source=source)
    for f, formula, source in (
        (whole, total, "C-047"),
        (causal, parts, "C-048"),
        (counted_twice, parts_twice, "C-048"),
        (future_dropped, parts_dropped, "C-050"),
        (step_by_step, parts_alone, "C-056"),
        (by_states_ahead, parts_ahead, "C-055"),
    )
)
through = Claim(
    "The gradient is that of the values under the new policy, in the states that it visits.",
    source="C-048",
    that=Equal(Gradient(J), field(d_new, new_policy, score_new, Q_new)),
)
twice = Claim(
    "As printed one ratio counts twice: pi'^2/pi stands in the place of pi'.",
    source="C-048",
    that=Equal(Mean(Gradient(counted_twice)), field(d_new, squared, score_new, Q_new)),
)
dropped = Claim(
    "Without the ratios after a step the values are those of the old policy.",
    source="C-050",
    that=Equal(Mean(Gradient(future_dropped)), without_future),
)
visited = Claim(
    "The laws of the states, step by step.", Equal(Value(visits), array(*(d_new(t) for t in range(T)))), source="C-055"
)
states_too = Claim(
    "So they are with the ratio of the states' laws in the place of the ratios before.",
    source="C-055",
    that=Equal(Mean(Gradient(by_states)), without_future),
)
states_ahead = Claim(
    "With the ratios after the step the gradient is right.",
    source="C-055",
    that=Equal(Mean(Gradient(by_states_ahead)), Gradient(J)),
)
states_at_old = Claim(
    "As printed, the score is the old policy's.",
    source="C-055",
    that=Equal(Mean(Gradient(by_states_at_old, old)), field(d_new, new_policy, score_old, Q_old)),
)
alone = Claim(
    "With the ratio of the step alone the states are those of the old policy too.",
    source="C-056",
    that=Equal(Mean(Gradient(step_by_step)), without_past),
)
alone_at_old = Claim(
    "As printed, the score is the old policy's.",
    source="C-056",
    that=Equal(Mean(Gradient(step_by_step_at_old, old)), field(d_old, new_policy, score_old, Q_old)),
)
of_surrogate = Claim(
    "It is the gradient of the surrogate, which pays the old policy's advantages in the old policy's states.",
    source="C-056, C-057",
    that=Equal(without_past, Gradient(surrogate)),
)
stretched = Claim(
    "With two actions it is the old policy's gradient, stretched in each state by the ratio of the chances' products.",
    source="C-056",
    that=Equal(
        without_past.reshape(2, 2),
        (new_policy.prod(-1) / old_policy.prod(-1))[:, None] * field(d_old, old_policy, score_old, Q_old).reshape(2, 2),
    ),
)
one_step = Claim(
    "In a single step there is no future to drop,",
    Equal(Mean(Gradient(future_dropped), over=single), Mean(Gradient(causal), over=single)),
    source="C-050",
)
one_step_alone = Claim(
    "and no past.", Equal(Mean(Gradient(step_by_step), over=single), Mean(Gradient(causal), over=single)), source="C-056"
)

# The same reward in every step pays every policy alike.
unmoved = Claim(
    "Adding c to every reward changes no gradient:",
    source="C-048",
    that=Equal(Mean(Gradient(causal), over=shifted) - Mean(Gradient(causal)), 0),
)
unmoved_alone = Claim(
    "not that of the step alone either,",
    source="C-056",
    that=Equal(Mean(Gradient(step_by_step), over=shifted) - Mean(Gradient(step_by_step)), 0),
)
moved_twice = Claim(
    "but what counts a ratio twice,",
    source="C-048",
    that=Equal(
        Mean(Gradient(counted_twice), over=shifted) - Mean(Gradient(counted_twice)),
        c * field(d_new, squared, score_new, steps_left),
    ),
)
moved_at_old = Claim(
    "and what has the old policy's score.",
    source="C-056",
    that=Equal(
        Mean(Gradient(step_by_step_at_old, old), over=shifted) - Mean(Gradient(step_by_step_at_old, old)),
        c * field(d_old, new_policy, score_old, steps_left),
    ),
)

# How far it goes.
difference = Claim(
    "The new policy gains the old one's advantages, in the states that it visits itself.", Equal(J - J_old, gain), source="C-059"
)
near = Claim(
    "After t steps the laws of the states are at most 2 (1 - (1 - e)^t) apart, where e is the largest distance in a state,",
    source="C-057",
    that=AtMost(array(*(moved(t) for t in range(T))), array(*(2 * (1 - (1 - furthest) ** t) for t in range(T)))),
)
nearer = Claim(
    "and so at most 2 e t.",
    source="C-057",
    that=AtMost(array(*(moved(t) for t in range(T))), array(*(2 * furthest * t for t in range(T)))),
)

told = Point(
    theta=((log(3), log(2)), (0, log(2))), old=((log(2), 0), (0, log(2))), start=(1, 0), step=(((1, 0), (0, 1)), ((1, 0), (0, 1)))
)
attained = Claim(
    "Where the action is the next state, one step takes them as far: here 2 (2/3 - 3/5).",
    at=told,
    source="C-057",
    that=Equal(array(moved(1), 2 * furthest), 2 * (2 * third - Rational(3, 5))),
)

# How the weights spread with the number of steps.
second = Claim(
    "The second moment of a weight goes from step to step with pi'^2/pi in the place of the policy.",
    source="C-051",
    that=Equal(Covariance(Value(weight)), occupied(T, squared).sum() - 1),
)
mean_weight = Claim(
    "In one state a weight has mean 1 after any number of steps,",
    Equal(Mean(Value(weight_of_flips), over=flips), 1),
    source="C-051",
)
power = Claim(
    "its second moment is that of one ratio to the power T,",
    source="C-051",
    that=Equal(Covariance(Value(weight_of_flips), over=flips), (share**2 / old_share).sum() ** T - 1),
)
overlap = sum(sqrt(a * b) for a, b in zip(share, old_share, strict=True))
root = Claim(
    "the mean of its root that of one root, which is below 1, to that power.",
    Equal(E(sqrt(weight_in_one_state)), overlap**T),
    source="C-051",
)
vanishes = Claim(
    "So it vanishes: the chance that it exceeds a level is at most that, over the root of the level.",
    source="C-051",
    that=AtMost(E(at_least(weight_in_one_state - level)), overlap**T / sqrt(level[()])),
)
few = tuple(
    Claim(
        f"After {n} steps, even chances against 1/4 and 3/4: the chance of a weight below {small},",
        at=Point(rounds=n, level=small),
        source="C-051",
        that=Equal(Value(little), E(1 - at_least(many[n] - small))),
    )
    for n, small in [(5, Rational(1, 10)), *((n, Rational(1, 100)) for n in many)]
)
medians = tuple(
    Claim(
        f"and half of the weights are at most (3/4)^{n // 2}, half at least.",
        source="C-051",
        that=AtMost(
            half,
            array(E(at_least((3 * half / 2) ** (n // 2) - many[n])), E(at_least(many[n] - (3 * half / 2) ** (n // 2)))),
        ),
    )
    for n in (10, 20, 50)
)
worthless = Claim(
    "Each step takes a fifth off what the data are worth, E[w]^2 / E[w^2],",
    source="C-051",
    that=Equal(array(*(E(w) ** 2 / E(w**2) for w in many.values())), array(*(Rational(4, 5) ** n for n in many))),
)
sinks = Claim(
    "and log(4/3) / 2 off the mean log-weight.",
    source="C-051",
    that=Equal(array(*(E(log(w)) for w in many.values())), array(*(-n * log(Rational(4, 3)) / 2 for n in many))),
)

# Steps of one trajectory are not independent.
two_short = batch(short, 2)
as_good = Claim(
    "One step from each of two trajectories has the mean of both steps of one,",
    source="C-053",
    that=Equal(Mean(Gradient(each_step_from_its_own, old), over=two_short), Mean(Gradient(reward_to_go, old), over=short)),
)

# The MDP of the notes, and its two policies.
notes = Point(
    theta=((log(3), log(2)), (0, log(2))),
    old=((log(2), 0), (0, log(3))),
    start=(2 * third, third),
    reward=((1, -2), (3, half)),
    step=(((3 * half / 2, half / 2), (third, 2 * third)), ((half, half), (Rational(1, 5), Rational(4, 5)))),
    c=1,
)
worth_there = Claim(
    "In the MDP of the notes the weighted return,", Equal(Mean(Value(by_trajectory)), J), at=notes, source="C-046"
)
drawn_there = Claim(
    "as samples say too,",
    by=("listed", "sampled"),
    resolution=0.05,
    at=notes,
    source="C-046",
    that=Equal(Mean(Value(by_trajectory)), J),
)
slope_there = Claim("its gradient,", Equal(Mean(Gradient(by_trajectory)), Gradient(J)), at=notes, source="C-047")
twice_there = Claim(
    "what the printed form estimates,",
    at=notes,
    source="C-048",
    that=Equal(Mean(Gradient(counted_twice)), field(d_new, squared, score_new, Q_new)),
)
dropped_there = Claim(
    "what is left without the future,", Equal(Mean(Gradient(future_dropped)), without_future), at=notes, source="C-050, C-055"
)
alone_there = Claim("and without the past.", Equal(Mean(Gradient(step_by_step)), without_past), at=notes, source="C-056")
total_spread = Claim("The spread of the whole weight,", Equal(spread(whole), variance(total).sum()), at=notes, source="C-047")
parts_spread = Claim("of weights so far,", Equal(spread(causal), variance(parts).sum()), at=notes, source="C-048")
twice_spread = Claim("of the printed form,", Equal(spread(counted_twice), variance(parts_twice).sum()), at=notes, source="C-048")
dropped_spread = Claim(
    "without the future,", Equal(spread(future_dropped), variance(parts_dropped).sum()), at=notes, source="C-050"
)
alone_spread = Claim("without the past,", Equal(spread(step_by_step), variance(parts_alone).sum()), at=notes, source="C-056")
ahead_spread = Claim(
    "and with the states' laws.", Equal(spread(by_states_ahead), variance(parts_ahead).sum()), at=notes, source="C-055"
)
ordered = Claim(
    "Each factor that is dropped here lowers it.",
    at=notes,
    source="C-047, C-048, C-050, C-056",
    that=AtMost(
        array(variance(parts_alone).sum(), variance(parts_dropped).sum(), variance(parts).sum()),
        array(variance(parts_dropped).sum(), variance(parts).sum(), variance(total).sum()),
    ),
)
calmer = Claim(
    "Weighting each reward by itself lowers the variance of the return here.",
    at=notes,
    source="C-046",
    that=AtMost(Covariance(Value(by_decision)), Covariance(Value(by_trajectory))),
)
dearer = Claim(
    "And independent pairs spread more than the steps of one trajectory.",
    at=notes,
    source="C-053",
    that=AtMost(
        variance(sum(g_old[t] * to_come[t] for t in range(T))).sum(), sum(variance(g_old[t] * to_come[t]).sum() for t in range(T))
    ),
)
first_order = tuple(
    Claim(f"On the way to the new policy the error {without} begins at 0", Equal(off, 0), where=Equal(delta, 0), source=source)
    for without, off, source in (
        ("without the future", off_without_future, "C-050"),
        ("without the past", off_without_past, "C-056"),
    )
)
values_move = Claim(
    "and grows as fast as the values move,",
    where=Equal(delta, 0),
    source="C-050",
    that=Equal(Gradient(off_without_future, delta), -by_values),
)
laws_move = Claim(
    "without the past as the laws of the states move too;",
    where=Equal(delta, 0),
    source="C-056",
    that=Equal(Gradient(off_without_past, delta), -by_values - field(d_moving, old_policy, score_old, Q_old)),
)
at_once = Claim("which is at once.", Differs(by_values, 0), at=notes.but(delta=0), source="C-050, C-056")
tangent = Claim(
    "The surrogate leaves the return only to second order.",
    source="C-057",
    where=Equal(delta, 0),
    that=Equal(Gradient(short_of, delta), 0),
)
parting = Claim(
    "It does leave it, by the advantages in states that are visited more or less often,",
    where=Equal(delta, 1),
    source="C-057",
    that=Equal(short_of, sum(((d_new(t) - d_old(t))[:, None] * new_policy * advantage(t)).sum() for t in range(T))),
)
arrived = Claim(
    "At the end of the way stands the new policy.", Equal(gradient_between, Gradient(J)), where=Equal(delta, 1), source="C-057"
)
bends = Claim(
    "and faster than in proportion to the way.",
    at=notes.but(delta=1),
    source="C-057",
    that=AtMost(short_of, Gradient(short_of, delta)),
)

# Where both policies are one, nothing can be told.
alike = tuple(
    Claim(
        f"At equal policies `{f.__name__}` is right.",
        Equal(Mean(Gradient(f, by)), Gradient(J)),
        where=Equal(old, theta),
        source="C-058",
    )
    for by, functions in (
        (
            theta,
            (by_trajectory, by_decision, whole, causal, counted_twice, future_dropped, step_by_step, by_states, by_states_ahead),
        ),
        (old, (by_states_at_old, step_by_step_at_old)),
    )
    for f in functions
)

# One step, where the old policy takes the worse action once in ten.
seldom = notes.but(theta=0, old=((log(9), 0), (0, 0)), start=(1, 0), reward=((2, 1), (0, 0)))
downhill = Claim(
    "One step, the worse action tried once in ten: as printed its return counts tenfold, and the better one goes down.",
    at=seldom,
    source="C-048",
    that=Equal(
        Mean(Gradient(counted_twice), over=single)[0], half**2 / Rational(9, 10) * half * 2 - half**2 / Rational(1, 10) * half * 1
    ),
)

# Two steps: action 0 leads to a state that pays 10 or -10, where the policies take opposite sides.
rare, usual = Rational(1, 100), Rational(99, 100)
mirrored = notes.but(
    theta=((0, 0), (log(99), 0)),
    old=((0, 0), (0, log(99))),
    start=(1, 0),
    reward=((0, 0), (10, -10)),
    step=(((0, 1), (1, 0)), ((0, 1), (0, 1))),
)
towards = Claim(
    "The new policy earns 10 (99/100 - 1/100) there, so it should go there,",
    at=mirrored,
    source="C-050",
    that=Equal(Mean(Gradient(causal), over=short)[::2], array(half**2 * 10 * (usual - rare), half * usual * rare * 20)),
)
away = Claim(
    "the old one loses as much: without the future one is sent away,",
    at=mirrored,
    source="C-050",
    that=Equal(Mean(Gradient(future_dropped), over=short)[::2], array(half**2 * 10 * (rare - usual), half * usual * rare * 20)),
)
away_alone = Claim(
    "without the past too.",
    at=mirrored,
    source="C-056",
    that=Equal(Mean(Gradient(step_by_step), over=short), Mean(Gradient(future_dropped), over=short)),
)

# Two steps: -1, then 1, whatever is done.
level_return = notes.but(reward=((-1, -1), (1, 1)), start=(1, 0), step=(((0, 1), (0, 1)), ((0, 1), (0, 1))))
no_noise = Claim(
    "-1, then 1: the weighted return is always 0,",
    Equal(Covariance(Value(by_trajectory), over=short), 0),
    at=level_return,
    source="C-046",
)
some_noise = Claim(
    "with its own weights it is w_1 (w_2 - 1), of variance E[w_1^2] (E[w_2^2] - 1).",
    at=level_return,
    source="C-046",
    that=Equal(Covariance(Value(by_decision), over=short), squared.sum(-1)[0] * (squared.sum(-1)[1] - 1)),
)

# What is printed and wrong.
anyhow = Erratum(
    "Weighting with p/q makes the mean under any q that under p.",
    at=even.but(q=(1, 0, 0)),
    source="C-043",
    instead=reweights,
    that=Equal(Mean(Value(reweighted)), wanted),
)
criterion = Erratum(
    "The variance falls where p/q is below 1 for the larger value.",
    at=even.but(q=(Rational(2, 40), Rational(19, 40), Rational(19, 40))),
    source="C-045",
    instead=louder_or_quieter,
    that=AtMost(Covariance(Value(reweighted)), variance(f[k_wanted])),
)
printed_twice = Erratum(
    "The causal form has the ratios up to a step outside and those from it on inside.",
    source="C-048",
    instead=same_parts,
    that=Equal(Mean(Gradient(counted_twice)), Gradient(J)),
)
printed_twice_once = Erratum(
    "In a single step it is right.",
    at=notes,
    source="C-048",
    instead=one_step,
    that=Equal(Mean(Gradient(counted_twice), over=single), Mean(Gradient(by_trajectory), over=single)),
)
uphill = Erratum(
    "It points uphill.",
    at=seldom,
    source="C-048",
    instead=downhill,
    that=AtMost(0, Mean(Gradient(counted_twice), over=single)[0]),
)
unaffected = Erratum(
    "A constant added to every reward does not change it.",
    source="C-048",
    instead=moved_twice,
    that=Equal(Mean(Gradient(counted_twice), over=shifted), Mean(Gradient(counted_twice))),
)
equals = Erratum(
    "The ratios after a step may be dropped.",
    source="C-050",
    instead=dropped,
    that=Equal(Mean(Gradient(future_dropped)), Gradient(J)),
)
at_least_uphill = Erratum(
    "What is left points uphill.",
    at=mirrored,
    source="C-050",
    instead=away,
    that=AtMost(0, Mean(Gradient(future_dropped), over=short)[0]),
)
laws_of_states = Erratum(
    "The ratios before a step are the ratio of the states' laws, and the gradient is right.",
    source="C-055",
    instead=states_too,
    that=Equal(Mean(Gradient(by_states)), Gradient(J)),
)
laws_of_states_at_old = Erratum(
    "The score is the old policy's there.",
    source="C-055",
    instead=states_at_old,
    that=Equal(Mean(Gradient(by_states_at_old, old)), Gradient(J)),
)
ignored = Erratum(
    "The laws of the states may be ignored.",
    source="C-056",
    instead=alone,
    that=Equal(Mean(Gradient(step_by_step)), Gradient(J)),
)
ignored_at_old = Erratum(
    "They may, with the old policy's score.",
    source="C-056",
    instead=alone_at_old,
    that=Equal(Mean(Gradient(step_by_step_at_old, old)), Gradient(J)),
)
unaffected_at_old = Erratum(
    "A constant added to every reward does not change that.",
    source="C-056",
    instead=moved_at_old,
    that=Equal(Mean(Gradient(step_by_step_at_old, old), over=shifted), Mean(Gradient(step_by_step_at_old, old))),
)
bounded_so_uphill = Erratum(
    "The laws of the states are near each other, so the gradient points uphill.",
    at=mirrored,
    source="C-056, C-057",
    instead=near,
    that=AtMost(0, Mean(Gradient(step_by_step), over=short)[0]),
)
always_calmer = Erratum(
    "Weighting each reward by itself lowers the variance.",
    at=level_return,
    source="C-046",
    instead=some_noise,
    that=AtMost(Covariance(Value(by_decision), over=short), Covariance(Value(by_trajectory), over=short)),
)
pairs = Erratum(
    "Pairs of state and action are as good as the trajectories they come from.",
    at=notes,
    source="C-053",
    instead=as_good,
    that=Equal(
        Trace(Covariance(Gradient(each_step_from_its_own, old), over=two_short)),
        Trace(Covariance(Gradient(reward_to_go, old), over=short)),
    ),
)
n, t, i = symbols("n t i", integer=True, positive=True)
small_ratios = (n + 2) / (2 * (n + 1))
survives = Claim(
    "Ratios 1 - 1/(t + 1)^2 are all below 1, and their product tends to 1/2.",
    Equal(limit(small_ratios, n, oo), half),
    source="C-051",
)
certain_death = Erratum(
    "A product of ratios below 1 vanishes as their number grows.",
    source="C-051",
    instead=survives,
    that=Equal(limit(small_ratios, n, oo), 0),
)

# Why: pi is the new policy, beta the old one, d_t the law of the state at time t, and V its value.
chances, chances_before = Named("pi", new_policy), Named("beta", old_policy)
quotients = [chances[s, a] / chances_before[s, a] for s, a in zip(states, actions, strict=True)]
products = [array(*quotients[: t + 1]).prod() for t in range(T)]
occupancy = [Named(f"d_{t}", d_new(t)) if t else start for t in range(T)]
worth_new = Named("V", (new_policy * Q_new(0)).sum(-1))
weighted_return = Derivation(
    "The weighted return",
    E(ahead.total),
    (
        (E(products[-1] * tau.total), "the dynamics cancel from the ratio of the two probabilities"),
        (sum(E(products[-1] * rewards[t]) for t in range(T)), "the return is a sum"),
        (sum(E(products[t] * rewards[t]) for t in range(T)), "given a step, the ratios after it have mean 1"),
        (sum((occupancy[t] * (chances * reward).sum(-1)).sum() for t in range(T)), "weighted, the state follows the new policy"),
        ((start * worth_new).sum(), "the same from the last step backwards"),
    ),
    source="C-046, C-049",
)
b_0, b_1, p_0, p_1 = symbols("b_0 b_1 p_0 p_1", positive=True)
powers = Derivation(
    "The second moment",
    Sum(binomial(n, i) * b_0 ** (n - i) * b_1**i * ((p_0 / b_0) ** (n - i) * (p_1 / b_1) ** i) ** 2, (i, 0, n)),
    (
        (Sum(binomial(n, i) * (p_0**2 / b_0) ** (n - i) * (p_1**2 / b_1) ** i, (i, 0, n)), "a chance b with the weight (p/b)^2"),
        ((p_0**2 / b_0 + p_1**2 / b_1) ** n, "the binomial theorem"),
        ((1 + (p_0 + p_1 - 1) * 2 - (b_0 + b_1 - 1) + (p_0 - b_0) ** 2 / b_0 + (p_1 - b_1) ** 2 / b_1) ** n, "p = b + (p - b)"),
    ),
    sizes={n: (1, 2, 3, 6)},
    at={"n": 10, "b_0": half, "b_1": half, "p_0": third, "p_1": 2 * third},
    source="C-051",
)
small = Derivation(
    "The logarithm of many ratios below 1",
    Sum(log(1 - 1 / (t + 1) ** 2), (t, 1, n)),
    (
        (Sum(log((t + 2) / (t + 1)), (t, 1, n)) - Sum(log((t + 1) / t), (t, 1, n)), "a difference of squares"),
        (log((n + 2) / 2) - log(n + 1), "each sum telescopes"),
        (log(small_ratios), "whose limit is log(1/2)"),
    ),
    sizes={n: (1, 2, 5, 10)},
    source="C-051",
)


# The figure: how much each estimate varies, and how far its mean is off.
ESTIMATES = {
    "whole weight": total,
    "weights so far": parts,
    "a ratio counted twice": parts_twice,
    "without the future": parts_dropped,
    "without the past": parts_alone,
    "with the states' laws": parts_ahead,
}


def variances(problem, seed):
    varies = along(problem, {name: variance(x).sum() for name, x in ESTIMATES.items()}, [notes])
    slope = array(*(diff(J, x) for x in theta.array.ravel()))
    off = along(problem, {name: ((E(x) - slope) ** 2).sum() for name, x in ESTIMATES.items()}, [notes])
    return {name: {"variance": varies[name][0], "off": off[name][0] ** 0.5} for name in ESTIMATES}


def draw_variances(data, ax):
    off = {name: f", mean off by {found['off']:.3g}" for name, found in data.items() if found["off"] > 1e-9}
    bars({name: found["variance"] for name, found in data.items()}, ax, off)
    ax.set(xlabel="total variance of one trajectory's estimate", title="Three steps of the MDP of the notes")


# What people get wrong, and the claim that must catch it.
def upside_down(theta, old, states, actions):
    return (log_pi(old, states, actions) - log_pi(theta, states, actions)).exp()


def logarithms(theta, old, states, actions):
    return log_pi(theta, states, actions) - log_pi(old, states, actions)


def clipped(theta, old, states, actions):
    return ratios(theta, old, states, actions).clamp(0.8, 1.2)


def transposed(theta, states, actions):
    return theta.log_softmax(-1)[actions, states]


def over_states(theta, states, actions):
    return theta.log_softmax(0)[states, actions]


def summed(theta, old, states, actions):
    return ratios(theta, old, states, actions).sum()


def averaged(theta, old, states, actions):
    return ratios(theta, old, states, actions).mean()


def last_step_only(theta, old, states, actions):
    return ratios(theta, old, states, actions)[-1]


def one_behind(theta, old, states, actions, rewards):  # the weight before the step
    ratio = ratios(theta, old, states, actions)
    return (ratio.cumprod(-1) / ratio * rewards).sum()


def summed_so_far(theta, old, states, actions, rewards):
    return (ratios(theta, old, states, actions).cumsum(-1) * rewards).sum()


def each_with_its_own(theta, old, states, actions, rewards):
    return (ratios(theta, old, states, actions) * rewards).sum()


def from_here_on(theta, old, states, actions, rewards):  # the ratios from the step to the end
    return (ratios(theta, old, states, actions).flip(-1).cumprod(-1).flip(-1) * rewards).sum()


def attached(theta, old, states, actions, rewards):
    return (log_pi(theta, states, actions) * to_go(ratios(theta, old, states, actions).cumprod(-1) * rewards)).sum()


def score_at_old(theta, old, states, actions, rewards):
    weights = ratios(theta, old, states, actions).detach().cumprod(-1)
    return (log_pi(old, states, actions) * to_go(weights * rewards)).sum()


def without_score(theta, old, states, actions, rewards):  # the weight's own gradient, without the weight
    return log_pi(theta, states, actions).sum() * rewards.sum()


def visits_by_old(theta, old, start, step, states):
    return 1 / visit_ratios(theta, old, start, step, states)


def visits_afterwards(theta, start, step):  # the law of the next state
    laws = [start]
    for _ in range(T):
        laws.append(torch.einsum("s,sa,sax->x", laws[-1], theta.softmax(-1), step))
    return torch.stack(laws[1:])


def settled(theta, old, start, step, states):  # the laws of the last step, at every step
    return (visits(theta, start, step)[-1][states] / visits(old, start, step)[-1][states]).detach()


def without_dynamics(theta, old, states, actions):
    return theta.softmax(-1)[states, actions].prod()


def pairs_of_the_first(old, states, actions, rewards):
    return (log_pi(old, states, actions) * rewards).diagonal().sum()


def inverted(p, q, f, k):
    return q[k] / p[k] * f[k]


def self_normalised(theta, old, states, actions, rewards):  # over a batch of one
    own = weight(theta, old, states, actions)
    return own / own.detach() * rewards.sum()


def deviation_for_variance(wide, z):
    return (torch.distributions.Normal(0.0, 1.0).log_prob(z) - torch.distributions.Normal(0.0, wide**2).log_prob(z)).exp()


problem = Problem(
    title="Importance sampling",
    world=(tau,),
    claims=(
        reweights,
        levelled,
        louder_or_quieter,
        unseen,
        some_spread,
        no_spread,
        more_spread,
        less_spread,
        divided,
        constant,
        normal_mean,
        normal_each,
        highest,
        normal_spread,
        normal_integral,
        *infinite,
        no_bound,
        known,
        cancels,
        fair,
        worth,
        worth_each,
        later_ratios,
        by_whole,
        same_whole,
        other_side,
        by_parts,
        same_parts,
        *sample_by_sample,
        through,
        twice,
        dropped,
        visited,
        states_too,
        states_ahead,
        states_at_old,
        alone,
        alone_at_old,
        of_surrogate,
        stretched,
        one_step,
        one_step_alone,
        unmoved,
        unmoved_alone,
        moved_twice,
        moved_at_old,
        difference,
        near,
        nearer,
        attained,
        second,
        mean_weight,
        power,
        root,
        vanishes,
        *few,
        *medians,
        worthless,
        sinks,
        as_good,
        worth_there,
        drawn_there,
        slope_there,
        twice_there,
        dropped_there,
        alone_there,
        total_spread,
        parts_spread,
        twice_spread,
        dropped_spread,
        alone_spread,
        ahead_spread,
        ordered,
        calmer,
        dearer,
        *first_order,
        values_move,
        laws_move,
        at_once,
        tangent,
        parting,
        bends,
        arrived,
        *alike,
        downhill,
        towards,
        away,
        away_alone,
        no_noise,
        some_noise,
        survives,
    ),
    errata=(
        anyhow,
        criterion,
        printed_twice,
        printed_twice_once,
        uphill,
        unaffected,
        equals,
        at_least_uphill,
        laws_of_states,
        laws_of_states_at_old,
        ignored,
        ignored_at_old,
        unaffected_at_old,
        bounded_so_uphill,
        always_calmer,
        pairs,
        certain_death,
    ),
    derivations=(weighted_return, powers, small),
    figures=(Figure("variances", variances, draw_variances),),
    corners=(notes,),
    points=4,
    mistakes=(
        Mistake("ratio upside down", {ratios: upside_down}, breaks=worth),
        Mistake("logarithm of the ratio", {ratios: logarithms}, breaks=worth),
        Mistake("ratios clipped", {ratios: clipped}, breaks=by_whole),
        Mistake("state and action swapped", {log_pi: transposed}, breaks=by_parts),
        Mistake("softmax over the states", {log_pi: over_states}, breaks=by_parts),
        Mistake("sum of the ratios", {weight: summed}, breaks=by_whole),
        Mistake("mean of the ratios", {weight: averaged}, breaks=worth),
        Mistake("the last ratio only", {weight: last_step_only}, breaks=worth),
        Mistake("new probability without the old", {weight: without_dynamics}, breaks=cancels),
        Mistake("weight of the step before", {by_decision: one_behind}, breaks=worth_each),
        Mistake("ratios summed up to a step", {by_decision: summed_so_far}, breaks=worth_each),
        Mistake("each reward with its own ratio", {by_decision: each_with_its_own}, breaks=by_parts, source="C-056"),
        Mistake("ratios from the step on", {by_decision: from_here_on}, breaks=by_parts),
        Mistake("the ratio of a step twice", {causal: counted_twice}, breaks=same_parts, source="C-048"),
        Mistake("the future dropped", {causal: future_dropped}, breaks=same_parts, source="C-050"),
        Mistake("the past dropped", {causal: step_by_step}, breaks=same_parts, source="C-056"),
        Mistake("weights not detached", {causal: attached}, breaks=same_parts),
        Mistake("score of the old policy", {causal: score_at_old}, breaks=same_parts, source="C-055"),
        Mistake("no weight", {by_trajectory: without_score}, breaks=by_whole),
        Mistake("weights normalised over a batch of one", {by_trajectory: self_normalised}, breaks=worth),
        Mistake("states' laws upside down", {visit_ratios: visits_by_old}, breaks=states_ahead, source="C-055"),
        Mistake("laws of the next states", {visits: visits_afterwards}, breaks=states_ahead),
        Mistake("the last law at every step", {visit_ratios: settled}, breaks=states_ahead, source="C-054"),
        Mistake("only the step's own reward", {each_step_from_its_own: pairs_of_the_first}, breaks=as_good),
        Mistake("q/p", {reweighted: inverted}, breaks=reweights),
        Mistake("deviation squared", {normal_weight: deviation_for_variance}, breaks=normal_spread),
    ),
)
