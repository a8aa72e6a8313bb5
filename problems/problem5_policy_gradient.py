"""Policy gradients of a finite MDP: total return, reward-to-go, baselines.

Two states, two actions, three steps: 64 trajectories, so that the mean and the covariance of every estimator are finite
sums. Most estimators have the same mean, the gradient of the expected return. The notes promise that dropping past rewards
and subtracting a baseline lower the variance. Usually they do; which way it goes depends on the MDP. A baseline or a scale
made from the same batch changes the mean itself, and a scale may even turn its sign.
"""

from math import prod

from sympy import Integral, Rational, log, symbols

from gradcheck_rl import (
    MDP,
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Curl,
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
    Mean,
    Mistake,
    Named,
    OneOf,
    Parameter,
    Point,
    Problem,
    Rows,
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
    frozen,
    log_softmax,
    softmax,
    torch,
)
from gradcheck_rl import (
    step as at_least,
)

# The setting: an MDP and a softmax policy with a logit for each state and action.
T = Size("T", 3, also=(2,))
theta = Parameter("theta", (2, 2), over=LogRational())
start = Variable("start", 2, over=Simplex())
step = Variable("step", (2, 2, 2), over=Simplex())
reward = Variable("reward", (2, 2), over=Integers(-4, 4))
b = Variable("b", 2, over=Uniform(-2, 2))  # a baseline for each state
c = Variable("c", over=Uniform(-2, 2))  # a baseline for all
gamma = Rational(9, 10)
third, half = Rational(1, 3), Rational(1, 2)

pi = softmax(theta)
tau = episode(start, step, reward, pi, T)
states, actions, rewards = tau["states"], tau["actions"], tau["rewards"]
pair = batch(tau, 2)
short = episode(start, step, reward, pi, 2)
timed = Variable("timed", (2, 1, 2), over=OneOf(0, Rational(1, 2), 1))  # rewards of one state that change with time
later = episode((1,), (((1,), (1,)),), timed, pi, 2)
three = batch(short, 3)

# The objective by listing trajectories, by dynamic programming backwards, and forwards.
J = E(tau.total)


def Q(left, pi=pi):  # with so many steps left
    return reward + (step * (pi * Q(left - 1, pi)).sum(-1)).sum(-1) if left > 1 else reward + 0 * pi


def occupied(t):  # the law of the state at time t
    return ((occupied(t - 1)[:, None] * pi)[..., None] * step).sum((0, 1)) if t else start + 0 * pi[0]


V = (start * (pi * Q(T)).sum(-1)).sum()
J_stepwise = sum((occupied(t) * (pi * reward).sum(-1)).sum() for t in range(T))

# Scores of each step, their sum, and the rewards still to come.
logs = log_softmax(theta)
scores = array(*([[diff(logs[s, a], x) for x in theta.array.ravel()] for a in (0, 1)] for s in (0, 1)))
g = [scores[s, a] for s, a in zip(states, actions, strict=True)]
G = sum(g)
to_come = [rewards[t:].sum() for t in range(T)]
by_total = G * tau.total
by_rest = sum(g[t] * to_come[t] for t in range(T))


def variance(x):
    return E(x**2) - E(x) ** 2


def variance_less(x, baseline):  # of x - baseline G, since G has mean zero
    return variance(x) + baseline * (baseline * E(G**2) - 2 * E(x * G))


# Baselines that minimise the variance: one for each parameter, and one for all.
best = E(G**2 * tau.total) / E(G**2)
best_rest = E(G * by_rest) / E(G**2)
best_of_all = E(G**2 * tau.total).sum() / E(G**2).sum()

# The same with discounted rewards: the weight gamma^t of a step may not be forgotten.
faded = [gamma**t * rewards[t] for t in range(T)]
J_faded = E(sum(faded))
kept = sum(logs[states[t], actions[t]] * frozen(sum(faded[t:])) for t in range(T))
forgotten = sum(logs[states[t], actions[t]] * frozen(sum(faded[t:]) / gamma**t) for t in range(T))

# In the long run: the law of the states that stays, its mean reward, and how much more the second state is worth.
leave, back = (pi[0] * step[0, :, 1]).sum(), (pi[1] * step[1, :, 0]).sum()
stays = array(back, leave) / (leave + back)
pays_here = (pi * reward).sum(-1)
average = (stays * pays_here).sum()
worth_more = (pays_here[1] - pays_here[0]) / (leave + back)
memory = 1 - leave - back
for_ever = average / (1 - gamma) + (start[1] - stays[1]) * (pays_here[1] - pays_here[0]) / (1 - gamma * memory)

# A state that is only glanced at: the policy sees 0 or 1 with a chance that depends on the state.
glance = Variable("glance", (2, 2), over=Simplex())
start_seen = (start[:, None] * glance).reshape(4)
step_seen = (step[..., None] * glance)[[0, 0, 1, 1]].reshape(4, 2, 4)
reward_seen = reward[[0, 0, 1, 1]]
blind = episode(start_seen, step_seen, reward_seen, pi, T, observe=(0, 1, 0, 1))
sure = episode(start_seen, step_seen, reward_seen, ((1, 0), (1, 0)), 1, observe=(0, 1, 0, 1))
mixed = glance @ pi  # its chances in each state, over what it sees
J_blind = (start * (mixed * Q(T, mixed)).sum(-1)).sum()

# Bandits: three levers, a coin with a logit, a coin with its chance itself, and an arm that depends on luck.
w = Variable("w", 3, over=LogRational())
prize = Variable("prize", 3, over=Uniform(-2, 2))
share = softmax(w)
lever = Draw("lever", Categorical(logits=w))
log_share = log_softmax(w)
pull = array(*([diff(log_share[k], x) for x in w] for k in range(3)))  # the score of each lever
worth = E(prize[lever])
x = Variable("x", over=LogRational())
pays = Variable("pays", 2, over=Uniform(-2, 2))
coin = Draw("coin", Bernoulli(logit=x))
chance = Variable("chance", over=OneOf(half, third, Rational(1, 10), Rational(9, 10)))
toss = Draw("toss", Bernoulli(chance))
arm = Draw("arm", Bernoulli(logit=x))  # arm 1 pays 10 in one of five cases, arm 0 pays 1
luck = Draw("luck", Categorical(array((0, 1, 0), (Rational(4, 5), 0, Rational(1, 5)))[arm]))
alpha = Variable("alpha", over=OneOf(0))
stepped = log_softmax(array(*(w + alpha * frozen(prize[k] * pull[k]) for k in range(3))))  # after a step along the estimate of k
width = Variable("width", over=Uniform(1, 3))
u = symbols("u", real=True)
table = Variable("table", (3, 2), over=Uniform(-2, 2))
chances = Variable("chances", 3, over=Simplex())
who = Draw("who", Categorical(chances))


# What a student writes, in torch: one number for a trajectory, whose gradient is the estimate.
def log_pi(theta, states, actions):
    return theta.log_softmax(-1)[states, actions]


def to_go(rewards):
    return rewards.flip(-1).cumsum(-1).flip(-1)


def total_return(theta, states, actions, rewards, log_pi=log_pi):
    return log_pi(theta, states, actions).sum() * rewards.sum()


def reward_to_go(theta, states, actions, rewards, log_pi=log_pi, to_go=to_go):
    return (log_pi(theta, states, actions) * to_go(rewards)).sum()


def with_constant(theta, states, actions, rewards, c):
    return log_pi(theta, states, actions).sum() * (rewards.sum() - c)


def with_baseline(theta, states, actions, rewards, b):
    return (log_pi(theta, states, actions) * (to_go(rewards) - b[states])).sum()


def with_past(theta, states, actions, rewards, c):  # a baseline of everything before the action
    return (log_pi(theta, states, actions) * (to_go(rewards) - c * (rewards.cumsum(-1) - rewards))).sum()


def discounted(theta, states, actions, rewards):
    return (log_pi(theta, states, actions) * to_go(rewards * 0.9 ** torch.arange(len(rewards)))).sum()


def discounted_from_here(theta, states, actions, rewards):
    fade = 0.9 ** torch.arange(len(rewards))
    return (log_pi(theta, states, actions) * to_go(rewards * fade) / fade).sum()


def discounted_total(theta, states, actions, rewards):
    return log_pi(theta, states, actions).sum() * (rewards * 0.9 ** torch.arange(len(rewards))).sum()


def discounted_twice(theta, states, actions, rewards):  # gamma^t times the whole discounted return
    fade = 0.9 ** torch.arange(len(rewards))
    return (log_pi(theta, states, actions) * fade).sum() * (rewards * fade).sum()


def values(pi, step, reward, length):  # of each state and action, at each time
    found = [reward]
    for _ in range(length - 1):
        found.insert(0, reward + (step * (pi * found[0]).sum(-1)).sum(-1))
    return torch.stack(found)


def by_value(theta, step, reward, states, actions, values=values):
    judged = values(theta.softmax(-1).detach(), step, reward, len(states))
    return (log_pi(theta, states, actions) * judged[torch.arange(len(states)), states, actions]).sum()


def by_advantage(theta, step, reward, states, actions, values=values):
    pi = theta.softmax(-1).detach()
    judged = values(pi, step, reward, len(states))
    advantage = judged - (pi * judged).sum(-1, keepdim=True)
    return (log_pi(theta, states, actions) * advantage[torch.arange(len(states)), states, actions]).sum()


def by_error(theta, step, reward, states, actions, rewards, values=values):  # of the value, from one step to the next
    pi = theta.softmax(-1).detach()
    here = (pi * values(pi, step, reward, len(states))).sum(-1)[torch.arange(len(states)), states]
    ahead = torch.cat((here[1:], 0 * here[:1]))
    return (log_pi(theta, states, actions) * (rewards + ahead - here)).sum()


def loss(theta, states, actions, rewards, log_pi=log_pi):
    return -(log_pi(theta, states, actions).sum() * rewards.sum())


def one_of_many(theta, states, actions, rewards):  # as printed: 1/N, and no sum over the trajectories
    return total_return(theta, states[0], actions[0], rewards[0]) / len(states)


def blind_total(theta, observations, actions, rewards):
    return log_pi(theta, observations, actions).sum() * rewards.sum()


def blind_to_go(theta, observations, actions, rewards):
    return (log_pi(theta, observations, actions) * to_go(rewards)).sum()


def blind_baseline(theta, states, observations, actions, rewards, b):  # of the state that the policy does not see
    return (log_pi(theta, observations, actions) * (to_go(rewards) - b[states // 2])).sum()


def planned(theta, start, step, reward):
    pi, value = theta.softmax(-1), 0.0
    for _ in range(T):
        value = (pi * (reward + (step * value).sum(-1))).sum(-1)
    return start @ value


def after_a_step(theta, start, step, reward):  # of descent on what is minimised
    weight = theta.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(-planned(weight, start, step, reward), weight)
    return (weight - 0.1 * slope).detach().ravel()


def long_run(theta, step, reward):
    pi = theta.softmax(-1)
    moves = (pi[..., None] * step).sum(1)
    balance = torch.cat(((moves.T - torch.eye(2))[:1], torch.ones(1, 2)))
    return torch.linalg.solve(balance, torch.tensor([0.0, 1.0])) @ (pi * reward).sum(-1)


# Of an MDP in numbers, of any size: states met, times probability, times advantage of each action.
def by_visits(theta, start, step, reward):
    return MDP(start, step, reward, horizon=T).solve(logits=theta).gradient_by_logits


def worth_for_ever(theta, start, step, reward):
    return MDP(start, step, reward, discount=gamma).solve(logits=theta).J


def slope_for_ever(theta, start, step, reward):
    return MDP(start, step, reward, discount=gamma).solve(logits=theta).gradient_by_logits


def log_likelihood(theta, start, step, states, actions):
    moves = step[states[:-1], actions[:-1], states[1:]].log().sum()
    return start[states[0]].log() + log_pi(theta, states, actions).sum() + moves


def likelihood_of_actions(theta, states, actions):
    return theta.softmax(-1)[states, actions].prod()


def log_likelihood_of_actions(theta, states, actions):
    return log_pi(theta, states, actions).sum()


# Estimates from a batch of trajectories, which stand along the first axis.
def mean_return(rewards):
    return rewards.sum(-1).mean()


def mean_estimate(theta, states, actions, rewards):
    return (log_pi(theta, states, actions).sum(-1) * rewards.sum(-1)).mean()


def leave_one_out(theta, states, actions, rewards):  # the mean of the others is the baseline
    total = rewards.sum(-1)
    others = (total.sum() - total) / (len(total) - 1)
    return (log_pi(theta, states, actions).sum(-1) * (total - others)).mean()


def less_the_mean(theta, states, actions, rewards):  # the mean of all is the baseline
    total = rewards.sum(-1)
    return (log_pi(theta, states, actions).sum(-1) * (total - total.mean())).mean()


def less_the_mean_of_each_step(theta, states, actions, rewards):
    rest = to_go(rewards)
    return (log_pi(theta, states, actions) * (rest - rest.mean(0))).sum(-1).mean()


def less_one_mean(theta, states, actions, rewards):  # over the batch and the steps
    rest = to_go(rewards)
    return (log_pi(theta, states, actions) * (rest - rest.mean())).sum(-1).mean()


# Bandits.
def pulled(w, prize, lever):
    return w.log_softmax(-1)[lever] * prize[lever]


def pulled_less_ten(w, prize, lever):
    return w.log_softmax(-1)[lever] * (prize[lever] - 10)


def flipped(x, pays, coin, c):
    return torch.distributions.Bernoulli(logits=x).log_prob(coin.double()) * (pays[coin] - c)


def tossed(chance, pays, toss):
    likely = toss * chance + (1 - toss) * (1 - chance)
    return likely.log() * pays[toss]


def payment(luck):
    return torch.tensor([0.0, 1.0, 10.0])[luck]


def centred(x, arm, luck):
    earned = payment(luck)
    return (torch.nn.functional.logsigmoid(x * (2 * arm - 1)) * (earned - earned.mean())).mean()


def normalised(x, arm, luck):  # equal payments are no evidence
    return centred(x, arm, luck) / payment(luck).std(correction=0).clamp(min=1e-9)


def sample_covariance(table, who):
    return torch.cov(table[who].T)


def spread(estimator, over=None, wrt=None):
    return Trace(Covariance(Gradient(estimator, wrt), over=over))


# What must be true of the objective.
backwards = Claim("Dynamic programming agrees with listing.", Equal(V, J), source="C-002, C-003, C-009")
forwards = Claim("So does the reward of each step under the law of its state.", Equal(J_stepwise, J), source="C-005, C-054")
nested = Claim(
    "So does the first reward with the mean of the others given the first step, averaged.",
    source="C-004",
    that=Equal(E(rewards[0]) + E(E(sum(rewards[1:]), over=tau.draws[2:])), J),
)
planning = Claim(
    "torch, planning backwards, has the same gradient.",
    source="C-002, C-013",
    that=Equal(Gradient(planned), Gradient(J)),
)
visited = Claim(
    "How often a state is met, times probability and advantage of an action: the same gradient.",
    source="C-005, C-054",
    that=Equal(Value(by_visits), Gradient(J)),
)
averaged = Claim("The mean return of a batch is unbiased.", Equal(Mean(Value(mean_return), over=pair), J), source="C-007")

# What must be true of the score.
moves = sum(log(step[states[t], actions[t], states[t + 1]]) for t in range(T - 1))
steps_taken = sum(logs[s, a] for s, a in zip(states, actions, strict=True))
likely = Claim(
    "A trajectory's log-probability has terms of the start, the policy and the moves.",
    source="C-001",
    that=Equal(Value(log_likelihood), log(start[states[0]]) + steps_taken + moves),
)
likely_actions = Claim(
    "The chance of its actions is a product.",
    source="C-001",
    that=Equal(Value(likelihood_of_actions), prod(pi[s, a] for s, a in zip(states, actions, strict=True))),
)
only_policy = Claim(
    "The gradient of a trajectory's log-probability has only the policy's terms.",
    source="C-001, C-012",
    that=Equal(Gradient(log_likelihood), Gradient(log_likelihood_of_actions)),
)
score = Claim("It is the sum of the scores of the steps.", Equal(Gradient(log_likelihood_of_actions), G), source="C-012")
centre = Claim("Each score has mean zero.", Equal(E(array(*g)), 0), source="C-014")
product = Claim(
    "The gradient of a probability is the probability times the score.",
    source="C-011, C-017",
    that=Equal(Gradient(likelihood_of_actions), Value(likelihood_of_actions) * G),
)
past = Claim(
    "A score has mean zero times any reward that came before.",
    source="C-030",
    that=Equal(array(*(E(g[t] * rewards[early]) for t in range(T) for early in range(t))), 0),
)

# What must be true of the estimators.
total = Claim("The total return is unbiased.", Equal(Mean(Gradient(total_return)), Gradient(J)), source="C-013, A-019, A-020")
causal = Claim("Reward-to-go is unbiased.", Equal(Mean(Gradient(reward_to_go)), Gradient(J)), source="C-021, C-030, A-017")
drawn = Claim(
    "Samples say so too.",
    by=("listed", "sampled"),
    resolution=0.05,
    source="C-021",
    that=Equal(Mean(Gradient(reward_to_go)), Gradient(J)),
)
constant = Claim("A constant baseline leaves the mean alone,", Equal(Mean(Gradient(with_constant)), Gradient(J)), source="C-033")
harmless = Claim("a baseline of the state too,", Equal(Mean(Gradient(with_baseline)), Gradient(J)), source="C-033")
historic = Claim("and one of everything before the action.", Equal(Mean(Gradient(with_past)), Gradient(J)), source="C-033")
less_the_state = Claim(
    "Each score is weighted by what is still to come less the baseline of the state,",
    source="C-033",
    that=Equal(Gradient(with_baseline), sum(g[t] * (to_come[t] - b[states[t]]) for t in range(T))),
)
less_the_past = Claim(
    "or less c times what was before.",
    source="C-033",
    that=Equal(Gradient(with_past), sum(g[t] * (to_come[t] - c * rewards[:t].sum()) for t in range(T))),
)
unseeing = Claim(
    "A policy that only glances at the state: the same.",
    source="C-024",
    that=Equal(Mean(Gradient(blind_total), over=blind), Gradient(J_blind)),
)
unseeing_rest = Claim("With reward-to-go,", Equal(Mean(Gradient(blind_to_go), over=blind), Gradient(J_blind)), source="C-024")
unseeing_base = Claim(
    "and with a baseline of the unseen state.",
    source="C-024",
    that=Equal(Mean(Gradient(blind_baseline), over=blind), Gradient(J_blind)),
)
unseeing_sure = Claim(
    "But it stays in the mean if the first action is taken for sure: a score has mean zero under its own policy only.",
    source="C-024, C-033",
    that=Equal(
        Mean(Gradient(blind_baseline), over=sure),
        sum(start[s] * glance[s, o] * scores[o, 0] * (reward[s, 0] - b[s]) for s in (0, 1) for o in (0, 1)),
    ),
)
fading = Claim(
    "Discounted rewards count from the start.",
    source="C-067, A-017, A-018",
    that=Equal(Mean(Gradient(discounted)), Gradient(J_faded)),
)
fading_total = Claim(
    "So does their sum with the score of every step.",
    source="A-017, A-019",
    that=Equal(Mean(Gradient(discounted_total)), Gradient(J_faded)),
)
judged = Claim("The values themselves are unbiased weights,", Equal(Mean(Gradient(by_value)), Gradient(J)), source="A-021")
better = Claim("and the advantages too.", Equal(Mean(Gradient(by_advantage)), Gradient(J)), source="A-021")
advantages = [Q(T - t) - (pi * Q(T - t)).sum(-1)[:, None] for t in range(T)]
advantage_of_each = Claim(
    "An advantage is a value less the mean value of the state.",
    source="A-021",
    that=Equal(
        Gradient(by_advantage), sum(g[t] * advantages[t][s, a] for t, (s, a) in enumerate(zip(states, actions, strict=True)))
    ),
)
worth_of_state = [(pi * Q(T - t)).sum(-1)[s] for t, s in enumerate(states)]
errors = [r + after - here for r, after, here in zip(rewards, [*worth_of_state[1:], 0], worth_of_state, strict=True)]
by_errors = sum(g[t] * errors[t] for t in range(T))
error_of_each = Claim(
    "One step estimates it: the reward and the value of the next state, less that of this one.",
    source="A-021",
    that=Equal(Gradient(by_error), by_errors),
)
stepwise = Claim(
    "Such an error is an unbiased weight too, where the values are true.",
    source="A-021",
    that=Equal(Mean(Gradient(by_error)), Gradient(J)),
)
minimised = Claim(
    "What an optimiser minimises has minus the gradient.",
    source="A-022, C-016",
    that=Equal(Mean(Gradient(loss)), Gradient(-J)),
)


# Batches.
others = Claim(
    "The mean of the others is an unbiased baseline.",
    source="C-034",
    that=Equal(Mean(Gradient(leave_one_out), over=pair), Gradient(J)),
)
others_three = Claim(
    "With three trajectories too.",
    Equal(Mean(Gradient(leave_one_out), over=three), Gradient(E(short.total))),
    source="C-034",
)
taken_in_short = sum(logs[s, a] for s, a in zip(short["states"], short["actions"], strict=True))
others_value = Claim(
    "Its value is the covariance of the return with the log-probability.",
    source="C-034",
    that=Equal(Mean(Value(leave_one_out), over=three), E(taken_in_short * short.total) - E(taken_in_short) * E(short.total)),
)
shrunk = Claim(
    "The mean of all N shrinks the gradient to (N - 1)/N of it: a half,",
    source="C-034, C-066",
    that=Equal(Mean(Gradient(less_the_mean), over=pair), Gradient(J) * half),
)
shrunk_three = Claim(
    "and two thirds.",
    source="C-034, C-066",
    that=Equal(Mean(Gradient(less_the_mean), over=three), Gradient(E(short.total)) * 2 * third),
)
shrunk_steps = Claim(
    "So does the mean of each step with reward-to-go.",
    source="C-034",
    that=Equal(Mean(Gradient(less_the_mean_of_each_step), over=pair), Gradient(J) * half),
)
one_in_n = Claim(
    "1/N and no sum over trajectories: 1/N of the gradient.",
    source="C-018",
    that=Equal(Mean(Gradient(one_of_many), over=pair), Gradient(J) * half),
)
flattened = Claim(
    "One mean over batch and steps takes off E[G sum of rewards to go] / (N T).",
    source="C-034",
    that=Equal(Mean(Gradient(less_one_mean), over=pair), Gradient(J) - E(G * sum(to_come)) / (2 * T)),
)
mean_of_estimates = Claim(
    "The mean of N estimates is unbiased.",
    source="C-013, C-066",
    that=Equal(Mean(Gradient(mean_estimate), over=pair), Gradient(J)),
)
quieter = Claim(
    "N trajectories have 1/N of the covariance.",
    source="C-066",
    that=Equal(spread(mean_estimate, pair), spread(total_return) / 2),
)
pairs_of_rows = Claim(
    "The sample covariance with n - 1 is unbiased.",
    source="C-040, C-041",
    that=Equal(
        Mean(Value(sample_covariance), over=batch(who, 3)),
        array(*(E(i * j) - E(i) * E(j) for i in table[who] for j in table[who])),
    ),
)

# Variance.
parabola = Claim(
    "A baseline c changes each variance by c (c E[G^2] - 2 E[G^2 R]).",
    source="C-035",
    that=Equal(Covariance(Gradient(with_constant))[::5], variance_less(by_total, c)),
)
parabola_rest = Claim(
    "The same holds for reward-to-go.",
    source="C-038",
    by="symbolic",
    that=Equal(variance(by_rest - c * G), variance_less(by_rest, c)),
)
optimal = Claim(
    "It is least at E[G^2 R] / E[G^2].",
    source="C-036",
    by="symbolic",
    that=Equal(variance_less(by_total, c) - variance_less(by_total, best), (c - best) ** 2 * E(G**2)),
)
optimal_for_all = Claim(
    "One for all is best at the sums of both.",
    source="C-036",
    by="symbolic",
    that=Equal(
        (variance_less(by_total, c) - variance_less(by_total, best_of_all)).sum(), ((c - best_of_all) ** 2 * E(G**2)).sum()
    ),
)
weighted = Claim(
    "That is the mean return and a covariance with the square of the score.",
    source="C-037",
    by="symbolic",
    that=Equal(best - J, (E(G**2 * tau.total) - E(G**2) * J) / E(G**2)),
)
optimal_rest = Claim(
    "With reward-to-go it is E[X G] / E[G^2], where X is the estimate.",
    source="C-038",
    by="symbolic",
    that=Equal(variance_less(by_rest, c) - variance_less(by_rest, best_rest), (c - best_rest) ** 2 * E(G**2)),
)
between = Claim(
    "Between 0 and twice the best, a baseline lowers the total variance.",
    source="C-035",
    where=AtMost(c * (c - 2 * best_of_all), 0),
    that=AtMost(spread(with_constant), spread(total_return)),
)

# In the long run.
balanced = Claim(
    "The law that stays does.", Equal((stays[:, None, None] * pi[..., None] * step).sum((0, 1)), stays), source="C-006"
)
nearing = Claim(
    "T steps return T times the average reward, and 1 - m^T of what the start is worth: m is 1 less both chances to leave.",
    source="C-006",
    that=Equal(V, T * average + (start[1] - stays[1]) * worth_more * (1 - memory**T)),
)
solved = Claim("torch solves for it.", Equal(Gradient(long_run), Gradient(average)), source="C-006")
in_the_long_run = Claim(
    "Its gradient: scores weighted with what the next state is worth, in the law that stays.",
    source="C-006",
    that=Equal(
        Gradient(average),
        ((stays[:, None] * pi * (reward + step[..., 1] * worth_more))[..., None] * scores).sum((0, 1)),
    ),
)
discounted_for_ever = Claim(
    "Discounted, it is the average over 1 - gamma, and a bounded rest that the start makes.",
    source="C-006",
    that=Equal(Value(worth_for_ever), for_ever),
)
uphill_for_ever = Claim(
    "Discounted visits, probability, advantage: its gradient.", Equal(Value(slope_for_ever), Gradient(for_ever)), source="C-006"
)

# The MDP of the notes.
notes = Point(
    theta=((log(2), 0), (0, log(3))),
    start=(2 * third, third),
    reward=((1, -2), (3, half)),
    b=(7 * third, -Rational(11, 5)),
    c=7 * third,
    glance=((3 * half / 2, half / 2), (third, 2 * third)),
    step=(((3 * half / 2, half / 2), (third, 2 * third)), ((half, half), (Rational(1, 5), Rational(4, 5)))),
)
worth_there = Claim("In the MDP of the notes both routes give the return,", Equal(V, J), at=notes, source="C-002")
slope_there = Claim("and its gradient,", Equal(E(by_rest), Gradient(V)), at=notes, source="C-013, C-030")
estimate_there = Claim("which the code estimates.", Equal(Mean(Gradient(reward_to_go)), Gradient(V)), at=notes, source="C-030")
loud_there = Claim(
    "The spread of the total return,",
    at=notes,
    source="C-013",
    that=Equal(spread(total_return), variance(by_total).sum()),
)
quiet_there = Claim("and of reward-to-go.", Equal(spread(reward_to_go), variance(by_rest).sum()), at=notes, source="C-031")
calmer_there = Claim(
    "Here reward-to-go varies less.",
    at=notes,
    source="C-031",
    that=AtMost(variance(by_rest).sum(), variance(by_total).sum()),
)
harmless_there = Claim(
    "A baseline of the state leaves the gradient alone.",
    at=notes,
    source="C-033",
    that=Equal(Mean(Gradient(with_baseline)), Gradient(V)),
)
climbed_there = Claim(
    "A step of its descent climbs.",
    at=notes,
    source="A-022, C-016",
    that=Equal(Value(after_a_step), theta.array.ravel() + Gradient(V) / 10),
)
often = Claim(
    "Yet for two trajectories in five its estimate is the larger one.",
    at=notes,
    source="C-032",
    that=AtMost(Rational(39, 100), 1 - E(at_least((by_total**2).sum() - (by_rest**2).sum()))),
)
best_there = Claim(
    "The best baseline of each parameter is better than the best for all,",
    at=notes,
    source="C-036",
    that=AtMost(variance_less(by_total, best).sum(), variance_less(by_total, best_of_all).sum()),
)
mean_there = Claim(
    "and the mean return is almost as good as that: within 1 %.",
    at=notes,
    source="C-036, C-039",
    that=AtMost(variance_less(by_total, J).sum(), variance_less(by_total, best_of_all).sum() * Rational(101, 100)),
)
rest_there = Claim(
    "Reward-to-go with its own best is the quietest of all.",
    at=notes,
    source="C-038",
    that=AtMost(variance_less(by_rest, best_rest).sum(), variance_less(by_total, best).sum()),
)
advantages_there = Claim(
    "Advantages vary less than values here.",
    at=notes,
    source="A-021",
    that=AtMost(spread(by_advantage), spread(by_value)),
)
errors_there = Claim(
    "The spread of the errors of one step.",
    at=notes,
    source="A-021",
    that=Equal(spread(by_error), variance(by_errors).sum()),
)
faded_there = Claim(
    "With discounted rewards the code estimates this gradient,",
    Equal(Mean(Gradient(discounted)), Gradient(J_faded)),
    at=notes,
    source="C-067",
)
faded_weights = Claim("and so does the model, path by path,", Equal(Gradient(discounted), Gradient(kept)), source="C-067")
conservative = Claim("which has no curl.", Equal(Curl(Mean(Gradient(kept))), 0), at=notes, source="C-067")
forgets = Claim(
    "What weighs each step by its own future, as if it were the first, has this gradient.",
    source="C-067",
    that=Equal(Gradient(forgotten), sum(gamma ** (k - t) * rewards[k] * g[t] for t in range(T) for k in range(t, T))),
)
rotational = Claim(
    "Without gamma^t the field is nobody's gradient.",
    Differs(Curl(Mean(Gradient(forgotten))), 0),
    at=notes,
    source="C-067",
)

# Two states, one after the other, and either action: the return is always 0 in the first case.
one_way = (((0, 1), (0, 1)), ((0, 1), (0, 1)))
level = notes.but(theta=0, start=(1, 0), step=one_way, reward=((-1, -1), (1, 1)))
uneven = level.but(reward=((-3 * half, -3 * half), (2, 1)))
still = Claim("-1, then 1: the total return has no spread,", Equal(spread(total_return, short), 0), at=level, source="C-031")
restless = Claim(
    "reward-to-go has 1/2, the square of the last score.",
    at=level,
    source="C-031",
    that=Equal(spread(reward_to_go, short), half),
)
tenfold = Claim(
    "-3/2, then 2 or 1: reward-to-go has ten times the spread.",
    at=uneven,
    source="C-031",
    that=Equal(spread(reward_to_go, short), spread(total_return, short) * 10),
)
seasons = level.but(theta=((log(3), 0), (0, 0)), timed=(((0, half),), ((1, 0),)))
paid_late = Claim(
    "One state, rewards 0 or 1/2, then 1 or 0, none of them negative: the total return has so much,",
    at=seasons,
    source="C-031",
    that=Equal(spread(total_return, later), 2 * Rational(279, 1024)),
)
paid_late_rest = Claim(
    "and reward-to-go has more.",
    at=seasons,
    source="C-031",
    that=Equal(spread(reward_to_go, later), 2 * Rational(291, 1024)),
)
settled = level.but(reward=((-2, -2), (1, 1)))  # the same in three steps: the return is -2 + 1 + 1

# Chains that never mix: states that are never left, and states that take turns.
apart = notes.but(start=(half / 2, 3 * half / 2), reward=((1, 1), (5, 5)), step=(((1, 0), (1, 0)), ((0, 1), (0, 1))))
in_turn = notes.but(start=(1, 0), step=(((0, 1), (0, 1)), ((1, 0), (1, 0))))
split = Claim(
    "Two states that are never left, 1 or 5: the average is that of the start.",
    Equal(V / T, (1 + 3 * 5) * half / 2),
    at=apart,
    source="C-006",
)
turns = Claim(
    "Two states that take turns: only every other law is the same.", Equal(occupied(2), start), at=in_turn, source="C-006"
)

# Large numbers: Chebyshev's bound for the mean of two returns.
early, late = (copy.sum() for copy in batch(short, 2)["rewards"])
off_squared = ((early + late) / 2 - E(short.total)) ** 2
half_as_far = Claim(
    "The mean of two returns varies half as much as one.",
    at=notes,
    source="C-008",
    that=Equal(E(off_squared), variance(short.total) / 2),
)
rarely = Claim(
    "The mean of N returns is off by more than 3 with a chance of at most Var / (9 N).",
    at=notes,
    source="C-008",
    that=AtMost(E(at_least(off_squared - 9)), variance(short.total) / 18),
)

# Bandits.
rises = array(*((row * array(*(diff(worth.doit(), y) for y in w))).sum() for row in pull))
gains = Claim(
    "A step along the gradient raises log pi_k by pi_k (r_k - J) - sum_j pi_j^2 (r_j - J).",
    source="C-020",
    that=Equal(rises, share * (prize - worth) - (share**2 * (prize - worth)).sum()),
)
own = Claim(
    "A step along the estimate of one lever raises its own log-probability by r |score|^2.",
    source="C-019",
    that=Equal(
        Gradient(array(*(stepped[k, k] for k in range(3))), alpha), array(*(prize[k] * (pull[k] ** 2).sum() for k in range(3)))
    ),
)
stretches = Claim(
    "A uniform number on (0, theta): its mean grows by 1/2.",
    source="C-010",
    that=Equal(Gradient(Integral(u / width[()], (u, 0, width[()])), width), half),
)
swapped = Claim(
    "Under the integral the derivative gives -1/2: the support moves.",
    source="C-010",
    that=Equal(Integral(u * diff(1 / width[()], width[()]), (u, 0, width[()])), -half),
)
bandit = Claim("A lever's estimate is unbiased.", Equal(Mean(Gradient(pulled, w)), Gradient(worth, w)), source="C-011, C-013")
contributes = Claim(
    "Its square is r_k^2 (1 - 2 pi_k + sum_j pi_j^2): a rare lever of a lower return may contribute more.",
    source="C-023",
    that=Equal(array(*(prize[k] ** 2 * (pull[k] ** 2).sum() for k in range(3))), prize**2 * (1 - 2 * share + (share**2).sum())),
)
each = Rows(lever=(0, 1, 2))
thirds = Point(w=0, prize=(10, 5, 15))
levers = Claim(
    "Returns 10, 5, 15, once each: the estimate is (0, -5/3, 5/3),",
    at=thirds,
    source="C-022",
    that=Equal(Mean(Gradient(pulled, w), over=each), array(0, -5, 5) / 3),
)
levers_less = Claim(
    "and less 10 the same.",
    at=thirds,
    source="C-022",
    that=Equal(Mean(Gradient(pulled_less_ten, w), over=each), array(0, -5, 5) / 3),
)
levers_calmer = Claim(
    "But then the levers' own estimates spread a thirteenth as much.",
    at=thirds,
    source="C-022, C-035",
    that=Equal(spread(pulled_less_ten, each, w), spread(pulled, each, w) / 13),
)
rare = Point(x=log(Rational(1, 9)), pays=(1, 0), c=Rational(9, 10))
p_coin = coin.law.weights[1]
flat = Claim(
    "A coin's estimate is unbiased, whatever the baseline.",
    source="C-013, C-033",
    that=Equal(Mean(Gradient(flipped, x)), Gradient(E(pays[coin]), x)),
)
square = Claim(
    "It varies by p (1 - p) ((1 - p) (r_1 - b) + p (r_0 - b))^2: not at all at b = (1 - p) r_1 + p r_0.",
    source="A-021, C-035",
    that=Equal(
        Covariance(Gradient(flipped, x)),
        p_coin * (1 - p_coin) * ((1 - p_coin) * (pays[1] - c) + p_coin * (pays[0] - c)) ** 2,
    ),
)
dull = Claim(
    "A coin that pays 1 in nine of ten cases, else 0: E[g^2 r^2] - E[g r]^2 = 9/1000 - 81/10^4.",
    at=rare.but(c=0),
    source="C-035",
    that=Equal(Covariance(Gradient(flipped, x)), Rational(9, 10**4)),
)
wild = Claim(
    "The mean return as baseline: 64 times as much.",
    at=rare,
    source="C-035",
    that=Equal(Covariance(Gradient(flipped, x)), Rational(64 * 9, 10**4)),
)
silent = Claim(
    "1/10 as baseline: nothing is left.",
    at=rare.but(c=Rational(1, 10)),
    source="C-035",
    that=Equal(Covariance(Gradient(flipped, x)), 0),
)
inside = Claim(
    "Between 0 and 1, a chance itself may be the parameter.",
    source="C-011",
    that=Equal(Mean(Gradient(tossed, chance)), Gradient(E(pays[toss]), chance)),
)
log_chance = Claim("Its surrogate is r log p.", Equal(Value(tossed), pays[toss] * toss.log_prob()), source="C-011")
explodes = Claim(
    "Its estimate varies by r_1^2 / p + r_0^2 / (1 - p) - (r_1 - r_0)^2.",
    source="C-011",
    that=Equal(
        Covariance(Gradient(tossed, chance)),
        pays[1] ** 2 / chance + pays[0] ** 2 / (1 - chance) - (pays[1] - pays[0]) ** 2,
    ),
)
lost = Claim(
    "At p = 0 only the other side is seen: the mean is -r_0.",
    at=Point(chance=0, pays=(2, 7)),
    source="C-011",
    that=Equal(Mean(Gradient(tossed, chance)), -2),
)
mild = Claim(
    "Two payments less their mean: half of p (1 - p) (2 - 1).",
    source="C-042",
    that=Equal(Mean(Gradient(centred, x), over=batch(luck, 2)), p_coin * (1 - p_coin) / 2),
)
reversed_ = Claim(
    "Divided by their deviation too, the sign turns: p (1 - p) (1/5 - 4/5).",
    source="C-042",
    that=Equal(Mean(Gradient(normalised, x), over=batch(luck, 2)), -p_coin * (1 - p_coin) * Rational(3, 5)),
)

# What is printed and wrong.
outer = Erratum(
    "J is the first reward's mean and that of the others given the first step.",
    source="C-004",
    instead=nested,
    that=Equal(E(rewards[0]) + E(sum(rewards[1:]), over=tau.draws[2:]), J),
)
log_lost = Erratum(
    "The gradient of log p is that of the product of the probabilities.",
    source="C-017",
    instead=product,
    that=Equal(Gradient(likelihood_of_actions), Gradient(log_likelihood_of_actions)),
)
gain = Erratum(
    "The worst of the levers becomes less likely.",
    at=Point(w=(log(8), 0, 0), prize=(0, 0, 1)),
    instead=gains,
    source="C-020, C-052",
    that=AtMost(rises[1], 0),
)
louder = Erratum(
    "The higher the return, the larger its contribution.",
    at=Point(w=(log(98), 0, 0), prize=(15, 5, 0)),
    source="C-023",
    instead=contributes,
    that=AtMost(prize[1] ** 2 * (pull[1] ** 2).sum(), prize[0] ** 2 * (pull[0] ** 2).sum()),
)
always = Erratum(
    "Reward-to-go certainly lowers the variance.",
    at=level,
    source="C-031",
    instead=calmer_there,
    that=AtMost(spread(reward_to_go, short), spread(total_return, short)),
)
smaller = Erratum(
    "It does so since each estimate is smaller.",
    source="C-032",
    at=notes,
    instead=often,
    that=AtMost((by_rest**2).sum(), (by_total**2).sum()),
)
lowers = Erratum(
    "A constant baseline lowers the variance.",
    instead=between,
    source="C-035",
    that=AtMost(spread(with_constant), spread(total_return)),
)
lowers_state = Erratum(
    "A baseline of the state lowers the variance.",
    source="C-035",
    instead=harmless,
    that=AtMost(spread(with_baseline), spread(reward_to_go)),
)
enough = Erratum(
    "In practice the mean return is enough.",
    at=rare,
    source="C-035, C-039",
    instead=silent,
    that=AtMost(Covariance(Gradient(flipped, x)), Rational(9, 10**4)),
)
same_best = Erratum(
    "The best baseline of the total return is best for reward-to-go.",
    at=notes,
    source="C-038",
    instead=optimal_rest,
    that=AtMost(variance_less(by_rest, best), variance_less(by_rest, best_rest)),
)
mean_of_all = Erratum(
    "The mean return of the batch is an unbiased baseline.",
    source="C-034",
    instead=shrunk,
    that=Equal(Mean(Gradient(less_the_mean), over=pair), Gradient(J)),
)
scaled_only = Erratum(
    "One mean over batch and steps shrinks the gradient to (N - 1)/N of it.",
    source="C-034",
    instead=flattened,
    that=Equal(Mean(Gradient(less_one_mean), over=pair), Gradient(J) * half),
)
rescaled = Erratum(
    "Dividing by the deviation only rescales the gradient: its sign stays.",
    at=Point(x=0),
    source="C-042",
    instead=reversed_,
    that=AtMost(0, Mean(Gradient(normalised, x), over=batch(luck, 2))),
)
boundary = Erratum(
    "The score's estimate is unbiased at p = 0.",
    at=Point(chance=0, pays=(2, 7)),
    source="C-011",
    instead=lost,
    that=Equal(Mean(Gradient(tossed, chance)), Gradient(E(pays[toss]), chance)),
)
undiscounted = Erratum(
    "The weight gamma^t of a step may be dropped.",
    source="C-067, A-017",
    instead=fading,
    that=Equal(Mean(Gradient(discounted_from_here)), Gradient(J_faded)),
)
twice_discounted = Erratum(
    "gamma^t times the whole discounted return is an unbiased weight.",
    source="A-018",
    instead=fading_total,
    that=Equal(Mean(Gradient(discounted_twice)), Gradient(J_faded)),
)
equality = Erratum(
    "The estimate from one trajectory is the gradient.",
    source="A-020, C-015",
    instead=total,
    that=Equal(Gradient(total_return), Gradient(J)),
)
ideal = Erratum(
    "The ideal weight is the value of state and action.",
    at=notes,
    source="A-021",
    instead=advantages_there,
    that=AtMost(spread(by_value), spread(by_advantage)),
)
ideal_baseline = Erratum(
    "The ideal baseline is the mean return.",
    at=Point(x=log(Rational(1, 4)), pays=(1, 3), c=Rational(7, 5)),
    source="A-021",
    instead=square,
    that=Equal(Covariance(Gradient(flipped, x)), 0),
)
unsummed = Erratum(
    "The update is 1/N times the estimate of a trajectory.",
    at=notes,
    source="C-018",
    instead=one_in_n,
    that=Equal(Mean(Gradient(one_of_many), over=pair), Gradient(J)),
)
bad = Erratum(
    "A low return lowers the chance of its own trajectory.",
    at=thirds,
    source="C-019",
    instead=own,
    that=AtMost(prize[1] * (pull[1] ** 2).sum(), 0),
)
interchanged = Erratum(
    "The gradient passes through the integral, since it is linear.",
    source="C-010",
    instead=stretches,
    that=Equal(
        Gradient(Integral(u / width[()], (u, 0, width[()])), width),
        Integral(u * diff(1 / width[()], width[()]), (u, 0, width[()])),
    ),
)
one_law = Erratum(
    "In the long run the start does not matter.",
    at=apart,
    source="C-006",
    instead=split,
    that=Equal(V, (pi * Q(T)).sum(-1)[0]),
)
settles = Erratum("The law of the states settles.", Equal(occupied(1), start), at=in_turn, source="C-006", instead=turns)


# The figures: how much each estimator varies, in the MDP of the notes and in one where past rewards help.
def variances(problem, seed):
    found = {
        "total return": variance(by_total),
        "less the best for all": variance_less(by_total, best_of_all),
        "less the best of each": variance_less(by_total, best),
        "reward-to-go": variance(by_rest),
        "less its best of each": variance_less(by_rest, best_rest),
    }
    exact = along(problem, {name: x.sum() for name, x in found.items()}, [notes])
    code = along(problem, {"weighted by value": spread(by_value), "by advantage": spread(by_advantage)}, [notes])
    return {name: found for name, (found,) in (exact | code).items()}


def variances_one_way(problem, seed):
    quantities = {"total return": spread(total_return, short), "reward-to-go": spread(reward_to_go, short)}
    found = along(problem, quantities, [level, uneven])
    first, second = (
        {f"{name}{tag}": found[name][at] for name in found} for at, tag in enumerate((", rewards -1, 1", ", -3/2, 2 or 1"))
    )
    return first | second


def draw_variances(data, ax):
    bars(data, ax)
    ax.set(xlabel="total variance of one trajectory's estimate", title="In the MDP of the notes")


def draw_variances_one_way(data, ax):
    bars(data, ax)
    ax.set(xlabel="total variance of one trajectory's estimate", title="Where past rewards cancel later ones")


# What people get wrong, and the claim that must catch it.
def so_far(rewards):
    return rewards.cumsum(-1)


def after_this_one(rewards):
    return to_go(rewards) - rewards


def averaged_over_steps(theta, states, actions, rewards):
    return (log_pi(theta, states, actions) * to_go(rewards)).mean()


def descent(theta, states, actions, rewards):
    return -reward_to_go(theta, states, actions, rewards)


def log_forgotten(theta, states, actions):
    return theta.softmax(-1)[states, actions]


def transposed(theta, states, actions):
    return theta.log_softmax(-1)[actions, states]


def over_states(theta, states, actions):
    return theta.log_softmax(0)[states, actions]


def not_normalised(theta, states, actions):
    return theta[states, actions]


def last_step_only(theta, states, actions, rewards):
    return log_pi(theta, states, actions)[-1] * rewards.sum()


def product_of_scores(theta, states, actions, rewards):
    return log_pi(theta, states, actions).prod() * rewards.sum()


def baseline_of_the_action(theta, states, actions, rewards):
    return (log_pi(theta, states, actions) * (to_go(rewards) - actions / 2)).sum()


def baseline_of_the_next_state(theta, states, actions, rewards):  # none after the last step
    following = torch.cat((states[1:], torch.zeros_like(states[:1])))
    return (log_pi(theta, states, actions) * (to_go(rewards) - following)).sum()


def by_value_attached(theta, step, reward, states, actions):
    judged = values(theta.softmax(-1), step, reward, len(states))
    return (log_pi(theta, states, actions) * judged[torch.arange(len(states)), states, actions]).sum()


def values_without_time(pi, step, reward, length):  # the first step's, at every step
    return values(pi, step, reward, length)[:1].expand(length, -1, -1)


def next_value_forgotten(theta, step, reward, states, actions, rewards):
    pi = theta.softmax(-1).detach()
    here = (pi * values(pi, step, reward, len(states))).sum(-1)[torch.arange(len(states)), states]
    return (log_pi(theta, states, actions) * (rewards - here)).sum()


def rewards_not_negated(theta, states, actions, rewards):
    return log_pi(theta, states, actions).sum() * rewards.sum()


def baseline_attached(theta, states, actions, rewards):
    chosen = log_pi(theta, states, actions)
    return (chosen * (to_go(rewards) - chosen)).sum()


def past_and_present(theta, states, actions, rewards, c):
    return (log_pi(theta, states, actions) * (to_go(rewards) - c * rewards.cumsum(-1))).sum()


def hidden_state_seen(theta, states, actions, rewards):
    return (log_pi(theta, states // 2, actions) * to_go(rewards)).sum()


def softmax_forgotten(theta, start, step, reward):
    return MDP(start, step, reward, horizon=T).solve(logits=theta).gradient_by_policy


def started_anywhere(theta, start, step, reward):
    return MDP(0 * start + 1 / 2, step, reward, discount=gamma).solve(logits=theta).gradient_by_logits


def biased_covariance(table, who):
    return torch.cov(table[who].T, correction=0)


def normalised_with_the_sample_deviation(x, arm, luck):
    return centred(x, arm, luck) / payment(luck).std().clamp(min=1e-9)


# Why: g is the score of theta_00, d_t the law of the state at time t, Q_t what is still to come there.
named_pi, blame = Named("pi", pi), Named("g", scores[..., 0])
visits = [Named(f"d_{t}", occupied(t)) for t in range(T)]
later_worth = [Named(f"Q_{t}", Q(T - t)) for t in range(T)]
blames = [blame[s, a] for s, a in zip(states, actions, strict=True)]
policy_gradient = Derivation(
    "The policy gradient",
    diff(J, theta[0, 0]),
    (
        (E(sum(blames) * tau.total), "the chance of an episode has the sum of the scores as the slope of its logarithm"),
        (sum(E(blames[t] * sum(rewards[t:])) for t in range(T)), "a score has mean zero, whatever was paid before"),
        (
            sum((visits[t] * (named_pi * blame * later_worth[t])[:, :].sum(-1)).sum() for t in range(T)),
            "the mean over the episode, state by state",
        ),
        (
            sum(visits[t][0] * named_pi[0, 0] * named_pi[0, 1] * (later_worth[t][0, 0] - later_worth[t][0, 1]) for t in range(T)),
            "only the first state has this logit: g is 1 - pi_00 or -pi_00 there, and 0 elsewhere",
        ),
    ),
    at={"theta": ((0, 0), (0, 0)), "start": (1, 0), "step": (((1, 0), (1, 0)), ((0, 1), (0, 1))), "reward": ((1, 0), (0, 0))},
    source="C-017",
)

problem = Problem(
    title="Policy gradients of a finite MDP",
    world=(tau,),
    claims=(
        backwards,
        forwards,
        nested,
        planning,
        visited,
        averaged,
        likely,
        likely_actions,
        only_policy,
        score,
        centre,
        product,
        past,
        total,
        causal,
        drawn,
        constant,
        harmless,
        historic,
        less_the_state,
        less_the_past,
        unseeing,
        unseeing_rest,
        unseeing_base,
        unseeing_sure,
        fading,
        fading_total,
        judged,
        better,
        advantage_of_each,
        error_of_each,
        stepwise,
        minimised,
        others,
        others_three,
        others_value,
        shrunk,
        shrunk_three,
        shrunk_steps,
        one_in_n,
        flattened,
        mean_of_estimates,
        quieter,
        pairs_of_rows,
        parabola,
        parabola_rest,
        optimal,
        optimal_for_all,
        weighted,
        optimal_rest,
        between,
        balanced,
        nearing,
        solved,
        in_the_long_run,
        discounted_for_ever,
        uphill_for_ever,
        worth_there,
        slope_there,
        estimate_there,
        loud_there,
        quiet_there,
        calmer_there,
        harmless_there,
        climbed_there,
        often,
        best_there,
        mean_there,
        rest_there,
        advantages_there,
        errors_there,
        faded_there,
        faded_weights,
        conservative,
        forgets,
        rotational,
        still,
        restless,
        tenfold,
        paid_late,
        paid_late_rest,
        split,
        turns,
        half_as_far,
        rarely,
        gains,
        own,
        stretches,
        swapped,
        bandit,
        contributes,
        levers,
        levers_less,
        levers_calmer,
        flat,
        square,
        dull,
        wild,
        silent,
        inside,
        log_chance,
        explodes,
        lost,
        mild,
        reversed_,
    ),
    errata=(
        outer,
        log_lost,
        gain,
        louder,
        always,
        smaller,
        lowers,
        lowers_state,
        enough,
        same_best,
        mean_of_all,
        scaled_only,
        rescaled,
        boundary,
        undiscounted,
        twice_discounted,
        equality,
        ideal,
        ideal_baseline,
        unsummed,
        bad,
        interchanged,
        one_law,
        settles,
    ),
    figures=(Figure("variances", variances, draw_variances), Figure("one_way", variances_one_way, draw_variances_one_way)),
    corners=(notes, settled),
    points=4,
    derivations=(policy_gradient,),
    mistakes=(
        Mistake("rewards so far instead of to go", {to_go: so_far}, breaks=causal),
        Mistake("without the reward of the step", {to_go: after_this_one}, breaks=causal),
        Mistake("mean over steps", {reward_to_go: averaged_over_steps}, breaks=causal),
        Mistake("descent", {reward_to_go: descent}, breaks=causal, source="C-016"),
        Mistake("log forgotten", {log_pi: log_forgotten}, breaks=total, source="C-017"),
        Mistake("state and action swapped", {log_pi: transposed}, breaks=total),
        Mistake("softmax over the states", {log_pi: over_states}, breaks=total),
        Mistake("logits not normalised", {log_pi: not_normalised}, breaks=total),
        Mistake("the last step only", {total_return: last_step_only}, breaks=total),
        Mistake("product of log-probabilities", {total_return: product_of_scores}, breaks=total),
        Mistake("baseline sees the action", {with_baseline: baseline_of_the_action}, breaks=harmless, source="C-033"),
        Mistake("baseline sees the next state", {with_baseline: baseline_of_the_next_state}, breaks=harmless, source="C-033"),
        Mistake("baseline not detached", {with_baseline: baseline_attached}, breaks=harmless),
        Mistake("baseline sees the reward of the step", {with_past: past_and_present}, breaks=historic, source="C-033"),
        Mistake("baseline keeps its own return", {leave_one_out: less_the_mean}, breaks=others, source="C-034"),
        Mistake("the policy sees the state", {blind_to_go: hidden_state_seen}, breaks=unseeing_rest, source="C-024"),
        Mistake("gamma^t dropped", {discounted: discounted_from_here}, breaks=fading, source="C-067"),
        Mistake("values not detached", {by_value: by_value_attached}, breaks=judged),
        Mistake("values without a time", {values: values_without_time}, breaks=judged, source="C-003"),
        Mistake("value of the next state forgotten", {by_error: next_value_forgotten}, breaks=stepwise),
        Mistake("loss without its minus", {loss: rewards_not_negated}, breaks=minimised, source="A-022"),
        Mistake("the policy's entries as if they were free", {by_visits: softmax_forgotten}, breaks=visited),
        Mistake("started anywhere", {slope_for_ever: started_anywhere}, breaks=uphill_for_ever, source="C-006"),
        Mistake("covariance with n", {sample_covariance: biased_covariance}, breaks=pairs_of_rows, source="C-040"),
        Mistake("deviation with n - 1", {normalised: normalised_with_the_sample_deviation}, breaks=reversed_, source="C-042"),
    ),
)
