"""Soft actor-critic: two losses, five blocks of parameters, and who may move whom.

Twin critics regress on a target made by their slow copies and the current policy; the target is frozen. The policy climbs
the smaller critic and pays alpha for every nat of entropy it gives away. Its action is a normal number squashed by tanh,
sampled by reparameterisation; the critics are frozen there. Most mistakes leave both losses plausible. One leaves both main
gradients right, and shows only where no gradient should be.
"""

from sympy import Rational

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Derivation,
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
    exp,
    frozen,
    log,
    log_prob,
    minimum,
    softmax,
    softplus,
    tanh,
    torch,
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


def actor_with_limit(phi1, phi2, theta, s, noise):
    return actor_loss(phi1, phi2, theta, s, noise, sample=with_limit)


def soft_return(logits, step, pay):
    log_pi = logits.log_softmax(-1)
    now = (log_pi.exp() * (pay - 0.2 * log_pi)).sum(-1)
    return torch.linalg.solve(torch.eye(2) - 0.9 * (log_pi.exp()[..., None] * step).sum(1), now)[0]


# Lines of the listings that float numbers decide.
def naive(u):
    return torch.log(1 - u.tanh() ** 2)


def clamped(log_sd):
    return torch.clamp(log_sd, -20, 2)


def likelihood(log_sd):  # of an action one standard deviation away; 1e-8 keeps the quotient finite
    away = log_sd.exp() / (log_sd.exp() + 1e-8)
    return -0.5 * (away**2 + 2 * log_sd + torch.log(torch.tensor(2 * torch.pi)))


def likelihood_at_one(log_sd):  # of an action 0.7 standard deviations away from 1
    law = torch.distributions.Normal(torch.ones(()), log_sd.exp())
    return law.log_prob(1 + 0.7 * log_sd.exp())


def summed(u):
    return log_det(u.reshape(1)).sum(axis=1)


# What must be true of the losses, at every point and for every N.
both, slow = (phi1, phi2), (theta, slow1, slow2)
critics = Claim(
    "Both critics regress on the target.",
    source="B-112, B-113, B-116, B-138, B-140",
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
errors = [2 * Draw(f"error{i}", Bernoulli(half)) - 1 for i in (1, 2)]
smaller = E(minimum(u + errors[0], u + errors[1]))
low = Claim(
    "The smaller of two critics with independent errors is too low on average.",
    source="B-113, B-118",
    that=AtMost(smaller, u),
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

# What float numbers do to the listings.
just_below = Point(u=-Rational(1001, 100))
late = Claim(
    "Below u = -10 torch's softplus is a straight line, and the code right to 1e-9 of its size.",
    at=just_below,
    source="B-125",
    resolution=1e-9,
    that=Equal(Value(log_det), logarithm),
)
blind = Claim("The naive form is infinite at u = 20,", Equal(NonFinite(Value(naive)), 1), at=Point(u=20), source="B-125")
blind_soon = Claim(
    "in float32 at u = 9.1,",
    at=Point(u=Rational(91, 10)),
    source="B-125",
    that=Equal(NonFinite(Value(naive, dtype="float32")), 1),
)
seeing = Claim("and not yet at u = 9.", Equal(NonFinite(Value(naive, dtype="float32")), 0), at=Point(u=9), source="B-125")
bounds = tuple(
    Claim(f"A log-sd of {x} is clamped with slope {y}.", Equal(Gradient(clamped, log_sd), y), at=Point(log_sd=x), source="B-130")
    for x, y in ((-21, 0), (-20, 1), (0, 1), (2, 1), (3, 0))
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
rounded = Claim(
    "In float32 an action within 2e-9 of 1 is 1: its log-likelihood is that of the mean.",
    at=Point(log_sd=-20),
    source="B-136",
    that=Equal(Value(likelihood_at_one, dtype="float32"), at_the_mean),
)
single = Claim("Summing over axis 1 fails for a single state.", Raises(summed, IndexError), at=Point(u=1), source="B-129")

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
    source="B-116, B-135",
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
    that=Equal(Value(bootstrap_with_limit), Value(bootstrap)),
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
precise = Erratum(
    "float32 is enough at the smallest sd.",
    at=Point(log_sd=-20),
    source="B-136",
    instead=rounded,
    that=Equal(Value(likelihood_at_one, dtype="float32"), near_one),
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
        solves,
        sampled_once,
        linear,
        weighted,
        improves,
        late,
        blind,
        blind_soon,
        seeing,
        *bounds,
        bound,
        spoiled,
        rounded,
        single,
    ),
    errata=(twice, squared, omitted, constant, samplewise, equality, unvisited, exactly, harmless, precise),
    derivations=(
        Derivation(
            "log-slope",
            logarithm,
            (
                (log(4 * exp(-2 * u) / (1 + exp(-2 * u)) ** 2), "tanh u = (1 - e) / (1 + e), where e is exp(-2 u)"),
                (2 * log(2) - 2 * u - 2 * log(1 + exp(-2 * u)), "the logarithm of a product"),
                (squashing(u), "softplus(x) is log(1 + exp(x))"),
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
        Mistake("log-sd squashed instead of clamped", {clamped: smoothly_clamped}, breaks=bounds[2], source="B-130"),
        Mistake("actor by the slow critics", {actor_loss: by_the_slow_critics}, breaks=climbs),
    ),
)
