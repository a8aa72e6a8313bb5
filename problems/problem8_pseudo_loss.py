"""A loss whose gradient is the policy gradient, and whose value means nothing.

To make autograd compute a policy gradient one hands it minus the log-probabilities, weighted with the returns. Its slope is
right, at the parameters that drew the data; its value is not the objective, and neither is its curvature. So a loss that falls
says nothing, and mistakes do not show in it: a mean over steps for a mean over episodes, weights that are not detached, a
column times a row. The page checks the loss on a finite MDP, on a table of given data, and on a small network for CartPole.
"""

import numpy as np
from sympy import Derivative, Rational, binomial, log

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
    Gradient,
    Integers,
    LogRational,
    Mean,
    Mistake,
    Named,
    Parameter,
    Point,
    Problem,
    Raises,
    Simplex,
    Size,
    Trace,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    batch,
    diff,
    episode,
    frozen,
    log_softmax,
    sigmoid,
    softmax,
    tanh,
    torch,
)

# The setting: an MDP of three steps, and a softmax policy with a logit for each state and action.
T, half, gamma = 3, Rational(1, 2), Rational(9, 10)
theta = Parameter("theta", (2, 2), over=LogRational())
start = Variable("start", 2, over=Simplex())
step = Variable("step", (2, 2, 2), over=Simplex())
reward = Variable("reward", (2, 2), over=Integers(-4, 4))
phi = Variable("phi", (2, 2), over=Uniform(-2, 2))  # a table of values
offset = Variable("offset", over=Uniform(1, 3))

pi = softmax(theta)
logs = log_softmax(theta)
tau = episode(start, step, reward, pi, T)
states, actions = tau["states"], tau["actions"]
J = E(tau.total)


def Q(left):  # with so many steps left
    return reward + (step * (pi * Q(left - 1)).sum(-1)).sum(-1) if left > 1 else reward


chosen = [logs[s, a] for s, a in zip(states, actions, strict=True)]
to_come = [Q(T - t)[states[t], actions[t]] for t in range(T)]
pseudo = -sum(x * frozen(q) for x, q in zip(chosen, to_come, strict=True))
entire = -sum(x * q for x, q in zip(chosen, to_come, strict=True))


# The same MDP for ever, with discounted rewards: V = now + gamma V(next), by Cramer's rule.
def solved(now):
    (stay, leave), (back, settle) = gamma * (pi[..., None] * step).sum(1)
    determinant = (1 - stay) * (1 - settle) - leave * back
    return array((1 - settle) * now[0] + leave * now[1], back * now[0] + (1 - stay) * now[1]) / determinant


V = solved((pi * reward).sum(-1))
visits = array((start * solved((1, 0))).sum(), (start * solved((0, 1))).sum())
Q_forever = reward + gamma * (step * V).sum(-1)

# Somebody who shows what to do in each state.
expert = Variable("expert", (2, 2), over=Simplex())
seen = Draw("seen", Categorical([half, half]))
shown = Draw("shown", Categorical(expert[seen]))

# A table of given data: two episodes of three steps, and a weight for each.
s, a = Variable("s", (2, 3), over=Integers(0, 1)), Variable("a", (2, 3), over=Integers(0, 1))
q = Variable("q", (2, 3), over=Uniform(-2, 3))
taken = array(*([logs[s[n, t], a[n, t]] for t in range(3)] for n in range(2)))

# A coin with a logit, tossed by the policy or by an older one.
x, x_old = Variable("x", over=LogRational()), Variable("x_old", over=LogRational())
pays = Variable("pays", 2, over=Uniform(-2, 2))
p = sigmoid(x)
coin, old_coin = Draw("coin", Bernoulli(logit=x)), Draw("old_coin", Bernoulli(logit=x_old))
worth = E(pays[coin])
held = frozen(1 - p) * log(1 - p) * pays[0] + frozen(p) * log(p) * pays[1]

# Episodes of one step or two: the first choice ends the episode or goes on, and then there is a second.
N = Size("N", 2, also=(1, 3))
w = Variable("w", 2, over=LogRational())
first = Draw("first", Bernoulli(logit=w[0]))
second = Draw("second", Bernoulli(first * sigmoid(w[1])))
prize = array(2, array(1, 5)[second])[first]
goes_on = sigmoid(w[0])
J_short = E(prize)
steps = 1 + goes_on
one, some = batch(second, 1), batch(second, N)


def share(n, length):  # of an episode's steps, n times: the others have n - 1 steps, and one more for each that goes on
    longer = [binomial(n - 1, k) * goes_on**k * (1 - goes_on) ** (n - 1 - k) for k in range(n)]
    return n * sum(chance / (length + n - 1 + k) for k, chance in enumerate(longer))


def visited(at):  # the chance that an episode begins after so many steps
    return visited(at - 1) * (1 - goes_on) + visited(at - 2) * goes_on if at > 0 else int(at == 0)


def inverse(at, size):  # the mean of 1 / steps, where the batch ends with the episode that takes it past its size
    return Rational(1, at) if at > size else (1 - goes_on) * inverse(at + 1, size) + goes_on * inverse(at + 2, size)


def weight_until(size, length):
    return sum(visited(at) * inverse(at + length, size) for at in range(size + 1))


def expected_weights(weight):  # the gradient where an episode counts by a weight that its length decides
    return Gradient(E(prize * frozen(array(weight(1), weight(2))[first])), w)


# CartPole: states of four numbers, two actions, a network with one hidden layer, and 13 steps of two episodes.
H, M = Size("H", 3), 13
W1, b1 = Variable("W1", (H, 4)), Variable("b1", H)
W2, b2 = Variable("W2", (2, H)), Variable("b2", 2)
obs, act = Variable("obs", (M, 4)), Variable("act", M, over=Integers(0, 1))
weights, rewards_seen = Variable("weights", M, over=Uniform(-2, 8)), Variable("rewards_seen", M, over=Uniform(0, 2))
net = (W1, b1, W2, b2)
row = Draw("row", Categorical([Rational(1, M)] * M))
log_policy = log_softmax(W2 @ tanh(W1 @ obs[row] + b1) + b2)
cart_loss = -E(log_policy[act[row]] * weights[row])
scores = Variable("scores", (M, 2))  # what a network gave for these steps
likely = softmax(scores)[:, 1]
preference = Variable("preference", 2, over=Integers(1, 4))
pick = Draw("pick", Categorical(logits=preference))
size, falls = Variable("size", over=Integers(20, 90)), Variable("falls", over=Integers(2, 30))


# What a student writes, in torch: one number for an episode.
def log_pi(theta, states, actions):
    return theta.log_softmax(-1)[states, actions]


def plan(theta, step, reward):  # Q at each time, state and action
    pi, value, table = theta.softmax(-1), torch.zeros(2), []
    for _ in range(T):
        table.insert(0, reward + (step * value).sum(-1))
        value = (pi * table[0]).sum(-1)
    return torch.stack(table)


def critic(theta, step, reward):
    return plan(theta, step, reward).detach()


def pseudo_loss(theta, states, actions, step, reward, log_pi=log_pi, critic=critic):
    values = critic(theta, step, reward)[torch.arange(T), states, actions]
    return -(log_pi(theta, states, actions) * values).sum()


def attached_loss(theta, states, actions, step, reward):
    return pseudo_loss(theta, states, actions, step, reward, critic=plan)


def shifted_loss(theta, states, actions, step, reward, offset):  # the same weights, and an offset
    return pseudo_loss(theta, states, actions, step, reward, critic=lambda *given: critic(*given) + offset)


def by_return(theta, states, actions, rewards, log_pi=log_pi):
    return -(log_pi(theta, states, actions) * rewards.sum()).sum()


def one_term(theta, states, actions, rewards):  # the sum over the steps is missing
    return -log_pi(theta, states, actions)[0] * rewards.sum()


def of_the_state(theta, states, actions, rewards):  # log pi(s | a), as displayed
    return by_return(theta, states, actions, rewards, log_pi=lambda theta, s, a: theta.log_softmax(0)[s, a])


def by_table(theta, phi, states, actions):  # somebody's values, with parameters of their own
    return -(log_pi(theta, states, actions) * phi[states, actions].detach()).sum()


def likelihood(theta, states, actions, log_pi=log_pi):
    return -log_pi(theta, states, actions).sum()


def imitation(theta, seen, shown):
    return torch.nn.functional.cross_entropy(theta[seen], shown)


def endless(theta, start, step, reward):
    pi = theta.softmax(-1)
    flow = (pi[..., None] * step).sum(1)
    return start @ torch.linalg.solve(torch.eye(2) - 0.9 * flow, (pi * reward).sum(-1))


# On a table of data.
def nll(theta, s, a):
    return torch.nn.functional.cross_entropy(theta[s.long()].mT, a.long(), reduction="none")


def coded(theta, s, a, q, nll=nll):  # one mean over episodes and steps
    return (nll(theta, s, a) * q).mean()


def as_noted(theta, s, a, q):  # the sum over steps, its mean over episodes: to be climbed
    return -(nll(theta, s, a) * q).sum(-1).mean()


def step_by_step(theta, s, a, q, last=T):
    return sum((nll(theta, s, a) * q)[:, t].mean() for t in range(last))


def one_more(theta, s, a, q):  # from 0 to T, both included
    return step_by_step(theta, s, a, q, last=T + 1)


def column_of_values(theta, s, a, q):  # as documented: (6,) for the one, (6, 1) for the other
    return (nll(theta, s, a).reshape(-1) * q.reshape(-1, 1)).mean()


# The coin.
def surrogate(x, pays):  # the expectation of log pi times payment, at the policy that tosses
    tails, heads = torch.sigmoid(-x).detach(), torch.sigmoid(x).detach()
    return tails * torch.nn.functional.logsigmoid(-x) * pays[0] + heads * torch.nn.functional.logsigmoid(x) * pays[1]


def bend(x, pays, surrogate=surrogate):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(surrogate(x, pays), x, create_graph=True)
    return torch.autograd.grad(slope, x)[0]


def toss(x, coin):
    return torch.distributions.Bernoulli(logits=x).log_prob(coin.to(x.dtype))


def fresh(x, pays, coin):
    return toss(x, coin) * pays[coin]


def stale(x, pays, old_coin):
    return toss(x, old_coin) * pays[old_coin]


def reweighted(x, x_old, pays, old_coin):
    ratio = (toss(x, old_coin) - toss(x_old, old_coin)).exp().detach()
    return ratio * toss(x, old_coin) * pays[old_coin]


def after_a_step(x, pays, coin):  # torch's optimisers descend
    weight = x.detach().clone().requires_grad_()
    (-toss(weight, coin) * pays[coin]).backward()
    torch.optim.SGD([weight], lr=0.1).step()
    return weight.detach()


# Episodes of one step or two, a batch of them along the first axis.
def steps_scored(w, first, second):
    choices = torch.stack((first, second), -1)
    return torch.nn.functional.logsigmoid(w * (2 * choices - 1)) * torch.stack((torch.ones_like(first), first), -1)


def paid(first, second):
    return torch.where(first == 0, 2.0, torch.tensor([1.0, 5.0])[second])


def mean_over_episodes(w, first, second, steps_scored=steps_scored):
    return -(steps_scored(w, first, second).sum(-1) * paid(first, second)).mean()


def mean_over_steps(w, first, second, steps_scored=steps_scored):
    return -(steps_scored(w, first, second).sum(-1) * paid(first, second)).sum() / (1 + first).sum()


def until(size, w, first, second):  # the batch ends with the episode that takes it past its size
    lengths = 1 + first
    used = lengths.cumsum(0) - lengths <= size
    return -(steps_scored(w, first, second).sum(-1) * paid(first, second) * used).sum() / (lengths * used).sum()


def until_one(w, first, second):
    return until(1, w, first, second)


def until_two(w, first, second):
    return until(2, w, first, second)


# The network.
def logits(W1, b1, W2, b2, obs):
    return torch.nn.functional.linear(torch.nn.functional.linear(obs, W1, b1).tanh(), W2, b2)


def loss_of(scores, act, weights):
    policy = torch.distributions.Categorical(logits=scores)
    return -(policy.log_prob(act.int()) * weights).mean()


def compute_loss(W1, b1, W2, b2, obs, act, weights, logits=logits, loss_of=loss_of):
    return loss_of(logits(W1, b1, W2, b2, obs), act, weights)


def weighted_cross_entropy(W1, b1, W2, b2, obs, act, weights):
    each = torch.nn.functional.cross_entropy(logits(W1, b1, W2, b2, obs), act.long(), reduction="none")
    return (each * weights).mean()


def of_two_episodes(W1, b1, W2, b2, obs, act, weights):  # of 5 and 8 steps
    scores = logits(W1, b1, W2, b2, obs).log_softmax(-1).gather(-1, act.long()[:, None])[:, 0] * weights
    return sum(x.sum() for x in scores.split((5, 8))) / 2


def weights_of(rewards_seen):
    return torch.cat([x.sum().expand(len(x)) for x in rewards_seen.split((5, 8))])


def whole_numbers(preference, pick):  # log_prob and gather take them short
    short = pick.int()
    gathered = preference.log_softmax(-1).gather(0, short[None])[0]
    return torch.stack((torch.distributions.Categorical(logits=preference).log_prob(short), gathered))


def short_targets():
    return torch.nn.functional.cross_entropy(torch.zeros(2), torch.tensor(1, dtype=torch.int32))


def positional(preference):  # the first argument is probs
    return torch.distributions.Categorical(preference, validate_args=True).probs


def positional_log_prob(preference, pick):
    return torch.distributions.Categorical(preference).log_prob(pick)


def parameters():
    policy = torch.nn.Sequential(torch.nn.Linear(4, 32, device="meta"), torch.nn.Tanh(), torch.nn.Linear(32, 2, device="meta"))
    return sum(weight.numel() for weight in policy.parameters())


# The environment, with gym's interface since 0.26: reset gives a pair, step five things. Here the cart falls when it is told.
enough, push = 6000, 1  # steps, for any loop that ends; to the right, for any cart


class Cart:
    def __init__(self, falls):
        self.falls, self.steps = falls, 0

    def reset(self):
        self.steps = 0
        return np.zeros(4), {}

    def step(self, action):
        self.steps += 1
        return np.zeros(4), 1.0, self.steps >= self.falls, self.steps >= 500, {}


def ends(terminated, truncated):
    return terminated or truncated


def balanced(ends=ends):  # a cart that never falls
    env, earned = Cart(falls=torch.inf), 0.0
    for _ in range(enough):
        _, reward, terminated, truncated, _ = env.step(push)
        earned += reward
        if ends(terminated, truncated):
            break
    return earned


def balanced_as_listed(balanced=balanced):
    return balanced(ends=lambda terminated, truncated: terminated)


def collected(size, falls):  # whole episodes, until there are more steps than that: how many, and how many numbers each
    env, batch_obs = Cart(falls), []
    obs, _ = env.reset()
    for _ in range(enough):
        batch_obs.append(obs.copy())
        obs, _, terminated, truncated, _ = env.step(push)
        if terminated or truncated:
            obs, _ = env.reset()
            if len(batch_obs) > size:
                break
    return np.stack(batch_obs).shape


def collected_as_listed(falls):
    env, batch_obs = Cart(falls), []
    obs, _ = env.reset()
    for _ in range(enough):
        batch_obs.append(obs.copy())
        obs, _, terminated, *_ = env.step(push)
        if terminated:
            obs = env.reset()


def reward_named_twice():
    _, reward, *_ = Cart(falls=5).step(push)
    return reward + rew  # noqa: F821


def two_values():
    obs, reward = Cart(falls=5).step(push)
    return obs, reward


# What must be true of the loss.
slope = Claim(
    "Its gradient is minus the policy gradient, on average.",
    source="C-060",
    that=Equal(Mean(Gradient(pseudo_loss)), -Gradient(J)),
)
samplewise = Claim("In every sample it is the model's.", Equal(Gradient(pseudo_loss), Gradient(pseudo)), source="C-060")
simple = Claim(
    "So it is with the whole return as weight, the same for every step.",
    source="A-019, A-022",
    that=Equal(Mean(Gradient(by_return)), -Gradient(J)),
)
number = Claim("Its value is the mean of -log pi Q.", Equal(Mean(Value(pseudo_loss)), E(pseudo)), source="C-061")
leaks = Claim(
    "Not detached, the values add -log pi times their own gradient.",
    source="C-060",
    that=Equal(Mean(Gradient(attached_loss)), Mean(Gradient(entire))),
)
scored = Claim(
    "With a table of values it moves the policy by them,",
    source="C-060",
    that=Equal(Gradient(by_table), Gradient(-sum(x * phi[s, a] for x, s, a in zip(chosen, states, actions, strict=True)))),
)
untouched = Claim("and the table not at all.", Equal(Gradient(by_table, phi), 0), source="C-060")
unmoved = Claim(
    "An offset in the weights leaves the mean gradient alone,",
    source="C-061",
    that=Equal(Mean(Gradient(shifted_loss)), -Gradient(J)),
)
moved = Claim(
    "and adds to the value: the offset times the mean of -log pi, summed over the steps.",
    source="C-061",
    that=Equal(Mean(Value(shifted_loss)) - Mean(Value(pseudo_loss)), -offset * E(sum(chosen))),
)
weightless = Claim(
    "Maximum likelihood is the same with weight 1.", Equal(Gradient(likelihood), Gradient(-sum(chosen))), source="C-062"
)
aimless = Claim(
    "Of one's own actions it goes nowhere: its gradient has mean zero.",
    source="C-062",
    that=Equal(Mean(Gradient(likelihood)), 0),
)
imitates = Claim(
    "On an expert's actions it goes towards the expert: its gradient is pi less the expert's policy.",
    source="C-062",
    that=Equal(Mean(Gradient(imitation)), (pi - expert) / 2),
)
solved_too = Claim(
    "For ever, with gamma = 9/10: torch solves the same equations.",
    source="C-067",
    that=Equal(Gradient(endless), Gradient((start * V).sum())),
)
pseudo_forever = Claim(
    "The loss with frozen values, and frozen discounted visits as weights, has the gradient of that too.",
    source="C-067",
    that=Equal(Gradient((frozen(visits) * (pi * frozen(Q_forever)).sum(-1)).sum()), Gradient((start * V).sum())),
)

# On a table of data.
scaled = Claim(
    "The mean over episodes and steps has -1/T of the gradient of the formula.",
    source="C-063",
    that=Equal(Gradient(coded), -Gradient(as_noted) / 3),
)
scaled_too = Claim("Both are the model's.", Equal(Gradient(as_noted), Gradient((taken * q).sum() / 2)), source="C-063")
stepwise = Claim(
    "The sum of the formula has T terms, from 0 to T - 1;",
    source="A-082",
    that=Equal(Gradient(step_by_step), -Gradient(as_noted)),
)
beyond = Claim("there is none for T.", Raises(one_more, IndexError), source="A-082")
crossed = Claim(
    "A column times a row is every weight with every step: the gradient is the mean weight times that of the mean.",
    source="C-064",
    that=Equal(Gradient(column_of_values), -(q.sum() / 6) * Gradient(taken.sum() / 6)),
)
crossed_value = Claim(
    "Its value is the product of both means.", Equal(Value(column_of_values), -q.sum() * taken.sum() / 36), source="C-064"
)
notes = Point(
    theta=((log(2), 0), (0, log(3))),
    start=array(2, 1) / 3,
    step=((array(3, 1) / 4, array(1, 2) / 3), (array(1, 1) / 2, array(1, 4) / 5)),
    reward=((1, -2), (3, half)),
)
table = Point(
    theta=((log(2), 0), (0, log(3))),
    s=((0, 1, 1), (1, 0, 0)),
    a=((0, 1, 0), (1, 1, 0)),
    q=((9 * half, 7 * half, 3), (-half, -1, 1)),
)
table_formula = Claim(
    "Two episodes of three steps: the formula has (5/4, -5/4, 3/4, -3/4),",
    at=table,
    source="C-063",
    that=Equal(Gradient(as_noted), array(5, -5, 3, -3) / 4),
)
table_coded = Claim(
    "the code (-5/12, 5/12, -1/4, 1/4),",
    at=table,
    source="C-063",
    that=Equal(Gradient(coded), array(-5, 5, -3, 3) / 12),
)
table_crossed = Claim(
    "and a column times a row (0, 0, -7/96, 7/96).",
    at=table,
    source="C-064",
    that=Equal(Gradient(column_of_values), array(0, 0, -7, 7) / 96),
)
left_right_right = Point(theta=0, s=0, a=((0, 1, 1), (0, 1, 1)), q=8)
pushed_down = Claim(
    "Left, right, right in one state, all with weight 8: left is executed, and its logit sinks by 8 (1/2 - 1/2 - 1/2).",
    at=left_right_right,
    source="A-088",
    that=Equal(Gradient(as_noted)[:2], (-4, 4)),
)

# In the notes' MDP.
slope_there = Claim(
    "There the loss has this gradient,", Equal(Mean(Gradient(pseudo_loss)), -Gradient(J)), at=notes, source="C-060"
)
leaks_there = Claim(
    "without detaching this,", Equal(Mean(Gradient(attached_loss)), Mean(Gradient(entire))), at=notes, source="C-060"
)
number_there = Claim("and this value.", Equal(Mean(Value(pseudo_loss)), E(pseudo)), at=notes, source="C-061")
forever_there = Claim("For ever the return is 575/93.", Equal(Value(endless), Rational(575, 93)), at=notes, source="C-067")
forever_slope = Claim(
    "Its gradient is (20735, -20735, 18400, -18400) / 8649.",
    at=notes,
    source="C-067",
    that=Equal(Gradient(endless), array(20735, -20735, 18400, -18400) / 8649),
)

# The coin.
tangent = Claim(
    "The surrogate has the slope of the objective,", Equal(Gradient(surrogate, x), Gradient(worth, x)), source="A-084"
)
curved = Claim("but curves by -p (1 - p) J.", Equal(Value(bend), -p * (1 - p) * worth), source="A-084")
same_surrogate = Claim("Its value is (1 - p) r_0 log(1 - p) + p r_1 log(p).", Equal(Value(surrogate), held), source="A-084")
zero_one = Point(x=0, pays=(0, 1))
at_zero = Claim(
    "A fair coin, 0 or 1: the surrogate is -log(2) / 2,", Equal(Value(surrogate), -log(2) / 2), at=zero_one, source="A-084"
)
slope_at_zero = Claim("its slope 1/4,", Equal(Gradient(surrogate, x), Rational(1, 4)), at=zero_one, source="A-084")
bend_at_zero = Claim(
    "and it bends by -1/8, where the objective bends by nothing.",
    at=zero_one,
    source="A-084",
    that=Equal(Value(bend), diff(worth.doit(), x[()], 2) - Rational(1, 8)),
)
climbs = Claim(
    "Descending -log pi times payment climbs: the step is 1/10 of the gradient, on average.",
    source="A-096, A-022",
    that=Equal(Mean(Value(after_a_step)), x + diff(worth.doit(), x[()]) / 10),
)
encouraged = Claim(
    "Where all payments are positive every toss is made more likely.",
    source="A-088",
    where=AtMost(0, array(pays[0], pays[1])),
    that=AtMost(0, Gradient(fresh, x) * (2 * coin - 1)),
)
repaired = Claim(
    "Importance weights repair tosses of an older policy.",
    source="A-089",
    that=Equal(Mean(Gradient(reweighted, x)), Gradient(worth, x)),
)
old = Point(x=log(4), x_old=0, pays=(1, 2))
turned = Claim(
    "Chance 4/5, data from 1/2, payments 1 and 2: without them -1/5,",
    Equal(Mean(Gradient(stale, x)), -Rational(1, 5)),
    at=old,
    source="A-089",
)
truly = Claim("truly 4/25.", Equal(Mean(Gradient(fresh, x)), Rational(4, 25)), at=old, source="A-089")

# Means.
by_episodes = Claim(
    "The mean over episodes has minus the policy gradient, for every N.",
    source="A-086",
    that=Equal(Mean(Gradient(mean_over_episodes, w), over=some), -Gradient(J_short, w)),
)
by_steps = Claim(
    "The mean over steps has that of episodes weighted by N E[1 / steps], given their own length.",
    source="A-086",
    that=Equal(Mean(Gradient(mean_over_steps, w), over=some), -expected_weights(lambda length: share(N, length))),
)
by_size = tuple(
    Claim(
        f"So it is where the batch ends with the episode that takes it past {n} step{'s' * (n > 1)}.",
        source="A-086",
        that=Equal(
            Mean(Gradient(f, w), over=batch(second, n + 1)), -expected_weights(lambda length, n=n: weight_until(n, length))
        ),
    )
    for n, f in ((1, until_one), (2, until_two))
)
in_the_limit = Claim(
    "Of 64 episodes each counts within 2 % as one over the mean number of steps, whatever its length.",
    source="A-086",
    that=Within(array(share(64, 1), share(64, 2)) * steps, (Rational(98, 100), Rational(102, 100))),
)
even = Point(w=0)
truth = Claim(
    "With even chances the policy gradient is (1/4, 1/2).", Equal(Gradient(J_short, w), array(1, 2) / 4), at=even, source="A-086"
)
wrong_sign = Claim(
    "One episode, a mean over its steps: (-1/8, 1/4), the first of the wrong sign,",
    at=even,
    source="A-086",
    that=Equal(-Mean(Gradient(mean_over_steps, w), over=one), array(-1, 2) / 8),
)
two_of_them = Claim(
    "two episodes: (1/48, 7/24).",
    at=even,
    source="A-086",
    that=Equal(-Mean(Gradient(mean_over_steps, w), over=batch(second, 2)), array(1, 14) / 48),
)
averaged = Claim(
    "N episodes have 1/N of the covariance.",
    source="C-066",
    that=Equal(
        Trace(Covariance(Gradient(mean_over_episodes, w), over=some)),
        Trace(Covariance(Gradient(mean_over_episodes, w), over=one)) / N,
    ),
)

# The network, also on what CartPole shows: position, speed, angle, spin.
played = Point(
    obs=(
        (0.0274, -0.0061, 0.0358, 0.0197),
        (0.0273, 0.1885, 0.0362, -0.2615),
        (0.031, 0.3831, 0.031, -0.5425),
        (0.0387, 0.1875, 0.0201, -0.2403),
        (0.0425, 0.3824, 0.0153, -0.5265),
        (-0.0412, 0.0335, -0.0123, 0.0266),
        (-0.0405, -0.1614, -0.0118, 0.3154),
        (-0.0438, 0.0338, -0.0055, 0.019),
        (-0.0431, -0.1612, -0.0051, 0.31),
        (-0.0463, -0.3562, 0.0011, 0.601),
        (-0.0534, -0.1611, 0.0131, 0.3087),
        (-0.0567, 0.0338, 0.0193, 0.0202),
        (-0.056, -0.1616, 0.0197, 0.3189),
    ),
    act=(1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0),
    weights=(5,) * 5 + (8,) * 8,
)
backpropagated = Claim(
    "The loss of the listing has the gradient of the model.",
    source="A-085",
    that=Equal(Gradient(compute_loss, net), Gradient(cart_loss, net)),
)
at_the_logits = Claim(
    "At its logits it is what was likely less what was done, weighted, over the number of steps.",
    that=Equal(Gradient(loss_of, scores), array(*((x, -x) for x in (act - likely) * weights / M))),
)
entropic = Claim(
    "That is the gradient of the weighted cross-entropy,",
    source="A-085",
    that=Equal(Gradient(compute_loss, net), Gradient(weighted_cross_entropy, net)),
)
thirteenths = Claim(
    "and -2/13 of that of the formula, of episodes of 5 and 8 steps.",
    source="A-087",
    that=Equal(Gradient(compute_loss, net), Gradient(of_two_episodes, net) * Rational(-2, 13)),
)
repeated = Claim(
    "Each step is weighted with its episode's return: five steps, then eight.",
    source="A-081",
    that=Equal(Value(weights_of), array(*([rewards_seen[:5].sum()] * 5 + [rewards_seen[5:].sum()] * 8))),
)
five_and_eight = Claim(
    "Where every step pays 1: 5 for five steps, 8 for eight.",
    at=Point(rewards_seen=1),
    source="A-081",
    that=Equal(Value(weights_of), (5,) * 5 + (8,) * 8),
)
sized = Claim("A network 4-32-2 has 5 * 32 + 33 * 2 parameters.", Equal(Value(parameters), 226), source="A-085, A-092")
typed = Claim(
    "log_prob and gather take actions of 32 bits,",
    source="A-091",
    that=Equal(Value(whole_numbers), pick.log_prob()),
)
untyped = Claim("cross_entropy does not.", Raises(short_targets, RuntimeError), source="A-091")
taken_as_chances = Claim(
    "Without a keyword positive logits are taken as probabilities, silently,",
    source="A-090",
    that=Equal(Value(positional), preference / preference.sum()),
)
other_score = Claim(
    "with another score,",
    source="A-090",
    that=Equal(Gradient(positional_log_prob, preference), array((1, 0), (0, 1))[pick] / preference[pick] - 1 / preference.sum()),
)
refused = Claim("and negative ones are refused.", Raises(positional, ValueError), at=Point(preference=(-1, 2)), source="A-090")

# The loop around it.
over_in_time = Claim(
    "An episode is over when the environment says so: after 500 steps at most.", Equal(Value(balanced), 500), source="A-094"
)
never_over = Claim("Where truncation is ignored it goes on.", Equal(Value(balanced_as_listed), enough), source="A-094")
more = Claim("A batch has more steps than its size,", AtMost(size + 1, Value(collected)[0]), source="A-095")
not_many_more = Claim("at most by one episode.", AtMost(Value(collected)[0], size + falls), source="A-095")
five_thousand = Claim(
    "Of 5000, where the cart falls after 24 steps: 209 episodes, 5016 steps, four numbers for each.",
    at=Point(size=5000, falls=24),
    source="A-092, A-095",
    that=Equal(Value(collected), (209 * 24, 4)),
)
undefined = Claim("The listing's reward has two names.", Raises(reward_named_twice, NameError), source="A-093")
paired = Claim(
    "Its second episode begins with a pair.", Raises(collected_as_listed, AttributeError), at=Point(falls=5), source="A-093"
)
five_things = Claim("A step gives five things, not two.", Raises(two_values, ValueError), source="A-106")

# What is printed and wrong.
objective = Erratum(
    "The loss falls as the return rises: it is minus the objective.",
    source="C-061",
    instead=number,
    that=Equal(Mean(Value(pseudo_loss)), -J),
)
undetached = Erratum(
    "The weights need not be detached.",
    source="C-060",
    instead=leaks,
    that=Equal(Mean(Gradient(attached_loss)), -Gradient(J)),
)
sum_lost = Erratum(
    "The objective is log pi(a_t | s_t) R, without a sum over t.",
    source="A-084",
    instead=simple,
    that=Equal(Mean(Gradient(one_term)), -Gradient(J)),
)
swapped = Erratum(
    "The terms are log pi(s_t | a_t).",
    source="A-083",
    instead=simple,
    that=Equal(Mean(Gradient(of_the_state)), -Gradient(J)),
)
own_likelihood = Erratum(
    "Policy gradient is maximum likelihood.", Equal(Mean(Gradient(likelihood)), -Gradient(J)), source="C-062", instead=aimless
)
same_scale = Erratum("The code computes the formula.", Equal(Gradient(coded), Gradient(as_noted)), source="C-063", instead=scaled)
same_shapes = Erratum(
    "Shapes (N T,) and (N T, 1) may be multiplied.",
    source="C-064",
    instead=crossed,
    that=Equal(Gradient(column_of_values), Gradient(coded)),
)
same_value = Erratum("The surrogate is the objective.", Equal(Value(surrogate), worth), source="A-084", instead=same_surrogate)
same_bend = Erratum(
    "The surrogate's second derivative is the objective's.",
    source="A-084",
    instead=curved,
    that=Equal(Value(bend), diff(worth.doit(), x[()], 2)),
)
reused = Erratum(
    "Old data may be used again.", Equal(Mean(Gradient(stale, x)), Gradient(worth, x)), source="A-089", instead=repaired
)
ratio = Erratum(
    "The mean over steps estimates the expectation.",
    source="A-086",
    instead=by_steps,
    that=Equal(Mean(Gradient(mean_over_steps, w), over=some), -Gradient(J_short, w)),
)
direction = Erratum(
    "At least up to a scale, 1 over the mean number of steps.",
    source="A-086",
    instead=by_steps,
    that=Equal(Mean(Gradient(mean_over_steps, w), over=some), -Gradient(J_short, w) / steps),
)
ratio_averages = Erratum(
    "N episodes have 1/N of the covariance, with a mean over steps too.",
    source="C-066",
    instead=averaged,
    that=Equal(
        Trace(Covariance(Gradient(mean_over_steps, w), over=batch(second, 2))),
        Trace(Covariance(Gradient(mean_over_steps, w), over=one)) / 2,
    ),
)
executed = Erratum(
    "All actions executed in the better episode are reinforced.",
    at=left_right_right,
    source="A-088",
    instead=pushed_down,
    that=AtMost(0, Gradient(as_noted)[0]),
)
whole_size = Erratum("A batch has as many steps as its size.", Equal(Value(collected)[0], size), source="A-095", instead=more)
ignored = Erratum(
    "An episode is over when the environment says so, in the listing too.",
    source="A-094",
    instead=never_over,
    that=Equal(Value(balanced_as_listed), 500),
)
as_logits = Erratum(
    "Categorical's first argument are logits.",
    source="A-090",
    instead=taken_as_chances,
    that=Equal(Value(positional), softmax(preference)),
)
sums_to_zero = Erratum(
    "Its scores sum to zero.",
    source="A-090",
    instead=other_score,
    that=Equal(Gradient(positional_log_prob, preference)[0], -Gradient(positional_log_prob, preference)[1]),
)

# Why: the policy is held where it weighs, and free where it is scored.
heads = Named("p", p)[()]  # the chance of one side
why = Derivation(
    "The slope of the surrogate",
    Derivative(frozen(1 - heads) * log(1 - heads) * pays[0] + frozen(heads) * log(heads) * pays[1], x[()]),
    (
        (-frozen(1 - heads) * heads * pays[0] + frozen(heads) * (1 - heads) * pays[1], "the scores of both sides"),
        (heads * (1 - heads) * (pays[1] - pays[0]), "what is frozen has its value"),
        (Derivative((1 - heads) * pays[0] + heads * pays[1], x[()]), "the derivative of p is p (1 - p), as in the objective"),
    ),
    at={"x": log(3), "pays": (0, 1)},
    source="A-084",
)


# What people get wrong, and the claim that must catch it.
def sign_lost(theta, states, actions, step, reward):
    return -pseudo_loss(theta, states, actions, step, reward)


def averaged_over_steps(theta, states, actions, step, reward):
    return pseudo_loss(theta, states, actions, step, reward) / T


def log_lost(theta, states, actions):
    return theta.softmax(-1)[states, actions]


def given_the_action(theta, states, actions):
    return theta.log_softmax(0)[states, actions]


def raw_logits(theta, states, actions):
    return theta[states, actions]


def first_step_only(theta, states, actions, rewards):
    return one_term(theta, states, actions, rewards)


def table_attached(theta, phi, states, actions):
    return -(log_pi(theta, states, actions) * phi[states, actions]).sum()


def unit_weights(theta, s, a, q):
    return nll(theta, s, a).mean()


def summed(theta, s, a, q):
    return (nll(theta, s, a) * q).sum()


def surrogate_attached(x, pays):
    return (
        torch.sigmoid(-x) * torch.nn.functional.logsigmoid(-x) * pays[0]
        + torch.sigmoid(x) * torch.nn.functional.logsigmoid(x) * pays[1]
    )


def ascends(x, pays, coin):
    weight = x.detach().clone().requires_grad_()
    (toss(weight, coin) * pays[coin]).backward()
    torch.optim.SGD([weight], lr=0.1).step()
    return weight.detach()


def ratio_forgotten(x, x_old, pays, old_coin):
    return stale(x, pays, old_coin)


def ratio_inverted(x, x_old, pays, old_coin):
    return (toss(x_old, old_coin) - toss(x, old_coin)).exp().detach() * stale(x, pays, old_coin)


def ended_steps_counted(w, first, second):
    return torch.nn.functional.logsigmoid(w * (2 * torch.stack((first, second), -1) - 1))


def hidden_layer_linear(W1, b1, W2, b2, obs):
    return torch.nn.functional.linear(torch.nn.functional.linear(obs, W1, b1), W2, b2)


def squashed_twice(W1, b1, W2, b2, obs):
    return logits(W1, b1, W2, b2, obs).tanh()


def softmax_twice(W1, b1, W2, b2, obs):
    return logits(W1, b1, W2, b2, obs).softmax(-1)


def weights_as_a_column(W1, b1, W2, b2, obs, act, weights):
    return compute_loss(W1, b1, W2, b2, obs, act, weights[:, None])


def by_probability(scores, act, weights):
    return -(scores.softmax(-1).gather(-1, act.long()[:, None])[:, 0] * weights).mean()


def summed_over_steps(W1, b1, W2, b2, obs, act, weights):
    return compute_loss(W1, b1, W2, b2, obs, act, weights) * len(act)


def one_return_for_all(rewards_seen):
    return rewards_seen.sum().expand(len(rewards_seen))


def truncation_ignored(terminated, truncated):
    return terminated


problem = Problem(
    title="A loss whose value means nothing",
    claims=(
        slope,
        samplewise,
        simple,
        number,
        leaks,
        scored,
        untouched,
        unmoved,
        moved,
        weightless,
        aimless,
        imitates,
        solved_too,
        pseudo_forever,
        scaled,
        scaled_too,
        stepwise,
        beyond,
        crossed,
        crossed_value,
        table_formula,
        table_coded,
        table_crossed,
        pushed_down,
        slope_there,
        leaks_there,
        number_there,
        forever_there,
        forever_slope,
        tangent,
        curved,
        same_surrogate,
        at_zero,
        slope_at_zero,
        bend_at_zero,
        climbs,
        encouraged,
        repaired,
        turned,
        truly,
        by_episodes,
        by_steps,
        *by_size,
        in_the_limit,
        truth,
        wrong_sign,
        two_of_them,
        averaged,
        backpropagated,
        at_the_logits,
        entropic,
        thirteenths,
        repeated,
        five_and_eight,
        sized,
        typed,
        untyped,
        taken_as_chances,
        other_score,
        refused,
        over_in_time,
        never_over,
        more,
        not_many_more,
        five_thousand,
        undefined,
        paired,
        five_things,
    ),
    errata=(
        objective,
        undetached,
        sum_lost,
        swapped,
        own_likelihood,
        same_scale,
        same_shapes,
        same_value,
        same_bend,
        reused,
        ratio,
        direction,
        ratio_averages,
        executed,
        whole_size,
        ignored,
        as_logits,
        sums_to_zero,
    ),
    derivations=(why,),
    corners=(notes, played),
    points=4,
    mistakes=(
        Mistake("weights not detached", {critic: plan}, breaks=slope, source="C-060"),
        Mistake("sign", {pseudo_loss: sign_lost}, breaks=slope, source="A-096"),
        Mistake("mean over steps", {pseudo_loss: averaged_over_steps}, breaks=slope, source="C-063"),
        Mistake("log forgotten", {log_pi: log_lost}, breaks=slope),
        Mistake("pi(s | a)", {log_pi: given_the_action}, breaks=slope, source="A-083"),
        Mistake("logits not normalised", {log_pi: raw_logits}, breaks=slope),
        Mistake("the sum over steps forgotten", {by_return: first_step_only}, breaks=simple, source="A-084"),
        Mistake("the table not detached", {by_table: table_attached}, breaks=untouched, source="C-060"),
        Mistake("column times row", {coded: column_of_values}, breaks=scaled, source="C-064"),
        Mistake("weights forgotten: maximum likelihood", {coded: unit_weights}, breaks=scaled, source="C-062"),
        Mistake("sum for mean", {coded: summed}, breaks=scaled, source="C-063"),
        Mistake("the weighing policy not detached", {surrogate: surrogate_attached}, breaks=tangent, source="A-084"),
        Mistake("the optimiser's sign", {after_a_step: ascends}, breaks=climbs, source="A-096"),
        Mistake("old data used again", {reweighted: ratio_forgotten}, breaks=repaired, source="A-089"),
        Mistake("the ratio inverted", {reweighted: ratio_inverted}, breaks=repaired, source="A-089"),
        Mistake("steps after the end counted", {steps_scored: ended_steps_counted}, breaks=by_episodes),
        Mistake("a mean over steps", {mean_over_episodes: mean_over_steps}, breaks=by_episodes, source="A-086"),
        Mistake("no tanh", {logits: hidden_layer_linear}, breaks=backpropagated),
        Mistake("tanh on the logits too", {logits: squashed_twice}, breaks=backpropagated),
        Mistake("probabilities as logits", {logits: softmax_twice}, breaks=backpropagated, source="A-090"),
        Mistake("log forgotten on CartPole", {loss_of: by_probability}, breaks=at_the_logits),
        Mistake("weights as a column", {compute_loss: weights_as_a_column}, breaks=backpropagated, source="C-064"),
        Mistake("sum over steps", {compute_loss: summed_over_steps}, breaks=backpropagated, source="A-087"),
        Mistake("one return for both episodes", {weights_of: one_return_for_all}, breaks=repeated, source="A-081"),
        Mistake("truncation ignored", {ends: truncation_ignored}, breaks=over_in_time, source="A-094"),
    ),
)
