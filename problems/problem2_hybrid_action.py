"""Hybrid actions: a choice that sees every number.

A policy proposes a number x_j for each of K manoeuvres, then chooses a manoeuvre k. In H-PPO the choice is blind to the
numbers. Here it reads them all, pi = softmax(U x(theta_c) + theta_d), so its clipped surrogate has a gradient for both
blocks of parameters. The exercise derives it, calls the influence of the other numbers interference, and says that a
sample of type k should ideally reach its own number alone. That ideal is not the gradient of anything.
"""

from itertools import combinations, permutations

import numpy as np
from sympy import Derivative, Function, IndexedBase, KroneckerDelta, Rational, Sum, log, sin, sqrt, symbols, tanh

from gradcheck_rl import (
    AtMost,
    Categorical,
    Claim,
    Covariance,
    Curl,
    Derivation,
    Draw,
    E,
    Equal,
    Erratum,
    Figure,
    Gaussian,
    Gradient,
    Hull,
    LogRational,
    Mean,
    Mistake,
    Named,
    Normal,
    OneOf,
    Parameter,
    Point,
    Problem,
    Size,
    Uniform,
    Value,
    Variable,
    Within,
    along,
    array,
    clip,
    diff,
    exp,
    frozen,
    log_softmax,
    minimum,
    softmax,
    step,
    torch,
)

# The setting: two blocks of parameters, the network of the choice, and the policy that collected the data.
K = Size("K", 3, also=(2,))
theta_c = Parameter("theta_c", 2)
theta_d = Parameter("theta_d", K)
U = Variable("U", (K, K))
old = Variable("old", K, over=LogRational())
advantage = Variable("advantage", K, over=Normal(2))
epsilon = Variable("epsilon", over=OneOf(Rational(1, 5), Rational(1, 10), Rational(3, 10)))
k = Draw("k", Categorical(logits=old))
pi_old = softmax(old)
unit = array(*([int(i == j) for i in range(K)] for j in range(K)))


def heads(c, n=K):
    return array(tanh(c[0]), sin(c[0] + c[1]), c[0] * c[1])[:n]


def single_pass(numbers):  # every logit sees every number
    return U @ numbers + theta_d


def multi_pass(numbers):  # each logit sees its own number, and 0 for the others
    return array(*(U[j, j] * numbers[j] + theta_d[j] for j in range(K)))


# The clipped surrogate of the choice, by the probabilities of the new policy.
def held(r, a):
    return minimum(r * a, clip(r, 1 - epsilon, 1 + epsilon) * a)


def surrogate_of(p):
    return E(held((p / pi_old)[k], advantage[k]))


def own(numbers, logits):  # p_k where only the number of k may move
    return array(*(softmax(logits(array(*(y if i == j else frozen(y) for i, y in enumerate(numbers)))))[j] for j in range(K)))


def others(numbers, logits):
    return array(*(softmax(logits(array(*(frozen(y) if i == j else y for i, y in enumerate(numbers)))))[j] for j in range(K)))


pi = softmax(single_pass(heads(theta_c)))
L = surrogate_of(pi)
L_own = surrogate_of(own(heads(theta_c), single_pass))
L_others = surrogate_of(others(heads(theta_c), single_pass))
L_multi = surrogate_of(softmax(multi_pass(heads(theta_c))))
L_blind = surrogate_of(softmax(theta_d))

# The same with the numbers themselves as the variables.
x = Variable("x", K)
pi_x, pi_multi = softmax(single_pass(x)), softmax(multi_pass(x))
L_x, L_own_x = surrogate_of(pi_x), surrogate_of(own(x, single_pass))

J_multi = (pi_multi * advantage).sum()
J_multi_own = (own(x, multi_pass) * (advantage - frozen(J_multi))).sum()
main_diagonal = array(*(U[j, j] for j in range(K)))

# One sample's objective, by its ratio.
ratio = Variable("ratio", over=Uniform(0.2, 1.8))
ratios = Variable("ratios", 7, over=Uniform(0.2, 1.8))
gain = Variable("gain", over=Normal(2))
one_gain, all_gains = held(ratio, gain), held(ratios, gain).sum()


def gate(r, a):  # 0 where the clip takes over, else 1
    return 1 - step(a) * step(r - 1 - epsilon) - step(-a) * step(1 - epsilon - r)


sent = (gate(pi_x / pi_old, advantage) * advantage * pi_x / pi_old)[:, None] * (U - pi_x @ U)  # by sample k to number j


# What a student writes, in torch. Arguments are bound by name.
def number_heads():
    class Heads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.theta_c = torch.nn.Parameter(torch.zeros(2))

        def forward(self):
            a, b = self.theta_c
            return torch.stack([a.tanh(), (a + b).sin(), a * b])[:K]

    return Heads()


def choice_head():
    class Choice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(K, K))
            self.bias = torch.nn.Parameter(torch.zeros(K))

        def forward(self, x):
            return torch.nn.functional.linear(x, self.weight, self.bias)

    return Choice()


def numbers(theta_c):
    return torch.func.functional_call(number_heads(), {"theta_c": theta_c}, ())


def logits(x, U, theta_d):
    return torch.func.functional_call(choice_head(), {"weight": U, "bias": theta_d}, (x,))


def log_prob(x, U, theta_d, k, logits=logits):
    return logits(x, U, theta_d).log_softmax(-1)[k]


def clipped(ratio, gain, epsilon):
    return torch.min(ratio * gain, ratio.clamp(1 - epsilon, 1 + epsilon) * gain)


def objective(x, U, theta_d, old, advantage, epsilon, k, log_prob=log_prob, clipped=clipped):
    new_to_old = (log_prob(x, U, theta_d, k) - old.log_softmax(-1)[k]).exp()
    return clipped(new_to_old, advantage[k], epsilon)


def surrogate(theta_c, U, theta_d, old, advantage, epsilon, k, numbers=numbers, objective=objective):
    return objective(numbers(theta_c), U, theta_d, old, advantage, epsilon, k)


def first_epoch(theta_c, U, theta_d, advantage, epsilon, k, numbers=numbers, log_prob=log_prob, clipped=clipped):
    log_now = log_prob(numbers(theta_c), U, theta_d, k)
    return clipped((log_now - log_now.detach()).exp(), advantage[k], epsilon)


# The same value with other gradients: the numbers may not move, or only that of k, or only those of the others.
def stopped(theta_c, U, theta_d, old, advantage, epsilon, k):
    return objective(numbers(theta_c).detach(), U, theta_d, old, advantage, epsilon, k)


def own_only_x(x, U, theta_d, old, advantage, epsilon, k):
    return objective(torch.where(torch.arange(K) == k, x, x.detach()), U, theta_d, old, advantage, epsilon, k)


def own_only(theta_c, U, theta_d, old, advantage, epsilon, k, own_only_x=own_only_x):
    return own_only_x(numbers(theta_c), U, theta_d, old, advantage, epsilon, k)


def others_only(theta_c, U, theta_d, old, advantage, epsilon, k):
    x = numbers(theta_c)
    return objective(torch.where(torch.arange(K) == k, x.detach(), x), U, theta_d, old, advantage, epsilon, k)


# Other policies: H-PPO's blind choice, and one pass for each number.
def blind(theta_d, old, advantage, epsilon, k):
    return clipped((theta_d.log_softmax(-1)[k] - old.log_softmax(-1)[k]).exp(), advantage[k], epsilon)


def passes(x, U, theta_d):
    return torch.stack([logits(alone, U, theta_d)[j] for j, alone in enumerate(torch.diag(x))])


def multi_pass_surrogate(theta_c, U, theta_d, old, advantage, epsilon, k, passes=passes):
    r = (passes(numbers(theta_c), U, theta_d).log_softmax(-1)[k] - old.log_softmax(-1)[k]).exp()
    return clipped(r, advantage[k], epsilon)


def multi_pass_log_prob(x, U, theta_d, k, passes=passes):
    return passes(x, U, theta_d).log_softmax(-1)[k]


def multi_pass_logit(x, U, theta_d, k, passes=passes):
    return passes(x, U, theta_d)[k]


def values_of_passes(x, U, theta_d, passes=passes):  # multi-pass Q-learning, with a linear Q
    return passes(x, U, theta_d).sum()


def values_of_one_pass(x, U, theta_d, logits=logits):
    return logits(x, U, theta_d).sum()


# H-PPO's other surrogate: the number of the chosen manoeuvre, drawn around its head.
def number_objective(x, x_old, spread, taken, advantage, epsilon, k, clipped=clipped):
    now = torch.distributions.Normal(x, spread).log_prob(taken)[k]
    before = torch.distributions.Normal(x_old, spread).log_prob(taken)[k]
    return clipped((now - before).exp(), advantage[k], epsilon)


# Other ways to clip.
def table(ratios, gain, epsilon, clipped=clipped):
    return clipped(ratios, gain, epsilon).sum()


def by_clamp(ratios, gain, epsilon):  # of torch alone: no answer stands in its place
    return torch.min(ratios * gain, ratios.clamp(1 - epsilon, 1 + epsilon) * gain).sum()


def by_minimum(ratios, gain, epsilon):
    return torch.minimum(ratios * gain, torch.clamp(ratios, 1 - epsilon, 1 + epsilon) * gain).sum()


def by_stack(ratios, gain, epsilon):
    return torch.stack([ratios.clamp(1 - epsilon, 1 + epsilon) * gain, ratios * gain]).min(0).values.sum()


def by_amin(ratios, gain, epsilon):
    return torch.stack([ratios * gain, ratios.clamp(1 - epsilon, 1 + epsilon) * gain]).amin(0).sum()


def by_where(ratios, gain, epsilon):
    edge = torch.where(gain > 0, 1 + epsilon, 1 - epsilon)
    return (torch.where((ratios - edge) * gain > 0, edge, ratios) * gain).sum()


def by_max(ratios, gain, epsilon):  # the loss, as it is usually written
    return -torch.max(-ratios * gain, -ratios.clamp(1 - epsilon, 1 + epsilon) * gain).sum()


def composed(ratio, gain, epsilon):  # a clip made of max and min
    return torch.min(ratio * gain, torch.max(torch.min(ratio, 1 + epsilon), 1 - epsilon) * gain)


# Numbers that are drawn. The choice sees one of them, y, with mean tanh(a) and a given spread.
spread = Variable("spread", over=Uniform(0.8, 1.5))
noise = Variable("noise", K)
x_old = Variable("x_old", K)
taken = Variable("taken", K)
density_ratio = exp(((taken - x_old) ** 2 - (taken - x) ** 2) / (2 * spread**2))
mean_old = Variable("mean_old")
y = Draw("y", Gaussian(mean_old, spread))
m = Draw("m", Categorical(logits=U[:, 0] * y + old))
L_noisy = surrogate_of(softmax(single_pass(heads(theta_c) + spread * noise)))
y_new = Draw("y_new", Gaussian(heads(theta_c)[0], spread))
z = Draw("z", Gaussian(0, 1))
J = E(advantage[Draw("m_new", Categorical(logits=U[:, 0] * y_new + theta_d))])


def sampled(theta_c, U, theta_d, spread, noise, old, advantage, epsilon, k):  # dist.sample(), or the rollout buffer
    with torch.no_grad():
        drawn = numbers(theta_c) + spread * noise
    return objective(drawn, U, theta_d, old, advantage, epsilon, k)


def reparameterised(theta_c, U, theta_d, spread, noise, old, advantage, epsilon, k):  # dist.rsample()
    return objective(numbers(theta_c) + spread * noise, U, theta_d, old, advantage, epsilon, k)


def log_choice(y, U, theta_d):
    return (U[:, 0] * y + theta_d).log_softmax(-1)


def log_number(y, theta_c, spread):
    return torch.distributions.Normal(theta_c[0].tanh(), spread).log_prob(y)


def choice_ratio(theta_d, U, old, advantage, y, m):
    return (log_choice(y, U, theta_d) - log_choice(y, U, old))[m].exp() * advantage[m]


def joint_ratio(theta_c, theta_d, U, old, mean_old, spread, advantage, y, m, log_number=log_number):
    number_ratio = (log_number(y, theta_c, spread) - torch.distributions.Normal(mean_old, spread).log_prob(y)).exp()
    return choice_ratio(theta_d, U, old, advantage, y, m) * number_ratio


def pathwise(theta_c, theta_d, U, spread, advantage, z):
    return (log_choice(theta_c[0].tanh() + spread * z, U, theta_d).exp() * advantage).sum()


# An instance with nothing clipped, one with two actions clipped, and one where each logit sees its own number alone.
quarter, third, half, fifth = Rational(1, 4), Rational(1, 3), Rational(1, 2), Rational(1, 5)
three_quarters = 3 * quarter
weights = array((1, half, -quarter), (-third, three_quarters, fifth), (third / 2, -half, 2 * third))
bias = array(fifth / 2, -fifth, 0)
now, before = heads((3 * fifth / 2, -7 * fifth / 2), 3), heads((fifth / 2, -2 * fifth), 3)

instance = Point(
    theta_c=(3 * fifth / 2, -7 * fifth / 2),
    theta_d=bias,
    U=weights,
    x=now,
    old=weights @ before + bias,
    advantage=(1, -2, half),
    epsilon=fifth,
)
clipping = instance.but(theta_d=(3 * fifth, -9 * fifth / 2, 0))
alone = array((1, 0, 0), (0, three_quarters, 0), (0, 0, 2 * third))
diagonal = instance.but(U=alone, old=alone @ before + bias)

# In the first epoch the policy is the one that collected the data; here also with advantages that have mean zero.
first = instance.but(theta_c=(fifth / 2, -2 * fifth), x=before)
mean_advantage = (softmax(weights @ before + bias) * array(1, -2, half)).sum()
centred = first.but(advantage=array(1, -2, half) - mean_advantage)

# Numbers zero, so that every choice is as likely as its bias says.
origin = Point(x=(0, 0, 0), theta_d=(0, 0, 0), old=(0, 0, 0), U=array(*unit), advantage=(1, -2, half), epsilon=fifth)
uphill = origin.but(U=((1, -2, -3), (1, -4, -3), (1, 0, -3)), advantage=(-3, 1, 2))
biased = (log(6), log(3), log(1))
slanted = origin.but(theta_d=biased, old=biased, advantage=(3, 4, 5))

# A ratio exactly on the boundary: that of the first action at 1 + epsilon; that of the second at 1 - epsilon.
tie = Point(
    theta_c=(0, 0),
    theta_d=(0, 0, 0),
    U=weights,
    old=(0, log(3 * half), log(Rational(11, 10))),
    advantage=(1, -2, half),
    epsilon=fifth,
)
low_tie = tie.but(old=(log(4), log(5), log(3)))

# Seven ratios in units of 1/10, two of them on the boundary.
plus = Point(ratios=array(5, 8, 9, 10, 11, 12, 15) / 10, gain=1, epsilon=fifth)
minus = plus.but(gain=-1)
upper, lower = Point(ratio=6 * fifth, gain=1, epsilon=fifth), Point(ratio=4 * fifth, gain=1, epsilon=fifth)


def mean(f, wrt=None):
    return Mean(Gradient(f, wrt))


def length(f):  # of the gradient for theta_c
    return Value(sqrt(sum(diff(f, c) ** 2 for c in theta_c)))


inner = Value(sum(diff(L_x, number) * diff(L_own_x, number) for number in x))


# What must be true. The clip, one sample at a time.
regions = Claim(
    "The slope of min(rA, clip(r) A) in r is A, or 0 where A > 0 and r > 1 + epsilon, or A < 0 and r < 1 - epsilon.",
    source="A-023",
    that=Equal(Gradient(one_gain, ratio), gain * gate(ratio, gain)),
)
slope = Claim("torch says so too.", Equal(Gradient(clipped, ratio), Gradient(one_gain, ratio)), source="A-023")
rising = Claim(
    "At r = 0.5, 0.8, 0.9, 1, 1.1, 1.2, 1.5 and A = 1 it is 1, and 0 at the last: on the boundary torch follows r.",
    at=plus,
    source="A-023, A-025",
    that=Equal(Gradient(by_clamp, ratios), (1, 1, 1, 1, 1, 1, 0)),
)
falling = Claim(
    "With A = -1 it is -1, and 0 at the first.",
    Equal(Gradient(by_clamp, ratios), (0, -1, -1, -1, -1, -1, -1)),
    at=minus,
    source="A-023, A-025",
)
narrow = Claim(
    "With epsilon = 1/10 and A = 1 it ends at 1.1.",
    Equal(Gradient(by_clamp, ratios), (1, 1, 1, 1, 1, 0, 0)),
    at=plus.but(epsilon=Rational(1, 10)),
    source="A-023",
)
single = Claim(
    "In float32 as well.", Equal(Gradient(by_clamp, ratios, dtype="float32"), (1, 1, 1, 1, 1, 1, 0)), at=plus, source="A-025"
)
valid = Claim(
    "However it is written, these are its slopes, and on the boundary any number between 0 and A is one,",
    Within(Gradient(table, ratios), Hull(Gradient(all_gains, ratios))),
    at=plus,
    source="A-023, A-025",
)
valid_narrow = Claim(
    "also with epsilon = 1/10.",
    valid.that,
    at=plus.but(epsilon=Rational(1, 10)),
    source="A-023",
)
spellings = (by_minimum, by_stack, by_amin, by_where, by_max)
ways = tuple(
    Claim(f"`{f.__name__}` has the same slopes,", Equal(Gradient(f, ratios), Gradient(all_gains, ratios)), source="A-023")
    for f in spellings
)
ties = tuple(
    Claim(f"also on the boundary: `{f.__name__}`.", Equal(Gradient(f, ratios), (1, 1, 1, 1, 1, 1, 0)), at=plus, source="A-025")
    for f in spellings
)
same_clip = Claim("A clip made of max and min has the same value,", Equal(Value(composed), Value(clipped)), source="A-025")
halved = Claim(
    "but it splits its own tie too: at r = 1 + epsilon its slope is 1/2 + 1/2 * 1/2 = 3/4.",
    at=upper,
    source="A-025",
    that=Equal(Gradient(composed, ratio), three_quarters),
)
interval = Claim(
    "That too is a slope by Clarke: any number between 0 and A is.",
    Within(Gradient(composed, ratio), Hull(Gradient(one_gain, ratio))),
    at=upper,
    source="A-025",
)
smooth = Claim(
    "At r = 1 - epsilon the only slope is A.",
    Within(Gradient(clipped, ratio), Hull(Gradient(one_gain, ratio))),
    at=lower,
    source="A-025",
)

# The gradient of the choice.
log_policy = log_softmax(single_pass(heads(theta_c)))
gates = gate(pi / pi_old, advantage)
sample = Claim(
    "A sample's gradient is gate * A * r * grad log pi(k), for every k.",
    source="A-023, A-026, A-027",
    that=Equal(Gradient(surrogate), (gates * advantage * pi / pi_old)[k] * Gradient(log_policy[k])),
)
epoch_one = Claim(
    "In the first epoch it is A grad log pi(k): the branches of the min are tied, and both have this slope.",
    source="A-024",
    that=Equal(Gradient(first_epoch), advantage[k] * Gradient(log_policy[k])),
)
choice = Claim(
    "In the mean it is the gradient of L, for theta_d", Equal(mean(surrogate, theta_d), Gradient(L, theta_d)), source="A-026"
)
everyone = Claim(
    "and for theta_c: it reaches every number.", Equal(mean(surrogate, theta_c), Gradient(L, theta_c)), source="A-027"
)
drawn = Claim(
    "Samples say so too.",
    Equal(mean(surrogate), Gradient(L)),
    by=("listed", "sampled"),
    resolution=0.05,
    at=instance,
    source="A-026, A-027",
)
by_value = Claim("So do differences of its value.", Equal(mean(surrogate), Gradient(L)), by="differences", source="A-027, A-038")
shown_d = Claim(
    "The exercise's line for theta_d: E[dmin/dr / pi_old * dpi/dtheta_d].",
    by="symbolic",
    source="A-026",
    that=Equal(
        Gradient(L, theta_d), array(*(E((gates * advantage / pi_old * array(*(diff(p, b) for p in pi)))[k]) for b in theta_d))
    ),
)
shown_c = Claim(
    "Its line for theta_c: E[dmin/dr / pi_old * sum_j dpi/dx_j dx_j/dtheta_c].",
    by="symbolic",
    source="A-027",
    that=Equal(
        Gradient(L, theta_c),
        array(
            *(
                E((gates * advantage / pi_old * pi * ((U - pi @ U) @ array(*(diff(number, c) for number in heads(theta_c)))))[k])
                for c in theta_c
            )
        ),
    ),
)
seen = Claim(
    "The slope of log pi(k) in x_j is U_kj - sum_i pi_i U_ij: each choice depends on every number.",
    Equal(Gradient(log_prob, x), U[k] - pi_x @ U),
    source="A-027, A-036",
)
seen_by_model = Claim(
    "The model proves it.", Equal(Gradient(log_softmax(single_pass(x)), x), U - pi_x @ U), source="A-027, A-036"
)
kink = Claim(
    "Where a ratio is 1 + epsilon the gradient stays in Clarke's interval.",
    Within(mean(surrogate), Hull(Gradient(L))),
    at=tie,
    source="A-025",
)
low_kink = Claim("Where one is 1 - epsilon as well.", Within(mean(surrogate), Hull(Gradient(L))), at=low_tie, source="A-025")
numbers_own = Claim(
    "In H-PPO's surrogate of the numbers a sample of type k reaches its own number alone, by the same gate.",
    source="A-023, A-031",
    that=Equal(
        Gradient(number_objective, x),
        (gate(density_ratio, advantage) * advantage * density_ratio * (taken - x) / spread**2)[k] * unit[k],
    ),
)
original = Claim("In H-PPO the choice sees no number: nothing reaches theta_c.", Equal(mean(blind, theta_c), 0), source="A-037")
blind_choice = Claim(
    "Its choice has the gradient of its own surrogate, for theta_d alone.",
    source="A-037",
    that=Equal(mean(blind, theta_d), Gradient(L_blind, theta_d)),
)

# Own number and interference.
share = Claim("What k's own number receives,", Equal(mean(own_only, theta_c), Gradient(L_own, theta_c)), source="A-031")
rest = Claim("and what the others receive,", Equal(mean(others_only, theta_c), Gradient(L_others, theta_c)), source="A-032")
parts = Claim(
    "make up the gradient.",
    Equal(Gradient(L_own, theta_c) + Gradient(L_others, theta_c), Gradient(L, theta_c)),
    by="symbolic",
    source="A-029, A-030, A-034",
)
potential = Claim(
    "The field of the surrogate has no curl, as a gradient must.", Equal(Curl(mean(surrogate, theta_c)), 0), source="A-031, A-038"
)
potential_x = Claim("Nor has it in the numbers.", Equal(Curl(mean(objective, x)), 0), at=origin, source="A-031")
twist = [
    p_i * p_j * (a_j * (1 - 2 * p_j) - a_i * (1 - 2 * p_i))
    for (p_i, a_i), (p_j, a_j) in combinations(zip(pi_x, advantage, strict=True), 2)
]
twisted = Claim(
    "The own-number field has: with U the identity, p_i p_j (A_j (1 - 2 p_j) - A_i (1 - 2 p_i)).",
    at=origin,
    source="A-031",
    that=Equal(-Curl(mean(own_only_x, x)), array(*twist)),
)
twisted_here = Claim(
    "At x = 0 that is -1/9, -1/54, 5/54.", Equal(-Curl(Gradient(L_own_x, x)), array(-6, -1, 5) / 54), at=origin, source="A-031"
)


# The instance in numbers.
full = Claim(
    "The gradient for theta_c where nothing is clipped,",
    Equal(mean(surrogate, theta_c), Gradient(L, theta_c)),
    at=instance,
    source="A-029",
)
value = Claim("the surrogate there,", Equal(Mean(Value(surrogate)), L), at=instance, source="A-029")
open_gates = Claim("all three gates being open.", Equal(Value(gates), 1), at=instance, source="A-029")
entry = Claim(
    "Sample k sends number j gate * A_k r_k (U_kj - sum_i pi_i U_ij): no entry of this table is zero.",
    source="A-029, A-038",
    that=Equal(Gradient(objective, x), sent[k]),
)
most = Claim(
    "Most of the gradient is interference: 94 % by length.",
    Within(length(L_others) / length(L), (Rational(94, 100), Rational(95, 100))),
    at=instance,
    source="A-029",
)
full_clipped = Claim("With two ratios clipped", Equal(mean(surrogate), Gradient(L)), at=clipping, source="A-030")
closed_gates = Claim("only the third sample counts.", Equal(Value(gates), (0, 0, 1)), at=clipping, source="A-030")
value_clipped = Claim("The surrogate there.", Equal(Mean(Value(surrogate)), L), at=clipping, source="A-030")
full_alone = Claim(
    "Each logit seeing its own number,",
    Equal(mean(multi_pass_surrogate, theta_c), Gradient(L_multi, theta_c)),
    at=diagonal,
    source="A-034",
)
value_alone = Claim("the surrogate is this,", Equal(Mean(Value(multi_pass_surrogate)), L_multi), at=diagonal, source="A-034")
same_alone = Claim(
    "one pass with a diagonal U gives the same,",
    Equal(mean(surrogate), mean(multi_pass_surrogate)),
    where=Equal([U[i, j] for i, j in permutations(range(K), 2)], 0),
    source="A-034",
)
less = Claim(
    "and a third of it is interference.",
    Within(length(L_others) / length(L), (Rational(34, 100), Rational(35, 100))),
    at=diagonal,
    source="A-034",
)

# Which way the own share points.
up = Claim("Here the gradient in x is (0, 2/3, 0),", Equal(mean(objective, x), (0, 2 * third, 0)), at=uphill, source="A-032")
down = Claim("and the own share is its opposite.", Equal(mean(own_only_x, x), (0, -2 * third, 0)), at=uphill, source="A-032")
slant = Claim(
    "With U the identity, p = (6, 3, 1)/10 and A = (3, 4, 5) the gradient is (-6, 3, 3)/20,",
    at=slanted,
    source="A-032",
    that=Equal(mean(objective, x), array(-6, 3, 3) / 20),
)
slant_own = Claim(
    "the own share (72, 84, 45)/100,", Equal(mean(own_only_x, x), array(72, 84, 45) / 100), at=slanted, source="A-032"
)
against = Claim("and their inner product -9/400.", Equal(inner, -Rational(9, 400)), at=slanted, source="A-032")
quieter = Claim(
    "On data of its own, with advantages of mean zero, the interference lowers the variance of the first coordinate",
    at=centred,
    source="A-035",
    that=AtMost(Covariance(Gradient(surrogate, theta_c))[0], Covariance(Gradient(own_only, theta_c))[0]),
)
louder = Claim(
    "and raises that of the second.",
    at=centred,
    source="A-035",
    that=AtMost(Covariance(Gradient(own_only, theta_c))[3], Covariance(Gradient(surrogate, theta_c))[3]),
)

# Each logit sees its own number only.
by_normaliser = Claim(
    "With one pass for each number the slope of log pi(k) in x_j is U_jj (1[j = k] - pi_j): the others count in the normaliser.",
    source="A-033, A-036",
    that=Equal(Gradient(multi_pass_log_prob, x), (main_diagonal * (unit - pi_multi))[k]),
)
by_normaliser_too = Claim(
    "The model proves it.",
    Equal(Gradient(log_softmax(multi_pass(x)), x), main_diagonal * (unit - pi_multi)),
    source="A-033, A-036",
)
own_logit = Claim(
    "The logit of k has a slope in x_k alone.", Equal(Gradient(multi_pass_logit, x), (main_diagonal * unit)[k]), source="A-038"
)
passes_right = Claim(
    "In the mean it is the gradient of its own surrogate.",
    Equal(mean(multi_pass_surrogate), Gradient(L_multi)),
    source="A-033, A-034",
)
centre = Claim(
    "In the first epoch that is U_jj pi_j (A_j - mean A) in x_j,",
    source="A-033",
    that=Equal(Gradient(J_multi, x), main_diagonal * pi_multi * (advantage - J_multi)),
)
aligned = Claim(
    "and with A less its mean the own share is 1 - pi_j of it: the interference has its sign.",
    source="A-033",
    that=Equal(Gradient(J_multi_own, x), (1 - pi_multi) * Gradient(J_multi, x)),
)
separate = Claim(
    "For action values, one pass each, number j gets its own slope U_jj;",
    Equal(Gradient(values_of_passes, x), main_diagonal),
    source="A-033",
)
mixed = Claim("in one pass it gets the sum of column j.", Equal(Gradient(values_of_one_pass, x), U.sum(axis=0)), source="A-033")

# Telling the variants apart.
same_value = Claim("Every variant has the same value: own number only,", Equal(Value(own_only), Value(surrogate)), source="A-038")
same_value_stopped = Claim("and none.", Equal(Value(stopped), Value(surrogate)), source="A-038")
own_by_value = Claim(
    "So differences of the own-only value give the whole gradient, where autograd does not.",
    source="A-038",
    that=Equal(mean(own_only), Gradient(L)),
    by="differences",
)
own_entry = Claim(
    "Autograd's table is zero off the diagonal for the own-only variant,",
    Equal(Gradient(own_only_x, x) * (1 - unit[k]), 0),
    source="A-038",
)
no_entry = Claim("and empty where the numbers are stopped.", Equal(Gradient(stopped, theta_c), 0), source="A-038")

# Drawn numbers.
nothing = Claim(
    "Numbers that were drawn and stored send nothing to theta_c,", Equal(Gradient(sampled, theta_c), 0), source="A-027, A-028"
)
learnt = Claim(
    "though theta_d has its gradient from them.", Equal(mean(sampled, theta_d), Gradient(L_noisy, theta_d)), source="A-028"
)
something = Claim(
    "Numbers that are a function of theta_c and noise send theta_c its own.",
    Equal(mean(reparameterised, theta_c), Gradient(L_noisy, theta_c)),
    source="A-027, A-028",
)
number_likely = Claim(
    "The code's density of a drawn number is the model's.",
    Equal(Value(log_number), y_new.log_prob(y)),
    source="A-028",
)
joint = Claim(
    "With drawn numbers the ratio of both factors estimates the new policy's gain,",
    Equal(Mean(Value(joint_ratio)), J),
    source="A-028",
)
joint_gradient = Claim("and so does its gradient, for both blocks.", Equal(mean(joint_ratio), Gradient(J)), source="A-028")
sample_path = Claim(
    "Each drawn number pays what the choice makes of it,",
    source="A-028",
    that=Equal(Value(pathwise), (softmax(U[:, 0] * (heads(theta_c)[0] + spread * z) + theta_d) * advantage).sum()),
)
path = Claim(
    "and the path through the choice gives the same gradient for theta_c: the interference is the signal.",
    source="A-028",
    that=Equal(mean(pathwise), Gradient(J)),
)

# What is printed and wrong.
ideal = Erratum(
    "A sample of type k should send gradient to its own number only.",
    Equal(mean(own_only, theta_c), Gradient(L, theta_c)),
    instead=everyone,
    source="A-031",
)
somebodys = Erratum(
    "That is at least the gradient of something.",
    Equal(Curl(mean(own_only, theta_c)), 0),
    instead=potential,
    source="A-031, A-038",
)
harmless = Erratum(
    "Dropping the interference leaves an ascent direction.", AtMost(0, inner), at=uphill, instead=down, source="A-032"
)
harmless_alone = Erratum(
    "It does so where each logit sees its own number.", AtMost(0, inner), at=slanted, instead=against, source="A-032"
)
silent = Erratum(
    "Where each logit sees its own number, the others receive nothing.",
    source="A-033",
    instead=by_normaliser,
    that=Equal(Gradient(multi_pass_log_prob, x) * (1 - unit[k]), 0),
)
noisy = Erratum(
    "The interference is noise.",
    source="A-035",
    at=centred,
    instead=quieter,
    that=AtMost(Covariance(Gradient(own_only, theta_c))[::3], Covariance(Gradient(surrogate, theta_c))[::3]),
)
interferes = Erratum(
    "Drawn numbers in the ratio let the choice interfere with theta_c.",
    Equal(mean(sampled, theta_c), Gradient(L_noisy, theta_c)),
    source="A-028",
    instead=nothing,
)
one_factor = Erratum("The ratio of the choice alone will do.", Equal(Mean(Value(choice_ratio)), J), source="A-028", instead=joint)
any_slope = Erratum(
    "Any number between 0 and A is a slope at r = 1 - epsilon as well.",
    at=lower,
    source="A-025",
    instead=smooth,
    that=Within(Gradient(composed, ratio), Hull(Gradient(one_gain, ratio))),
)
unique = Erratum(
    "On the boundary every code gives A.", Equal(Gradient(composed, ratio), gain), at=upper, source="A-025", instead=interval
)

# Why. For any heads x_j, any policy and any objective g of its ratio r:
c, d = symbols("c d", real=True)
heads_of_c = [Function(f"x_{j}")(c) for j in (1, 2, 3)]
ratio_of = Function("r")(d, *heads_of_c)
any_objective = Function("g")(ratio_of)
through = [diff(any_objective, ratio_of) * diff(ratio_of, head) * diff(head, c) for head in heads_of_c]
chain = Derivation(
    "The gradient for theta_c",
    Derivative(any_objective, c),
    (
        (diff(any_objective, ratio_of) * Derivative(ratio_of, c), "the objective sees the ratio"),
        (sum(through), "the ratio sees every number: one of them is its own, the others interfere"),
    ),
    source="A-027",
)
chain_d = Derivation(
    "The gradient for theta_d",
    Derivative(any_objective, d),
    ((diff(any_objective, ratio_of) * diff(ratio_of, d), "no number depends on theta_d"),),
    source="A-026",
)

# For a softmax over any number of manoeuvres:
i, j, h, m_, n, size = symbols("i j h m n K", integer=True)
weight, number, offset, a = (
    IndexedBase("U", real=True),
    IndexedBase("x", real=True),
    IndexedBase("b", real=True),
    IndexedBase("A", real=True),
)


def every(index, term):
    return Sum(term, (index, 0, size - 1))


def share_of(at):
    logit = every(h, weight[at, h] * number[h]) + offset[at]
    return Named(f"pi_{at}", exp(logit) / every(i, exp(every(h, weight[i, h] * number[h]) + offset[i])))[()]


def slope_of(at):
    return weight[at, j] - every(m_, share_of(m_) * weight[m_, j])


reads = Derivation(
    "What log pi(n) owes to x_j",
    Derivative(log(share_of(n)), number[j]),
    ((slope_of(n), "the logit of n, less the average over the choices"),),
    sizes={size: (2, 3), n: (1,), j: (0, 1)},
    source="A-027, A-036",
)
splits = Derivation(
    "The gradient in x_j, on data of the policy itself",
    Derivative(every(n, a[n] * share_of(n)), number[j]),
    (
        (every(n, a[n] * share_of(n) * slope_of(n)), "the score"),
        (
            a[j] * share_of(j) * slope_of(j) + every(n, (1 - KroneckerDelta(n, j)) * a[n] * share_of(n) * slope_of(n)),
            "own number, and interference",
        ),
    ),
    sizes={size: (2, 3), j: (1,)},
    source="A-031, A-033",
)


# The own share with the numbers as logits, and its curl.
def softmax_of(at):
    return Named(f"p_{at}", exp(number[at]) / every(i, exp(number[i])))[()]


def own_share(at):
    return a[at] * softmax_of(at) * (1 - softmax_of(at))


curl = Derivation(
    "The curl of the own share",
    Derivative(own_share(n), number[j]) - Derivative(own_share(j), number[n]),
    (
        (
            softmax_of(n) * softmax_of(j) * (a[j] * (1 - 2 * softmax_of(j)) - a[n] * (1 - 2 * softmax_of(n))),
            "dp_n/dx_j = -p_n p_j = dp_j/dx_n",
        ),
    ),
    sizes={size: (2, 3), n: (0,), j: (1,)},
    at={"n": 0, "j": 1, "x": (log(1), log(2), log(3)), "A": (1, 0, -1)},
    source="A-031",
)


# The figures: what each sample sends to each number, and the gradient as the sum of its two shares.
def interference(problem, seed):
    cells = {f"{row},{number}": sent[row, number] for row in range(K) for number in range(K)}
    return along(problem, cells, [instance, clipping])


def drawn_at(at, title):
    def draw(data, ax):
        table = np.array([[data[f"{row},{number}"][at] for number in range(3)] for row in range(3)])
        most = max(abs(x) for entry in data.values() for x in entry)
        ax.imshow(table, cmap="PuOr", vmin=-2 * most, vmax=2 * most)
        for (row, number), entry in np.ndenumerate(table):
            weight = "bold" if row == number else "normal"
            ax.text(
                number, row, f"{entry:.3f}".replace("-0.000", "0").replace("0.000", "0"), ha="center", va="center", weight=weight
            )
        ax.set(xticks=range(3), yticks=range(3), xlabel="number j", ylabel="sample k", title=title)

    return draw


def shares(problem, seed):
    parts = {"gradient": L, "own": L_own, "others": L_others}
    return along(problem, {f"{name} {n}": diff(f, c) for name, f in parts.items() for n, c in enumerate(theta_c)}, [instance])


def draw_shares(data, ax):
    ends = {name: np.array([data[f"{name} {n}"][0] for n in range(2)]) for name in ("own", "others", "gradient")}
    arrows = (("own", (0, 0), "#999999", "own number"), ("others", ends["own"], "#c8742a", "interference"))
    for name, start, colour, label in (*arrows, ("gradient", (0, 0), "#14315f", "the gradient")):
        ax.quiver(*start, *ends[name], angles="xy", scale_units="xy", scale=1, color=colour, width=0.012, label=label)
    tips = np.array([(0, 0), *ends.values()])
    (left, low), (right, high) = tips.min(0), tips.max(0)
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(low - 0.1, high + 0.15), aspect="equal")
    ax.set(xlabel="theta_c, first", ylabel="theta_c, second")
    ax.set_title("The gradient is not what a sample's own number receives")
    ax.legend(frameon=False)


# What people get wrong, and the claim that must catch it.
def without_min(ratio, gain, epsilon):
    return ratio.clamp(1 - epsilon, 1 + epsilon) * gain


def max_for_min(ratio, gain, epsilon):
    return torch.max(ratio * gain, ratio.clamp(1 - epsilon, 1 + epsilon) * gain)


def usual_epsilon(ratio, gain, epsilon):
    return torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain)


def one_sided(ratio, gain, epsilon):
    return torch.min(ratio * gain, ratio.clamp(max=1 + epsilon) * gain)


def inverted(x, U, theta_d, old, advantage, epsilon, k):
    return clipped((old.log_softmax(-1)[k] - log_prob(x, U, theta_d, k)).exp(), advantage[k], epsilon)


def old_attached(x, U, theta_d, old, advantage, epsilon, k):  # the old log-probability is computed by the new policy
    return clipped((log_prob(x, U, theta_d, k) - log_prob(x, U, theta_d, k)).exp(), advantage[k], epsilon)


def log_ratio(x, U, theta_d, old, advantage, epsilon, k):
    return clipped(log_prob(x, U, theta_d, k) - old.log_softmax(-1)[k], advantage[k], epsilon)


def ratio_detached(x, U, theta_d, old, advantage, epsilon, k):
    r = (log_prob(x, U, theta_d, k) - old.log_softmax(-1)[k]).exp()
    return clipped(r.detach(), advantage[k], epsilon) * log_prob(x, U, theta_d, k)


def variance_as_scale(x, x_old, spread, taken, advantage, epsilon, k):
    return number_objective(x, x_old, spread**2, taken, advantage, epsilon, k)


def raw_logits(x, U, theta_d, k):
    return logits(x, U, theta_d)[k]


def averaged_advantage(x, U, theta_d, old, advantage, epsilon, k):
    return clipped((log_prob(x, U, theta_d, k) - old.log_softmax(-1)[k]).exp(), advantage.mean(), epsilon)


def loss(x, U, theta_d, old, advantage, epsilon, k):
    return -objective(x, U, theta_d, old, advantage, epsilon, k)


def transposed(x, U, theta_d):
    return logits(x, U.T, theta_d)


def one_pass(x, U, theta_d):
    return logits(x, U, theta_d)


def number_left_out(theta_d, U, old, advantage, y, m):
    return choice_ratio(theta_d, U, old, advantage, y, m)


def path_cut(theta_c, theta_d, U, spread, advantage, z):
    return pathwise(theta_c.detach(), theta_d, U, spread, advantage, z)


problem = Problem(
    title="Hybrid actions: a choice that sees every number",
    claims=(
        regions,
        slope,
        rising,
        falling,
        narrow,
        single,
        valid,
        valid_narrow,
        *ways,
        *ties,
        same_clip,
        halved,
        interval,
        smooth,
        sample,
        epoch_one,
        choice,
        everyone,
        drawn,
        by_value,
        shown_d,
        shown_c,
        seen,
        seen_by_model,
        kink,
        low_kink,
        numbers_own,
        original,
        blind_choice,
        share,
        rest,
        parts,
        potential,
        potential_x,
        twisted,
        twisted_here,
        full,
        value,
        open_gates,
        entry,
        most,
        full_clipped,
        closed_gates,
        value_clipped,
        full_alone,
        value_alone,
        same_alone,
        less,
        up,
        down,
        slant,
        slant_own,
        against,
        quieter,
        louder,
        by_normaliser,
        by_normaliser_too,
        own_logit,
        passes_right,
        centre,
        aligned,
        separate,
        mixed,
        same_value,
        same_value_stopped,
        own_by_value,
        own_entry,
        no_entry,
        nothing,
        learnt,
        something,
        number_likely,
        joint,
        joint_gradient,
        sample_path,
        path,
    ),
    errata=(ideal, somebodys, harmless, harmless_alone, silent, noisy, interferes, one_factor, any_slope, unique),
    derivations=(chain, chain_d, reads, splits, curl),
    figures=(
        Figure("interference", interference, drawn_at(0, "What sample k sends to number j")),
        Figure("clipped", interference, drawn_at(1, "The same with two ratios clipped")),
        Figure("shares", shares, draw_shares),
    ),
    corners=(instance, clipping, diagonal, first, centred),
    mistakes=(
        Mistake("only the own number", {surrogate: own_only}, breaks=full, source="A-029, A-031"),
        Mistake("only the own number, two ratios clipped", {surrogate: own_only}, breaks=full_clipped, source="A-030"),
        Mistake("only the own number, by its curl", {surrogate: own_only}, breaks=potential, source="A-038"),
        Mistake("only the other numbers", {surrogate: others_only}, breaks=full, source="A-029"),
        Mistake("numbers stopped", {surrogate: stopped}, breaks=full, source="A-028, A-029"),
        Mistake("no min", {clipped: without_min}, breaks=valid, source="A-025"),
        Mistake("max for min", {clipped: max_for_min}, breaks=slope, source="A-023"),
        Mistake("clipped from above only", {clipped: one_sided}, breaks=slope, source="A-023"),
        Mistake("epsilon always 0.2", {clipped: usual_epsilon}, breaks=valid_narrow, source="A-023"),
        Mistake("ratio inverted", {objective: inverted}, breaks=choice, source="A-026"),
        Mistake("old log-probability attached", {objective: old_attached}, breaks=choice, source="A-026"),
        Mistake("logarithm of the ratio", {objective: log_ratio}, breaks=choice, source="A-026"),
        Mistake("clip of a detached ratio", {objective: ratio_detached}, breaks=sample, source="A-023"),
        Mistake("variance for standard deviation", {number_objective: variance_as_scale}, breaks=numbers_own, source="A-023"),
        Mistake("logit for log-probability", {log_prob: raw_logits}, breaks=seen, source="A-036"),
        Mistake("mean advantage instead of the sample's", {objective: averaged_advantage}, breaks=choice),
        Mistake("sign", {objective: loss}, breaks=choice),
        Mistake("weights transposed", {logits: transposed}, breaks=everyone, source="A-027"),
        Mistake("one pass instead of many", {passes: one_pass}, breaks=passes_right, source="A-034"),
        Mistake("ratio of the choice alone", {joint_ratio: number_left_out}, breaks=joint, source="A-028"),
        Mistake("numbers drawn by sample() for rsample()", {reparameterised: sampled}, breaks=something, source="A-028"),
        Mistake("stored numbers that still move", {sampled: reparameterised}, breaks=nothing, source="A-028"),
        Mistake("path cut", {pathwise: path_cut}, breaks=path, source="A-028"),
    ),
)
