"""Soft actor-critic: two losses, five blocks of parameters, and who may move whom.

Twin critics regress on a target made by their slow copies and the current policy; the target is frozen. The policy climbs
the smaller critic and pays alpha for every nat of entropy it gives away. Its action is a normal number squashed by tanh,
sampled by reparameterisation; the critics are frozen there. Most mistakes leave both losses plausible. Two leave both main
gradients right, and show only where no gradient should be. On the way: why by the path and not by the score, and what an
entropy is, of a coin, of a normal action, and of a squashed one.
"""

import ast

import numpy as np
from sympy import Derivative, IndexedBase, KroneckerDelta, Mul, Rational, Sum, symbols
from sympy import pi as circle

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Derivation,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Gaussian,
    Gradient,
    Hull,
    Integers,
    LogRational,
    Mean,
    Mistake,
    Named,
    NonFinite,
    Normal,
    Parameter,
    Point,
    Problem,
    Raises,
    Simplex,
    Size,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    clip,
    cos,
    exp,
    frozen,
    log,
    log_prob,
    maximum,
    minimum,
    sigmoid,
    sin,
    softmax,
    softplus,
    tanh,
    torch,
)
from gradcheck_rl import (
    step as step_at,
)

# The setting: critics, their slow copies, the policy; a batch of transitions and the noise that was drawn for them.
N = Size("N", 4, also=(2,))
phi1, phi2, slow1, slow2 = (Parameter(name, 5, over=Normal(0.5)) for name in ("phi1", "phi2", "slow1", "slow2"))
theta = Parameter("theta", 4, over=Normal(0.5))
s, a, r, s2, noise, noise2 = (Variable(name, N) for name in ("s", "a", "r", "s2", "noise", "noise2"))
done = Variable("done", N, over=Integers(0, 1))
theta_old = Variable("theta_old", 4, over=Normal(0.5))
gamma, alpha, limit = Rational(99, 100), Rational(1, 5), 2


# The model. A batch is one row, drawn uniformly.
def q(phi, s, a):
    return phi[0] + phi[1] * s + phi[2] * a + phi[3] * s * a + phi[4] * a**2


def normal(theta, s):
    return theta[0] + theta[1] * s, exp(theta[2] + theta[3] * s)


def squashing(u):  # the logarithm of 1 - tanh(u)^2
    return 2 * (log(2) - u - softplus(-2 * u))


def act(theta, s, noise):
    mean, sd = normal(theta, s)
    u = mean + sd * noise
    return limit * tanh(u), log_prob(u, Gaussian(mean, sd)) - squashing(u)


row = Draw("row", Categorical([Rational(1, N)] * N))
next_action, next_log_prob = act(theta, s2[row], noise2[row])
target = r[row] + gamma * (1 - done[row]) * (
    minimum(q(slow1, s2[row], next_action), q(slow2, s2[row], next_action)) - alpha * next_log_prob
)
error1, error2 = (q(phi, s[row], a[row]) - frozen(target) for phi in (phi1, phi2))
critic = E(error1**2 + error2**2)

action, action_log_prob = act(theta, s[row], noise[row])
actor = -E(minimum(q(frozen(phi1), s[row], action), q(frozen(phi2), s[row], action)) - alpha * action_log_prob)

# One state, and the policy's action there: before it is squashed, and made from noise.
state = Variable("state", over=Uniform(-1, 1))
z = Draw("z", Gaussian(*normal(theta, state)))
xi = Draw("xi", Gaussian(0, 1))
made, made_log_prob = act(theta, state, xi)
soft = E(q(phi1, state, limit * tanh(z)) - alpha * log_prob(tanh(z)))
soft_made = E(q(phi1, state, made) - alpha * made_log_prob)

# The soft value of a policy in two states with two actions.
logits = Parameter("logits", (2, 2), over=LogRational())
step = Variable("step", (2, 2, 2), over=Simplex())
pay = Variable("pay", (2, 2))
discount, half = Rational(9, 10), Rational(1, 2)


def solved(pi, now):  # V = now + discount V(next), by Cramer's rule
    (stay, leave), (back, settle) = discount * (pi[..., None] * step).sum(1)
    determinant = (1 - stay) * (1 - settle) - leave * back
    return array((1 - settle) * now[0] + leave * now[1], back * now[0] + (1 - stay) * now[1]) / determinant


def soft_value(pi):
    return solved(pi, (pi * (pay - alpha * log(pi))).sum(-1))


def looked_ahead(value):
    return pay + discount * (step * value).sum(-1)


pi = softmax(logits)
entropy = -(pi * log(pi)).sum(-1)
V = soft_value(pi)
Q = looked_ahead(V)
start, first = Draw("start", Categorical([half, half])), Draw("first", Categorical([half, half]))
then = Draw("then", Categorical(step[start, first]))
choice = Draw("choice", Categorical(pi[then]))
one_sample = pay[start, first] + discount * (Q[then, choice] - alpha * log(pi)[then, choice])

u, log_sd = Variable("u", over=Uniform(-6, 6)), Variable("log_sd", over=Uniform(-3, 1))

# Why by the path: x is drawn around a place, and E x^2 is to be small. One estimator asks for the score, the other for the path.
place, log_width = Variable("place", over=Uniform(-2, 2)), Variable("log_width", over=Uniform(-1, 0.5))
width = exp(log_width)
x, eps = Draw("x", Gaussian(place, width)), Draw("eps", Gaussian(0, 1))
J = E(x**2)
score = array((x - place) / width**2, ((x - place) / width) ** 2 - 1)
by_score, by_path = x**2 * score, 2 * (place + width * eps) * array(1, width * eps)
landing = Draw("landing", Gaussian(place, width), breaks=lambda at: ((0,),))
published = Point(place=2, log_width=0)


def variance(term):
    return E(term**2) - E(term) ** 2


noises = Variable("noises", 5)  # a batch of them, and what x they make
tried = place + noises * width

# Entropies: of a bonus for a softmax over three actions, of a coin, of the policy's action before it is squashed, and after.
lines = Variable("lines", (2, 3), over=Normal(0.5))  # the logits are lines in the state
chosen, gains = Variable("chosen", N, over=Integers(0, 2)), Variable("gains", N)
chances = softmax(lines[0] + lines[1] * s[row])
mean_entropy = -E((chances * log(chances)).sum())
with_bonus = -E(gains[row] * log(chances)[chosen[row]]) - mean_entropy / 10
logit, chance = Variable("logit"), Variable("chance", over=Uniform(0, 1))
coin = Draw("coin", Bernoulli(logit=logit))
coin_entropy = -E(coin.log_prob())
plain_entropy, squashed_entropy = -E(log_prob(z)), -E(log_prob(tanh(z)))
mean_at, sd_at = normal(theta, state)


# What a student writes, in torch.
def q_net(phi, s, a):
    return torch.stack([torch.ones_like(s), s, a, s * a, a * a], -1) @ phi


def log_det(u):
    return 2 * (torch.log(torch.tensor(2.0)) - u - torch.nn.functional.softplus(-2 * u))


def sample(theta, s, noise, log_det=log_det):
    mean, log_sd = theta[0] + theta[1] * s, theta[2] + theta[3] * s
    u = mean + log_sd.exp() * noise
    return 2 * u.tanh(), torch.distributions.Normal(mean, log_sd.exp()).log_prob(u) - log_det(u)


def backed_up(r, done, q1, q2, log_prob):
    return r + 0.99 * (1 - done) * (torch.min(q1, q2) - 0.2 * log_prob)


def bootstrap(slow1, slow2, theta, r, s2, done, noise2, sample=sample, backed_up=backed_up):
    with torch.no_grad():
        a2, log_prob = sample(theta, s2, noise2)
        return backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2), log_prob)


def critic_loss(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2, bootstrap=bootstrap):
    y = bootstrap(slow1, slow2, theta, r, s2, done, noise2)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi2, s, a) - y) ** 2).mean()


def worth(q1, q2, log_prob):
    return torch.min(q1, q2) - 0.2 * log_prob


def actor_loss(phi1, phi2, theta, s, noise, sample=sample, worth=worth):
    a, log_prob = sample(theta, s, noise)
    return -worth(q_net(phi1.detach(), s, a), q_net(phi2.detach(), s, a), log_prob).mean()


def one_action(phi1, theta, state, xi, sample=sample):
    a, log_prob = sample(theta, state, xi)
    return q_net(phi1, state, a) - 0.2 * log_prob


def without_score(phi1, theta, state, xi):  # the policy is constant inside its own log-probability
    a, _ = sample(theta, state, xi)
    still = theta.detach()
    mean, sd = still[0] + still[1] * state, (still[2] + still[3] * state).exp()
    u = theta[0] + theta[1] * state + (theta[2] + theta[3] * state).exp() * xi
    return q_net(phi1, state, a) - 0.2 * (torch.distributions.Normal(mean, sd).log_prob(u) - log_det(u))


def density(theta, state, xi):  # of the action that is returned, by torch's own change of variables
    base = torch.distributions.Normal(theta[0] + theta[1] * state, (theta[2] + theta[3] * state).exp())
    squash = [torch.distributions.TanhTransform(cache_size=1), torch.distributions.AffineTransform(0.0, 2.0, cache_size=1)]
    law = torch.distributions.TransformedDistribution(base, squash)
    return law.log_prob(squash[1](squash[0](base.loc + base.scale * xi)))


def listed(theta, state, xi, sample=sample):
    return sample(theta, state, xi)[1]


def with_limit(theta, s, noise):  # the density of the action that is returned, 2 tanh(u)
    a, log_prob = sample(theta, s, noise)
    return a, log_prob - torch.log(torch.tensor(2.0))


def bootstrap_with_limit(slow1, slow2, theta, r, s2, done, noise2):
    return bootstrap(slow1, slow2, theta, r, s2, done, noise2, sample=with_limit)


def critic_with_limit(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2):
    return critic_loss(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2, bootstrap=bootstrap_with_limit)


def actor_with_limit(phi1, phi2, theta, s, noise):
    return actor_loss(phi1, phi2, theta, s, noise, sample=with_limit)


def soft_return(logits, step, pay):
    pi = torch.distributions.Categorical(logits=logits)
    now = (pi.probs * pay).sum(-1) + 0.2 * pi.entropy()
    return torch.linalg.solve(torch.eye(2) - 0.9 * (pi.probs[..., None] * step).sum(1), now)[0]


def soft_sum(logits, step, pay, steps=300):  # rewards and entropies, added up from the last step to the first
    log_pi, value = logits.log_softmax(-1), torch.zeros(2)
    for _ in range(steps):
        value = (log_pi.exp() * (pay - 0.2 * log_pi + 0.9 * (step * value).sum(-1))).sum(-1)
    return value


def soft_action_values(logits, step, pay, steps=300):  # the chain of pairs: the entropy of the first action is not in it
    log_pi, value = logits.log_softmax(-1), torch.zeros(4)
    to_pairs = (step[..., None] * log_pi.exp()).reshape(4, 4)
    for _ in range(steps):
        value = pay.reshape(4) + 0.9 * to_pairs @ (value - 0.2 * log_pi.reshape(4))
    return value


def score_of_square(place, log_width, x):
    return x**2 * torch.distributions.Normal(place, log_width.exp()).log_prob(x)


def path_of_square(place, log_width, eps):
    return (place + log_width.exp() * eps) ** 2


def density_of(place, log_width, x):
    return torch.distributions.Normal(place, log_width.exp()).log_prob(x)


def reach(place, log_width, noises):
    return place + log_width.exp() * noises


def score_batch(place, log_width, noises, density_of=density_of, reach=reach):
    x = reach(place, log_width, noises).detach()
    return (x**2 * density_of(place, log_width, x)).mean()


def path_batch(place, log_width, noises, reach=reach):
    return (reach(place, log_width, noises) ** 2).mean()


def log_shares(logits):
    return logits.log_softmax(-1)


def disorder_of(logits, log_shares=log_shares):
    logs = log_shares(logits)
    return -(logs.exp() * logs).sum(-1).mean()


def mean_disorder(lines, s, disorder_of=disorder_of):
    return disorder_of(lines[0] + lines[1] * s[:, None])


def loss_with_bonus(lines, s, chosen, gains, log_shares=log_shares, mean_disorder=mean_disorder):
    taken = log_shares(lines[0] + lines[1] * s[:, None]).gather(1, chosen.long()[:, None]).squeeze(1)
    return -(gains * taken).mean() - 0.1 * mean_disorder(lines, s)


def path_of_step(place, log_width, eps):
    return torch.where(place + log_width.exp() * eps >= 0, 1.0, 0.0)


def entropy_of_coin(logit):
    return torch.distributions.Bernoulli(logits=logit).entropy()


def entropy_of_normal(theta, state):
    return torch.distributions.Normal(torch.zeros_like(state), (theta[2] + theta[3] * state).exp()).entropy()


def surprise_of_action(theta, state, xi, sample=sample):
    return -sample(theta, state, xi)[1]


# Lines of the listings that float numbers decide.
def entropy_by_hand(chance):
    return -chance * chance.log() - (1 - chance) * (1 - chance).log()


def entropy_by_xlogy(chance):
    return -torch.xlogy(chance, chance) - torch.xlogy(1 - chance, 1 - chance)


def deterministic(theta, state):
    return sample(theta, state, torch.zeros_like(state))[1]


def with_numpy_scalar(u):  # the limit as numpy has it
    return np.float32(2.0) * torch.tanh(u)


def dtype_kept(u):
    return torch.tensor(float(with_numpy_scalar(u.float()).dtype == torch.float32))


PRINTED = "if deterministic\n:\n    action = mean\n"  # the start of the listing's branch: the colon stands alone


def read_listing():
    return float(len(ast.parse(PRINTED).body))


def naive(u):
    return torch.log(1 - u.tanh() ** 2)


def clamped(log_sd):
    return torch.clamp(log_sd, -20, 2)


def by_clamp(log_sd):  # of torch alone: no answer stands in its place
    return log_sd.clamp(-20, 2)


def likelihood(log_sd):  # of an action one standard deviation away; 1e-8 keeps the quotient finite
    away = log_sd.exp() / (log_sd.exp() + 1e-8)
    return -0.5 * (away**2 + 2 * log_sd + torch.log(torch.tensor(2 * torch.pi)))


def action_at_one(log_sd):
    return 1 + 0.7 * log_sd.exp()


def likelihood_at_one(log_sd, action_at_one=action_at_one):
    return torch.distributions.Normal(torch.ones(()), log_sd.exp()).log_prob(action_at_one(log_sd))


def summed(u):
    return log_det(u.reshape(1)).sum(axis=1)


# What must be true of the losses, at every point and for every N.
both, slow = (phi1, phi2), (theta, slow1, slow2)
critics = Claim(
    "Both critics regress on the target.",
    source="B-112, B-113, B-116, B-137, B-138, B-140",
    that=Equal(Gradient(critic_loss, both), Gradient(critic, both)),
)
still = Claim(
    "The critic loss moves neither the policy, which made the target, nor the slow critics.",
    source="B-111, B-113",
    that=Equal(Gradient(critic_loss, slow), 0),
)
climbs = Claim(
    "The actor climbs the smaller critic and keeps its entropy.",
    source="B-116, B-119, B-132, B-140",
    that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta)),
)
judged = Claim("The actor loss does not move the critics.", Equal(Gradient(actor_loss, both), 0), source="B-119")
regression = Claim("The critic loss is the mean squared error of both.", Equal(Value(critic_loss), critic), source="B-112")
surprise = Claim("The actor loss is minus the soft value.", Equal(Value(actor_loss), actor), source="B-119")

# The batch of the exercise, where every gradient has digits to compare.
batch = Point(
    phi1=array(4, -10, 6, 8, -5) / 20,
    phi2=array(6, -6, 2, 12, -7) / 20,
    theta=array(2, -12, -10, 5) / 20,
    theta_old=array(1, -10, -8, 4) / 20,
    slow1=array(2, -8, 5, 10, -4) / 20,
    slow2=array(4, -5, 4, 8, -6) / 20,
    s=array(2, -4, 6, -1) / 4,
    a=array(12, -24, 5, -36) / 20,
    r=array(4, -2, 8, 3) / 4,
    done=(0, 0, 1, 0),
    s2=array(8, -30, 10, 12) / 10,
    noise=array(3, -7, 12, -5) / 10,
    noise2=array(-4, 9, 5, -12) / 10,
)
critics_there = Claim(
    "On the batch the critics move so,",
    at=batch,
    source="B-112, B-113",
    that=Equal(Gradient(critic_loss, both), Gradient(critic, both)),
)
still_there = Claim(
    "the policy and the slow critics not at all,",
    at=batch,
    source="B-113",
    that=Equal(Gradient(critic_loss, slow), 0),
)
climbs_there = Claim("the policy so,", Equal(Gradient(actor_loss, theta), Gradient(actor, theta)), at=batch, source="B-119")
judged_there = Claim("and in its turn the critics not at all.", Equal(Gradient(actor_loss, both), 0), at=batch, source="B-119")

# The squashed normal.
logarithm = log(1 - tanh(u) ** 2)
stable = Claim("The stable form is log(1 - tanh(u)^2).", Equal(squashing(u), logarithm), source="B-124")
falls = Claim("Its slope is -2 tanh(u).", Equal(Gradient(logarithm, u), -2 * tanh(u)), source="B-124")
coded = Claim("So the code computes it.", Equal(Value(log_det), logarithm), source="B-124")
falls_too = Claim("And its slope.", Equal(Gradient(log_det, u), -2 * tanh(u)), source="B-124")
changed = Claim(
    "The density of tanh(z) is that of z over the slope of tanh.",
    source="B-123",
    that=Equal(log_prob(tanh(z)), log_prob(z) - squashing(z)),
)
likely = Claim("The code's log-probability is that of tanh(u).", Equal(Value(listed), made_log_prob), source="B-124")
returned = Claim(
    "The action returned is 2 tanh(u): torch's own change of variables is lower by log 2.",
    source="B-126",
    that=Equal(Value(density), made_log_prob - log(limit)),
)
integrates = Claim(
    "The listed density integrates to the limit, not to 1.",
    source="B-123",
    that=Equal(E(exp(log_prob(tanh(z)) - log_prob(limit * tanh(z)))), limit),
)
unmoved = Claim(
    "The missing log 2 does not change the actor's gradient.",
    source="B-127",
    that=Equal(Gradient(actor_with_limit, theta), Gradient(actor, theta)),
)
bonus = Claim(
    "It changes the target by alpha gamma log 2 for every step that is not the last.",
    source="B-127",
    that=Equal(Value(bootstrap_with_limit) - Value(bootstrap), alpha * gamma * (1 - done) * log(limit)),
)

# Its expectation.
path = Claim("Averaging over actions is averaging over noise.", Equal(soft, soft_made), source="B-117")
paths = Claim("So it is for the gradient.", Equal(Gradient(soft, theta), Gradient(soft_made, theta)), source="B-117")
pathwise = Claim(
    "The gradient through the sample is unbiased.",
    source="B-119",
    that=Equal(Mean(Gradient(one_action, theta)), Gradient(soft, theta)),
)
dropped = Claim(
    "It stays so when the policy is constant inside its log-probability.",
    source="B-122",
    that=Equal(Mean(Gradient(without_score, theta)), Gradient(soft, theta)),
)
dropped_noise = Claim(
    "What was dropped has mean zero and the variance of alpha (xi / sd, xi^2 - 1): alpha^2 (1 / sd^2, 2).",
    source="B-122",
    that=Equal(
        Covariance(Gradient(one_action, theta) - Gradient(without_score, theta))[::5],
        alpha**2 * (array(1, state**2, 0, 0) / normal(theta, state)[1] ** 2 + 2 * array(0, 0, 1, state**2)),
    ),
)
a_mean = E(limit * tanh(z))
smooth = Claim(
    "Noise smooths a quadratic critic: E Q = Q(mean) + phi_4 Var.",
    source="B-139",
    that=Equal(E(q(phi1, state, limit * tanh(z))), q(phi1, state, a_mean) + phi1[4] * (E((limit * tanh(z)) ** 2) - a_mean**2)),
)
sizes = Variable("sizes", 2, over=Uniform(0, 2))
errors = [size * (2 * Draw(name, Bernoulli(half)) - 1) for size, name in zip(sizes, ("error1", "error2"), strict=True)]
smaller = u + E(minimum(*errors))
low = Claim(
    "The smaller of two critics with independent errors is too low on average.",
    source="B-113, B-118",
    that=AtMost(smaller, u),
)

by_half = Claim(
    "For errors up or down by two sizes it is too low by half the larger: one exact critic does not help.",
    source="B-113, B-118",
    that=Equal(smaller, u - maximum(*sizes) / 2),
)

# Soft values.
solves = Claim(
    "V is the mean of Q and alpha times the entropy.",
    source="B-107, B-115",
    that=Equal(V, (pi * Q).sum(-1) + alpha * entropy),
)
sampled_once = Claim(
    "One next state and one next action are unbiased for Q.",
    source="B-109, B-110",
    that=Equal(E(one_sample, over=(then, choice)), Q[start, first]),
)
linear = Claim("torch solves the same equations.", Equal(Gradient(soft_return, logits), Gradient(V[0], logits)), source="B-108")
frozen_value = (pi * (frozen(Q) - alpha * log(pi))).sum(-1)
visits = array(solved(pi, (1, 0))[0], solved(pi, (0, 1))[0])  # of each state, from the first
weighted = Claim(
    "The gradient of V is the actor's at fixed Q, summed over states by discounted visits.",
    source="B-120",
    that=Equal(Gradient(V[0], logits), Gradient((frozen(visits) * frozen_value).sum(), logits)),
)
improves = Claim(
    "The policy exp(Q / alpha), normalised, is better in every state.",
    source="B-121",
    that=AtMost(V, soft_value(softmax(Q / alpha))),
)

summed_up = Claim("Three hundred steps of rewards and entropies reach V.", Equal(Value(soft_sum), V), source="B-105")
pairwise = Claim(
    "The chain of pairs has the values Q: the entropy of the first action is not in them.",
    source="B-106",
    that=Equal(Value(soft_action_values), Q),
)

# Two estimators of one gradient.
second_moment = Claim("E[x^2] is place^2 + width^2.", Equal(J, place**2 + width**2), source="B-074, B-075")
by_either = Claim(
    "The score and the path have the means 2 place and 2 width^2: the gradient by place and by log width.",
    source="B-076, B-077, B-079, B-080, B-081, B-090",
    that=Equal(array(*map(E, by_score), *map(E, by_path)), array(1, 0, 1, 0) * 2 * place + array(0, 1, 0, 1) * 2 * width**2),
)
score_coded = Claim(
    "The score loss is unbiased,",
    source="B-076, B-077",
    that=Equal(Mean(Gradient(score_of_square, (place, log_width))), Gradient(J, (place, log_width))),
)
path_coded = Claim(
    "and so is the pathwise one.",
    source="B-080, B-093",
    that=Equal(Mean(Gradient(path_of_square, (place, log_width))), Gradient(J, (place, log_width))),
)
path_each = Claim(
    "In every sample the path gives 2 x (1, w eps).",
    source="B-080, B-093",
    that=Equal(Gradient(path_of_square, (place, log_width)), by_path),
)
score_noise = Claim(
    "By the score the variances are (m^4 + 14 m^2 w^2 + 15 w^4) / w^2 and 2 (m^4 + 30 m^2 w^2 + 37 w^4),",
    source="B-078, B-082, B-090",
    that=Equal(
        Covariance(Gradient(score_of_square, (place, log_width)))[::3],
        array(
            (place**4 + 14 * place**2 * width**2 + 15 * width**4) / width**2,
            2 * (place**4 + 30 * place**2 * width**2 + 37 * width**4),
        ),
    ),
)
path_noise = Claim(
    "by the path 4 w^2 and 4 w^2 (m^2 + 2 w^2).",
    source="B-083, B-090",
    that=Equal(Covariance(Gradient(path_of_square, (place, log_width)))[::3], 4 * width**2 * array(1, place**2 + 2 * width**2)),
)
eighty_seven = Claim(
    "At place 2 and width 1 these are 87 and 4,",
    at=published,
    source="B-081, B-082, B-083, B-084, B-086",
    that=Equal(array(variance(by_score[0]), variance(by_path[0])), array(87, 4)),
)
an_order = Claim(
    "more than one order of magnitude apart;", at=published, source="B-085", that=AtMost(10 * variance(by_path[0]), 87)
)
least_ratio = Claim(
    "the ratio is nowhere less than 15 / 4.",
    source="B-084",
    that=AtMost(Rational(15, 4) * variance(by_path[0]), variance(by_score[0])),
)
trap = Claim(
    "At width 1 variance and standard deviation are one.",
    Equal(variance(place + width**2 * eps), width**2),
    at=published,
    source="B-092",
)
trap_too = Claim(
    "At width 1 / sqrt(2) the gradients of E[x^2] by the log width agree.",
    at=Point(place=2, log_width=-log(2) / 2),
    source="B-092",
    that=Equal(Gradient(E((place + width**2 * eps) ** 2), log_width), Gradient(J, log_width)),
)
baseline = place**2 + 3 * width**2
calmed = Claim(
    "The best constant baseline is m^2 + 3 w^2, and leaves 2 (4 m^2 + 3 w^2): less than half at the published point.",
    source="B-089",
    that=Equal(variance((x**2 - baseline) * score[0]), 2 * (4 * place**2 + 3 * width**2)),
)
best_baseline = Claim(
    "Best: E[score^2 x^2] / E[score^2].", Equal(E(score[0] ** 2 * x**2), baseline * E(score[0] ** 2)), source="B-089"
)
wave_noise = Claim(
    "For cos 5x at place 2 and width 1 the path is the noisier: more than twenty times.",
    at=published,
    source="B-087",
    that=AtMost(20 * E((cos(5 * x) * score[0]) ** 2), E(25 * sin(5 * (place + width * eps)) ** 2)),
)
stepping = Claim(
    "For a step the gradient is the density at the step;",
    source="B-088",
    that=Equal(Gradient(E(step_at(landing)), place), exp(log_prob(x).subs(x[()], 0))),
)
stepped = Claim(
    "in each sample the path's loss is that step,", Equal(Value(path_of_step), step_at(place + width * eps)), source="B-088"
)
through = Claim("and its gradient is 0.", Equal(Gradient(path_of_step, place), 0), source="B-088")

score_of_batch = Claim(
    "A batch by the score: the mean of x^2 (eps / w, eps^2 - 1),",
    source="B-077",
    that=Equal(
        Gradient(score_batch, (place, log_width)), array((tried**2 * noises).mean() / width, (tried**2 * (noises**2 - 1)).mean())
    ),
)
path_of_batch = Claim(
    "and by the path: the mean of 2 x (1, w eps).",
    source="B-080, B-093",
    that=Equal(Gradient(path_batch, (place, log_width)), array((2 * tried).mean(), (2 * tried * width * noises).mean())),
)
five = Point(place=Rational(3, 2), log_width=-half, noises=array(2, -4, 6, -1, 8) / 4)
score_there = Claim(
    "Five noises give this,",
    at=five,
    source="B-077",
    that=Equal(Gradient(score_batch, (place, log_width)), score_of_batch.that.right),
)
path_there = Claim(
    "and this.", at=five, source="B-080", that=Equal(Gradient(path_batch, (place, log_width)), path_of_batch.that.right)
)

# Entropies.
rewarded = Claim(
    "A loss with an entropy bonus,", Equal(Gradient(loss_with_bonus, lines), Gradient(with_bonus, lines)), source="B-094, B-097"
)
disordered = Claim("and the bonus alone.", Equal(Gradient(mean_disorder, lines), Gradient(mean_entropy, lines)), source="B-094")
three_actions = Point(
    lines=array(array(10, -5, 2) / 20, array(4, -8, 6) / 20),
    s=array(2, -4, 6, -1) / 4,
    chosen=(0, 2, 1, 0),
    gains=array(4, -2, 8, 1) / 4,
)
rewarded_there = Claim(
    "On a batch the first is this,",
    at=three_actions,
    source="B-094",
    that=Equal(Gradient(loss_with_bonus, lines), Gradient(with_bonus, lines)),
)
disordered_there = Claim(
    "and the second that.",
    at=three_actions,
    source="B-094",
    that=Equal(Gradient(mean_disorder, lines), Gradient(mean_entropy, lines)),
)
held = Claim(
    "Holding the logarithm in p log p changes nothing: p times the slope of log p sums to zero.",
    source="B-094",
    that=Equal(Gradient(-E((chances * frozen(log(chances))).sum()), lines), Gradient(mean_entropy, lines)),
)
of_coin = Claim("A coin's entropy, as torch has it.", Equal(Value(entropy_of_coin), coin_entropy), source="B-094, B-095")
coin_slope = Claim(
    "Its slope in the logit is -logit p (1 - p):",
    source="B-097",
    that=Equal(Gradient(entropy_of_coin, logit), -logit * sigmoid(logit) * sigmoid(-logit)),
)
even = Claim("it is greatest for the even coin.", AtMost(coin_entropy, log(2)), source="B-096")
undefined = Claim(
    "Written by hand it is not a number for a certain coin,",
    at=Point(chance=0),
    source="B-098",
    that=Equal(NonFinite(Value(entropy_by_hand)), 1),
)
nothing = Claim("by xlogy it is 0.", Equal(Value(entropy_by_xlogy), 0), at=Point(chance=0), source="B-098")
by_hand = Claim(
    "Of any other coin they agree.",
    where=Differs(chance * (1 - chance), 0),
    source="B-098",
    that=Equal(Value(entropy_by_xlogy), Value(entropy_by_hand)),
)
peaked = array(Rational(6, 10), *[Rational(4, 30)] * 3)
disorder = Claim(
    "(6, 4/3, 4/3, 4/3) / 10 has the higher peak, and the higher entropy, than (5, 5, 0, 0) / 10.",
    source="B-099",
    that=AtMost(log(2), -(peaked * log(peaked)).sum()),
)
of_normal = Claim(
    "A normal action has the entropy log(2 pi e sd^2) / 2,",
    source="B-101",
    that=Equal(Value(entropy_of_normal), log(2 * circle * exp(1) * normal(theta, state)[1] ** 2) / 2),
)
grows_with_sd = Claim(
    "which grows by 1 with the log-sd, and not with the mean;",
    source="B-100, B-101",
    that=Equal(Gradient(plain_entropy, theta), array(0, 0, 1, state)),
)
negative = Claim(
    "it is 0 where sd is 1 / sqrt(2 pi e).",
    at=Point(log_sd=-log(2 * circle * exp(1)) / 2),
    source="B-101",
    that=Equal(log(2 * circle * exp(1) * exp(log_sd) ** 2) / 2, 0),
)
of_squashed = Claim(
    "Squashing takes 2 E log cosh away.",
    source="B-102",
    that=Equal(squashed_entropy, plain_entropy - 2 * E(log((exp(z) + exp(-z)) / 2))),
)
mean_away, spread_away = E(tanh(z)), E(xi * tanh(mean_at + sd_at * xi))
squashed_slope = Claim(
    "So its slopes are -2 E tanh(u) by the mean, and 1 - 2 sd E[xi tanh(u)] by the log-sd.",
    source="B-104",
    that=Equal(
        Gradient(squashed_entropy, theta),
        array(*(-2 * mean_away * array(1, state)), *((1 - 2 * sd_at * spread_away) * array(1, state))),
    ),
)
surprise_slope = Claim(
    "The gradient of one sample's surprise has that mean.",
    source="B-104",
    that=Equal(Mean(Gradient(surprise_of_action, theta)), Gradient(squashed_entropy, theta)),
)
bounded = Claim(
    "The squashed entropy is never above log 2, that of the even law.", AtMost(squashed_entropy, log(2)), source="B-103"
)
narrow, broad = (Point(theta=(0, 0, log(s), 0), state=0) for s in (Rational(874, 1000), Rational(875, 1000)))
rises = Claim("With mean 0 it rises with sd at 0.874", AtMost(0, Gradient(squashed_entropy, theta)[2]), at=narrow, source="B-103")
sinks = Claim(
    "and sinks at 0.875: it is greatest in between.",
    at=broad,
    source="B-100, B-103",
    that=AtMost(Gradient(squashed_entropy, theta)[2], 0),
)
at_mode = Claim(
    "A deterministic action comes with the log-density at the mean,",
    source="B-131",
    that=Equal(Value(deterministic), log_prob(mean_at, Gaussian(mean_at, sd_at)) - squashing(mean_at)),
)

# What float numbers do to the listings.
just_below = Point(u=-Rational(1001, 100))
late = Claim(
    "Below u = -10 torch's softplus is a straight line, and the code right to 1e-9 of its size.",
    at=just_below,
    source="B-125",
    resolution=1e-9,
    that=Equal(Value(log_det), logarithm),
)
near = Claim("Near 0 the naive form is right.", Equal(Value(naive), log(1 - tanh(u) ** 2)), at=Point(u=half), source="B-125")
blind = Claim("The naive form is infinite at u = 20,", Equal(NonFinite(Value(naive)), 1), at=Point(u=20), source="B-125")
blind_soon = Claim(
    "in float32 at u = 9.1,",
    at=Point(u=Rational(91, 10)),
    source="B-125",
    that=Equal(NonFinite(Value(naive, dtype="float32")), 1),
)
seeing = Claim("and not yet at u = 9.", Equal(NonFinite(Value(naive, dtype="float32")), 0), at=Point(u=9), source="B-125")
bounds = tuple(
    Claim(f"A log-sd of {x} is clamped with slope {y}.", Equal(Gradient(f, log_sd), y), at=Point(log_sd=x), source="B-130")
    for f, x, y in (
        (clamped, -21, 0),
        (by_clamp, -20, 1),
        (clamped, -Rational(199, 10), 1),
        (clamped, 0, 1),
        (clamped, Rational(19, 10), 1),
        (by_clamp, 2, 1),
        (clamped, 3, 0),
    )
)
bound = Claim(
    "At a bound any slope between 0 and 1 is a derivative.",
    at=Point(log_sd=2),
    source="B-130",
    that=Within(Gradient(clamped, log_sd), Hull(Gradient(clip(log_sd, -20, 2), log_sd))),
)
sd = exp(log_sd)
ideal, at_the_mean, near_one = (log_prob(x * sd, Gaussian(0, sd)) for x in (1, 0, Rational(7, 10)))
spoiled = Claim(
    "Adding 1e-8 to the sd adds (1 - (sd / (sd + 1e-8))^2) / 2 to the log-likelihood.",
    at=Point(log_sd=-20),
    source="B-134",
    that=Equal(Value(likelihood), ideal + (1 - (sd / (sd + Rational(1, 10**8))) ** 2) / 2),
)
above = Claim(
    "The action is 0.7 standard deviations above 1, where the mean is.",
    source="B-136",
    that=Equal(Value(action_at_one), 1 + Rational(7, 10) * sd),
)
rounded = Claim(
    "In float32 an action within 2e-9 of 1 is 1: its log-likelihood is that of the mean.",
    at=Point(log_sd=-20),
    source="B-136",
    that=Equal(Value(likelihood_at_one, dtype="float32"), at_the_mean),
)
single = Claim("Summing over axis 1 fails for a single state.", Raises(summed, IndexError), at=Point(u=1), source="B-129")

graph_kept = Claim(
    "numpy's scalars do not cut the graph,", Equal(Gradient(with_numpy_scalar, u), limit * (1 - tanh(u) ** 2)), source="B-133"
)
single_kept = Claim("nor change the dtype.", Equal(Value(dtype_kept), 1), source="B-133")
unreadable = Claim(
    "The listing with its colon on a line of its own is no program.", Raises(read_listing, SyntaxError), source="B-128"
)

# What is printed and wrong.
twice = Erratum(
    "The critic loss is L(phi_1) + L(phi_1).",
    source="B-114",
    at=batch,
    instead=critics_there,
    that=Equal(Gradient(2 * E(error1**2), both), Gradient(critic, both)),
)
mean_of, sd_of = normal(theta, state)
squared = Erratum(
    "The policy samples mu + sigma^2 xi.",
    source="B-092, B-116, B-135",
    instead=path,
    that=Equal(E(q(phi1, state, limit * tanh(mean_of + sd_of**2 * xi))), E(q(phi1, state, limit * tanh(z)))),
)
omitted = Erratum(
    "The listing's log-probability is that of the action it returns.",
    instead=returned,
    source="B-126",
    that=Equal(Value(density), Value(listed)),
)
constant = Erratum(
    "A constant in the log-probability changes no gradient.",
    source="B-127",
    instead=bonus,
    that=Equal(Gradient(critic_with_limit, both), Gradient(critic, both)),
)
samplewise = Erratum(
    "Dropping the score of the log-probability changes no gradient.",
    source="B-122",
    instead=dropped,
    that=Equal(Gradient(without_score, theta), Gradient(one_action, theta)),
)
equality = Erratum(
    "The smaller of two learned critics is the value.",
    instead=low,
    source="B-118",
    that=Equal(smaller, u),
)
unvisited = Erratum(
    "The gradient of the soft return is the actor's at fixed Q.",
    source="B-120",
    instead=weighted,
    that=Equal(Gradient(V[0], logits), Gradient(frozen_value[0], logits)),
)
exactly = Erratum(
    "The stable form is exact in float64.",
    at=just_below,
    source="B-125",
    instead=late,
    resolution=1e-10,
    that=Equal(Value(log_det), logarithm),
)
harmless = Erratum(
    "Adding 1e-8 to the sd does no harm.",
    at=Point(log_sd=-20),
    source="B-134",
    instead=spoiled,
    that=Equal(Value(likelihood), ideal),
)
told_apart = Claim(
    "In float64 it is that of the action.",
    at=Point(log_sd=-20),
    source="B-136",
    that=Equal(Value(likelihood_at_one), near_one),
)
precise = Erratum(
    "float32 is enough at the smallest sd.",
    at=Point(log_sd=-20),
    source="B-136",
    instead=rounded,
    that=Equal(Value(likelihood_at_one, dtype="float32"), near_one),
)


first_entropy = Erratum(
    "Q contains the entropy of its own state.",
    source="B-106",
    instead=pairwise,
    that=Equal(Value(soft_action_values), Q + alpha * entropy.reshape(2, 1)),
)
always = Erratum(
    "The ratio of the variances is 87 / 4 wherever the mean is.",
    source="B-084",
    instead=eighty_seven,
    that=Equal(4 * variance(by_score[0]), 87 * variance(by_path[0])),
)
almost = Erratum(
    "87 / 4 is almost an order of magnitude.",
    AtMost(87, 10 * variance(by_path[0])),
    at=published,
    source="B-085",
    instead=an_order,
)
lower = Erratum(
    "The path has the lower variance, whatever the function.",
    at=published,
    source="B-087",
    instead=wave_noise,
    that=AtMost(E(25 * sin(5 * (place + width * eps)) ** 2), E((cos(5 * x) * score[0]) ** 2)),
)
everywhere = Erratum(
    "Both have the same mean, whatever the function.",
    source="B-088",
    instead=stepping,
    that=Equal(Gradient(path_of_step, place), Gradient(E(step_at(landing)), place)),
)
spread_squared = Erratum(
    "place + width^2 eps has the variance width^2.",
    source="B-091, B-092",
    instead=second_moment,
    that=Equal(variance(place + width**2 * eps), width**2),
)
flatter = Erratum(
    "The higher the peak, the lower the entropy.",
    source="B-099",
    instead=disorder,
    that=AtMost(-(peaked * log(peaked)).sum(), log(2)),
)
wider = Erratum(
    "A wider squashed policy has more entropy.",
    at=broad,
    source="B-100",
    instead=sinks,
    that=AtMost(0, Gradient(squashed_entropy, theta)[2]),
)
mode_sample = Erratum(
    "The log-density of a deterministic action is minus the entropy.",
    source="B-131",
    instead=at_mode,
    that=Equal(Value(deterministic), -squashed_entropy),
)


# What people get wrong, and the claim that must catch it.
def no_log_det(u):
    return torch.zeros_like(u)


def added(u):
    return -log_det(u)


def halved(u):
    return log_det(u) / 2


def of_the_squashed(u):
    return log_det(u.tanh())


def sign_lost(u):
    return 2 * (torch.log(torch.tensor(2.0)) - u - torch.nn.functional.softplus(2 * u))


def two_lost(u):
    return 2 * (torch.log(torch.tensor(2.0)) - u - torch.nn.functional.softplus(-u))


def regularised(u):
    return torch.log(1 - u.tanh() ** 2 + 1e-6)


def drawn(theta, s, noise):  # sample() where rsample() was meant
    law = torch.distributions.Normal(theta[0] + theta[1] * s, (theta[2] + theta[3] * s).exp())
    u = (law.loc + law.scale * noise).detach()
    return 2 * u.tanh(), law.log_prob(u) - log_det(u)


def variance_for_sd(theta, s, noise):
    mean, log_sd = theta[0] + theta[1] * s, theta[2] + theta[3] * s
    u = mean + (2 * log_sd).exp() * noise
    return 2 * u.tanh(), torch.distributions.Normal(mean, log_sd.exp()).log_prob(u) - log_det(u)


def variance_as_scale(theta, s, noise):
    mean, log_sd = theta[0] + theta[1] * s, theta[2] + theta[3] * s
    u = mean + log_sd.exp() * noise
    return 2 * u.tanh(), torch.distributions.Normal(mean, log_sd.exp() ** 2).log_prob(u) - log_det(u)


def mean_action(theta, s, noise):
    return sample(theta, s, 0 * noise)


def attached(slow1, slow2, theta, r, s2, done, noise2):
    a2, log_prob = sample(theta, s2, noise2)
    return backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2), log_prob)


def column(slow1, slow2, theta, r, s2, done, noise2):  # (N,) minus (N, 1) is (N, N)
    return bootstrap(slow1, slow2, theta, r, s2, done, noise2)[:, None]


def entropy_added(r, done, q1, q2, log_prob):
    return r + 0.99 * (1 - done) * (torch.min(q1, q2) + 0.2 * log_prob)


def smallest_of_the_batch(r, done, q1, q2, log_prob):
    return r + 0.99 * (1 - done) * (torch.stack((q1, q2)).min() - 0.2 * log_prob)


def entropy_after_the_end(r, done, q1, q2, log_prob):
    return r + 0.99 * ((1 - done) * torch.min(q1, q2) - 0.2 * log_prob)


def larger(r, done, q1, q2, log_prob):
    return r + 0.99 * (1 - done) * (torch.max(q1, q2) - 0.2 * log_prob)


def entropy_undiscounted(r, done, q1, q2, log_prob):
    return r + (1 - done) * (0.99 * torch.min(q1, q2) - 0.2 * log_prob)


def no_entropy(r, done, q1, q2, log_prob):
    return r + 0.99 * (1 - done) * torch.min(q1, q2)


def first_twice(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2):
    y = bootstrap(slow1, slow2, theta, r, s2, done, noise2)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi1, s, a) - y) ** 2).mean()


def by_the_old_policy(phi1, phi2, slow1, slow2, theta_old, s, a, r, s2, done, noise2):
    return critic_loss(phi1, phi2, slow1, slow2, theta_old, s, a, r, s2, done, noise2)


def action_at_s(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2):
    with torch.no_grad():
        a2, log_prob = sample(theta, s, noise2)
        y = backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2), log_prob)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi2, s, a) - y) ** 2).mean()


def online_critics(phi1, phi2, theta, s, a, r, s2, done, noise2):
    y = attached(phi1, phi2, theta, r, s2, done, noise2)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi2, s, a) - y) ** 2).mean()


def paid_no_entropy(logits, step, pay):
    pi = logits.softmax(-1)
    return torch.linalg.solve(torch.eye(2) - 0.9 * (pi[..., None] * step).sum(1), (pi * pay).sum(-1))[0]


def smoothly_clamped(log_sd):
    return -20 + 11 * (log_sd.tanh() + 1)


def entropy_penalised(q1, q2, log_prob):
    return torch.min(q1, q2) + 0.2 * log_prob


def log_prob_detached(q1, q2, log_prob):
    return torch.min(q1, q2) - 0.2 * log_prob.detach()


def alpha_forgotten(q1, q2, log_prob):
    return torch.min(q1, q2) - log_prob


def by_the_first(q1, q2, log_prob):
    return q1 - 0.2 * log_prob


def by_both(q1, q2, log_prob):
    return (q1 + q2) / 2 - 0.2 * log_prob


def by_the_larger(q1, q2, log_prob):
    return torch.max(q1, q2) - 0.2 * log_prob


def by_the_smallest_of_the_batch(q1, q2, log_prob):
    return torch.stack((q1, q2)).min() - 0.2 * log_prob


def descends(q1, q2, log_prob):
    return -worth(q1, q2, log_prob)


def action_detached(phi1, phi2, theta, s, noise):
    a, log_prob = sample(theta, s, noise)
    return -worth(q_net(phi1.detach(), s, a.detach()), q_net(phi2.detach(), s, a.detach()), log_prob).mean()


def critics_not_frozen(phi1, phi2, theta, s, noise):
    a, log_prob = sample(theta, s, noise)
    return -worth(q_net(phi1, s, a), q_net(phi2, s, a), log_prob).mean()


def by_the_slow_critics(slow1, slow2, theta, s, noise):
    return actor_loss(slow1, slow2, theta, s, noise)


def reach_by_variance(place, log_width, noises):
    return place + (2 * log_width).exp() * noises


def reach_detached(place, log_width, noises):
    return reach(place, log_width, noises).detach()


def reach_by_logarithm(place, log_width, noises):
    return place + log_width * noises


def density_by_variance(place, log_width, x):
    return torch.distributions.Normal(place, log_width.exp() ** 2).log_prob(x)


def density_without_scale(place, log_width, x):
    return -((x - place) ** 2) / 2 - log_width


def density_not_normalised(place, log_width, x):
    return -((x - place) ** 2) / (2 * (2 * log_width).exp())


def samples_live(place, log_width, noises):
    x = reach(place, log_width, noises)
    return (x**2 * density_of(place, log_width, x)).mean()


def samples_live_in_density(place, log_width, noises):
    x = reach(place, log_width, noises)
    return (x.detach() ** 2 * density_of(place, log_width, x)).mean()


def less_the_mean(place, log_width, noises):
    x = reach(place, log_width, noises).detach()
    return ((x**2 - (x**2).mean()) * density_of(place, log_width, x)).mean()


def path_summed(place, log_width, noises):
    return (reach(place, log_width, noises) ** 2).sum()


def bonus_negated(logits):
    return -disorder_of(logits)


def bonus_detached(logits):
    return disorder_of(logits).detach()


def surprise_for_entropy(lines, s, chosen, gains):
    taken = log_shares(lines[0] + lines[1] * s[:, None]).gather(1, chosen.long()[:, None]).squeeze(1)
    return -(gains * taken).mean() - 0.1 * -taken.mean()


def shares_detached(logits):
    logs = log_shares(logits)
    return -(logs.exp().detach() * logs).sum(-1).mean()


def mean_over_actions(logits):
    logs = log_shares(logits)
    return -(logs.exp() * logs).mean(-1).mean()


def over_the_batch(logits):
    logs = logits.log_softmax(0)
    return -(logs.exp() * logs).sum(-1).mean()


def softmax_twice(logits):
    return logits.softmax(-1).log_softmax(-1)


def logits_for_logs(logits):
    return -(logits.softmax(-1) * logits).sum(-1).mean()


def in_bits(logits):
    return disorder_of(logits) / torch.log(torch.tensor(2.0))


def summed_over_the_batch(logits):
    return disorder_of(logits) * len(logits)


# Why, for any number K of actions, with logits x and values Q.
K, at, other_action = symbols("K i k", integer=True)
X, worths = IndexedBase("x", real=True), IndexedBase("Q", real=True)
temperature = symbols("alpha", positive=True)


def every(index, term):
    return Sum(term, (index, 0, K - 1))


def chance_of(index):
    return Named(f"pi_{index}", exp(X[index]) / every(other_action, exp(X[other_action])))[()]


soft_worth = every(other_action, chance_of(other_action) * (worths[other_action] - temperature * log(chance_of(other_action))))
soft_gradient = Derivation(
    "The gradient of the soft value",
    Derivative(soft_worth, X[at]),
    (
        (
            every(
                other_action,
                chance_of(other_action)
                * (KroneckerDelta(at, other_action) - chance_of(at))
                * (worths[other_action] - temperature * log(chance_of(other_action))),
            ),
            "the slope of pi_k; the slopes of the logarithms sum to zero",
        ),
        (
            chance_of(at) * (worths[at] - temperature * log(chance_of(at)) - Named("V", soft_worth)[()]),
            "the sum is V, the soft value",
        ),
    ),
    sizes={K: (2, 3, 4), at: (0, 1)},
    at={"x": (log(1), log(1), log(2)), "Q": (1, 2, 3), "alpha": 1},
)

problem = Problem(
    title="Soft actor-critic",
    world=(theta_old,),
    claims=(
        critics,
        still,
        climbs,
        judged,
        regression,
        surprise,
        critics_there,
        still_there,
        climbs_there,
        judged_there,
        stable,
        falls,
        coded,
        falls_too,
        changed,
        likely,
        returned,
        integrates,
        unmoved,
        bonus,
        path,
        paths,
        pathwise,
        dropped,
        dropped_noise,
        smooth,
        low,
        by_half,
        solves,
        sampled_once,
        linear,
        weighted,
        improves,
        summed_up,
        pairwise,
        second_moment,
        by_either,
        score_coded,
        path_coded,
        path_each,
        score_noise,
        path_noise,
        eighty_seven,
        an_order,
        least_ratio,
        trap,
        trap_too,
        best_baseline,
        calmed,
        wave_noise,
        stepping,
        stepped,
        through,
        score_of_batch,
        path_of_batch,
        score_there,
        path_there,
        rewarded,
        disordered,
        rewarded_there,
        disordered_there,
        held,
        of_coin,
        coin_slope,
        even,
        undefined,
        nothing,
        by_hand,
        disorder,
        of_normal,
        grows_with_sd,
        negative,
        of_squashed,
        squashed_slope,
        surprise_slope,
        bounded,
        rises,
        sinks,
        at_mode,
        late,
        near,
        blind,
        blind_soon,
        seeing,
        *bounds,
        bound,
        spoiled,
        above,
        rounded,
        told_apart,
        single,
        graph_kept,
        single_kept,
        unreadable,
    ),
    errata=(
        twice,
        squared,
        omitted,
        constant,
        samplewise,
        equality,
        unvisited,
        exactly,
        harmless,
        precise,
        first_entropy,
        always,
        almost,
        lower,
        everywhere,
        spread_squared,
        flatter,
        wider,
        mode_sample,
    ),
    derivations=(
        soft_gradient,
        Derivation(
            "log-slope",
            logarithm,
            (
                (log(4 * exp(-2 * u) / (1 + exp(-2 * u)) ** 2), "tanh u = (1 - e) / (1 + e), where e is exp(-2 u)"),
                (2 * log(2) - 2 * u - 2 * log(1 + exp(-2 * u)), "the logarithm of a product"),
                (Mul(2, squashing(u) / 2, evaluate=False), "softplus(x) is log(1 + exp(x))"),
            ),
            source="B-124",
        ),
    ),
    corners=(batch,),
    mistakes=(
        Mistake("target not detached", {bootstrap: attached}, breaks=still, source="B-113"),
        Mistake("next action by the old policy", {critic_loss: by_the_old_policy}, breaks=critics, source="B-111"),
        Mistake("(N,) minus (N, 1)", {bootstrap: column}, breaks=critics),
        Mistake("sign of the entropy in the target", {backed_up: entropy_added}, breaks=critics),
        Mistake("minimum over the batch in the target", {backed_up: smallest_of_the_batch}, breaks=critics),
        Mistake("entropy outside (1 - done)", {backed_up: entropy_after_the_end}, breaks=critics),
        Mistake("max instead of min", {backed_up: larger}, breaks=critics),
        Mistake("entropy not discounted", {backed_up: entropy_undiscounted}, breaks=critics),
        Mistake("no entropy in the target", {backed_up: no_entropy}, breaks=critics, source="B-140"),
        Mistake("the first critic twice", {critic_loss: first_twice}, breaks=critics, source="B-114"),
        Mistake("next action at s", {critic_loss: action_at_s}, breaks=critics),
        Mistake("online critics in the target, not detached", {critic_loss: online_critics}, breaks=still),
        Mistake("log-determinant forgotten", {log_det: no_log_det}, breaks=climbs),
        Mistake("log-determinant added", {log_det: added}, breaks=climbs),
        Mistake("log-determinant halved", {log_det: halved}, breaks=climbs),
        Mistake("log-determinant at tanh(u)", {log_det: of_the_squashed}, breaks=climbs),
        Mistake("softplus(2u)", {log_det: sign_lost}, breaks=climbs),
        Mistake("softplus(-u)", {log_det: two_lost}, breaks=climbs),
        Mistake("log(1 - tanh^2 + 1e-6)", {log_det: regularised}, breaks=coded),
        Mistake("sample() instead of rsample()", {sample: drawn}, breaks=climbs, source="B-132"),
        Mistake("mu + sigma^2 xi", {sample: variance_for_sd}, breaks=climbs, source="B-116"),
        Mistake("variance as the scale", {sample: variance_as_scale}, breaks=climbs),
        Mistake("mean action", {sample: mean_action}, breaks=climbs),
        Mistake("log 2 taken off", {sample: with_limit}, breaks=critics, source="B-127"),
        Mistake("sign of the entropy in the actor", {worth: entropy_penalised}, breaks=climbs),
        Mistake("log-probability detached", {worth: log_prob_detached}, breaks=climbs, source="B-140"),
        Mistake("alpha forgotten", {worth: alpha_forgotten}, breaks=climbs),
        Mistake("actor by the first critic", {worth: by_the_first}, breaks=climbs),
        Mistake("actor by the mean critic", {worth: by_both}, breaks=climbs),
        Mistake("actor by the larger critic", {worth: by_the_larger}, breaks=climbs),
        Mistake("minimum over the batch in the actor", {worth: by_the_smallest_of_the_batch}, breaks=climbs),
        Mistake("descent", {worth: descends}, breaks=climbs),
        Mistake("action detached before the critic", {actor_loss: action_detached}, breaks=climbs),
        Mistake("critics not frozen in the actor loss", {actor_loss: critics_not_frozen}, breaks=judged, source="B-119"),
        Mistake("no entropy in the value", {soft_return: paid_no_entropy}, breaks=linear, source="B-107"),
        Mistake("log-sd squashed instead of clamped", {clamped: smoothly_clamped}, breaks=bounds[3], source="B-130"),
        Mistake("place + width^2 eps", {reach: reach_by_variance}, breaks=path_of_batch, source="B-092"),
        Mistake("sampled without gradient", {reach: reach_detached}, breaks=path_of_batch, source="B-093"),
        Mistake("log width for width", {reach: reach_by_logarithm}, breaks=path_of_batch),
        Mistake("variance as the width", {density_of: density_by_variance}, breaks=score_of_batch),
        Mistake("1 / width^2 forgotten", {density_of: density_without_scale}, breaks=score_of_batch),
        Mistake("-log width forgotten", {density_of: density_not_normalised}, breaks=score_of_batch),
        Mistake("samples not detached", {score_batch: samples_live}, breaks=score_of_batch),
        Mistake("samples not detached in the density", {score_batch: samples_live_in_density}, breaks=score_of_batch),
        Mistake("a baseline that sees its sample", {score_batch: less_the_mean}, breaks=score_of_batch),
        Mistake("sum for mean by the path", {path_batch: path_summed}, breaks=path_of_batch),
        Mistake("sign of the bonus", {disorder_of: bonus_negated}, breaks=rewarded),
        Mistake("bonus detached", {disorder_of: bonus_detached}, breaks=disordered),
        Mistake("surprise of the action for the entropy", {loss_with_bonus: surprise_for_entropy}, breaks=rewarded),
        Mistake("p held in p log p", {disorder_of: shares_detached}, breaks=disordered),
        Mistake("mean over actions", {disorder_of: mean_over_actions}, breaks=disordered),
        Mistake("softmax over the batch", {disorder_of: over_the_batch}, breaks=disordered),
        Mistake("softmax of probabilities", {log_shares: softmax_twice}, breaks=disordered),
        Mistake("logits for log-probabilities", {disorder_of: logits_for_logs}, breaks=disordered),
        Mistake("bits for nats", {disorder_of: in_bits}, breaks=disordered),
        Mistake("sum over the batch", {disorder_of: summed_over_the_batch}, breaks=disordered),
        Mistake("actor by the slow critics", {actor_loss: by_the_slow_critics}, breaks=climbs),
    ),
)
