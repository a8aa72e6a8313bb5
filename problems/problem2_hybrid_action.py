"""Hybrid actions: a choice that sees every number.

A policy proposes a number x_j for each of K manoeuvres, then chooses a manoeuvre k. In H-PPO the choice is blind to the
numbers. Here it reads them all, pi = softmax(U x(theta_c) + theta_d), so its clipped surrogate has a gradient for both
blocks of parameters. The exercise derives it, calls the influence of the other numbers interference, and says that a
sample of type k should ideally reach its own number alone. That ideal is not the gradient of anything.
"""

from sympy import Derivative, Function, IndexedBase, KroneckerDelta, Rational, Sum, diff, exp, log, sin, sqrt, symbols, tanh

from gradcheck_rl import (
    AtMost, Categorical, Claim, Covariance, Curl, Derivation, Differs, Draw, E, Equal, Erratum, Gaussian, Gradient, Hull, LogRational, Mean, Mistake,
    Normal, OneOf, Parameter, Point, Problem, Size, Uniform, Value, Variable, Within, array, clip, frozen, log_softmax, minimum, softmax, step, torch,
)

# The setting: two blocks of parameters, the network of the choice, and the policy that collected the data.
K = Size("K", 3, also=(2, 4))
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
    return array(tanh(c[0]), sin(c[0] + c[1]), c[0] * c[1], c[0] - c[1] ** 2)[:n]


def single_pass(numbers):  # every logit sees every number
    return U @ numbers + theta_d


def multi_pass(numbers):  # each logit sees its own number, and 0 for the others
    return array(*(U[j, j] * numbers[j] + theta_d[j] for j in range(K)))


# The clipped surrogate of the choice, by the probabilities of the new policy.
def surrogate_of(p):
    r, a = (p / pi_old)[k], advantage[k]
    return E(minimum(r * a, clip(r, 1 - epsilon, 1 + epsilon) * a))


def own(numbers, logits):  # p_k where only the number of k may move
    return array(*(softmax(logits(array(*(y if i == j else frozen(y) for i, y in enumerate(numbers)))))[j] for j in range(K)))


def others(numbers, logits):
    return array(*(softmax(logits(array(*(frozen(y) if i == j else y for i, y in enumerate(numbers)))))[j] for j in range(K)))


pi = softmax(single_pass(heads(theta_c)))
L = surrogate_of(pi)
L_own = surrogate_of(own(heads(theta_c), single_pass))
L_others = surrogate_of(others(heads(theta_c), single_pass))
L_multi = surrogate_of(softmax(multi_pass(heads(theta_c))))
L_multi_others = surrogate_of(others(heads(theta_c), multi_pass))

# The same with the numbers themselves as the variables.
x = Variable("x", K)
pi_x, pi_multi = softmax(single_pass(x)), softmax(multi_pass(x))
L_x, L_own_x = surrogate_of(pi_x), surrogate_of(own(x, single_pass))

# One sample's objective, by its ratio.
ratio = Variable("ratio", over=Uniform(0.2, 1.8))
ratios = Variable("ratios", 7, over=Uniform(0.2, 1.8))
gain = Variable("gain", over=Normal(2))
one_gain = minimum(ratio * gain, clip(ratio, 1 - epsilon, 1 + epsilon) * gain)
all_gains = minimum(ratios * gain, clip(ratios, 1 - epsilon, 1 + epsilon) * gain).sum()


def gate(r, a):  # 0 where the clip takes over, else 1
    return 1 - step(a) * step(r - 1 - epsilon) - step(-a) * step(1 - epsilon - r)


# What a student writes, in torch. Arguments are bound by name.
def number_heads():
    class Heads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.theta_c = torch.nn.Parameter(torch.zeros(2))

        def forward(self):
            a, b = self.theta_c
            return torch.stack([a.tanh(), (a + b).sin(), a * b, a - b ** 2])[:K]

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


# The same value with other gradients: the numbers may not move, or only that of k, or only those of the others.
def stopped(theta_c, U, theta_d, old, advantage, epsilon, k):
    return objective(numbers(theta_c).detach(), U, theta_d, old, advantage, epsilon, k)


def own_only(theta_c, U, theta_d, old, advantage, epsilon, k):
    return own_only_x(numbers(theta_c), U, theta_d, old, advantage, epsilon, k)


def own_only_x(x, U, theta_d, old, advantage, epsilon, k):
    return objective(torch.where(torch.arange(K) == k, x, x.detach()), U, theta_d, old, advantage, epsilon, k)


def others_only(theta_c, U, theta_d, old, advantage, epsilon, k):
    x = numbers(theta_c)
    return objective(torch.where(torch.arange(K) == k, x.detach(), x), U, theta_d, old, advantage, epsilon, k)


# Other policies: H-PPO's blind choice, and one pass for each number.
def blind(theta_d, old, advantage, epsilon, k):
    return clipped((theta_d.log_softmax(-1)[k] - old.log_softmax(-1)[k]).exp(), advantage[k], epsilon)


def passes(x, U, theta_d):
    return logits(torch.diag(x), U, theta_d).diagonal()


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


# Other ways to clip.
def table(ratios, gain, epsilon, clipped=clipped):
    return clipped(ratios, gain, epsilon).sum()


def by_minimum(ratios, gain, epsilon):
    return torch.minimum(ratios * gain, torch.clamp(ratios, 1 - epsilon, 1 + epsilon) * gain).sum()


def by_stack(ratios, gain, epsilon):
    return torch.stack([ratios * gain, ratios.clamp(1 - epsilon, 1 + epsilon) * gain]).min(0).values.sum()


def by_amin(ratios, gain, epsilon):
    return torch.stack([ratios * gain, ratios.clamp(1 - epsilon, 1 + epsilon) * gain]).amin(0).sum()


def by_where(ratios, gain, epsilon):
    free, held = ratios * gain, ratios.clamp(1 - epsilon, 1 + epsilon) * gain
    return torch.where(free <= held, free, held).sum()


def by_max(ratios, gain, epsilon):  # the loss, as it is usually written
    return -torch.max(-ratios * gain, -ratios.clamp(1 - epsilon, 1 + epsilon) * gain).sum()


def composed(ratios, gain, epsilon):  # a clip made of max and min
    held = torch.max(torch.min(ratios, 1 + epsilon), 1 - epsilon)
    return torch.min(ratios * gain, held * gain).sum()


def without_min(ratios, gain, epsilon):
    return (ratios.clamp(1 - epsilon, 1 + epsilon) * gain).sum()


# Numbers that are drawn. The choice sees one of them, y, with mean tanh(a) and a given spread.
spread = Variable("spread", over=Uniform(0.8, 1.5))
noise = Variable("noise", K)
mean_old = Variable("mean_old")
y = Draw("y", Gaussian(mean_old, spread))
m = Draw("m", Categorical(logits=U[:, 0] * y + old))
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


def joint_ratio(theta_c, theta_d, U, old, mean_old, spread, advantage, y, m):
    number_ratio = (log_number(y, theta_c, spread) - torch.distributions.Normal(mean_old, spread).log_prob(y)).exp()
    return choice_ratio(theta_d, U, old, advantage, y, m) * number_ratio


def pathwise(theta_c, theta_d, U, spread, advantage, z):
    return (log_choice(theta_c[0].tanh() + spread * z, U, theta_d).exp() * advantage).sum()



# An instance with nothing clipped, one with two actions clipped, and one where each logit sees its own number alone.
quarter, third, half, fifth = Rational(1, 4), Rational(1, 3), Rational(1, 2), Rational(1, 5)
weights = array((1, half, -quarter), (-third, 3 * quarter, fifth), (third / 2, -half, 2 * third))
bias = array(fifth / 2, -fifth, 0)
now, before = heads((3 * fifth / 2, -7 * fifth / 2), 3), heads((fifth / 2, -2 * fifth), 3)

instance = Point(theta_c=(3 * fifth / 2, -7 * fifth / 2), theta_d=bias, U=weights, x=now, old=weights @ before + bias, advantage=(1, -2, half), epsilon=fifth)
clipping = instance.but(theta_d=(3 * fifth, -9 * fifth / 2, 0))
alone = array((1, 0, 0), (0, 3 * quarter, 0), (0, 0, 2 * third))
diagonal = instance.but(U=alone, old=alone @ before + bias)

# In the first epoch the policy is the one that collected the data; here also with advantages that have mean zero.
first = instance.but(theta_c=(fifth / 2, -2 * fifth), x=before)
mean_advantage = (softmax(weights @ before + bias) * array(1, -2, half)).sum()
centred = first.but(advantage=array(1, -2, half) - mean_advantage)
epoch = Equal(softmax(old), pi)

# Numbers zero, so that every choice is as likely as its bias says.
origin = Point(x=(0, 0, 0), theta_d=(0, 0, 0), old=(0, 0, 0), U=array(*unit), advantage=(1, -2, half), epsilon=fifth)
uphill = origin.but(U=((1, -2, -3), (1, -4, -3), (1, 0, -3)), advantage=(-3, 1, 2))
biased = (log(6), log(3), log(1))
slanted = origin.but(theta_d=biased, old=biased, advantage=(3, 4, 5))

# A ratio exactly on the boundary: that of the first action at 1 + epsilon; that of the second at 1 - epsilon.
tie = Point(theta_c=(0, 0), theta_d=(0, 0, 0), U=weights, old=(0, log(3 * half), log(Rational(11, 10))), advantage=(1, -2, half), epsilon=fifth)
low_tie = tie.but(old=(log(4), log(5), log(3)))

# Seven ratios in units of 1/10, two of them on the boundary.
plus = Point(ratios=array(5, 8, 9, 10, 11, 12, 15) / 10, gain=1, epsilon=fifth)
minus = plus.but(gain=-1)


def mean(f, wrt=None):
    return Mean(Gradient(f, wrt))


# What must be true. The clip, one sample at a time.
regions = Claim(
    "The slope of min(rA, clip(r) A) in r is A, or 0 where A > 0 and r > 1 + epsilon, or A < 0 and r < 1 - epsilon.", source="A-023",
    that=Equal(Gradient(one_gain, ratio), gain * gate(ratio, gain)),
)
slope = Claim("torch says so too.", Equal(Gradient(clipped, ratio), Gradient(one_gain, ratio)), source="A-023")
rising = Claim(
    "At r = 0.5, 0.8, 0.9, 1, 1.1, 1.2, 1.5 and A = 1 it is 1, and 0 at the last: on the boundary torch follows r.", at=plus,
    source="A-023, A-025", that=Equal(Gradient(table, ratios), (1, 1, 1, 1, 1, 1, 0)),
)
falling = Claim("With A = -1 it is -1, and 0 at the first.", Equal(Gradient(table, ratios), (0, -1, -1, -1, -1, -1, -1)), at=minus, source="A-023, A-025")
single = Claim("In float32 as well.", Equal(Gradient(table, ratios, dtype="float32"), (1, 1, 1, 1, 1, 1, 0)), at=plus, source="A-025")
spellings = (by_minimum, by_stack, by_amin, by_where, by_max)
ways = tuple(Claim(f"`{f.__name__}` has the same slopes,", Equal(Gradient(f, ratios), Gradient(all_gains, ratios)), source="A-023") for f in spellings)
ties = tuple(Claim(f"also on the boundary: `{f.__name__}`.", Equal(Gradient(f, ratios), (1, 1, 1, 1, 1, 1, 0)), at=plus, source="A-025") for f in spellings)
halved = Claim(
    "A clip made of max and min splits its own tie too: on the boundary its slope is 1/2 + 1/2 * 1/2 = 3/4.", at=plus, source="A-025",
    that=Equal(Gradient(composed, ratios), (1, three_quarters, 1, 1, 1, three_quarters, 0)),
)
interval = Claim(
    "At r = 1 + epsilon and A > 0 that is a slope by Clarke, whose interval is [0, A];", at=plus, source="A-025",
    that=Within(Gradient(composed, ratios)[5], Hull(Gradient(all_gains, ratios))[5]),
)
smooth = Claim(
    "at r = 1 - epsilon nothing bends: the only slope is A.", at=plus, source="A-025",
    that=Within(Gradient(table, ratios), Hull(Gradient(all_gains, ratios))),
)
unpaired = Claim(
    "Without the min a ratio that is too small for its advantage is given up.", at=plus, source="A-025",
    that=Equal(Gradient(without_min, ratios), (0, 1, 1, 1, 1, 1, 0)),
)
