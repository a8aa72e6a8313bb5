"""Deep deterministic policy gradient: from Q-learning to an actor that climbs its critic.

A maximum over continuous actions needs a search at every step; here a second network, the actor, stands in for the search.
The critic regresses on a target made by slow copies of both networks. The target is frozen: were it not, the squared error
would have another minimum. The actor climbs the critic, which is frozen in its turn. With the true action value and the
discounted visits of its own policy that climb is the gradient of the return; with the states of a replay buffer it is not.
"""

import copy
import itertools
import math
from functools import reduce

import numpy as np
from sympy import Add, Derivative, Integral, Rational, Sum, pi, symbols

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
    Mean,
    Mistake,
    Named,
    Normal,
    OneOf,
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
    diff,
    erf,
    exp,
    frozen,
    log_prob,
    maximum,
    sqrt,
    tanh,
    torch,
)

# The setting: a critic, an actor, their slow copies, and a batch of transitions.
N = Size("N", 4, also=(2,))
phi, slow_phi = (Parameter(name, 5, over=Normal(0.5)) for name in ("phi", "slow_phi"))
theta, slow_theta = (Parameter(name, 2, over=Normal(0.5)) for name in ("theta", "slow_theta"))
s, a, r, s2 = (Variable(name, N) for name in ("s", "a", "r", "s2"))
done = Variable("done", N, over=Integers(0, 1))
gamma, rho, rate, limit, half = Rational(99, 100), Rational(199, 200), Rational(1, 1000), 2, Rational(1, 2)
state, action = Variable("state", over=Uniform(-1, 1)), Variable("action", over=Uniform(-2, 2))


# The model. A batch is one row, drawn uniformly.
def q(phi, s, a):
    return phi[0] + phi[1] * s + phi[2] * a + phi[3] * s * a + phi[4] * a**2


def mu(theta, s):
    return limit * tanh(theta[0] + theta[1] * s)


row, other = (Draw(name, Categorical([Rational(1, N)] * N)) for name in ("row", "other"))


def aim(slow_phi, slow_theta, row, reward_from=None, done_from=None):  # the target, its parts from the same row or from others
    reward, end = (row if x is None else x for x in (reward_from, done_from))
    return r[reward] + gamma * (1 - done[end]) * q(slow_phi, s2[row], mu(slow_theta, s2[row]))


target = aim(slow_phi, slow_theta, row)
prediction = q(phi, s[row], a[row])
critic = E((prediction - frozen(target)) ** 2)
actor = -E(q(frozen(phi), s[row], mu(theta, s[row])))
features = array(1, s[row], a[row], s[row] * a[row], a[row] ** 2)
features_at_mu = array(*(diff(q(phi, s[row], mu(theta, s[row])), x) for x in phi))
stepped = array(*(x - rate * diff(critic, x) for x in phi))  # one step of descent


# The same losses for networks: two ReLU units and one output. All weights of a network stand in one row.
w_q, slow_w_q = (Variable(name, 9) for name in ("w_q", "slow_w_q"))
w_mu, slow_w_mu = (Variable(name, 7) for name in ("w_mu", "slow_w_mu"))


def mlp(w, *x):
    n = 2 * len(x)
    return w[n + 2 : n + 4] @ maximum(w[:n].reshape(2, len(x)) @ array(*x) + w[n : n + 2], 0) + w[n + 4]


def mlp_mu(w, s):
    return limit * tanh(mlp(w, s))


mlp_target = r[row] + gamma * (1 - done[row]) * mlp(slow_w_q, s2[row], mlp_mu(slow_w_mu, s2[row]))
mlp_critic = E((mlp(w_q, s[row], a[row]) - frozen(mlp_target)) ** 2)
mlp_actor = -E(mlp(frozen(w_q), s[row], mlp_mu(w_mu, s[row])))

# Q-learning with two actions: a row of the table gives the value of an action as a line in s.
table, slow_table = (Variable(name, (2, 2)) for name in ("table", "slow_table"))
took = Variable("took", N, over=Integers(0, 1))


def best_next(table):
    return maximum(table[0, 0] + table[0, 1] * s2[row], table[1, 0] + table[1, 1] * s2[row])


took_value = table[took[row], 0] + table[took[row], 1] * s[row]
q_target = r[row] + gamma * (1 - done[row]) * best_next(slow_table)
unmasked = r[row] + gamma * best_next(slow_table)
own_target = r[row] + gamma * (1 - done[row]) * best_next(table)

# Two states and two actions: the optimal value is the best of the four policies that do not roll dice.
step = Variable("step", (2, 2, 2), over=Simplex())
pay = Variable("pay", (2, 2))
discount = Rational(9, 10)


def value_of(here, there):
    (stay, leave), (back, settle) = discount * step[0, here], discount * step[1, there]
    determinant = (1 - stay) * (1 - settle) - leave * back
    return (
        array((1 - settle) * pay[0, here] + leave * pay[1, there], back * pay[0, here] + (1 - stay) * pay[1, there]) / determinant
    )


V_best = reduce(maximum, itertools.starmap(value_of, itertools.product((0, 1), repeat=2)))
Q_best = pay + discount * (step * V_best).sum(-1)
where, what = (Draw(name, Categorical([half, half])) for name in ("where", "what"))
then = Draw("then", Categorical(step[where, what]))
backup = pay[where, what] + discount * maximum(Q_best[then, 0], Q_best[then, 1])  # by one step
collected = Variable("collected", 4, over=Simplex())  # how often the data hold each pair of a state and an action
level = Variable("level")
wanted = Variable("wanted", 4)
misfit = (collected * (level - wanted) ** 2).sum()

# Noise in the values: the maximum of K of them, by its density.
noise = Draw("noise", Gaussian(0, 1))
x = symbols("x", real=True)


def below(x):
    return (1 + erf(x / sqrt(2))) / 2


def largest(others):  # of one number and so many others
    return E((others + 1) * noise * below(noise) ** others)


values = Variable("values", 2)
coins = [2 * Draw(name, Bernoulli(half)) - 1 for name in ("coin1", "coin2")]

# A cubic critic, and a policy with a little noise.
cubic = Variable("cubic", 4)
centre, sd = Variable("centre", over=Uniform(-2, 2)), Variable("sd", over=Uniform(0.2, 1.5))


def Q3(x):
    return sum(cubic[k] * x**k for k in range(4))


# Score-function estimates of the gradient of E x^2 at `now`, from samples of now and of an old policy.
now, old = (Variable(name, over=Uniform(1, 2)) for name in ("now", "old"))
fresh, stale, between = (
    Draw(name, Gaussian(mean, 1)) for name, mean in (("fresh", now), ("stale", old), ("between", 2 * now - old))
)
importance = exp(log_prob(stale, Gaussian(now, 1)) - log_prob(stale, Gaussian(old, 1)))


def term(x):
    return x**2 * (x - now)


# A target that is random: with chance 1/3 the next value is 2c, else -c/4; the value here is c.
c = Variable("c", over=Uniform(0.3, 2))
luck = Draw("luck", Bernoulli(Rational(1, 3)))
y = half + discount * array(-c / 4, 2 * c)[luck]
noise_in_y = Rational(729, 800) * c**2

# A linear system with quadratic cost: s' = keep s + push u + noise, reward -(s^2 + cost u^2), policy u = bias + gain s.
keep, push = Variable("keep", over=Uniform(0.3, 0.9)), Variable("push", over=Uniform(0.1, 0.5))
cost, jitter = Variable("cost", over=Uniform(0.1, 1)), Variable("jitter", over=Uniform(0, 1))
bias, gain = Variable("bias", over=Uniform(-1, 1)), Variable("gain", over=Uniform(-0.5, 0.1))
begin = Variable("begin", over=Uniform(-2, 2))
buffer = Variable("buffer", 2, over=Uniform(-2, 2))  # two states that an earlier policy has met
fade = Rational(19, 20)
pull, shift = keep + push * gain, push * bias  # the mean of s' is pull s + shift
visits = 1 / (1 - fade)  # discounted sums of 1, s and s^2 over the visited states
first = (begin + fade * shift * visits) / (1 - fade * pull)
second = (begin**2 + fade * (2 * pull * shift * first + (shift**2 + jitter) * visits)) / (1 - fade * pull**2)
moments = (visits, first, second)


def squared(slope, offset, moments):  # the mean of (offset + slope s)^2
    return offset**2 * moments[0] + 2 * offset * slope * moments[1] + slope**2 * moments[2]


lq_return = -(second + cost * squared(gain, bias, moments))
curve = (1 + cost * gain**2) / (1 - fade * pull**2)  # V(s) = -(curve s^2 + 2 tilt s + constant)
tilt = (cost * bias * gain + fade * curve * pull * shift) / (1 - fade * pull)


def climb(moments):  # the mean of Q(s, bias + gain s) over states with these moments, without its constant
    ahead = squared(pull, shift, moments), pull * moments[1] + shift * moments[0]
    return -moments[2] - cost * squared(gain, bias, moments) - fade * (frozen(curve) * ahead[0] + 2 * frozen(tilt) * ahead[1])


by_visits = climb(tuple(frozen(m) for m in moments))
by_replay = climb((1, buffer.mean(), (buffer**2).mean()))

# Slow copies, k updates later.
start, history = Variable("start"), Variable("history", 3)
j, k = symbols("j k", integer=True)
low, high = Variable("low", over=OneOf(-1, -2, -3)), Variable("high", over=OneOf(1, 2, 3))
wide = Variable("wide", over=Uniform(-5, 5))
z = Variable("z", over=Uniform(-3, 3))


# What a student writes, in torch.
def q_net(phi, s, a):
    return torch.stack([torch.ones_like(s), s, a, s * a, a * a], -1) @ phi


def policy(theta, s):
    return 2 * torch.tanh(theta[0] + theta[1] * s)


def backed_up(r, done, next_value):
    return r + 0.99 * (1 - done) * next_value


def bootstrap(slow_phi, slow_theta, r, s2, done, policy=policy, backed_up=backed_up):
    with torch.no_grad():
        return backed_up(r, done, q_net(slow_phi, s2, policy(slow_theta, s2)))


def critic_loss(phi, slow_phi, slow_theta, s, a, r, s2, done, bootstrap=bootstrap):
    return ((q_net(phi, s, a) - bootstrap(slow_phi, slow_theta, r, s2, done)) ** 2).mean()


def actor_loss(phi, theta, s, policy=policy):
    return -q_net(phi.detach(), s, policy(theta, s)).mean()


def listed_actor_loss(phi, theta, s, policy=policy):  # the critic's parameters are to be frozen outside
    return -q_net(phi, s, policy(theta, s)).mean()


def one_row(phi, slow_phi, slow_theta, s, a, r, s2, done, row):
    return critic_loss(phi, slow_phi, slow_theta, s[row], a[row], r[row], s2[row], done[row])


def target_not_detached(phi, slow_phi, slow_theta, s, a, r, s2, done):
    y = backed_up(r, done, q_net(slow_phi, s2, policy(slow_theta, s2)))
    return ((q_net(phi, s, a) - y) ** 2).mean()


def polyak(slow, online):
    return 0.995 * slow + 0.005 * online


def update(phi, slow_phi, slow_theta, s, a, r, s2, done, polyak=polyak):  # a step of descent, then the slow critic
    weights = phi.detach().clone().requires_grad_()
    loss = critic_loss(weights, slow_phi.detach(), slow_theta.detach(), s, a, r, s2, done)
    (slope,) = torch.autograd.grad(loss, weights)
    return polyak(slow_phi, weights - 0.001 * slope)


def averaged(start, history, polyak=polyak):
    for online in history:
        start = polyak(start, online)
    return start


def jitter_of(noise):
    return 0.1 * noise


def explore(theta, state, noise, policy=policy, jitter_of=jitter_of):
    return (policy(theta, state) + jitter_of(noise)).clamp(-2, 2)


# Networks.
def two_layers():
    class TwoLayers(torch.nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.weight1, self.bias1 = torch.nn.Parameter(torch.zeros(2, inputs)), torch.nn.Parameter(torch.zeros(2))
            self.weight2, self.bias2 = torch.nn.Parameter(torch.zeros(1, 2)), torch.nn.Parameter(torch.zeros(1))

        def forward(self, *inputs):
            hidden = torch.nn.functional.linear(torch.stack(inputs, -1), self.weight1, self.bias1).relu()
            return torch.nn.functional.linear(hidden, self.weight2, self.bias2).squeeze(-1)

    return TwoLayers


def network(weights, *inputs):
    net = two_layers()(len(inputs))
    parts = weights.split([own.numel() for own in net.parameters()])
    named = {name: part.view_as(own) for (name, own), part in zip(net.named_parameters(), parts, strict=True)}
    return torch.func.functional_call(net, named, inputs)


def network_policy(w_mu, s):
    return 2 * network(w_mu, s).tanh()


def network_bootstrap(slow_w_q, slow_w_mu, r, s2, done):
    with torch.no_grad():
        return backed_up(r, done, network(slow_w_q, s2, network_policy(slow_w_mu, s2)))


def network_critic_loss(w_q, slow_w_q, slow_w_mu, s, a, r, s2, done, network_bootstrap=network_bootstrap):
    return ((network(w_q, s, a) - network_bootstrap(slow_w_q, slow_w_mu, r, s2, done)) ** 2).mean()


def network_actor_loss(w_q, w_mu, s):
    return -network(w_q.detach(), s, network_policy(w_mu, s)).mean()


# Q-learning with two actions.
def of_each_action(table, s):
    return table[:, 0] + table[:, 1] * s[:, None]


def q_loss(table, slow_table, s, took, r, s2, done):
    with torch.no_grad():
        y = backed_up(r, done, of_each_action(slow_table, s2).max(-1).values)
    return ((of_each_action(table, s).gather(1, took.long()[:, None]).squeeze(1) - y) ** 2).mean()


def q_step(table, slow_table, s, took, r, s2, done):  # the mean of (target - prediction) times features, no loss in sight
    chosen = took[:, None] == torch.arange(2)
    error = backed_up(r, done, of_each_action(slow_table, s2).amax(-1)) - (of_each_action(table, s) * chosen).sum(-1)
    return ((error[:, None] * chosen)[..., None] * torch.stack([torch.ones_like(s), s], -1)[:, None]).mean(0)


def by_iteration(step, pay, rounds=300):
    value = torch.zeros(2)
    for _ in range(rounds):
        value = (pay + 0.9 * (step * value).sum(-1)).max(-1).values
    return pay + 0.9 * (step * value).sum(-1)


def rolled_out(bias, gain, keep, push, cost, jitter, begin, variance=0.0, steps=400):  # the return, by the state's moments
    mean, total = begin, 0.0
    for t in range(steps):
        u = bias + gain * mean
        total = total - 0.95**t * (mean**2 + variance + cost * (u**2 + gain**2 * variance))
        mean, variance = keep * mean + push * u, (keep + push * gain) ** 2 * variance + jitter
    return total


def replay_climb(bias, gain, keep, push, cost, jitter, buffer):  # the policy moves one action, and is what it was afterwards
    u = bias + gain * buffer
    later = rolled_out(bias.detach(), gain.detach(), keep, push, cost, jitter, keep * buffer + push * u, jitter)
    return (0.95 * later - buffer**2 - cost * u**2).mean()


# Lines of the listings, and what float numbers make of them.
def as_columns(phi, slow_phi, slow_theta, s, a, r, s2, done):  # rewards of shape (N, 1), as some buffers keep them
    return critic_loss(phi, slow_phi, slow_theta, s, a, r[:, None], s2, done)


def both_columns(phi, slow_phi, slow_theta, s, a, r, s2, done):
    return critic_loss(phi, slow_phi, slow_theta, s, a, r[:, None], s2, done[:, None])


def not_squeezed(phi, slow_phi, slow_theta, s, a, r, s2, done):
    return ((q_net(phi, s, a)[:, None] - bootstrap(slow_phi, slow_theta, r, s2, done)) ** 2).mean()


def clipped(wide, high):
    return wide.clamp(-high, high)


def squash(z):
    return 2 * torch.tanh(z)


def slope_vanishes(z):
    return torch.func.grad(squash)(z) == 0


def rectified(action):
    return action.relu()


def left(dtype):  # of the way, in units of the last place, when averaging 1 into 0 moves nothing any more
    slow, online = torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype)
    for _ in range(10000):
        slow = 0.995 * slow + (1 - 0.995) * online
    return (1 - slow.double()) / torch.finfo(dtype).eps


def left_in_single():
    return left(torch.float32)


def left_in_double():
    return left(torch.float64)


def joint_actions():
    return len(set(itertools.product((-1, 0, 1), repeat=7)))


def finer_joint_actions():
    return math.prod(np.broadcast(*np.ix_(*[range(10)] * 7)).shape)


# The agent of the listings: networks, deep copies that ask for no gradient, two optimisers. Any weights and any data will do.
def agent(trainable=False):
    critic = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    actor = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1), torch.nn.Tanh())
    online = torch.nn.ModuleDict({"q": critic, "pi": actor})
    return online, copy.deepcopy(online).requires_grad_(trainable)


def given():
    return torch.rand(5, N).unbind()


def q_value(nets, s, a):
    return nets["q"](torch.stack([s, a], -1)).squeeze(-1)


def action_of(nets, s):
    return 2 * nets["pi"](s[:, None]).squeeze(-1)


def loss_q(online, slow, data, frozen=True):
    s, a, r, s2, done = data
    with torch.set_grad_enabled(not frozen):
        y = backed_up(r, done, q_value(slow, s2, action_of(slow, s2)))
    return ((q_value(online, s, a) - y) ** 2).mean()


def loss_pi(online, data):
    return -q_value(online, data[0], action_of(online, data[0])).mean()


def reached(nets):
    return [float(any(p.grad is not None for p in nets[name].parameters())) for name in ("q", "pi")]


def gradients(net):
    return torch.cat([p.grad.ravel() for p in net.parameters()])


def with_weights(nets, **weights):
    for name, row in weights.items():
        torch.nn.utils.vector_to_parameters(torch.tensor(row.tolist()), nets[name].parameters())


def q_backward(w_q, slow_w_q, slow_w_mu, s, a, r, s2, done):
    online, slow = agent()
    with_weights(online, q=w_q)
    with_weights(slow, q=slow_w_q, pi=slow_w_mu)
    loss_q(online, slow, (s, a, r, s2, done)).backward()
    return gradients(online["q"])


def pi_backward(w_q, w_mu, s):
    online, _ = agent()
    with_weights(online, q=w_q, pi=w_mu)
    loss_pi(online, (s,)).backward()
    return gradients(online["pi"])


def listed_flow():
    online, slow = agent()
    loss_q(online, slow, given()).backward()
    return torch.tensor(reached(online) + reached(slow))


def without_no_grad(trainable=False):  # is the critic's gradient the same, and do the slow networks receive any?
    online, slow = agent(trainable)
    data, same = given(), copy.deepcopy(online)
    loss_q(online, slow, data).backward()
    loss_q(same, slow, data, frozen=False).backward()
    return torch.tensor([torch.equal(gradients(online["q"]), gradients(same["q"])), *reached(slow)])


def without_no_grad_trainable(without_no_grad=without_no_grad):
    return without_no_grad(trainable=True)


def one_network_not_frozen():  # target and online network are the same object
    online, _ = agent()
    loss_q(online, online, given(), frozen=False).backward()
    return torch.tensor(reached(online))


def train(online, slow, data, freeze, steps=5):
    q_run, pi_run = (torch.optim.Adam(online[name].parameters(), lr=1e-3) for name in ("q", "pi"))
    for _ in range(steps):
        q_run.zero_grad()
        loss_q(online, slow, data).backward()
        q_run.step()
        online["q"].requires_grad_(not freeze)
        pi_run.zero_grad()
        loss_pi(online, data).backward()
        pi_run.step()
        online["q"].requires_grad_(True)


def same_weights(one, other):
    weights = torch.nn.utils.parameters_to_vector
    return torch.equal(weights(one.parameters()), weights(other.parameters()))


def freezing_changes(w_q, w_mu, s, a, r, s2, done):  # no weight? And what in the gradient of the last bias?
    clean, slow = agent()
    for nets in (clean, slow):
        with_weights(nets, q=w_q, pi=w_mu)
    polluted = copy.deepcopy(clean)
    train(clean, slow, (s, a, r, s2, done), freeze=True)
    train(polluted, slow, (s, a, r, s2, done), freeze=False)
    return torch.stack([torch.tensor(same_weights(clean, polluted)), (gradients(polluted["q"]) - gradients(clean["q"]))[-1]])


def ascend(online, data, sign, maximize, decay, steps=20):
    run = torch.optim.Adam(online["pi"].parameters(), lr=1e-2, maximize=maximize, weight_decay=decay)
    for _ in range(steps):
        run.zero_grad()
        (sign * loss_pi(online, data)).backward()
        run.step()


def two_ways_up(w_q, w_mu, s):  # are the weights the same, without decay and with it?
    same = []
    for decay in (0.0, 0.1):
        down, _ = agent()
        with_weights(down, q=w_q, pi=w_mu)
        up = copy.deepcopy(down)
        ascend(down, (s,), 1, False, decay)
        ascend(up, (s,), -1, True, decay)
        same.append(same_weights(down, up))
    return torch.tensor(same)


def single_data_in_double():
    online, slow = agent()
    return loss_q(online.double(), slow.double(), [x.float() for x in given()])


def get_action(w_mu, state, noise):  # the noise of numpy is float64, and is added in place
    a = network_policy(w_mu.float(), state.float()[None]).detach().numpy()
    a += jitter_of(noise.double().numpy())
    return torch.tensor([*a, a.dtype == np.float32, a.shape == (1,)])


def buffers_left_behind():  # batch normalisation keeps its statistics outside parameters()
    online = torch.nn.BatchNorm1d(1)
    slow = copy.deepcopy(online)
    online(torch.tensor([[1.0], [3.0]]))
    with torch.no_grad():
        for p, p_slow in zip(online.parameters(), slow.parameters(), strict=True):
            p_slow.mul_(0.995).add_(0.005 * p)
    return torch.cat([slow.weight, online.running_mean, slow.running_mean])


def schedule():  # of the listing: random actions, rounds of updates, gradient steps
    total, start_steps, update_after, update_every = 5 * 4000, 10000, 1000, 50
    randomly = sum(not t > start_steps for t in range(total))
    rounds = [t for t in range(total) if t >= update_after and t % update_every == 0]
    return torch.tensor([randomly, rounds[0], len(rounds), len(rounds) * update_every])


def ends_stored(steps, env_limit, max_ep_len):
    ends = length = 0
    for _ in range(steps):
        length += 1
        d = length == env_limit  # nothing but the clock ends a swing-up
        ends += bool(False if length == max_ep_len else d)
        length = 0 if d or length == max_ep_len else length
    return ends


def ends_of_pendulum():
    return ends_stored(100000, 200, 1000)


def ends_with_its_own_limit():
    return ends_stored(100000, 200, 200)


# What must be true of Q-learning.
half_gradient = Claim(
    "The Q-learning step is minus half the gradient of the mean squared error, its target frozen.",
    source="B-001",
    that=Equal(Value(q_step), -half * Gradient(E((took_value - frozen(q_target)) ** 2), table)),
)
by_loss = Claim(
    "So is the step that autograd takes: its rate is half that of the formula.",
    source="B-001",
    that=Equal(Gradient(q_loss, table), -2 * Value(q_step)),
)
table_still = Claim("It moves no slow table.", Equal(Gradient(q_loss, slow_table), 0), source="B-001")
optimal = Claim(
    "At Q* the expected residual is zero for every state and action, whoever chose them.",
    source="B-003",
    that=Equal(E(backup - Q_best[where, what], over=(then,)), 0),
)
iterated = Claim("Value iteration reaches Q*.", Equal(Value(by_iteration), Q_best), source="B-003")
weighted = Claim(
    "One number for all pairs settles at the mean of the wanted values over the data.",
    source="B-003",
    that=Equal(Gradient(misfit, level), 2 * (level - (collected * wanted).sum())),
)
raised = Claim(
    "Noise in the values never lowers their maximum on average,",
    source="B-004",
    that=AtMost(maximum(*values), E(maximum(values[0] + coins[0], values[1] + coins[1]))),
)
raised_by_half = Claim(
    "and raises that of two equal values by a half, for noise of 1 up or down,",
    source="B-004",
    that=Equal(E(maximum(*(level + coin for coin in coins))), level + half),
)
raised_by_none = Claim(
    "and leaves that of values two apart alone.",
    at=Point(values=(1, -1)),
    source="B-004",
    that=Equal(E(maximum(values[0] + coins[0], values[1] + coins[1])), maximum(*values)),
)
of_two = Claim("The larger of two standard normals has the mean 1 / sqrt(pi).", Equal(largest(1), 1 / sqrt(pi)), source="B-004")
of_many = tuple(
    Claim(
        f"The mean of the largest of {count}, by its density and by its distribution.",
        source="B-004",
        that=Equal(largest(count - 1), Value(Integral(1 - below(x) ** count - below(-x) ** count, (x, 0, 12)))),
    )
    for count in (2, 5, 10, 20)
)
grows = Claim(
    "It grows with their number.",
    AtMost(array(*map(largest, (1, 4, 9))), array(*map(largest, (4, 9, 19)))),
    source="B-004",
)
peak = -(phi[2] + phi[3] * state) / (2 * phi[4])
concave = AtMost(phi[4], -Rational(1, 20))
top = Claim(
    "A critic that is a concave parabola in the action needs no search: its best action is -(phi_2 + phi_3 s) / (2 phi_4).",
    where=concave,
    source="B-005",
    that=AtMost(q(phi, state, action), q(phi, state, peak)),
)
blurred = Claim(
    "A little noise in the action moves the gradient of a cubic critic by 3 c_3 sigma^2: in the limit by nothing.",
    source="B-006",
    that=Equal(Gradient(E(Q3(centre + sd * noise)), centre) - Gradient(Q3(centre), centre), 3 * cubic[3] * sd**2),
)
on_policy = Claim("The score estimator is unbiased on fresh samples,", Equal(E(term(fresh)), 2 * now), source="B-007")
off_policy = Claim(
    "on samples of another policy its mean is old^3 - old^2 now + 3 old - now,",
    source="B-007",
    that=Equal(E(term(stale)), old**3 - old**2 * now + 3 * old - now),
)
weight = Claim(
    "A sample's importance weight is exp((now - old) (x - (now + old) / 2)),",
    source="B-007",
    that=Equal(importance, exp((now - old) * (stale - (now + old) / 2))),
)
restored = Claim("and such weights make it right again,", Equal(E(importance * term(stale)), 2 * now), source="B-007")
dearer = Claim(
    "at a price: E[w^2 f^2] is exp((now - old)^2) times the mean of f^2 about 2 now - old.",
    source="B-007",
    that=Equal(E(importance**2 * term(stale) ** 2), exp((now - old) ** 2) * E(term(between) ** 2)),
)
another = Point(now=2, old=Rational(3, 2))
price = Claim(
    "At now = 2, half a deviation from old, the price is more than three times the variance.",
    at=another,
    source="B-007",
    that=AtMost(3 * (E(term(fresh) ** 2) - 16), E(importance**2 * term(stale) ** 2) - 16),
)

# What must be true of the two losses, at every point and for every N.
slow = (theta, slow_phi, slow_theta)
regresses = Claim(
    "The critic regresses on the target of the slow networks, at the action that was taken.",
    source="B-009, B-017, B-020, B-032, B-040",
    that=Equal(Gradient(critic_loss, phi), Gradient(critic, phi)),
)
regression = Claim("Its loss is the mean squared error,", Equal(Value(critic_loss), critic), source="B-017")
aimed = Claim(
    "whose target is r + gamma (1 - done) Q_slow(s', mu_slow(s')).",
    source="B-020, B-031",
    that=Equal(
        Value(bootstrap),
        array(*(r[i] + gamma * (1 - done[i]) * q(slow_phi, s2[i], mu(slow_theta, s2[i])) for i in range(N))),
    ),
)
by_features = Claim(
    "The gradient is twice the mean of the error times the features (1, s, a, s a, a^2).",
    source="B-017, B-032",
    that=Equal(Gradient(critic_loss, phi), 2 * E((prediction - target) * features)),
)
still = Claim(
    "It moves neither the slow networks, which made the target, nor the actor.",
    source="B-021",
    that=Equal(Gradient(critic_loss, slow), 0),
)
one_is_enough = Claim(
    "A row drawn from the buffer gives an unbiased gradient of the whole buffer's loss.",
    source="B-018",
    that=Equal(Mean(Gradient(one_row, phi)), Gradient(critic, phi)),
)
climbs = Claim(
    "The actor climbs the critic: minus the mean of dQ/da times dmu/dtheta.",
    source="B-023, B-025, B-026, B-033, B-045",
    that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta)),
)
worth = Claim("Its loss is minus the mean value of its actions.", Equal(Value(actor_loss), actor), source="B-023, B-033")
judged = Claim(
    "It moves neither the critic nor a slow network.",
    Equal(Gradient(actor_loss, (phi, slow_phi, slow_theta)), 0),
    source="B-045",
)
leaks = Claim(
    "Unless the critic is frozen, the actor loss sends it minus the mean features: -1 for the constant.",
    source="B-045",
    that=Equal(Gradient(listed_actor_loss, phi), -E(features_at_mu)),
)
harmless = Claim(
    "The actor's own gradient does not depend on that.",
    source="B-046",
    that=Equal(Gradient(listed_actor_loss, theta), Gradient(actor_loss, theta)),
)
dpi_da = q(phi, state, action)
chain = diff(dpi_da, action[()]).subs(action[()], mu(theta, state))
ruled = Claim(
    "The gradient of Q(s, mu(s)) is dQ/da at the actor's action times dmu/dtheta.",
    source="B-022, B-025",
    that=Equal(Gradient(q(frozen(phi), state, mu(theta, state)), theta), chain * Gradient(mu(theta, state), theta)),
)
unseen = Claim(
    "A target that is not detached leaves the critic's gradient right while its networks are others,",
    source="B-041",
    that=Equal(Gradient(target_not_detached, phi), Gradient(critic, phi)),
)
seen = Claim(
    "and sends the slow networks a gradient of their own.",
    source="B-021, B-041",
    that=Equal(
        Gradient(target_not_detached, (slow_phi, slow_theta)), Gradient(E((prediction - target) ** 2), (slow_phi, slow_theta))
    ),
)

# The batch of the exercise, where every gradient has digits to compare.
exercise = Point(
    phi=array(4, -10, 6, 8, -5) / 20,
    theta=array(2, -12) / 20,
    slow_phi=array(2, -8, 5, 10, -4) / 20,
    slow_theta=array(1, -10) / 20,
    s=array(2, -4, 6, -1) / 4,
    a=array(12, -24, 5, -36) / 20,
    r=array(4, -2, 8, 3) / 4,
    s2=array(8, -30, 10, 12) / 10,
    done=(0, 0, 1, 0),
)
regresses_there = Claim(
    "On the batch the critic moves so,",
    at=exercise,
    source="B-017",
    that=Equal(Gradient(critic_loss, phi), Gradient(critic, phi)),
)
still_there = Claim("nothing else with it;", at=exercise, source="B-021", that=Equal(Gradient(critic_loss, slow), 0))
climbs_there = Claim(
    "the actor so,", at=exercise, source="B-023", that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta))
)
leaks_there = Claim(
    "and an unfrozen critic with it.",
    at=exercise,
    source="B-045",
    that=Equal(Gradient(listed_actor_loss, phi), -E(features_at_mu)),
)
best_there = Claim(
    "At s = 1/2 the critic's best action is (3/10 + 1/5) / (1/2) = 1.",
    at=exercise.but(state=half),
    source="B-005",
    that=Equal(peak, (Rational(3, 10) + Rational(1, 5)) / half),
)
differences_too = Claim(
    "Differences of the loss agree.",
    at=exercise,
    by="differences",
    source="B-032",
    that=Equal(Gradient(critic_loss, phi), 2 * E((prediction - target) * features)),
)

# The same for networks with ReLU units.
networks_regress = Claim(
    "So it is for networks: the critic regresses,",
    source="B-017, B-037",
    that=Equal(Gradient(network_critic_loss, w_q), Gradient(mlp_critic, w_q)),
)
networks_still = Claim(
    "the slow networks stand still,",
    source="B-021",
    that=Equal(Gradient(network_critic_loss, (slow_w_q, slow_w_mu)), 0),
)
networks_aimed = Claim(
    "their target is what it should be,",
    source="B-031",
    that=Equal(
        Value(network_bootstrap),
        array(*(r[i] + gamma * (1 - done[i]) * mlp(slow_w_q, s2[i], mlp_mu(slow_w_mu, s2[i])) for i in range(N))),
    ),
)
networks_climb = Claim(
    "the actor climbs,", Equal(Gradient(network_actor_loss, w_mu), Gradient(mlp_actor, w_mu)), source="B-022, B-023"
)
networks_judged = Claim("and its critic is not moved.", Equal(Gradient(network_actor_loss, w_q), 0), source="B-045")
model_still = Claim(
    "In the model, too, what is frozen stands still:",
    source="B-021",
    that=Equal(Gradient(critic + mlp_critic, (theta, slow_phi, slow_theta, slow_w_q, slow_w_mu)), 0),
)
model_judged = Claim("a target, and the critic of an actor.", Equal(Gradient(actor + mlp_actor, (phi, w_q)), 0), source="B-045")
networks_backward = Claim(
    "Modules with these weights have the critic's gradient after backward(),",
    source="B-037, B-040",
    that=Equal(Value(q_backward), Gradient(mlp_critic, w_q)),
)
networks_backward_too = Claim("and the actor's.", Equal(Value(pi_backward), Gradient(mlp_actor, w_mu)), source="B-023, B-045")
beside = Claim(
    "Beside its corner a ReLU has one slope.",
    source="B-022",
    that=Equal(Gradient(rectified, action), Gradient(maximum(action, 0), action)),
)
corner = Claim(
    "At the corner of a ReLU any slope between 0 and 1 is a derivative;",
    at=Point(action=0),
    source="B-022",
    that=Within(Gradient(rectified, action), Hull(Gradient(maximum(action, 0), action))),
)
torch_takes = Claim("torch takes 0.", Equal(Gradient(rectified, action), 0), at=Point(action=0), source="B-022")

# Shapes.
pairs = (q(phi, s[row], a[row]) - frozen(aim(slow_phi, slow_theta, other))) ** 2
broadcast = Claim("An (N, 1) critic less an (N,) target is all N^2 pairs.", Equal(Value(not_squeezed), E(pairs)), source="B-037")
constant_kept = Claim(
    "The gradient of the constant does not show it.",
    source="B-037",
    that=Equal(Gradient(not_squeezed, phi)[0], Gradient(critic_loss, phi)[0]),
)
column = Claim(
    "Rewards of shape (N, 1) pair every reward with every next state: no error, another loss.",
    source="B-042",
    that=Equal(Value(as_columns), E((prediction - aim(slow_phi, slow_theta, row, reward_from=other)) ** 2)),
)
columns = Claim(
    "So do rewards and ends of shape (N, 1), in their own way.",
    source="B-042",
    that=Equal(Value(both_columns), E((prediction - aim(slow_phi, slow_theta, row, reward_from=other, done_from=other)) ** 2)),
)
wrong_dtype = Claim(
    "The listing's float32 data do not go with a float64 agent.", Raises(single_data_in_double, RuntimeError), source="B-043"
)
single = Claim(
    "An action for one state comes as float32, of shape (1,): the noise is added in place.",
    source="B-038",
    that=Equal(Value(get_action), array(mlp_mu(w_mu, state) + noise / 10, 1, 1)),
    resolution=1e-5,
)

# A squared error with a random target.
centred_at = Claim("The mean target is 1/2 + 9 c / 20.", Equal(E(y), half + 9 * c / 20), source="B-019")
split = Claim(
    "The mean squared error is that of the mean target plus the target's variance, 729 c^2 / 800.",
    source="B-019",
    that=Equal(E((c - y) ** 2), (c - E(y)) ** 2 + noise_in_y),
)
frozen_right = Claim(
    "With the target frozen both have one gradient;",
    source="B-019",
    that=Equal(Gradient(E((c - frozen(y)) ** 2), c), Gradient((c - frozen(E(y))) ** 2, c)),
)
doubled = Claim(
    "else one sample of it adds the slope of its variance.",
    source="B-019",
    that=Equal(Gradient(E((c - y) ** 2), c), Gradient((c - E(y)) ** 2, c) + Rational(729, 400) * c),
)

# The deterministic policy gradient.
theorem = Claim(
    "With the true Q and discounted visits, the mean of dQ/da dmu/dtheta is the gradient of the return.",
    source="B-027, B-029",
    that=Equal(Gradient(by_visits, (bias, gain)), Gradient(lq_return, (bias, gain))),
)
simulated = Claim(
    "Four hundred steps of the system reach the same gradient.",
    source="B-027",
    that=Equal(Gradient(rolled_out, (bias, gain)), Gradient(lq_return, (bias, gain))),
)
paid = Claim("And the same return.", Equal(Value(rolled_out), lq_return), source="B-027")
replayed = Claim(
    "One step from states of a buffer, and the policy from there, is the climb that the actor loss makes.",
    source="B-028, B-029",
    that=Equal(Gradient(replay_climb, (bias, gain)), Gradient(by_replay, (bias, gain))),
)
replay_paid = Claim(
    "Its value is the return from there, in the mean over the buffer.",
    source="B-028",
    that=Equal(Value(replay_climb), sum(lq_return.subs(begin[()], b) for b in buffer) / 2),
)
regulator = Point(
    keep=Rational(9, 10),
    push=half,
    cost=Rational(1, 10),
    jitter=Rational(1, 25),
    begin=1,
    bias=0,
    gain=-Rational(3, 10),
    buffer=(1, -1),
)
affine = regulator.but(jitter=0, begin=2, bias=Rational(1, 5), buffer=(-Rational(3, 2), half))
rescaled = Claim(
    "In one dimension, about zero, the replay gradient is the true one over the visits' second moment.",
    at=regulator,
    source="B-028",
    that=Equal(Gradient(by_replay, gain) * second, Gradient(lq_return, gain)),
)
simulated_there = Claim(
    "With a bias, and two states whose mean is -1/2, the true gradient is this,",
    at=affine,
    source="B-029",
    that=Equal(Gradient(rolled_out, (bias, gain)), Gradient(lq_return, (bias, gain))),
)
replayed_there = Claim(
    "and the replay gradient that:",
    at=affine,
    source="B-029",
    that=Equal(Gradient(replay_climb, (bias, gain)), Gradient(by_replay, (bias, gain))),
)
turned = Claim(
    "the angle between them is wider than 45 degrees.",
    at=affine,
    source="B-029",
    that=AtMost(
        2 * sum(diff(by_replay, x[()]) * diff(lq_return, x[()]) for x in (bias, gain)) ** 2,
        sum(diff(by_replay, x[()]) ** 2 for x in (bias, gain)) * sum(diff(lq_return, x[()]) ** 2 for x in (bias, gain)),
    ),
)

# Slow copies.
kept = Claim(
    "A slow copy keeps rho of itself: after three updates it is an average whose weights are powers of rho.",
    source="B-011, B-014",
    that=Equal(Value(averaged), rho**3 * start + (1 - rho) * (rho**2 * history[0] + rho * history[1] + history[2])),
)
then_slow = Claim(
    "The update averages the critic after its step of descent.",
    source="B-014, B-047",
    that=Equal(Value(update), slow_phi * rho + (1 - rho) * stepped),
)
then_slow_there = Claim(
    "On the batch so.", at=exercise, source="B-014, B-047", that=Equal(Value(update), slow_phi * rho + (1 - rho) * stepped)
)
half_life = Claim("Half of a slow copy is forgotten after 138 updates and a bit,", AtMost(half, rho**138), source="B-012")
half_life_over = Claim("but not 139;", AtMost(rho**139, half), source="B-012")
nearly_all = Claim("99 hundredths after 918 and a bit,", AtMost(Rational(1, 100), rho**918), source="B-012")
nearly_all_over = Claim("but not 919.", AtMost(rho**919, Rational(1, 100)), source="B-012")
rounding = Rational(1, 4) / (1 - rho)  # half of one below 1, where floats lie closer by half
stalls = Claim(
    "In float32 it stops short: 1 - rho of what is left is half a rounding.",
    source="B-013",
    resolution=1e-9,
    that=Equal(Value(left_in_single), rounding),
)
arrives = Claim(
    "In float64 it comes within as many roundings: 1.1e-14.", Within(Value(left_in_double), (0, rounding)), source="B-013"
)

# Exploration.
spread = Claim(
    "noise_scale is a standard deviation: the variance is its square.",
    source="B-010",
    that=Equal(Covariance(Value(jitter_of)), Rational(1, 100)),
)
tried = Equal(Value(explore), clip(mu(theta, state) + noise / 10, -limit, limit))
explored = Claim("The action explored is clipped to the limits,", tried, source="B-010, B-030")
at_lower, at_upper = (
    Claim(f"also where the policy is at the {which} limit.", tried, at=Point(theta=(x, 0), state=0), source="B-030")
    for which, x in (("lower", -5), ("upper", 5))
)
symmetric = Claim(
    "Clipping to plus and minus the upper limit is right where the limits are symmetric.",
    where=Equal(low, -high),
    source="B-030",
    that=Equal(Value(clipped), clip(wide, low, high)),
)
outside = Claim(
    "Clipped so, an action may lie below the lower limit, but never above the upper one.",
    source="B-030",
    that=Within(Value(clipped), (-high, high)),
)
inside = Claim("2 tanh(z) stays between the limits,", Within(Value(squash), (-2, 2)), source="B-035")
sloped = Claim("with the slope 2 (1 - tanh(z)^2),", Equal(Gradient(squash, z), 2 * (1 - tanh(z) ** 2)), source="B-035")
sloping = Claim("which float64 still sees at z = 18,", Equal(Value(slope_vanishes), 0), at=Point(z=18), source="B-035")
flat = Claim("and no longer at z = 20:", Equal(Value(slope_vanishes), 1), at=Point(z=20), source="B-035")
sloping_single = Claim("float32 at 8,", Equal(Value(slope_vanishes, dtype="float32"), 0), at=Point(z=8), source="B-035")
flat_single = Claim("and no longer at 10.", Equal(Value(slope_vanishes, dtype="float32"), 1), at=Point(z=10), source="B-035")
three_each = Claim("Seven joints at three levels have 3^7 joint actions,", Equal(Value(joint_actions), 3**7), source="B-015")
ten_each = Claim("at ten levels 10^7.", Equal(Value(finer_joint_actions), 10**7), source="B-015")

# The listings at work.
flows = Claim(
    "The listing's critic loss reaches the critic alone: not the actor, nor either slow network.",
    source="B-021, B-040",
    that=Equal(Value(listed_flow), array(1, 0, 0, 0)),
)
redundant = Claim(
    "Without no_grad the critic's gradient is the same to the last bit, and slow copies that ask for none receive none;",
    source="B-041",
    that=Equal(Value(without_no_grad), array(1, 0, 0)),
)
receive = Claim("if they ask for one, both receive it.", Equal(Value(without_no_grad_trainable), 1), source="B-041")
actor_too = Claim(
    "With no slow copies the critic loss moves the actor too.", Equal(Value(one_network_not_frozen), 1), source="B-041"
)
needless = Claim(
    "Freezing the critic changes no weight in five steps, only the gradient left lying in it: by -1 for the last bias.",
    source="B-046",
    that=Equal(Value(freezing_changes), array(1, -1)),
)
descended = Claim(
    "Descent on the negative is ascent to the last bit, for Adam with and without weight decay.",
    source="B-034",
    that=Equal(Value(two_ways_up), 1),
)
buffers = Claim(
    "Averaging parameters() leaves the statistics of batch normalisation behind: a mean of 2 / 10 here, 0 in the copy.",
    source="B-047",
    that=Equal(Value(buffers_left_behind), array(1, Rational(2, 10), 0)),
)
counted = Claim(
    "Of 20000 steps 10001 are random; from step 1000 on 380 rounds of updates make 19000 gradient steps.",
    source="B-050",
    that=Equal(Value(schedule), array(10000 + 1, 1000, (20000 - 1000) // 50, 20000 - 1000)),
)
masked = Claim(
    "A time-out is no end where the listing's limit is the environment's own.",
    Equal(Value(ends_with_its_own_limit), 0),
    source="B-051",
)

stored = Claim(
    "Of 100000 steps of the pendulum every 200th is a time-out, and is stored as an end.",
    source="B-051",
    that=Equal(Value(ends_of_pendulum), 100000 // 200),
)

# What is printed and wrong.
done_forgotten = Erratum(
    "The Q-learning step needs no 1 - done.",
    source="B-002",
    instead=half_gradient,
    that=Equal(Value(q_step), -half * Gradient(E((took_value - frozen(unmasked)) ** 2), table)),
)
not_constant = Erratum(
    "The target of Q-learning may move with the table.",
    source="B-001",
    instead=by_loss,
    that=Equal(Gradient(E((took_value - own_target) ** 2), table), Gradient(E((took_value - frozen(own_target)) ** 2), table)),
)
in_each = Erratum(
    "At Q* the residual of every sample is zero.", Equal(backup, Q_best[where, what]), source="B-003", instead=optimal
)
whatever_data = Erratum(
    "An approximation does not depend on which pairs the data hold.",
    source="B-003",
    instead=weighted,
    that=Equal(Gradient(misfit, level), 2 * (level - wanted.mean())),
)
everywhere = Erratum(
    "The stationary action is the best one for every parabola.",
    source="B-005",
    instead=top,
    that=AtMost(q(phi, state, action), q(phi, state, peak)),
)
exactly = Erratum(
    "A little noise changes no gradient.",
    source="B-006",
    instead=blurred,
    that=Equal(Gradient(E(Q3(centre + sd * noise)), centre), Gradient(Q3(centre), centre)),
)
reused = Erratum(
    "Samples of another policy are as good.", Equal(E(term(stale)), 2 * now), at=another, source="B-007", instead=off_policy
)
at_s = Erratum(
    "The best next value is about Q_slow(s', mu(s)).",
    source="B-008",
    instead=regresses,
    that=Equal(
        Gradient(critic_loss, phi),
        Gradient(
            E((prediction - frozen(r[row] + gamma * (1 - done[row]) * q(slow_phi, s2[row], mu(slow_theta, s[row])))) ** 2), phi
        ),
    ),
)
of_the_actor = Erratum(
    "The critic is trained at the actor's own action.",
    source="B-009",
    instead=regresses,
    that=Equal(Gradient(critic_loss, phi), Gradient(E((q(phi, s[row], mu(frozen(theta), s[row])) - frozen(target)) ** 2), phi)),
)
as_variance = Erratum(
    "noise_scale is the variance of the noise.",
    source="B-010",
    instead=spread,
    that=Equal(Covariance(Value(jitter_of)), Rational(1, 10)),
)
never_stops = Erratum(
    "A slow copy converges to weights that stand still, in any precision.",
    source="B-013",
    instead=stalls,
    that=Equal(Value(left_in_single), 0),
)
residual_gradient = Erratum(
    "Minimising (Q - y)^2 minimises the Bellman error, the target frozen or not.",
    source="B-019",
    instead=doubled,
    that=Equal(Gradient(E((c - y) ** 2), c), Gradient((c - E(y)) ** 2, c)),
)
only_phi = Erratum(
    "The loss is a function of phi alone.",
    source="B-021",
    instead=still,
    that=Equal(Gradient(E((prediction - target) ** 2), (slow_phi, slow_theta)), 0),
)
literally = Erratum(
    "The actor's gradient contains the derivative of mu by phi.",
    source="B-025",
    instead=climbs,
    that=Equal(Gradient(actor_loss, theta)[0], chain * Gradient(mu(theta, state), phi)[0]),
)
visited = Erratum(
    "The expectation is over states that do not depend on the policy.",
    source="B-024, B-026",
    instead=theorem,
    that=Equal(Gradient(climb(moments), (bias, gain)), Gradient(by_visits, (bias, gain))),
)
by_the_buffer = Erratum(
    "With states of the buffer it is the gradient of the return.",
    at=regulator,
    source="B-028",
    instead=theorem,
    that=Equal(Gradient(by_replay, gain), Gradient(lq_return, gain)),
)
same_direction = Erratum(
    "At least its direction is right.",
    at=affine,
    source="B-029",
    instead=theorem,
    that=Equal(Gradient(by_replay, bias) * Gradient(lq_return, gain), Gradient(by_replay, gain) * Gradient(lq_return, bias)),
)
any_limits = Erratum(
    "Clipping to plus and minus the upper limit keeps every action in its range.",
    source="B-030",
    at=Point(low=-1, high=2, wide=-3),
    instead=symmetric,
    that=Equal(Value(clipped), clip(wide, low, high)),
)
ten_thousand = Erratum(
    "Only the first 10000 actions are random.", Equal(Value(schedule)[0], 10000), source="B-050", instead=counted
)
timeouts = Erratum(
    "The listing stores no time-out of the pendulum as an end.",
    source="B-051",
    instead=masked,
    that=Equal(Value(ends_of_pendulum), 0),
)

# Why the target is frozen, and why a slow copy is an average.
aimed_at = Named("y", y)[()]
mean_y, mean_y2 = E(aimed_at), E(aimed_at**2)
double_sampling = Derivation(
    "Double sampling",
    E((c - aimed_at) ** 2),
    (
        (c**2 - 2 * c * mean_y + mean_y2, "the expectation is linear"),
        ((c - mean_y) ** 2 + (mean_y2 - mean_y**2), "a square is completed"),
        ((c - mean_y) ** 2 + noise_in_y, "the variance of y is that of 9/10 V: 81/100 (11/8 - 1/4) c^2"),
    ),
    source="B-019",
)
chosen = Named("mu", mu(theta, state))[()]
climbing = Derivation(
    "The actor's gradient",
    array(*(Derivative(Named("Q", q(frozen(phi), state, chosen))[()], t) for t in theta)),
    (
        (
            diff(dpi_da, action[()]).subs(action[()], chosen) * array(*(Derivative(chosen, t) for t in theta)),
            "the chain rule: s does not depend on theta",
        ),
        (
            (phi[2] + phi[3] * state + 2 * phi[4] * chosen)
            * limit
            * (1 - tanh(theta[0] + theta[1] * state) ** 2)
            * array(1, state),
            "the slopes of the critic and of tanh",
        ),
    ),
    at={"phi": (0, 0, 1, 2, 3), "theta": (0, 0), "state": half},
    source="B-023, B-025",
)
weights = Derivation(
    "The weights of a slow copy",
    rho**k + (1 - rho) * Sum(rho ** (k - j), (j, 1, k)),
    ((Add(rho**k, 1 - rho**k, evaluate=False), "a geometric sum"), (1, "all that is forgotten is replaced")),
    sizes={k: (1, 2, 3, 10)},
    source="B-011",
)


# What people get wrong, and the claim that must catch it.
def attached(slow_phi, slow_theta, r, s2, done):
    return backed_up(r, done, q_net(slow_phi, s2, policy(slow_theta, s2)))


def column_of_targets(slow_phi, slow_theta, r, s2, done):  # (N,) minus (N, 1) is (N, N)
    return bootstrap(slow_phi, slow_theta, r, s2, done)[:, None]


def target_without_scale(slow_phi, slow_theta, r, s2, done):
    with torch.no_grad():
        return backed_up(r, done, q_net(slow_phi, s2, policy(slow_theta, s2) / 2))


def online_not_detached(phi, theta, s, a, r, s2, done):
    y = backed_up(r, done, q_net(phi, s2, policy(theta, s2)))
    return ((q_net(phi, s, a) - y) ** 2).mean()


def online_detached(phi, theta, s, a, r, s2, done):
    return ((q_net(phi, s, a) - bootstrap(phi, theta, r, s2, done)) ** 2).mean()


def online_actor(phi, slow_phi, theta, s, a, r, s2, done):
    return ((q_net(phi, s, a) - bootstrap(slow_phi, theta, r, s2, done)) ** 2).mean()


def target_action_at_s(phi, slow_phi, slow_theta, s, a, r, s2, done):
    with torch.no_grad():
        y = backed_up(r, done, q_net(slow_phi, s2, policy(slow_theta, s)))
    return ((q_net(phi, s, a) - y) ** 2).mean()


def at_the_actors_action(phi, theta, slow_phi, slow_theta, s, r, s2, done):
    a = policy(theta, s).detach()
    return critic_loss(phi, slow_phi, slow_theta, s, a, r, s2, done)


def summed(phi, slow_phi, slow_theta, s, a, r, s2, done):
    return ((q_net(phi, s, a) - bootstrap(slow_phi, slow_theta, r, s2, done)) ** 2).sum()


def halved(phi, slow_phi, slow_theta, s, a, r, s2, done):
    return 0.5 * critic_loss(phi, slow_phi, slow_theta, s, a, r, s2, done)


def added(phi, slow_phi, slow_theta, s, a, r, s2, done):
    return ((q_net(phi, s, a) + bootstrap(slow_phi, slow_theta, r, s2, done)) ** 2).mean()


def end_forgotten(r, done, next_value):
    return r + 0.99 * next_value


def end_inverted(r, done, next_value):
    return r + 0.99 * done * next_value


def undiscounted(r, done, next_value):
    return r + (1 - done) * next_value


def reward_discounted(r, done, next_value):
    return 0.99 * (r + (1 - done) * next_value)


def scale_forgotten(theta, s):
    return torch.tanh(theta[0] + theta[1] * s)


def tanh_forgotten(theta, s):
    return 2 * (theta[0] + theta[1] * s)


def tanh_twice(theta, s):
    return 2 * torch.tanh(torch.tanh(theta[0] + theta[1] * s))


def descends(phi, theta, s):
    return q_net(phi.detach(), s, policy(theta, s)).mean()


def by_the_slow_critic(slow_phi, theta, s):
    return -q_net(slow_phi.detach(), s, policy(theta, s)).mean()


def action_detached(phi, theta, s):
    return -q_net(phi.detach(), s, policy(theta, s).detach()).mean()


def at_replayed_actions(phi, theta, s, a):
    return -q_net(phi.detach(), s, a).mean()


def actor_summed(phi, theta, s):
    return -q_net(phi.detach(), s, policy(theta, s)).sum()


def least_error(phi, slow_phi, slow_theta, theta, s, r, s2, done):  # the actor makes the critic's error small
    return critic_loss(phi.detach(), slow_phi, slow_theta, s, policy(theta, s), r, s2, done)


def critic_not_frozen(phi, theta, s):
    return -q_net(phi, s, policy(theta, s)).mean()


def polyak_swapped(slow, online):
    return 0.005 * slow + 0.995 * online


def copied(slow, online):
    return online


def averaged_before(phi, slow_phi):
    return polyak(slow_phi, phi)


def in_place_of_a_copy(phi, slow_phi, slow_theta, s, a, r, s2, done):  # every step the new weights
    return update(phi, slow_phi, slow_theta, s, a, r, s2, done, polyak=copied)


def network_target_not_detached(slow_w_q, slow_w_mu, r, s2, done):
    return backed_up(r, done, network(slow_w_q, s2, network_policy(slow_w_mu, s2)))


def network_critic_not_frozen(w_q, w_mu, s):
    return -network(w_q, s, network_policy(w_mu, s)).mean()


def noise_not_clipped(theta, state, noise):
    return policy(theta, state) + 0.1 * noise


def noise_as_variance(noise):
    return 0.1**0.5 * noise


def mean_over_actions(table, slow_table, s, took, r, s2, done):
    with torch.no_grad():
        y = backed_up(r, done, of_each_action(slow_table, s2).mean(-1))
    return ((of_each_action(table, s).gather(1, took.long()[:, None]).squeeze(1) - y) ** 2).mean()


def best_action_here(table, slow_table, s, took, r, s2, done):
    with torch.no_grad():
        y = backed_up(r, done, of_each_action(slow_table, s2).max(-1).values)
    return ((of_each_action(table, s).max(-1).values - y) ** 2).mean()


def sampled_states(bias, gain, keep, push, cost, jitter, begin, variance=0.0):  # the states' dependence on the policy is cut
    mean, total = begin, 0.0
    for t in range(400):
        u = bias + gain * mean.detach()
        total = total - 0.95**t * (mean.detach() ** 2 + variance + cost * (u**2 + gain**2 * variance))
        mean, variance = keep * mean + push * u, ((keep + push * gain) ** 2 * variance + jitter).detach()
    return total


def steps_counted_from_one():
    total, start_steps, update_after, update_every = 5 * 4000, 10000, 1000, 50
    randomly = sum(t < start_steps for t in range(total))
    rounds = [t for t in range(total) if t >= update_after and t % update_every == 0]
    return torch.tensor([randomly, rounds[0], len(rounds), len(rounds) * update_every])


problem = Problem(
    title="Deep deterministic policy gradient",
    claims=(
        half_gradient,
        by_loss,
        table_still,
        optimal,
        iterated,
        weighted,
        raised,
        raised_by_half,
        raised_by_none,
        of_two,
        *of_many,
        grows,
        top,
        blurred,
        on_policy,
        off_policy,
        weight,
        restored,
        dearer,
        price,
        regresses,
        regression,
        aimed,
        by_features,
        still,
        one_is_enough,
        climbs,
        worth,
        judged,
        leaks,
        harmless,
        ruled,
        unseen,
        seen,
        regresses_there,
        still_there,
        climbs_there,
        leaks_there,
        best_there,
        differences_too,
        networks_regress,
        networks_still,
        networks_aimed,
        networks_climb,
        networks_judged,
        model_still,
        model_judged,
        networks_backward,
        networks_backward_too,
        beside,
        corner,
        torch_takes,
        broadcast,
        constant_kept,
        column,
        columns,
        wrong_dtype,
        single,
        centred_at,
        split,
        frozen_right,
        doubled,
        theorem,
        simulated,
        paid,
        replayed,
        replay_paid,
        rescaled,
        simulated_there,
        replayed_there,
        turned,
        kept,
        then_slow,
        then_slow_there,
        half_life,
        half_life_over,
        nearly_all,
        nearly_all_over,
        stalls,
        arrives,
        spread,
        explored,
        at_lower,
        at_upper,
        symmetric,
        outside,
        inside,
        sloped,
        sloping,
        flat,
        sloping_single,
        flat_single,
        three_each,
        ten_each,
        flows,
        redundant,
        receive,
        actor_too,
        needless,
        descended,
        buffers,
        counted,
        masked,
        stored,
    ),
    errata=(
        done_forgotten,
        not_constant,
        in_each,
        whatever_data,
        everywhere,
        exactly,
        reused,
        at_s,
        of_the_actor,
        as_variance,
        never_stops,
        residual_gradient,
        only_phi,
        literally,
        visited,
        by_the_buffer,
        same_direction,
        any_limits,
        ten_thousand,
        timeouts,
    ),
    derivations=(double_sampling, climbing, weights),
    corners=(exercise, exercise.but(theta=(3, 1))),
    mistakes=(
        Mistake("online networks in the target, not detached", {critic_loss: online_not_detached}, breaks=still),
        Mistake("target not detached", {bootstrap: attached}, breaks=still, source="B-021, B-041"),
        Mistake("1 - done forgotten", {backed_up: end_forgotten}, breaks=regresses, source="B-002"),
        Mistake("(N,) minus (N, 1)", {bootstrap: column_of_targets}, breaks=regresses, source="B-037"),
        Mistake("target action at s", {critic_loss: target_action_at_s}, breaks=regresses, source="B-008"),
        Mistake("critic at the actor's action", {critic_loss: at_the_actors_action}, breaks=regresses, source="B-009"),
        Mistake("descent", {actor_loss: descends}, breaks=climbs, source="B-033"),
        Mistake("actor by the slow critic", {actor_loss: by_the_slow_critic}, breaks=climbs),
        Mistake("action detached before the critic", {actor_loss: action_detached}, breaks=climbs),
        Mistake("action limit forgotten", {policy: scale_forgotten}, breaks=climbs),
        Mistake("online networks in the target, detached", {critic_loss: online_detached}, breaks=regresses),
        Mistake("done for 1 - done", {backed_up: end_inverted}, breaks=regresses),
        Mistake("discount forgotten", {backed_up: undiscounted}, breaks=regresses),
        Mistake("reward discounted too", {backed_up: reward_discounted}, breaks=regresses),
        Mistake("sum for mean", {critic_loss: summed}, breaks=regresses),
        Mistake("half of the squared error", {critic_loss: halved}, breaks=regresses),
        Mistake("Q + y", {critic_loss: added}, breaks=regresses),
        Mistake("action limit forgotten in the target", {bootstrap: target_without_scale}, breaks=aimed),
        Mistake("online actor in the target", {critic_loss: online_actor}, breaks=regresses),
        Mistake("actor at replayed actions", {actor_loss: at_replayed_actions}, breaks=climbs),
        Mistake("tanh forgotten", {policy: tanh_forgotten}, breaks=climbs),
        Mistake("tanh twice", {policy: tanh_twice}, breaks=climbs),
        Mistake("sum for mean in the actor", {actor_loss: actor_summed}, breaks=climbs),
        Mistake("actor against the critic's error", {actor_loss: least_error}, breaks=climbs),
        Mistake("critic not frozen in the actor loss", {actor_loss: critic_not_frozen}, breaks=judged, source="B-045"),
        Mistake("rho and 1 - rho swapped", {polyak: polyak_swapped}, breaks=kept, source="B-014"),
        Mistake("averaged before the step", {update: averaged_before}, breaks=then_slow, source="B-047"),
        Mistake("copied instead of averaged", {update: in_place_of_a_copy}, breaks=then_slow),
        Mistake("networks: target not detached", {network_bootstrap: network_target_not_detached}, breaks=networks_still),
        Mistake("networks: critic not frozen", {network_actor_loss: network_critic_not_frozen}, breaks=networks_judged),
        Mistake("explored action not clipped", {explore: noise_not_clipped}, breaks=explored, source="B-030"),
        Mistake("noise scale read as a variance", {jitter_of: noise_as_variance}, breaks=spread, source="B-010"),
        Mistake("mean over actions for the maximum", {q_loss: mean_over_actions}, breaks=by_loss),
        Mistake("best action instead of the one taken", {q_loss: best_action_here}, breaks=by_loss),
        Mistake("visited states detached", {rolled_out: sampled_states}, breaks=simulated, source="B-027"),
        Mistake("t < start_steps", {schedule: steps_counted_from_one}, breaks=counted, source="B-050"),
    ),
)
