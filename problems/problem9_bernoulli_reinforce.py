"""REINFORCE with a coin: what torch.distributions does, and what the loop around it does.

CartPole has two actions, so its policy is a coin whose logit is linear in the state. The score is what was done less what was
likely, times the state. Torch gets it right from the logit, and from a probability only while that is not rounded to 0 or 1.
Where the reward is smooth in the action there is another way, through the sample. The listing around it finds the ends of
episodes by their zero rewards, discounts each return from its own step, and divides by a deviation that may be zero.
"""

import numpy as np
from sympy import Derivative, Rational, binomial, exp, log, pi, sqrt

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
    Integers,
    LogRational,
    Mean,
    Mistake,
    Named,
    NonFinite,
    OneOf,
    Parameter,
    Point,
    Printed,
    Problem,
    Raises,
    Size,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    batch,
    diff,
    frozen,
    sigmoid,
    softmax,
    step,
    torch,
)

# The setting: a coin whose logit is linear in the state, and what each side pays.
d = Size("d", 3, also=(1, 2))
theta = Parameter("theta", d, over=LogRational())
s = Variable("s", d, over=Integers(-2, 3))
reward = Variable("reward", 2, over=Uniform(-2, 2))
half = Rational(1, 2)

p = sigmoid((theta * s).sum())
action = Draw("action", Bernoulli(logit=(theta * s).sum()))
J = E(reward[action])

# A coin by its chance, and one by its logit.
chance = Variable("chance", over=Uniform(0.1, 0.9))
tossed = Draw("tossed", Bernoulli(chance))
x = Variable("x", over=LogRational())
arm = Draw("arm", Bernoulli(logit=x))
pays = Variable("pays", 2, over=Uniform(-2, 2))
b = Variable("b", over=Uniform(-2, 2))
q = sigmoid(x)
worth = E(pays[arm])
logs = array(-log(1 + exp(x[()])), -log(1 + exp(-x[()])))

# Two actions with a logit each; three with logits, or with weights in their place.
pair, three = Variable("pair", 2, over=LogRational()), Variable("three", 3, over=LogRational())
lean = pair[1] - pair[0]
choice = Draw("choice", Bernoulli(logit=lean))
shares = Variable("shares", 3, over=Uniform(0.2, 2))
pick = Draw("pick", Categorical(shares / shares.sum()))
identity = array((1, 0, 0), (0, 1, 0), (0, 0, 1))

# Three steps that were taken, and their returns.
acts, returns = Variable("acts", 3, over=Integers(0, 1)), Variable("returns", 3, over=Uniform(-2, 2))
lone = Variable("lone", 1, over=Uniform(-2, 2))
pushed = -(returns * (acts - q)).sum()
tempered = (returns - returns.mean()) / sqrt(((returns - returns.mean()) ** 2).mean())

# N tosses at once. Their payments are centred, or standardised too.
N = Size("N", 2, also=(3, 5))
tosses = batch(arm, N)
uneven = sum(binomial(N, k) * q**k * (1 - q) ** (N - k) * sqrt(k * (N - k)) / N for k in range(N + 1))

# A normal action, and a reward that is smooth in it, or a step.
mu, sd = Variable("mu", over=Uniform(-1, 2)), Variable("sd", over=Uniform(0.4, 2))
z = Draw("z", Gaussian(mu, sd), breaks=lambda z: ((1,),))
xi = Draw("xi", Gaussian(0, 1))
smooth = E(-((z - 1) ** 2))
jump = E(step(z - 1))
log_normal = -(((z - mu) / sd) ** 2) / 2 - log(sd) - log(2 * pi) / 2
density = exp(-((1 - mu) ** 2) / (2 * sd**2)) / (sd * sqrt(2 * pi))

# Two choices one after the other, the second with a logit for each first, and a discount.
turns = Variable("turns", 3, over=LogRational())
fade = Variable("fade", over=OneOf(Rational(9, 10), half, Rational(3, 4)))
early = Draw("early", Bernoulli(logit=turns[0]))
late = Draw("late", Bernoulli(logit=array(turns[1], turns[2])[early]))
at_once, later = array(0, 1)[early], array((2, 0), (1, 5))[early, late]
J_faded = E(at_once + fade * later)
J_plain = E(at_once + later)
after = array(2 * (1 - sigmoid(turns[1])), 1 + 4 * sigmoid(turns[2]))[early]  # what the second choice brings, on average
by_value = early.log_prob() * frozen(at_once + after) + late.log_prob() * frozen(later)
by_advantage = early.log_prob() * frozen(at_once + after - J_plain) + late.log_prob() * frozen(later - after)

# Rewards of two episodes, of three steps and two.
earned = Variable("earned", 5, over=Integers(0, 3))
g = Rational(99, 100)


def faded(rewards):
    return [sum(g ** (k - t) * r for k, r in enumerate(rewards) if k >= t) for t in range(len(rewards))]


apart = array(*faded(earned[:3]), 0, *faded(earned[3:]), 0)
deviation = sqrt(((apart - apart.mean()) ** 2).mean())


# What a student writes, in torch. Arguments are bound by name.
def policy(theta, s):
    return torch.distributions.Bernoulli(logits=(theta * s).sum())


def log_prob(theta, s, action, policy=policy):
    return policy(theta, s).log_prob(action.float())


def reinforce(theta, s, reward, action, log_prob=log_prob):
    return -log_prob(theta, s, action) * reward[action]


def by_probability(theta, s, reward, action):  # as the listing has it
    law = torch.distributions.Bernoulli(torch.sigmoid(theta @ s))
    return -law.log_prob(action.to(theta.dtype)) * reward[action]


def by_variable(theta, s, reward, action):
    state = torch.autograd.Variable(s)
    return -log_prob(theta, state, action) * torch.autograd.Variable(reward)[action]


def wrapped(s):
    v = torch.autograd.Variable(s)
    return torch.cat((v, torch.tensor([float(type(v) is torch.Tensor), float(v.requires_grad)])))


def after_a_step(theta, s, reward, action):
    weight = theta.detach().clone().requires_grad_()
    reinforce(weight, s, reward, action).backward()
    torch.optim.SGD([weight], lr=0.1).step()
    return weight.detach()


# A coin.
def by_chance(chance, tossed):
    return torch.distributions.Bernoulli(chance).log_prob(tossed.to(chance.dtype))


def moments(chance):
    law = torch.distributions.Bernoulli(chance)
    return torch.stack((law.mean, law.variance))


def ones(tossed):
    return tossed


def by_logit(x, arm):
    return torch.distributions.Bernoulli(logits=x).log_prob(arm.to(x.dtype))


def two_ways(x, arm):
    return torch.stack((torch.zeros_like(x), x)).log_softmax(-1)[arm]


def of_two_logits(pair, choice):
    return torch.distributions.Categorical(logits=pair).log_prob(choice)


def of_one_trial(x, arm):
    return torch.distributions.Binomial(1, logits=x).log_prob(arm.to(x.dtype))


def of_two_trials(x, arm):
    return torch.distributions.Binomial(2, logits=x).log_prob(arm.to(x.dtype))


def tails(x):  # the log-probability of 0, by the probability of 1
    return torch.distributions.Bernoulli(torch.sigmoid(x)).log_prob(torch.zeros(()))


def tails_by_logit(x):
    return torch.distributions.Bernoulli(logits=x).log_prob(torch.zeros(()))


# Three actions.
def by_shares(shares, pick):
    return torch.distributions.Categorical(shares).log_prob(pick)


def by_softmax(three, pick):
    return torch.distributions.Categorical(three.softmax(-1)).log_prob(pick)


# Steps that were taken.
def accumulated(x, acts, returns):  # one backward pass for each step
    logit = x.detach().clone().requires_grad_()
    for act, value in zip(acts, returns, strict=True):
        (-torch.distributions.Bernoulli(logits=logit).log_prob(act) * value).backward()
    return logit.grad


def mean_loss(x, acts, returns):
    return -(torch.distributions.Bernoulli(logits=x).log_prob(acts) * returns).mean()


def cross_entropy(x, acts, returns):
    return torch.nn.functional.binary_cross_entropy_with_logits(x.expand(3), acts, weight=returns, reduction="sum")


def cross_entropy_of_two(x, acts, returns):
    rows = torch.stack((torch.zeros_like(x), x)).expand(3, 2)
    return (torch.nn.functional.cross_entropy(rows, acts.long(), reduction="none") * returns).sum()


def moved(x, gradient, optimiser):
    logit = x.detach().clone().requires_grad_()
    logit.grad = gradient
    optimiser([logit], lr=0.01).step()
    return logit.detach()


def by_rmsprop(x, acts, returns):
    return moved(x, accumulated(x, acts, returns), torch.optim.RMSprop)


def mean_by_rmsprop(x, acts, returns):
    return moved(x, accumulated(x, acts, returns) / 3, torch.optim.RMSprop)


def by_descent(x, acts, returns):
    return moved(x, accumulated(x, acts, returns), torch.optim.SGD)


def mean_by_descent(x, acts, returns):
    return moved(x, accumulated(x, acts, returns) / 3, torch.optim.SGD)


# The loop of the listing.
def discounted(pool):  # backwards; a zero reward ends an episode
    pool, running = np.array(pool), 0.0
    for t in reversed(range(len(pool))):
        running = running * 0.99 + pool[t] if pool[t] != 0 else 0.0
        pool[t] = running
    return pool


def two_episodes(earned, discounted=discounted):
    return discounted(np.concatenate((earned[:3], [0.0], earned[3:], [0.0])))


def two_without_ends(earned):
    return discounted(earned)


def standardised(returns):
    return (returns - np.mean(returns)) / np.std(returns)


def standardised_alone(lone):
    return np.isnan(standardised(lone))


def weights_of_two(earned, standardised=standardised):
    return standardised(two_episodes(earned))


def deviation_in_numpy(returns):
    return np.std(returns)


def deviation_in_torch(returns):
    return returns.std()


def by_standardised_returns(x, acts, returns):
    return by_descent(x, acts, (returns - returns.mean()) / returns.std(correction=0))


def less(x, pays, b, arm):
    return by_logit(x, arm) * (pays[arm] - b)


# Tosses, and weights made of all of them.
def centred(x, pays, arm):
    earned = pays[arm]
    return -(by_logit(x, arm) * (earned - earned.mean())).mean()


def standard(earned):
    return (earned - earned.mean()) / earned.std(correction=0)


def cautious(earned, standard=standard):  # equal payments are no evidence
    return torch.where(earned.max() > earned.min(), standard(earned), 0.0)


def normalised(x, pays, arm, standard=standard):
    return -(by_logit(x, arm) * standard(pays[arm])).mean()


def guarded(x, pays, arm, normalised=normalised, cautious=cautious):
    return normalised(x, pays, arm, standard=cautious)


# A normal action.
def smooth_reward(z):
    return -((z - 1) ** 2)


def by_score(mu, sd, z, smooth_reward=smooth_reward):
    return torch.distributions.Normal(mu, sd).log_prob(z) * smooth_reward(z)


def from_noise(mu, sd, z):  # what rsample does
    return mu + sd * ((z - mu) / sd).detach()


def by_path(mu, sd, z, smooth_reward=smooth_reward, from_noise=from_noise):
    return smooth_reward(from_noise(mu, sd, z))


def attached(mu, sd, z, from_noise=from_noise):
    return torch.distributions.Normal(mu, sd).log_prob(from_noise(mu, sd, z))


def detached(mu, sd, z):
    return torch.distributions.Normal(mu, sd).log_prob(z)


def step_by_score(mu, sd, z):
    return torch.distributions.Normal(mu, sd).log_prob(z) * (z > 1)


def step_by_path(mu, sd, xi):
    return torch.where(mu + sd * xi > 1, 1.0, 0.0)


def backward_of(sample):
    centre = torch.zeros((), requires_grad=True)
    return torch.autograd.grad(sample(torch.distributions.Normal(centre, 1.0)), centre)[0]


def through_sample():
    return backward_of(lambda law: law.sample())


def through_rsample():
    return backward_of(lambda law: law.rsample())


def through_a_step():
    return backward_of(lambda law: torch.where(law.rsample() > 1, 1.0, 0.0))


def coin_rsample():
    return torch.distributions.Bernoulli(torch.tensor(0.3)).rsample()


def have_rsample():
    laws = torch.distributions.Normal, torch.distributions.Categorical, torch.distributions.Bernoulli
    return torch.tensor([float(law.has_rsample) for law in laws])


def from_outputs(pair):
    return torch.distributions.Normal(*pair, validate_args=True).log_prob(torch.zeros(()))


# Two choices.
def chosen(turns, early, late):
    logits = torch.stack((turns[0], turns[1:][early]))
    return torch.nn.functional.logsigmoid(logits * (2 * torch.stack((early, late)) - 1))


def earnings(early, late):
    return torch.tensor([0.0, 1.0])[early], torch.tensor([[2.0, 0.0], [1.0, 5.0]])[early, late]


def from_here(turns, early, late, fade):  # each step's return is discounted from that step
    now, then = earnings(early, late)
    return (chosen(turns, early, late) * torch.stack((now + fade * then, then))).sum()


def from_the_start(turns, early, late, fade):
    now, then = earnings(early, late)
    return (chosen(turns, early, late) * torch.stack((now + fade * then, fade * then))).sum()


def whole(turns, early, late, fade):
    now, then = earnings(early, late)
    return chosen(turns, early, late).sum() * (now + fade * then)


def whole_and_faded(turns, early, late, fade):  # gamma^t times the whole return
    now, then = earnings(early, late)
    return (chosen(turns, early, late) * torch.stack((torch.ones_like(fade), fade))).sum() * (now + fade * then)


# What must be true of the coin.
score = Claim(
    "The score is what was done less what was likely, times the state.",
    source="A-108",
    that=Equal(Gradient(log_prob), s * (action - p)),
)
score_of_logit = Claim("By the logit it is a - p.", Equal(Gradient(by_logit, x), arm - q), source="A-108")
score_of_chance = Claim(
    "By the chance itself it is a / c - (1 - a) / (1 - c).",
    source="A-108",
    that=Equal(Gradient(by_chance, chance), tossed / chance - (1 - tossed) / (1 - chance)),
)
sample = Claim(
    "The loss has the gradient -r (a - p) s, in every sample.",
    source="A-098",
    that=Equal(Gradient(reinforce), -s * reward[action] * (action - p)),
)
unbiased = Claim("Its mean is minus the policy gradient.", Equal(Mean(Gradient(reinforce)), -Gradient(J)), source="A-097")
stepped = Claim(
    "So a step of descent climbs, on average by 1/10 of the gradient.",
    source="A-097, A-022",
    that=Equal(Mean(Value(after_a_step)), theta + array(*(diff(J.doit(), y) for y in theta.array)) / 10),
)
surprise = Claim("The loss is -r log p.", Equal(Value(reinforce), -reward[action] * action.log_prob()), source="A-098, A-099")
listing = Claim(
    "The listing, by the probability, has the same gradient.",
    Equal(Gradient(by_probability), Gradient(reinforce)),
    source="A-098",
)
unwrapped = Claim("Variable(...) changes no gradient:", Equal(Gradient(by_variable), Gradient(reinforce)), source="A-119")
no_wrapper = Claim("it is the tensor itself, without requires_grad.", Equal(Value(wrapped), array(*s, 1, 0)), source="A-119")
drawn = Claim(
    "As often as its chance says the coin shows 1, by samples too.",
    source="A-107",
    by=("listed", "sampled"),
    resolution=0.05,
    that=Equal(Mean(Value(ones)), chance),
)
spread = Claim(
    "torch knows its mean and its variance.",
    source="A-107",
    that=Equal(Value(moments), array(E(tossed), E(tossed**2) - E(tossed) ** 2)),
)
three_tenths = Claim(
    "Three tenths: 3/10 and 21/100.",
    at=Point(chance=Rational(3, 10)),
    source="A-107",
    that=Equal(Value(moments), array(30, 21) / 100),
)

# The same by other laws.
categorical = Claim("Two logits, the first of them 0, are the same law.", Equal(Value(two_ways), Value(by_logit)), source="A-109")
one_trial = Claim("So is a binomial law of one trial.", Equal(Value(of_one_trial), Value(by_logit)), source="A-109")
two_trials = Claim(
    "One of two trials is 1 in two ways.",
    source="A-109",
    that=Equal(Value(of_two_trials) * arm, (log(2) + logs[0] + logs[1]) * arm),
)
same_law = Claim("Two logits: their difference is the coin's.", Equal(Value(of_two_logits), choice.log_prob()), source="A-109")
both_scores = Claim(
    "Of two logits the scores are -(a - p) and a - p.",
    source="A-109",
    that=Equal(Gradient(of_two_logits, pair), array(-1, 1) * (choice - sigmoid(lean))),
)

# Where the chance is rounded.
sure, very_sure, rather_sure = Point(x=20), Point(x=40), Point(x=15)
steady = Claim("From the logit the log-probability of 0 is right,", Equal(Value(tails_by_logit), logs[0]), source="A-110")
steady_score = Claim("and its slope.", Equal(Gradient(tails_by_logit, x), -q), source="A-110")
steady_far = Claim("At 40 too: -1.", Equal(Gradient(tails_by_logit, x), -q), at=very_sure, source="A-110")
steady_far_value = Claim("And -40.", Equal(Value(tails_by_logit), logs[0]), at=very_sure, source="A-110")
steady_single = Claim(
    "In float32, at 20, it is -1.", Equal(Gradient(tails_by_logit, x, dtype="float32"), -q), at=sure, source="A-110"
)
clamped = Claim(
    "From the probability float32 gives log 2^-23 at 20: where torch clamps.",
    at=sure,
    source="A-110",
    that=Equal(Value(tails, dtype="float32"), -23 * log(2)),
)
silent = Claim("Its slope there is 0.", Equal(Gradient(tails, x, dtype="float32"), 0), at=sure, source="A-110")
clamped_double = Claim("float64 gives log 2^-52 at 40,", Equal(Value(tails), -52 * log(2)), at=very_sure, source="A-110")
silent_double = Claim("with slope 0.", Equal(Gradient(tails, x), 0), at=very_sure, source="A-110")
late_slope = Claim(
    "At 15 float32 still has the slope,", Equal(Gradient(tails, x, dtype="float32"), -q), at=rather_sure, source="A-110"
)
early_value = Claim(
    "while the value is off by more than 1/50.",
    at=rather_sure,
    source="A-110",
    resolution=1e-4,
    that=Within(Value(tails, dtype="float32") - logs[0], (Rational(1, 50), Rational(1, 5))),
)

# Weights for probabilities.
weighed = Claim("Categorical normalises the weights it is given.", Equal(Value(by_shares), pick.log_prob()), source="A-111")
renormalised = Claim(
    "So by the weights the score is 1[a = i] / p_a - 1, over their sum.",
    source="A-111",
    that=Equal(Gradient(by_shares, shares), identity[pick] / shares[pick] - 1 / shares.sum()),
)
after_softmax = Claim(
    "After a softmax that makes no difference.",
    Equal(Gradient(by_softmax, three), identity[pick] - softmax(three)),
    source="A-111",
)

# Steps that were taken.
summed = Claim("Repeated backward passes add up.", Equal(Value(accumulated), pushed), source="A-098, A-118")
thrice = Claim("That is N times the gradient of the mean.", Equal(Value(accumulated), 3 * Gradient(mean_loss, x)), source="A-118")
entropic = Claim(
    "It is the gradient of the weighted cross-entropy,", Equal(Value(accumulated), Gradient(cross_entropy, x)), source="A-100"
)
entropic_two = Claim("of two classes too.", Equal(Value(accumulated), Gradient(cross_entropy_of_two, x)), source="A-100")
entropy = Claim(
    "The cross-entropy is -r log p, summed.",
    source="A-100",
    that=Equal(Value(cross_entropy), -(returns * (acts * logs[1] + (1 - acts) * logs[0])).sum()),
)
fifth = Point(x=Rational(1, 5), acts=(1, 0, 1), returns=(1, -half, 2))
there = Claim(
    "Logit 1/5, done 1, 0, 1, returned 1, -1/2, 2: the gradient is 5/2 p - 3.",
    at=fifth,
    source="A-098",
    that=Equal(Value(accumulated), 5 * q / 2 - 3),
)
first_step, first_mean_step = (
    Claim(
        f"RMSprop's first step {by} is lr / sqrt(1 - 99/100), but for the 1e-8 that it adds below.",
        source="A-118",
        resolution=1e-10,
        that=Equal(Value(f), x - slope / 100 / (sqrt(slope**2) / 10 + Rational(1, 10**8))),
    )
    for by, f, slope in (("by the sum", by_rmsprop, pushed), ("by the mean", mean_by_rmsprop, pushed / 3))
)
hidden = Claim("So it hides the factor N:", Equal(Value(by_rmsprop), Value(mean_by_rmsprop)), source="A-118", at=fifth)
descended = Claim("Descent moves by lr times the sum,", Equal(Value(by_descent), x - pushed / 100), source="A-118")
shown = Claim(
    "three times as far as by the mean.", Equal(Value(by_descent) - x, 3 * (Value(mean_by_descent) - x)), source="A-118"
)

# The loop of the listing.
none_is_zero = Differs(earned[0] * earned[1] * earned[2] * earned[3] * earned[4], 0)
marked = Claim(
    "Where zero rewards mark the ends, and only these, the loop discounts each episode by itself.",
    source="A-112",
    where=none_is_zero,
    that=Equal(Value(two_episodes), apart),
)
all_ones = Claim(
    "Where every step pays 1: 29701/10000, 199/100, 1, 0, then 199/100, 1, 0.",
    at=Point(earned=1),
    source="A-112",
    that=Equal(Value(two_episodes), array(29701, 19900, 10000, 0, 19900, 10000, 0) / 10000),
)
lost_zero = Claim(
    "Paid 1, 0, 1, the first step gets 1 for 19801/10000, and the second 0 for 99/100.",
    at=Point(earned=(1, 0, 1, 1, 1)),
    source="A-112",
    that=Equal(apart[:2] - Value(two_episodes)[:2], array(9801, 9900) / 10000),
)
run_together = Claim(
    "Without zeros between them episodes run together.",
    source="A-112",
    where=none_is_zero,
    that=Equal(Value(two_without_ends), array(*faded(list(earned)))),
)
pooled = Claim(
    "The weights are the returns less their mean over their deviation, ends included.",
    source="A-117",
    where=none_is_zero,
    that=Equal(Value(weights_of_two), (apart - apart.mean()) / deviation),
)
least = Claim(
    "The ends, where nothing can be done, weigh least.",
    source="A-117",
    where=none_is_zero,
    that=AtMost(Value(weights_of_two)[3], Value(weights_of_two)),
)
ones_pooled = Claim(
    "Where every step pays 1 so too.",
    at=Point(earned=1),
    source="A-117",
    that=Equal(Value(weights_of_two), (apart - apart.mean()) / deviation),
)
ends_pooled = Claim(
    "The ends weigh -1.2522 there.",
    at=Point(earned=1),
    source="A-117",
    resolution=0.00005,
    that=Equal(Value(weights_of_two)[3::3], Printed("-1.2522")),
)
spreads = Claim(
    "torch's deviation divides by n - 1, numpy's by n.",
    source="A-116",
    that=Equal(Value(deviation_in_torch), Value(deviation_in_numpy) * sqrt(Rational(3, 2))),
)
counted = Point(returns=(1, 2, 3))
numpy_counted = Claim(
    "Of 1, 2, 3 it is sqrt(2/3) in numpy,", Equal(Value(deviation_in_numpy), sqrt(Rational(2, 3))), at=counted, source="A-116"
)
torch_counted = Claim("and 1 in torch.", Equal(Value(deviation_in_torch), 1), at=counted, source="A-116")
undefined = Claim("Equal returns have no weights:", Equal(NonFinite(Value(standardised)), 1), at=Point(returns=2), source="A-115")
undefined_alone = Claim("nor has a single one,", Equal(Value(standardised_alone), 1), source="A-115")
tempered_step = Claim(
    "A step with standardised returns moves the logit by lr times the sum of each with its score.",
    source="A-114",
    that=Equal(Value(by_standardised_returns), x + (tempered * (acts - q)).sum() / 100),
)
lost_for_good = Claim(
    "and one step makes the parameter no number.",
    at=Point(x=0, acts=(0, 1, 1), returns=2),
    source="A-115",
    that=Equal(NonFinite(Value(by_standardised_returns)), 1),
)
tenths = Claim(
    "Three times 0.1 has a deviation of 10^-17, and weights of -1.",
    at=Point(returns=Rational(1, 10)),
    source="A-115",
    that=Equal(Value(standardised), -1),
)

# Tosses, and weights made of all of them.
shrunk = Claim(
    "Centring leaves 1 - 1/N of the gradient.",
    source="A-114",
    that=Equal(Mean(Gradient(centred, x), over=tosses), -Gradient(worth, x) * (1 - Rational(1, N))),
)
scaleless = Claim(
    "Standardising leaves the mean deviation of the tosses, whatever they pay.",
    source="A-114",
    where=AtMost(pays[0] + Rational(1, 10), pays[1]),
    that=Equal(Mean(Gradient(guarded, x), over=tosses), -uneven),
)
seldom = Point(x=-log(2), pays=(0, 1))
two, five = batch(arm, 2), batch(arm, 5)
no_number = tuple(
    Claim(
        f"{word} tosses, one in three pays 1: in {share} of the cases they are equal, and nothing is left.",
        at=seldom,
        source="A-114",
        that=Equal(Mean(NonFinite(Gradient(normalised, x)), over=some), q**n + (1 - q) ** n),
    )
    for word, n, some, share in (("Two", 2, two, "5/9"), ("Five", 5, five, "11/81"))
)
true_there = Claim("The policy gradient is 2/9,", Equal(Gradient(worth, x), Rational(2, 9)), at=seldom, source="A-114")
centred_there = Claim("centred 1/9,", Equal(-Mean(Gradient(centred, x), over=two), Rational(1, 9)), at=seldom, source="A-114")
scaled_there = Claim(
    "standardised 1/2 where there is anything,",
    at=seldom,
    source="A-114",
    that=Equal(-Mean(Gradient(guarded, x), over=two) / (1 - Rational(5, 9)), half),
)
hundredfold = Claim(
    "for payments of 100 too.",
    at=seldom.but(pays=(0, 100)),
    source="A-114",
    that=Equal(-Mean(Gradient(guarded, x), over=two) / (1 - Rational(5, 9)), half),
)

# A normal action.
cut = Claim("What is drawn by sample() has no gradient:", Raises(through_sample, RuntimeError), source="A-101")
kept = Claim("what is drawn by rsample() moves with the mean.", Equal(Value(through_rsample), 1), source="A-101")
still = Claim(
    "The log-probability of a sample that is attached has the gradient (0, -1 / sd), whatever was drawn;",
    source="A-102",
    that=Equal(Gradient(attached, (mu, sd)), (0, -1 / sd)),
)
same_value = Claim("its value is right;", Equal(Value(attached), log_normal), source="A-102")
scores_of_normal = Claim(
    "detached it has the score.",
    source="A-102",
    that=Equal(Gradient(detached, (mu, sd)), array((z - mu) / sd**2, ((z - mu) ** 2 / sd**2 - 1) / sd)),
)
laws = Claim(
    "The normal law has rsample, Categorical and Bernoulli have not.", Equal(Value(have_rsample), (1, 0, 0)), source="A-103"
)
no_rsample = Claim("A coin's rsample fails.", Raises(coin_rsample, NotImplementedError), source="A-103")
path = Claim(
    "The path's estimate is -2 (z - 1) times (1, (z - mu) / sd), in every sample.",
    source="A-104",
    that=Equal(Gradient(by_path, (mu, sd)), -2 * (z - 1) * array(1, (z - mu) / sd)),
)
score_right = Claim(
    "The score's estimate of a smooth reward is unbiased,",
    source="A-104",
    that=Equal(Mean(Gradient(by_score, (mu, sd))), array(-2 * (mu - 1), -2 * sd)),
)
path_right = Claim("so is the path's.", Equal(Mean(Gradient(by_path, (mu, sd))), Gradient(smooth, (mu, sd))), source="A-104")
m2 = (mu - 1) ** 2
score_noise = Claim(
    "The score's varies by (m^4 + 14 m^2 sd^2 + 15 sd^4) / sd^2 and 2 (m^4 + 30 m^2 sd^2 + 37 sd^4) / sd^2, where m = mu - 1,",
    source="A-104",
    that=Equal(
        Covariance(Gradient(by_score, (mu, sd)))[::3],
        array(m2**2 + 14 * m2 * sd**2 + 15 * sd**4, 2 * (m2**2 + 30 * m2 * sd**2 + 37 * sd**4)) / sd**2,
    ),
)
path_noise = Claim(
    "the path's by 4 sd^2 and 4 (m^2 + 2 sd^2).",
    source="A-104",
    that=Equal(Covariance(Gradient(by_path, (mu, sd)))[::3], array(4 * sd**2, 4 * (m2 + 2 * sd**2))),
)
halfway = Point(mu=half, sd=1)
loud = Claim(
    "At 1/2 and 1: 297/16 and 713/8",
    Equal(Covariance(Gradient(by_score, (mu, sd)))[::3], array(297, 1426) / 16),
    at=halfway,
    source="A-104",
)
quiet = Claim("against 4 and 9.", Equal(Covariance(Gradient(by_path, (mu, sd)))[::3], (4, 9)), at=halfway, source="A-104")
through_jumps = Claim(
    "Of a reward that jumps at 1 the score's is the density there, and (1 - mu) / sd times it;",
    source="A-104",
    that=Equal(Mean(Gradient(step_by_score, (mu, sd))), density * array(1, (1 - mu) / sd)),
)
stepping = Claim("that is its gradient.", Equal(Gradient(jump, (mu, sd)), density * array(1, (1 - mu) / sd)), source="A-104")
reached = Claim("The path knows the reward,", Equal(Value(step_by_path), step(mu + sd * xi - 1)), source="A-104")
paid = Claim("is paid as much on average,", Equal(E(step(mu + sd * xi - 1)), jump), source="A-104")
blocked = Claim("and its gradient is nothing:", Equal(Gradient(step_by_path, (mu, sd)), 0), source="A-104")
not_there = Claim("a comparison cuts it.", Raises(through_a_step, RuntimeError), source="A-104")
accepted = Claim(
    "Two outputs of a network may be mean and deviation: 1 and 2.",
    at=Point(pair=(1, 2)),
    source="A-105",
    that=Equal(Value(from_outputs), -Rational(1, 8) - log(2) - log(2 * pi) / 2),
)
refused = Claim(
    "A negative deviation is refused.",
    at=Point(pair=(1, -1)),
    source="A-105",
    that=Raises(from_outputs, ValueError),
)

# Two choices.
noise = Covariance(Gradient(less, x))
faded_right = Claim(
    "Rewards discounted from the start are unbiased,",
    source="A-018, A-113",
    that=Equal(Mean(Gradient(from_the_start, turns)), Gradient(J_faded, turns)),
)
whole_right = Claim(
    "the whole discounted return too.",
    source="A-017, A-019",
    that=Equal(Mean(Gradient(whole, turns)), Gradient(J_faded, turns)),
)
here = Claim(
    "Discounted from their own step, as the loop does, they are too large by 1 / gamma at the second step,",
    source="A-017, A-113",
    that=Equal(Mean(Gradient(from_here, turns)), Gradient(J_faded, turns) * array(1, 1 / fade, 1 / fade)),
)
undiscounted = Claim(
    "which does no harm at gamma = 1.",
    at=Point(fade=1, turns=(log(2), log(3), -log(2))),
    source="A-017, A-113",
    that=Equal(Mean(Gradient(from_here, turns)), Gradient(J_plain, turns)),
)
twice = Claim(
    "gamma^t times the whole return is too small by gamma.",
    source="A-018",
    that=Equal(Mean(Gradient(whole_and_faded, turns)), Gradient(J_faded, turns) * array(1, fade, fade)),
)
level = Point(turns=0, fade=1)
nine = level.but(fade=Rational(9, 10))
slope_there = Claim(
    "Even chances, gamma = 9/10: the gradient is (7/10, -9/40, 9/20),",
    at=nine,
    source="A-017",
    that=Equal(Gradient(J_faded, turns), array(28, -9, 18) / 40),
)
here_there = Claim(
    "the loop's (7/10, -1/4, 1/2).",
    at=nine,
    source="A-017",
    that=Equal(Mean(Gradient(from_here, turns)), array(28, -10, 20) / 40),
)
one_episode = Claim(
    "One episode varies about its mean by (35/16, 3/16, 9/4).",
    at=level,
    source="A-020",
    that=Equal(Covariance(Gradient(whole, turns))[::4], array(35, 3, 36) / 16),
)

unbiased_value = Claim(
    "The mean return that follows is an unbiased weight too,",
    source="A-021",
    that=Equal(Mean(Gradient(by_value, turns)), Gradient(J_plain, turns)),
)
unbiased_advantage = Claim(
    "and so it is less the value of the state.",
    source="A-021",
    that=Equal(Mean(Gradient(by_advantage, turns)), Gradient(J_plain, turns)),
)
to_go_there = Claim(
    "With even chances: the rewards still to come vary by (35/16, 3/16, 11/8),",
    at=level,
    source="A-021",
    that=Equal(Covariance(Gradient(from_here, turns))[::4], array(35, 3, 22) / 16),
)
value_there = Claim(
    "the mean return by (25/16, 3/16, 11/8),",
    at=level,
    source="A-021",
    that=Equal(Covariance(Gradient(by_value, turns))[::4], array(25, 3, 22) / 16),
)
advantage_there = Claim(
    "the advantage by (0, 1/16, 1/4).",
    at=level,
    source="A-021",
    that=Equal(Covariance(Gradient(by_advantage, turns))[::4], array(0, 1, 4) / 16),
)
fifth_chance = Point(x=-log(4), pays=(1, 3), b=0)
harmless_less = Claim(
    "A constant taken off leaves the mean alone.", Equal(Mean(Gradient(less, x)), Gradient(worth, x)), source="A-021"
)
bare = Claim(
    "One toss, 3 in one of five cases, else 1: 676/625,", Equal(noise, Rational(676, 625)), at=fifth_chance, source="A-021"
)
less_value = Claim(
    "less its mean 7/5 a variance of 144/625,",
    Equal(noise, Rational(144, 625)),
    at=fifth_chance.but(b=Rational(7, 5)),
    source="A-021",
)
less_best = Claim("less 13/5 none.", Equal(noise, 0), at=fifth_chance.but(b=Rational(13, 5)), source="A-021")

# What is printed and wrong.
same_sign = Erratum(
    "-log_prob(action) corresponds to log p.",
    Equal(Value(reinforce), reward[action] * action.log_prob()),
    source="A-099",
    instead=surprise,
)
sampled_exactly = Erratum(
    "The estimate from an episode is the gradient.",
    source="A-020",
    instead=whole_right,
    that=Equal(Gradient(whole, turns), Gradient(J_faded, turns)),
)
ideal = Erratum(
    "The ideal weight is the mean return that follows.",
    at=level,
    source="A-021",
    instead=advantage_there,
    that=AtMost(Covariance(Gradient(by_value, turns))[::4], Covariance(Gradient(by_advantage, turns))[::4]),
)
value_is_best = Erratum(
    "The value is the best baseline.",
    at=fifth_chance.but(b=Rational(7, 5)),
    source="A-021",
    instead=less_best,
    that=Equal(noise, 0),
)
confident = Erratum(
    "Bernoulli(probs) has the right score for a confident policy.",
    at=very_sure,
    source="A-110",
    instead=silent_double,
    that=Equal(Gradient(tails, x), -q),
)
confident_single = Erratum(
    "At half of that float32 has too.",
    at=sure,
    source="A-110",
    instead=silent,
    that=Equal(Gradient(tails, x, dtype="float32"), -q),
)
binomial_law = Erratum(
    "The binomial law is the same.", Equal(Value(of_two_trials) * arm, logs[1] * arm), source="A-109", instead=one_trial
)
plain_chance = Erratum(
    "The gradient by the weights is 1 / p_a.",
    source="A-111",
    instead=renormalised,
    that=Equal(Gradient(by_shares, shares), identity[pick] / shares[pick]),
)
any_reward = Erratum(
    "The loop computes discounted returns.",
    source="A-112",
    where=Equal(earned[1], 0),
    instead=marked,
    that=Equal(Value(two_episodes), apart),
)
no_ends = Erratum(
    "It finds the ends of episodes.",
    source="A-112",
    instead=run_together,
    that=Equal(Value(two_without_ends), array(*faded(earned[:3]), *faded(earned[3:]))),
)
formula = Erratum(
    "The code computes the formula.",
    source="A-017, A-113",
    instead=here,
    that=Equal(Mean(Gradient(from_here, turns)), Gradient(J_faded, turns)),
)
whole_too = Erratum(
    "The weight gamma^t goes with any return.",
    source="A-018",
    instead=twice,
    that=Equal(Mean(Gradient(whole_and_faded, turns)), Gradient(J_faded, turns)),
)
only_scales = Erratum(
    "Centring changes no mean.",
    source="A-114",
    instead=shrunk,
    that=Equal(Mean(Gradient(centred, x), over=tosses), -Gradient(worth, x)),
)
harmless = Erratum(
    "Standardising changes the scale only: twice the payments, twice the gradient.",
    at=seldom.but(pays=(0, 2)),
    source="A-114",
    instead=scaled_there,
    that=Equal(-Mean(Gradient(guarded, x), over=two) / (1 - Rational(5, 9)), 2 * half),
)
defined = Erratum(
    "The deviation can be divided by.",
    at=Point(returns=Rational(1, 10)),
    source="A-115",
    instead=tenths,
    that=Equal(Value(standardised), 0),
)
one_deviation = Erratum(
    "numpy's deviation is torch's.", Equal(Value(deviation_in_numpy), Value(deviation_in_torch)), source="A-116", instead=spreads
)
no_factor = Erratum(
    "Repeated backward passes give the mean.", Equal(Value(accumulated), Gradient(mean_loss, x)), source="A-118", instead=thrice
)
attached_too = Erratum(
    "The sample need not be detached.",
    source="A-102",
    instead=still,
    that=Equal(Gradient(attached, (mu, sd)), Gradient(detached, (mu, sd))),
)
any_reward_at_all = Erratum(
    "Any reward can be minimised through rsample.",
    source="A-104",
    instead=through_jumps,
    that=Equal(Mean(Gradient(step_by_path, (mu, sd))), Gradient(jump, (mu, sd))),
)

# Why: from the chance to the logit.
u = Variable("u", over=LogRational())
c = sigmoid(u)
done = Variable("done", over=Integers(0, 1))
chance_c = Named("c", c)[()]
why = Derivation(
    "The score by the logit",
    Derivative(done * log(chance_c) + (1 - done) * log(1 - chance_c), u[()]),
    (
        ((done / chance_c - (1 - done) / (1 - chance_c)) * Derivative(chance_c, u[()]), "by the chance, times its slope"),
        ((done / chance_c - (1 - done) / (1 - chance_c)) * chance_c * (1 - chance_c), "the slope of the sigmoid is c (1 - c)"),
        (done - chance_c, "done (1 - c) - (1 - done) c"),
    ),
    at={"done": 1, "u": log(3)},
    source="A-108",
)


# What people get wrong, and the claim that must catch it.
def sign_lost(theta, s, reward, action):
    return -reinforce(theta, s, reward, action)


def logit_as_chance(theta, s):
    return torch.distributions.Bernoulli((theta @ s).clamp(0.01, 0.99))


def chance_as_logit(theta, s):
    return torch.distributions.Bernoulli(logits=torch.sigmoid(theta @ s))


def sides_swapped(theta, s):
    return torch.distributions.Bernoulli(logits=-theta @ s)


def density_for_its_logarithm(theta, s, action):
    return log_prob(theta, s, action).exp()


def always_of_one(theta, s, action):
    return policy(theta, s).log_prob(torch.ones(()))


def reward_of_one(theta, s, reward, action):
    return -log_prob(theta, s, action) * reward[1]


def half_only(chance, tossed):  # the term of the other side is missing
    return tossed * chance.log()


def only_the_last(x, acts, returns):
    return accumulated(x, acts[-1:], returns[-1:])


def means_added(x, acts, returns):
    return accumulated(x, acts, returns) / 3


def deviation_of_the_sample(earned):
    return (earned - earned.mean()) / earned.std()


def others_centred(x, pays, arm):  # the mean of the others
    earned = pays[arm]
    others = (earned.sum() - earned) / (N - 1)
    return -(by_logit(x, arm) * (earned - others)).mean()


def not_reset(pool):
    pool, running = np.array(pool), 0.0
    for t in reversed(range(len(pool))):
        running = running * 0.99 + pool[t]
        pool[t] = running
    return pool


def forwards(pool):
    return discounted(pool[::-1])[::-1]


def undiscounted_returns(pool):
    pool, running = np.array(pool), 0.0
    for t in reversed(range(len(pool))):
        running = running + pool[t] if pool[t] != 0 else 0.0
        pool[t] = running
    return pool


def only_centred(returns):
    return returns - np.mean(returns)


def by_variance(returns):
    return (returns - np.mean(returns)) / np.var(returns)


def sampled_without_gradient(mu, sd, z):
    return smooth_reward(z.detach())


def noise_not_scaled(mu, sd, z):
    return smooth_reward(mu + ((z - mu) / sd).detach())


def sample_attached(mu, sd, z):
    action = mu + sd * ((z - mu) / sd).detach()
    return torch.distributions.Normal(mu, sd).log_prob(action) * smooth_reward(z)


def gamma_everywhere(turns, early, late, fade):
    return fade * from_here(turns, early, late, fade)


problem = Problem(
    title="REINFORCE with a coin",
    claims=(
        score,
        score_of_logit,
        score_of_chance,
        sample,
        unbiased,
        stepped,
        surprise,
        listing,
        unwrapped,
        no_wrapper,
        drawn,
        spread,
        three_tenths,
        categorical,
        one_trial,
        two_trials,
        same_law,
        both_scores,
        steady,
        steady_score,
        steady_far,
        steady_far_value,
        steady_single,
        clamped,
        silent,
        clamped_double,
        silent_double,
        late_slope,
        early_value,
        weighed,
        renormalised,
        after_softmax,
        summed,
        thrice,
        entropic,
        entropic_two,
        entropy,
        there,
        first_step,
        first_mean_step,
        hidden,
        descended,
        shown,
        marked,
        all_ones,
        lost_zero,
        run_together,
        pooled,
        least,
        ones_pooled,
        ends_pooled,
        spreads,
        numpy_counted,
        torch_counted,
        tempered_step,
        undefined,
        undefined_alone,
        lost_for_good,
        tenths,
        shrunk,
        scaleless,
        *no_number,
        true_there,
        centred_there,
        scaled_there,
        hundredfold,
        cut,
        kept,
        still,
        same_value,
        scores_of_normal,
        laws,
        no_rsample,
        path,
        score_right,
        path_right,
        score_noise,
        path_noise,
        loud,
        quiet,
        through_jumps,
        stepping,
        reached,
        paid,
        blocked,
        not_there,
        accepted,
        refused,
        faded_right,
        whole_right,
        here,
        undiscounted,
        twice,
        slope_there,
        here_there,
        one_episode,
        unbiased_value,
        unbiased_advantage,
        to_go_there,
        value_there,
        advantage_there,
        harmless_less,
        bare,
        less_value,
        less_best,
    ),
    errata=(
        same_sign,
        sampled_exactly,
        ideal,
        value_is_best,
        confident,
        confident_single,
        binomial_law,
        plain_chance,
        any_reward,
        no_ends,
        formula,
        whole_too,
        only_scales,
        harmless,
        defined,
        one_deviation,
        no_factor,
        attached_too,
        any_reward_at_all,
    ),
    derivations=(why,),
    corners=(fifth.but(mu=half, sd=Rational(4, 5)),),
    points=6,
    mistakes=(
        Mistake("sign", {reinforce: sign_lost}, breaks=unbiased, source="A-099"),
        Mistake("logit taken for the chance", {policy: logit_as_chance}, breaks=score),
        Mistake("chance taken for the logit", {policy: chance_as_logit}, breaks=score),
        Mistake("sides swapped", {policy: sides_swapped}, breaks=score),
        Mistake("probability for its logarithm", {log_prob: density_for_its_logarithm}, breaks=unbiased),
        Mistake("the log-probability of 1, whatever was done", {log_prob: always_of_one}, breaks=unbiased),
        Mistake("the reward of 1, whatever was done", {reinforce: reward_of_one}, breaks=unbiased),
        Mistake("half of the log-probability", {by_chance: half_only}, breaks=score_of_chance, source="A-108"),
        Mistake("gradients zeroed before each pass", {accumulated: only_the_last}, breaks=summed, source="A-118"),
        Mistake("mean for sum", {accumulated: means_added}, breaks=summed, source="A-118"),
        Mistake("deviation with n - 1", {standard: deviation_of_the_sample}, breaks=scaleless, source="A-116"),
        Mistake("the mean of the others", {centred: others_centred}, breaks=shrunk, source="A-114"),
        Mistake("no reset at an end", {discounted: not_reset}, breaks=marked, source="A-112"),
        Mistake("discounted forwards", {discounted: forwards}, breaks=marked, source="A-112"),
        Mistake("not discounted", {discounted: undiscounted_returns}, breaks=marked, source="A-112"),
        Mistake("centred only", {standardised: only_centred}, breaks=pooled, source="A-114"),
        Mistake("variance for deviation", {standardised: by_variance}, breaks=pooled, source="A-117"),
        Mistake("sample() for rsample()", {by_path: sampled_without_gradient}, breaks=path_right, source="A-101"),
        Mistake("noise not scaled", {by_path: noise_not_scaled}, breaks=path_right),
        Mistake("sample attached in the log-probability", {by_score: sample_attached}, breaks=score_right, source="A-102"),
        Mistake("discounted from each step", {from_the_start: from_here}, breaks=faded_right, source="A-113"),
        Mistake("discounted once too often", {from_the_start: gamma_everywhere}, breaks=faded_right, source="A-113"),
        Mistake("gamma^t and the whole return", {whole: whole_and_faded}, breaks=whole_right, source="A-018"),
    ),
)
