"""Soft actor-critic: two losses, five blocks of parameters, and who may move whom.

Twin critics regress on a target made by their slow copies and the current policy; the target is frozen. The policy climbs
the smaller critic and pays alpha for every nat of entropy it gives away. Its action is a normal number squashed by tanh,
sampled by reparameterisation; the critics are frozen there. Most mistakes leave both losses plausible. One leaves both main
gradients right, and shows only where no gradient should be.
"""

from sympy import Rational

from gradcheck_rl import (
    AtMost, Bernoulli, Categorical, Claim, Draw, E, Equal, Erratum, Gaussian, Gradient, Hull, Integers, LogRational, Mean, Mistake, NonFinite, Normal,
    Parameter, Point, Problem, Simplex, Size, Uniform, Value, Variable, Within, array, clip, exp, frozen, log, log_prob, minimum, softmax, softplus,
    tanh, torch,
)

# The setting: critics, their slow copies, the policy; a batch of transitions and the noise that was drawn for them.
N = Size("N", 4, also=(2, 5))
phi1, phi2, slow1, slow2 = (Parameter(name, 5, over=Normal(0.5)) for name in ("phi1", "phi2", "slow1", "slow2"))
theta = Parameter("theta", 4, over=Normal(0.5))
s, a, r, s2, noise, noise2 = (Variable(name, N) for name in ("s", "a", "r", "s2", "noise", "noise2"))
done = Variable("done", N, over=Integers(0, 1))
theta_old = Variable("theta_old", 4, over=Normal(0.5))
gamma, alpha, limit = Rational(99, 100), Rational(1, 5), 2


# The model. A batch is one row, drawn uniformly.
def q(phi, s, a):
    return phi[0] + phi[1] * s + phi[2] * a + phi[3] * s * a + phi[4] * a ** 2


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
    minimum(q(slow1, s2[row], next_action), q(slow2, s2[row], next_action)) - alpha * next_log_prob)
error1, error2 = (q(phi, s[row], a[row]) - frozen(target) for phi in (phi1, phi2))
critic = E(error1 ** 2 + error2 ** 2)

action, action_log_prob = act(theta, s[row], noise[row])
actor = -E(minimum(q(frozen(phi1), s[row], action), q(frozen(phi2), s[row], action)) - alpha * action_log_prob)

# One state, and the policy's action there: before it is squashed, and made from noise.
state = Variable("state")
z = Draw("z", Gaussian(*normal(theta, state)))
xi = Draw("xi", Gaussian(0, 1))
made, made_log_prob = act(theta, state, xi)
soft = E(q(phi1, state, limit * tanh(z)) - alpha * log_prob(tanh(z)))
soft_made = E(q(phi1, state, made) - alpha * made_log_prob)


# What a student writes, in torch.
def q_net(phi, s, a):
    return torch.stack([torch.ones_like(s), s, a, s * a, a * a], -1) @ phi


def log_det(u):
    return 2 * (torch.log(torch.tensor(2.0)) - u - torch.nn.functional.softplus(-2 * u))


def sample(theta, s, noise, log_det=log_det):
    mean, log_sd = theta[0] + theta[1] * s, theta[2] + theta[3] * s
    u = mean + log_sd.exp() * noise
    return 2 * u.tanh(), torch.distributions.Normal(mean, log_sd.exp()).log_prob(u) - log_det(u)


def bootstrap(slow1, slow2, theta, r, s2, done, noise2, sample=sample):
    with torch.no_grad():
        a2, log_prob = sample(theta, s2, noise2)
        return r + 0.99 * (1 - done) * (torch.min(q_net(slow1, s2, a2), q_net(slow2, s2, a2)) - 0.2 * log_prob)


def critic_loss(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2, bootstrap=bootstrap):
    y = bootstrap(slow1, slow2, theta, r, s2, done, noise2)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi2, s, a) - y) ** 2).mean()


def actor_loss(phi1, phi2, theta, s, noise, sample=sample):
    a, log_prob = sample(theta, s, noise)
    return (0.2 * log_prob - torch.min(q_net(phi1.detach(), s, a), q_net(phi2.detach(), s, a))).mean()


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


def listed(theta, state, xi):
    return sample(theta, state, xi)[1]


# What must be true.
both, slow = (phi1, phi2), (theta, slow1, slow2)
critics = Claim(
    "Both critics regress on the target.", source="B-112, B-113",
    that=Equal(Gradient(critic_loss, both), Gradient(critic, both)),
)
still = Claim(
    "The critic loss moves neither the policy nor the slow critics.", source="B-111, B-113",
    that=Equal(Gradient(critic_loss, slow), 0),
)
climbs = Claim(
    "The actor climbs the smaller critic and keeps its entropy.", source="B-119, B-132, B-140",
    that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta)),
)
judged = Claim("The actor loss does not move the critics.", Equal(Gradient(actor_loss, both), 0), source="B-119")
problem = Problem(
    title="Soft actor-critic",
    claims=(critics, still, climbs, judged),
)
