"""Twin delayed deterministic policy gradient: DDPG with three repairs.

Two critics regress on one target, the smaller of what their slow copies say of the next action. That action is the slow
actor's, moved by a little clipped noise and clipped to the limits. The actor climbs the first critic alone, and it and every
slow copy move once for two steps of the critics. The minimum trades one bias for another; the clip moves the mean action near
the limits; and at a tie each way of writing the minimum picks its own derivative.
"""

import copy
import itertools
from types import SimpleNamespace

from sympy import Derivative, Rational, pi

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
    Mistake,
    Named,
    Normal,
    Parameter,
    Point,
    Problem,
    Raises,
    Size,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    clip,
    diff,
    erf,
    erfc,
    exp,
    frozen,
    maximum,
    minimum,
    sqrt,
    step,
    tanh,
    torch,
)

# The setting: twin critics, an actor, their slow copies, a batch of transitions and the noise drawn for the next actions.
N = Size("N", 4, also=(2,))
phi1, phi2, slow1, slow2 = (Parameter(name, 5, over=Normal(0.5)) for name in ("phi1", "phi2", "slow1", "slow2"))
theta, slow_theta = (Parameter(name, 2, over=Normal(0.5)) for name in ("theta", "slow_theta"))
s, a, r, s2, noise = (Variable(name, N) for name in ("s", "a", "r", "s2", "noise"))
done = Variable("done", N, over=Integers(0, 1))
gamma, rho, rate, limit, half = Rational(99, 100), Rational(199, 200), Rational(1, 1000), 2, Rational(1, 2)
scale, reach = Rational(3, 5), half  # of the target noise: its deviation, and where it is clipped


# The model. A batch is one row, drawn uniformly.
def q(phi, s, a):
    return phi[0] + phi[1] * s + phi[2] * a + phi[3] * s * a + phi[4] * a**2


def mu(theta, s):
    return limit * tanh(theta[0] + theta[1] * s)


def moved(action, noise):
    return clip(action + clip(scale * noise, -reach, reach), -limit, limit)


def aim(i):
    action = moved(mu(slow_theta, s2[i]), noise[i])
    return r[i] + gamma * (1 - done[i]) * minimum(q(slow1, s2[i], action), q(slow2, s2[i], action))


row = Draw("row", Categorical([Rational(1, N)] * N))
aims = array(*map(aim, range(N)))
target = aims[row]
error1, error2 = (q(phi, s[row], a[row]) - frozen(target) for phi in (phi1, phi2))
first_critic, second_critic = E(error1**2), E(error2**2)
critic = first_critic + second_critic
actor = -E(q(frozen(phi1), s[row], mu(theta, s[row])))
features = array(1, s[row], a[row], s[row] * a[row], a[row] ** 2)
features_at_mu = array(*(diff(q(phi1, s[row], mu(theta, s[row])), x) for x in phi1))

# The same for networks: two ReLU units and one output. All weights of a network stand in one row.
w1, w2, slow_w1, slow_w2 = (Variable(name, 9) for name in ("w1", "w2", "slow_w1", "slow_w2"))
w_mu, slow_w_mu = (Variable(name, 7) for name in ("w_mu", "slow_w_mu"))


def mlp(w, *x):
    n = 2 * len(x)
    return w[n + 2 : n + 4] @ maximum(w[:n].reshape(2, len(x)) @ array(*x) + w[n : n + 2], 0) + w[n + 4]


def mlp_mu(w, s):
    return limit * tanh(mlp(w, s))


def mlp_aim(i):
    action = moved(mlp_mu(slow_w_mu, s2[i]), noise[i])
    return r[i] + gamma * (1 - done[i]) * minimum(mlp(slow_w1, s2[i], action), mlp(slow_w2, s2[i], action))


mlp_aims = array(*map(mlp_aim, range(N)))
mlp_critic = sum(E((mlp(w, s[row], a[row]) - frozen(mlp_aims[row])) ** 2) for w in (w1, w2))
mlp_actor = -E(mlp(frozen(w1), s[row], mlp_mu(w_mu, s[row])))

# Two critics with a common first layer.
trunk = Variable("trunk", 2)
head1, head2 = Variable("head1"), Variable("head2")
tops = Variable("tops", 2)
shared1, shared2 = (E((head * tanh(trunk[0] + trunk[1] * s[row]) - r[row]) ** 2) for head in (head1, head2))

# Noise in the critics, and the smaller of them: by one number z for their mean and one for half their difference.
value, sd = Variable("value"), Variable("sd", over=Uniform(0.2, 2))
errors = [2 * Draw(name, Bernoulli(half)) - 1 for name in ("error1", "error2")]
common = Draw("common", Gaussian(0, 1))
apart_by = Draw("apart_by", Gaussian(0, 1), breaks=lambda x: ((0,),))
noisy = [value + sd * (common + sign * apart_by) / sqrt(2) for sign in (1, -1)]
smaller = E(minimum(*noisy))
z = Draw("z", Gaussian(0, 1))


def density(x):
    return exp(-(x**2) / 2) / sqrt(2 * pi)


# Target smoothing: noise with deviation 1/5 clipped at 1/2 as in the listing, or any deviation and any bound.
bound = Variable("bound", over=Uniform(0.3, 1.5))
centre = Variable("centre", over=Uniform(-2, 2))
ratio = bound / sd
xi = Draw("xi", Gaussian(0, 1), breaks=lambda x: ((-ratio, ratio, (limit - centre) / sd, (-limit - centre) / sd),))
smoothing = sd * xi
clipped_noise = clip(smoothing, -bound, bound)
next_action = clip(centre + clipped_noise, -limit, limit)
spread = sd**2 * (erf(ratio / sqrt(2)) - 2 * ratio * density(ratio)) + bound**2 * erfc(ratio / sqrt(2))
loose = Variable("loose", over=Uniform(-3, 3))
u, v = Variable("u"), Variable("v")


def beyond(c):  # E max(noise - c, 0)
    return sd * density(c / sd) - c * erfc(c / (sd * sqrt(2))) / 2


# What a student writes, in torch.
def q_net(phi, s, a):
    return torch.stack([torch.ones_like(s), s, a, s * a, a * a], -1) @ phi


def policy(theta, s):
    return 2 * torch.tanh(theta[0] + theta[1] * s)


def clip_noise(noise):
    return (0.6 * noise).clamp(-0.5, 0.5)


def clip_action(a):
    return a.clamp(-2, 2)


def smooth(slow_theta, s2, noise, clip_noise=clip_noise, clip_action=clip_action):
    return clip_action(policy(slow_theta, s2) + clip_noise(noise))


def backed_up(r, done, q1, q2):
    return r + 0.99 * (1 - done) * torch.min(q1, q2)


def bootstrap(slow1, slow2, slow_theta, r, s2, done, noise, smooth=smooth, backed_up=backed_up):
    with torch.no_grad():
        a2 = smooth(slow_theta, s2, noise)
        return backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2))


def critic_loss(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise, bootstrap=bootstrap):
    y = bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)
    return ((q_net(phi1, s, a) - y) ** 2).mean() + ((q_net(phi2, s, a) - y) ** 2).mean()


def actor_loss(phi1, theta, s, policy=policy):
    return -q_net(phi1.detach(), s, policy(theta, s)).mean()


def listed_actor_loss(phi1, phi2, theta, s):  # the critics' parameters are to be frozen outside
    return -q_net(phi1, s, policy(theta, s)).mean()


def target_not_detached(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise, smooth=smooth):
    a2 = smooth(slow_theta, s2, noise)
    y = backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2))
    return ((q_net(phi1, s, a) - y) ** 2).mean() + ((q_net(phi2, s, a) - y) ** 2).mean()


def other_critic(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    return ((q_net(phi2, s, a) - bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)) ** 2).mean()


def listed_noise(xi, sd):
    return sd * xi


def listed_clipped_noise(xi, sd, bound, listed_noise=listed_noise):
    return listed_noise(xi, sd).clamp(-bound, bound)


def listed_action(xi, sd, bound, centre, listed_clipped_noise=listed_clipped_noise, clip_action=clip_action):
    return clip_action(centre + listed_clipped_noise(xi, sd, bound))


# Networks.
def two_layers():
    class TwoLayers(torch.nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.weight1, self.bias1 = torch.nn.Parameter(torch.ones(2, inputs)), torch.nn.Parameter(torch.ones(2))
            self.weight2, self.bias2 = torch.nn.Parameter(torch.ones(1, 2)), torch.nn.Parameter(torch.ones(1))

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


def network_bootstrap(slow_w1, slow_w2, slow_w_mu, r, s2, done, noise):
    with torch.no_grad():
        a2 = clip_action(network_policy(slow_w_mu, s2) + clip_noise(noise))
        return backed_up(r, done, network(slow_w1, s2, a2), network(slow_w2, s2, a2))


def network_critic_loss(w1, w2, slow_w1, slow_w2, slow_w_mu, s, a, r, s2, done, noise, network_bootstrap=network_bootstrap):
    y = network_bootstrap(slow_w1, slow_w2, slow_w_mu, r, s2, done, noise)
    return ((network(w1, s, a) - y) ** 2).mean() + ((network(w2, s, a) - y) ** 2).mean()


def network_actor_loss(w1, w2, w_mu, s):
    return -network(w1.detach(), s, network_policy(w_mu, s)).mean()


# Five ways to write the smaller of two.
def by_minimum(u, v):
    return torch.minimum(u, v)


def by_amin(u, v):
    return torch.stack([u, v]).amin(0)


def by_min(u, v):
    return torch.stack([u, v]).min(0).values


def by_fmin(u, v):
    return torch.fmin(u, v)


def by_where(u, v):
    return torch.where(u < v, u, v)


def hard(loose, clip_action=clip_action):
    return clip_action(loose)


def by_clamp(loose):  # of torch alone: no answer stands in its place
    return loose.clamp(-2, 2)


# The agent of the listings: networks, deep copies, one optimiser for both critics and one for the actor.
def agent():  # all weights are 1, so that every ReLU is awake
    net = two_layers()
    online = torch.nn.ModuleDict({"q1": net(2), "q2": net(2), "pi": net(1)})
    return online, copy.deepcopy(online).requires_grad_(False)


def given():  # any data will do
    return torch.ones(6, N).unbind()


def losses_q(online, slow, data):
    s, a, r, s2, done, noise = data
    with torch.no_grad():
        a2 = clip_action(2 * slow["pi"](s2).tanh() + clip_noise(noise))
        y = backed_up(r, done, *(slow[name](s2, a2) for name in ("q1", "q2")))
    return [((online[name](s, a) - y) ** 2).mean() for name in ("q1", "q2")]


def loss_pi(online, data):
    s, *_ = data
    return -online["q1"](s, 2 * online["pi"](s).tanh()).mean()


def with_weights(nets, **weights):
    for name, row in weights.items():
        torch.nn.utils.vector_to_parameters(torch.tensor(row.tolist()), nets[name].parameters())


def q_backward(w1, w2, slow_w1, slow_w2, slow_w_mu, s, a, r, s2, done, noise):
    online, slow = agent()
    with_weights(online, q1=w1, q2=w2)
    with_weights(slow, q1=slow_w1, q2=slow_w2, pi=slow_w_mu)
    sum(losses_q(online, slow, (s, a, r, s2, done, noise))).backward()
    return torch.cat([p.grad.ravel() for name in ("q1", "q2") for p in online[name].parameters()])


def pi_backward(w1, w_mu, s):
    online, _ = agent()
    with_weights(online, q1=w1, pi=w_mu)
    loss_pi(online, s[None]).backward()
    return torch.cat([p.grad.ravel() for p in online["pi"].parameters()])


def update(online, slow, data, q_run, pi_run, timer, policy_delay=2, kept=0.995):
    q_run.zero_grad()
    sum(losses_q(online, slow, data)).backward()
    q_run.step()
    if timer % policy_delay == 0:
        critics = [*online["q1"].parameters(), *online["q2"].parameters()]
        for p in critics:
            p.requires_grad = False
        pi_run.zero_grad()
        loss_pi(online, data).backward()
        pi_run.step()
        for p in critics:
            p.requires_grad = True
        with torch.no_grad():
            for p, p_slow in zip(online.parameters(), slow.parameters(), strict=True):
                p_slow.mul_(kept).add_((1 - kept) * p)


def one_update(timer, update):  # the weights of both critics and the actor, then of their slow copies, before and after
    online, slow = agent()
    q_run = torch.optim.Adam([*online["q1"].parameters(), *online["q2"].parameters()])
    pi_run = torch.optim.Adam(online["pi"].parameters())
    now = [nets[name] for nets in (online, slow) for name in ("q1", "q2", "pi")]
    before = [torch.nn.utils.parameters_to_vector(copy.deepcopy(net).parameters()) for net in now]
    update(online, slow, given(), q_run, pi_run, timer)
    after = [torch.nn.utils.parameters_to_vector(net.parameters()) for net in now]
    return before, after


def who_moves(timer, update=update):
    return torch.stack([(x != y).any() for x, y in zip(*one_update(timer, update), strict=True)])


def share_of_the_way(update=update):  # of each slow copy towards its net
    before, after = one_update(0, update)
    rows = zip(before[3:], after[3:], after[:3], strict=True)
    shares = [((y - x) @ (net - x)) / (net - x).square().sum() for x, y, net in rows]
    return torch.stack(shares)


def who_moves_first(update=update):
    return who_moves(0, update)


def who_moves_next(update=update):
    return who_moves(1, update)


def who_moves_again(update=update):
    return who_moves(2, update)


def after_steps(online, slow, data, separate):
    groups = [list(online[name].parameters()) for name in ("q1", "q2")]
    runs = [torch.optim.Adam(group) for group in (groups if separate else [groups[0] + groups[1]])]
    for _ in range(3):
        for run in runs:
            run.zero_grad()
        losses = losses_q(online, slow, data)
        if separate:
            for loss in losses:
                loss.backward()
        else:
            sum(losses).backward()
        for run in runs:
            run.step()
    return torch.nn.utils.parameters_to_vector(online.parameters())


def separately():  # how many weights have moved, and how many are others if each critic has its own optimiser
    (online, slow), data = agent(), given()
    before = torch.nn.utils.parameters_to_vector(online.parameters())
    together, apart = (after_steps(copy.deepcopy(online), slow, data, separate) for separate in (False, True))
    return torch.stack([(together != before).sum(), (apart != together).sum()])


def frozen_and_thawed(parameters):
    frozen = sum(p.requires_grad_(False) is p for p in parameters)
    thawed = sum(p.requires_grad_(True) is p for p in parameters)
    return torch.tensor([frozen, thawed])


def chained(online):
    return itertools.chain(*(online[name].parameters() for name in ("q1", "q2")))


def with_a_list():
    parameters = list(chained(agent()[0]))
    torch.optim.Adam(parameters)
    return frozen_and_thawed(parameters)


def with_an_iterator():
    parameters = chained(agent()[0])
    torch.optim.Adam(parameters)
    return frozen_and_thawed(parameters)


def with_a_fresh_iterator():
    return frozen_and_thawed(chained(agent()[0]))


def training_on():
    online, slow = agent()
    frozen_and_thawed(chained(online))
    sum(losses_q(online, slow, given())).backward()


def one_critic_only():  # the listing's PyTorch half makes a single critic, q
    nets = SimpleNamespace(q=agent()[0]["q1"], pi=agent()[0]["pi"])
    nets.q1(*given()[:2])


def q_loss_of_the_listing(agent, target, tape, states, actions, rewards, next_states, dones, gamma, limit, noise, reach):
    raise NotImplementedError


def as_the_listing_calls_it():  # without the tape
    online, slow = agent()
    q_loss_of_the_listing(online, slow, *given()[:5], 0.99, 2, 0.2, 0.5)


# What must be true of the losses, at every point and for every N.
both, slow, rest = (phi1, phi2), (theta, slow_theta, slow1, slow2), (phi1, phi2, slow1, slow2, slow_theta)
regress = Claim(
    "Both critics regress on one target.",
    source="B-061, B-063",
    that=Equal(Gradient(critic_loss, both), Gradient(critic, both)),
)
regression = Claim("The loss is the sum of both mean squared errors.", Equal(Value(critic_loss), critic), source="B-063")
by_features = Claim(
    "Each gradient is twice the mean of that critic's error times the features.",
    source="B-063",
    that=Equal(Gradient(critic_loss, both), 2 * E(array(*(e * f for e in (error1, error2) for f in features)))),
)
aimed = Claim(
    "The target takes the smaller slow critic, row by row, at the smoothed action.",
    source="B-057, B-061",
    that=Equal(Value(bootstrap), aims),
)
smoothed = Claim(
    "The next action is the slow actor's, plus clipped noise, clipped to the limits.",
    source="B-056, B-058, B-060",
    that=Equal(Value(smooth), array(*(moved(mu(slow_theta, s2[i]), noise[i]) for i in range(N)))),
)
still = Claim(
    "The critic loss moves no slow network, and not the actor.",
    source="B-060",
    that=Equal(Gradient(critic_loss, slow), 0),
)
alone = Claim(
    "Neither critic's error moves the other.",
    source="B-064",
    that=Equal(Gradient(critic, phi1), Gradient(first_critic, phi1)),
)
unmixed = Claim(
    "All mixed second derivatives of the sum vanish.",
    source="B-064",
    that=Equal(Gradient(array(*(diff(critic, x) for x in phi1)), phi2), 0),
)
own = Claim(
    "The second critic's gradient is that of its own error.",
    source="B-064",
    that=Equal(Gradient(other_critic, phi2), Gradient(critic_loss, phi2)),
)
climbs = Claim(
    "The actor climbs the first critic.",
    source="B-065, B-066",
    that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta)),
)
worth = Claim("Its loss is minus the mean value of its actions.", Equal(Value(actor_loss), actor), source="B-065")
judged = Claim("It moves no critic and no slow network.", Equal(Gradient(actor_loss, rest), 0), source="B-066")
leaks = Claim(
    "Not frozen, the first critic receives minus its mean features, the second nothing.",
    source="B-066",
    that=Equal(Gradient(listed_actor_loss, both), array(*(-E(f) for f in features_at_mu), 0, 0, 0, 0, 0)),
)
unseen = Claim(
    "A target that is not detached leaves the gradients of the critics right,",
    source="B-060",
    that=Equal(Gradient(target_not_detached, both), Gradient(critic, both)),
)
seen = Claim(
    "and sends the slow networks a gradient of their own.",
    source="B-060",
    that=Equal(
        Gradient(target_not_detached, (slow1, slow2, slow_theta)),
        Gradient(E(sum((q(phi, s[row], a[row]) - target) ** 2 for phi in both)), (slow1, slow2, slow_theta)),
    ),
)

# The batch of the exercise, where every gradient has digits to compare.
exercise = Point(
    phi1=array(4, -10, 6, 8, -5) / 20,
    phi2=array(6, -6, 2, 12, -7) / 20,
    theta=array(2, -12) / 20,
    slow1=array(2, -8, 5, 10, -4) / 20,
    slow2=array(4, -5, 4, 8, -6) / 20,
    slow_theta=array(1, -10) / 20,
    s=array(2, -4, 6, -1) / 4,
    a=array(12, -24, 5, -36) / 20,
    r=array(4, -2, 8, 3) / 4,
    s2=array(8, -30, 10, 12) / 10,
    done=(0, 0, 1, 0),
    noise=array(3, 9, 1, -8) / 6,
)
regress_there = Claim(
    "On the batch the critics move so,",
    at=exercise,
    source="B-061",
    that=Equal(Gradient(critic_loss, both), Gradient(critic, both)),
)
still_there = Claim("nothing else with them;", at=exercise, source="B-060", that=Equal(Gradient(critic_loss, slow), 0))
climbs_there = Claim(
    "the actor so,", at=exercise, source="B-065", that=Equal(Gradient(actor_loss, theta), Gradient(actor, theta))
)
leaks_there = Claim(
    "and an unfrozen critic with it.",
    at=exercise,
    source="B-066",
    that=Equal(Gradient(listed_actor_loss, both), array(*(-E(f) for f in features_at_mu), 0, 0, 0, 0, 0)),
)

# The same for networks with ReLU units.
networks_regress = Claim(
    "So it is for networks: the critics regress,",
    source="B-061, B-063",
    that=Equal(Gradient(network_critic_loss, (w1, w2)), Gradient(mlp_critic, (w1, w2))),
)
networks_aimed = Claim("their target is what it should be,", Equal(Value(network_bootstrap), mlp_aims), source="B-061")
networks_still = Claim(
    "the slow networks stand still,",
    source="B-060",
    that=Equal(Gradient(network_critic_loss, (slow_w1, slow_w2, slow_w_mu)), 0),
)
networks_climb = Claim("the actor climbs,", Equal(Gradient(network_actor_loss, w_mu), Gradient(mlp_actor, w_mu)), source="B-065")
networks_judged = Claim("and moves neither critic.", Equal(Gradient(network_actor_loss, (w1, w2)), 0), source="B-066")

model_still = Claim(
    "In the model, too, what is frozen stands still:",
    source="B-060",
    that=Equal(Gradient(critic + mlp_critic, (slow1, slow2, slow_theta, slow_w1, slow_w2, slow_w_mu)), 0),
)
model_judged = Claim("a target, and the critic of an actor.", Equal(Gradient(actor + mlp_actor, (phi1, w1)), 0), source="B-066")
networks_backward = Claim(
    "Modules with these weights have these gradients after backward(): the critics",
    source="B-061, B-063",
    that=Equal(Value(q_backward), Gradient(mlp_critic, (w1, w2))),
)
networks_backward_too = Claim("and the actor.", Equal(Value(pi_backward), Gradient(mlp_actor, w_mu)), source="B-065")

# The smaller of two.
independent = Claim(
    "The errors of the two critics are independent, with deviation sigma.",
    source="B-054",
    that=Equal(E(array(*((x - value) * (y - value) for x in noisy for y in noisy))), sd**2 * array(1, 0, 0, 1)),
)
cancelling = Claim(
    "Both have the covariance sigma / sqrt(2) with what they share; with what sets them apart one has it, the other minus it.",
    source="B-054",
    that=Equal(E(array(*((x - value) * y for x in noisy for y in (common, apart_by)))), sd / sqrt(2) * array(1, 1, 1, -1)),
)
low = Claim(
    "The smaller of two noisy critics is too low by sigma / sqrt(pi): one bias for another.",
    source="B-054",
    that=Equal(smaller, value - sd / sqrt(pi)),
)
high = Claim("The larger is too high by as much;", Equal(E(maximum(*noisy)), value + sd / sqrt(pi)), source="B-054")
fair = Claim("their mean is unbiased.", Equal(E(noisy[0] + noisy[1]) / 2, value), source="B-054")
coins = Claim("Errors of plus and minus 1 cost half.", Equal(E(minimum(u + errors[0], u + errors[1])), u - half), source="B-054")
low_for_coins = Claim(
    "Where the critics differ the smaller is never too high on average,",
    source="B-054",
    that=AtMost(E(minimum(u + errors[0], v + errors[1])), minimum(u, v)),
)
exact = Claim(
    "and where they are two apart it is right.",
    at=Point(u=1, v=-1),
    source="B-054",
    that=Equal(E(minimum(u + errors[0], v + errors[1])), minimum(u, v)),
)
ways = (by_minimum, by_amin, by_min, by_fmin, by_where)
apart = tuple(
    Claim(f"`{f.__name__}` follows the smaller one.", Equal(Gradient(f, (u, v)), Gradient(minimum(u, v), (u, v))), source="B-062")
    for f in ways
)
tie = Point(u=1, v=1)
split = tuple(
    Claim(
        f"At a tie `{f.__name__}` has the gradient {shares} / 2.",
        Equal(Gradient(f, (u, v)), array(*shares) * half),
        at=tie,
        source="B-062",
    )
    for f, shares in zip(ways, ((1, 1), (1, 1), (2, 0), (2, 0), (0, 2)), strict=True)
)
allowed = tuple(
    Claim(
        f"`{f.__name__}` stays between the two derivatives there.",
        at=tie,
        source="B-062",
        that=Within(Gradient(f, (u, v)), Hull(Gradient(minimum(u, v), (u, v)))),
    )
    for f in ways
)

# Smoothing.
one_scale = Claim(
    "target_noise is a standard deviation: the variance is its square.",
    source="B-057",
    that=Equal(Covariance(Value(listed_noise)), sd**2),
)
centred = Claim("Clipped noise has mean zero,", Equal(E(clipped_noise), 0), source="B-058")
less = Claim(
    "and the variance sigma^2 (erf(c / sigma sqrt 2) - 2 c / sigma phi(c / sigma)) + c^2 erfc(c / sigma sqrt 2),",
    source="B-058",
    that=Equal(E(clipped_noise**2), spread),
)
shrunk = Claim("which is less than sigma^2.", AtMost(spread, sd**2), source="B-058")
rarely = Claim(
    "It is clipped with chance erfc(c / sigma sqrt 2).",
    source="B-058",
    that=Equal(E(1 - step(smoothing + bound) * step(bound - smoothing)), erfc(ratio / sqrt(2))),
)
listed_values = Point(sd=Rational(1, 5), bound=half, centre=Rational(9, 5))
coded_noise = Claim(
    "In every draw the listing's noise is that,",
    source="B-058",
    that=Equal(Value(listed_clipped_noise), clipped_noise),
)
coded_action = Claim(
    "and its next action the centre plus that noise, clipped to the limits.",
    source="B-060",
    that=Equal(Value(listed_action), next_action),
)
shifted = Claim(
    "Near a limit the mean action is moved inwards, by what the nearer clip cuts off.",
    source="B-059",
    that=Equal(E(next_action), centre + beyond(minimum(bound, limit + centre)) - beyond(minimum(bound, limit - centre))),
)
inwards = Claim(
    "At 9/5 the mean of the listing's next action is below 179/100.",
    AtMost(E(next_action), Rational(179, 100)),
    at=listed_values,
    source="B-059",
)
edges = tuple(
    Claim(f"At {x} the clip has the slope {y}.", Equal(Gradient(by_clamp, loose), y), at=Point(loose=x), source="B-060")
    for x, y in ((-Rational(20001, 10000), 0), (-2, 1), (0, 1), (2, 1), (Rational(20001, 10000), 0))
)
edge = Claim(
    "At a limit any slope between 0 and 1 is a derivative.",
    at=Point(loose=2),
    source="B-060",
    that=Within(Gradient(hard, loose), Hull(Gradient(clip(loose, -limit, limit), loose))),
)

# The listings at work.
together = Claim(
    "At timer 0 the actor and all slow copies move with the critics,", Equal(Value(who_moves_first), 1), source="B-055"
)
slowly = Claim("the copies go a two-hundredth of the way;", Equal(Value(share_of_the_way), Rational(1, 200)), source="B-012")
delayed = Claim(
    "at timer 1 only the critics: what is delayed are the actor and the slow copies.",
    source="B-055, B-067",
    that=Equal(Value(who_moves_next), array(1, 1, 0, 0, 0, 0)),
)
by_two = Claim("At timer 2 all of them move again.", Equal(Value(who_moves_again), 1), source="B-055")
same_steps = Claim(
    "One optimiser for both critics or one for each: all their 18 weights move, and none differs.",
    source="B-064",
    that=Equal(Value(separately), array(18, 0)),
)
from_a_list = Claim(
    "A list of twice four parameters is frozen and thawed,", Equal(Value(with_a_list), array(8, 8)), source="B-071"
)
used_up = Claim("an iterator that the optimiser has used up is neither,", Equal(Value(with_an_iterator), 0), source="B-071")
not_thawed = Claim("a fresh one is frozen and never thawed:", Equal(Value(with_a_fresh_iterator), array(8, 0)), source="B-071")
stuck = Claim("then the critics have no gradient any more.", Raises(training_on, RuntimeError), source="B-071")
no_twin = Claim("An agent with the single critic q has no q1.", Raises(one_critic_only, AttributeError), source="B-068")
too_few = Claim(
    "The listing's loss takes twelve arguments and is given eleven.", Raises(as_the_listing_calls_it, TypeError), source="B-070"
)

# What is printed and wrong.
unbiased = Erratum("The smaller of two critics is unbiased.", Equal(smaller, value), source="B-054", instead=low)
squashed = Erratum(
    "The next action is squashed by tanh.",
    source="B-056",
    instead=smoothed,
    that=Equal(
        Value(smooth), array(*(limit * tanh(mu(slow_theta, s2[i]) + clip(scale * noise[i], -reach, reach)) for i in range(N)))
    ),
)
as_variance = Erratum(
    "target_noise is a variance.", Equal(Covariance(Value(listed_noise)), sd), source="B-057", instead=one_scale
)
kept_mean = Erratum(
    "Smoothing leaves the mean action where it is.", Equal(E(next_action), centre), source="B-059", instead=shifted
)
no_gradient_choice = Erratum(
    "Every way of writing the minimum has one gradient.",
    at=tie,
    source="B-062",
    instead=split[0],
    that=Equal(Gradient(by_min, (u, v)), Gradient(by_minimum, (u, v))),
)
trunk_shared = Erratum(
    "Critics that share a layer are minimised independently.",
    source="B-064",
    instead=alone,
    that=Equal(Gradient(shared1 + shared2, trunk), Gradient(shared1, trunk)),
)
nested = Erratum(
    "The actor loss is minus the mean of Q_1(s, mu(s, mu(s))).",
    source="B-065",
    instead=climbs,
    that=Equal(Gradient(actor_loss, theta), Gradient(-E(q(frozen(phi1), s[row], mu(theta, mu(theta, s[row])))), theta)),
)
slow_each_time = Erratum(
    "The slow copies move at every step of the critics.", Equal(Value(who_moves_next)[3:], 1), source="B-067", instead=delayed
)

# Why the smaller of two is too low.
smaller_of_two = Derivation(
    "The smaller of two standard normals",
    E(z * erfc(z / sqrt(2))),  # twice, since either may be it, z times the chance that the other is above
    (
        (E(-2 * density(z)), "E z f(z) is E f'(z) for a standard normal z"),
        (-1 / sqrt(pi), "the density's mean is the density of a difference at 0"),
    ),
    source="B-054",
)
chosen = Named("mu", mu(theta, s[row]))[()]
first_gradient = Derivation(
    "The actor's gradient",
    array(*(Derivative(Named("Q", q(frozen(phi1), s[row], chosen))[()], t) for t in theta)),
    (
        (
            (phi1[2] + phi1[3] * s[row] + 2 * phi1[4] * chosen) * array(*(Derivative(chosen, t) for t in theta)),
            "the chain rule",
        ),
    ),
    source="B-065",
)


# What people get wrong, and the claim that must catch it.
def larger(r, done, q1, q2):
    return r + 0.99 * (1 - done) * torch.max(q1, q2)


def smallest_of_the_batch(r, done, q1, q2):
    return r + 0.99 * (1 - done) * torch.stack((q1, q2)).min()


def mean_of_both(r, done, q1, q2):
    return r + 0.99 * (1 - done) * (q1 + q2) / 2


def first_only(r, done, q1, q2):
    return r + 0.99 * (1 - done) * q1


def end_forgotten(r, done, q1, q2):
    return r + 0.99 * torch.min(q1, q2)


def each_its_own(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    y1, y2 = (bootstrap(q, q, slow_theta, r, s2, done, noise) for q in (slow1, slow2))
    return ((q_net(phi1, s, a) - y1) ** 2).mean() + ((q_net(phi2, s, a) - y2) ** 2).mean()


def noise_not_clipped(noise):
    return 0.6 * noise


def noise_by_variance(noise):
    return (0.36 * noise).clamp(-0.5, 0.5)


def no_noise(noise):
    return 0 * noise


def one_noise(noise):
    return (0.6 * noise[0]).clamp(-0.5, 0.5)


def action_not_clipped(a):
    return a


def action_squashed(a):
    return 2 * torch.tanh(a)


def noise_after_the_clip(slow_theta, s2, noise):
    return clip_action(policy(slow_theta, s2)) + clip_noise(noise)


def attached(slow1, slow2, slow_theta, r, s2, done, noise):
    a2 = smooth(slow_theta, s2, noise)
    return backed_up(r, done, q_net(slow1, s2, a2), q_net(slow2, s2, a2))


def column(slow1, slow2, slow_theta, r, s2, done, noise):  # (N,) minus (N, 1) is (N, N)
    return bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)[:, None]


def first_twice(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    y = bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)
    return ((q_net(phi1, s, a) - y) ** 2).mean() + ((q_net(phi1, s, a) - y) ** 2).mean()


def noise_on_the_replayed_action(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    return critic_loss(phi1, phi2, slow1, slow2, slow_theta, s, clip_action(a + 0.6 * noise), r, s2, done, noise)


def online_actor(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise):
    return critic_loss(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise)


def online_not_detached(phi1, phi2, slow_theta, s, a, r, s2, done, noise):
    y = attached(phi1, phi2, slow_theta, r, s2, done, noise)
    return ((q_net(phi1, s, a) - y) ** 2).mean() + ((q_net(phi2, s, a) - y) ** 2).mean()


def online_detached(phi1, phi2, slow_theta, s, a, r, s2, done, noise):
    return critic_loss(phi1, phi2, phi1, phi2, slow_theta, s, a, r, s2, done, noise)


def averaged(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    return critic_loss(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise) / 2


def smaller_error(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    y = bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)
    return torch.min((q_net(phi1, s, a) - y) ** 2, (q_net(phi2, s, a) - y) ** 2).mean()


def smaller_prediction(phi1, phi2, slow1, slow2, slow_theta, s, a, r, s2, done, noise):
    y = bootstrap(slow1, slow2, slow_theta, r, s2, done, noise)
    return ((torch.min(q_net(phi1, s, a), q_net(phi2, s, a)) - y) ** 2).mean()


def descends(phi1, theta, s):
    return q_net(phi1.detach(), s, policy(theta, s)).mean()


def by_the_smaller(phi1, phi2, theta, s):
    a = policy(theta, s)
    return -torch.min(q_net(phi1.detach(), s, a), q_net(phi2.detach(), s, a)).mean()


def by_both(phi1, phi2, theta, s):
    a = policy(theta, s)
    return -(q_net(phi1.detach(), s, a) + q_net(phi2.detach(), s, a)).mean()


def by_the_second(phi2, theta, s):
    return -q_net(phi2.detach(), s, policy(theta, s)).mean()


def with_noise(phi1, theta, s, noise):
    return -q_net(phi1.detach(), s, clip_action(policy(theta, s) + clip_noise(noise))).mean()


def actor_of_the_actor(phi1, theta, s):
    return -q_net(phi1.detach(), s, policy(theta, policy(theta, s))).mean()


def action_detached(phi1, theta, s):
    return -q_net(phi1.detach(), s, policy(theta, s).detach()).mean()


def critic_not_frozen(phi1, theta, s):
    return -q_net(phi1, s, policy(theta, s)).mean()


def network_target_not_detached(slow_w1, slow_w2, slow_w_mu, r, s2, done, noise):
    a2 = clip_action(network_policy(slow_w_mu, s2) + clip_noise(noise))
    return backed_up(r, done, network(slow_w1, s2, a2), network(slow_w2, s2, a2))


def network_critic_not_frozen(w1, w2, w_mu, s):
    return -network(w1, s, network_policy(w_mu, s)).mean()


def never_delayed(online, slow, data, q_run, pi_run, timer):
    return update(online, slow, data, q_run, pi_run, timer, policy_delay=1)


def first_delayed(online, slow, data, q_run, pi_run, timer):
    return update(online, slow, data, q_run, pi_run, timer + 1)


def rates_swapped(online, slow, data, q_run, pi_run, timer):
    return update(online, slow, data, q_run, pi_run, timer, kept=0.005)


def noise_as_variance(xi, sd):
    return sd.sqrt() * xi


problem = Problem(
    title="Twin delayed deterministic policy gradient",
    claims=(
        regress,
        regression,
        by_features,
        aimed,
        smoothed,
        still,
        alone,
        unmixed,
        own,
        climbs,
        worth,
        judged,
        leaks,
        unseen,
        seen,
        regress_there,
        still_there,
        climbs_there,
        leaks_there,
        networks_regress,
        networks_aimed,
        networks_still,
        networks_climb,
        networks_judged,
        model_still,
        model_judged,
        networks_backward,
        networks_backward_too,
        independent,
        cancelling,
        low,
        high,
        fair,
        coins,
        low_for_coins,
        exact,
        *apart,
        *split,
        *allowed,
        one_scale,
        centred,
        less,
        shrunk,
        rarely,
        coded_noise,
        coded_action,
        shifted,
        inwards,
        *edges,
        edge,
        together,
        slowly,
        delayed,
        by_two,
        same_steps,
        from_a_list,
        used_up,
        not_thawed,
        stuck,
        no_twin,
        too_few,
    ),
    errata=(unbiased, squashed, as_variance, kept_mean, no_gradient_choice, trunk_shared, nested, slow_each_time),
    derivations=(smaller_of_two, first_gradient),
    corners=(exercise,),
    mistakes=(
        Mistake("max instead of min", {backed_up: larger}, breaks=regress, source="B-061"),
        Mistake("minimum over the batch", {backed_up: smallest_of_the_batch}, breaks=regress, source="B-061"),
        Mistake("each critic its own target", {critic_loss: each_its_own}, breaks=regress, source="B-061"),
        Mistake("noise not clipped", {clip_noise: noise_not_clipped}, breaks=smoothed, source="B-058"),
        Mistake("action not clipped", {clip_action: action_not_clipped}, breaks=smoothed, source="B-060"),
        Mistake("noise scaled by sigma^2", {clip_noise: noise_by_variance}, breaks=smoothed, source="B-057"),
        Mistake("target not detached", {bootstrap: attached}, breaks=still, source="B-060"),
        Mistake("the first critic twice", {critic_loss: first_twice}, breaks=regress),
        Mistake("(N,) minus (N, 1)", {bootstrap: column}, breaks=regress),
        Mistake("descent", {actor_loss: descends}, breaks=climbs),
        Mistake("mean instead of min", {backed_up: mean_of_both}, breaks=regress),
        Mistake("the first slow critic only", {backed_up: first_only}, breaks=regress),
        Mistake("noise after the clip", {smooth: noise_after_the_clip}, breaks=smoothed),
        Mistake("tanh instead of the clip", {clip_action: action_squashed}, breaks=smoothed, source="B-056"),
        Mistake("no smoothing", {clip_noise: no_noise}, breaks=smoothed),
        Mistake("one noise for the batch", {clip_noise: one_noise}, breaks=smoothed),
        Mistake("noise on the replayed action", {critic_loss: noise_on_the_replayed_action}, breaks=regress),
        Mistake("online actor in the target", {critic_loss: online_actor}, breaks=regress),
        Mistake("online critics in the target, not detached", {critic_loss: online_not_detached}, breaks=still),
        Mistake("online critics in the target, detached", {critic_loss: online_detached}, breaks=regress),
        Mistake("mean of both losses", {critic_loss: averaged}, breaks=regress),
        Mistake("the smaller error", {critic_loss: smaller_error}, breaks=regress),
        Mistake("the smaller prediction", {critic_loss: smaller_prediction}, breaks=regress),
        Mistake("1 - done forgotten", {backed_up: end_forgotten}, breaks=aimed),
        Mistake("actor by the smaller critic", {actor_loss: by_the_smaller}, breaks=climbs, source="B-066"),
        Mistake("actor by both critics", {actor_loss: by_both}, breaks=climbs, source="B-066"),
        Mistake("actor by the second critic", {actor_loss: by_the_second}, breaks=climbs, source="B-066"),
        Mistake("smoothing noise in the actor loss", {actor_loss: with_noise}, breaks=climbs),
        Mistake("actor of the actor", {actor_loss: actor_of_the_actor}, breaks=climbs, source="B-065"),
        Mistake("action detached before the critic", {actor_loss: action_detached}, breaks=climbs),
        Mistake("critic not frozen in the actor loss", {actor_loss: critic_not_frozen}, breaks=judged),
        Mistake("networks: target not detached", {network_bootstrap: network_target_not_detached}, breaks=networks_still),
        Mistake("networks: critic not frozen", {network_actor_loss: network_critic_not_frozen}, breaks=networks_judged),
        Mistake("nothing delayed", {update: never_delayed}, breaks=delayed, source="B-067"),
        Mistake("the first step delayed", {update: first_delayed}, breaks=together, source="B-055"),
        Mistake("rates swapped", {update: rates_swapped}, breaks=slowly, source="B-012"),
        Mistake("noise scale read as a variance", {listed_noise: noise_as_variance}, breaks=one_scale, source="B-057"),
    ),
)
