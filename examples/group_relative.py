"""What does a group-relative advantage climb?

For one prompt a group of answers is drawn, and each is reinforced by its reward less the mean of the group. GRPO divides that by
the group's standard deviation, and each answer's share by its length (Shao et al., "DeepSeekMath", 2024). What is left of the
gradient of the expected reward? The mean only shortens it: an answer is in its own baseline. Less the mean of the others it is
exact (Kool et al., "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019). The deviation gives each prompt a weight, by the
chance that an answer is right: one number for two or three answers, larger for hard and easy prompts from four on. The length
leaves another direction altogether (Liu et al., "Understanding R1-Zero-Like Training", 2025).
"""

from sympy import Rational

from gradcheck_rl import (
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Erratum,
    Gradient,
    Integers,
    LogRational,
    Masks,
    Mean,
    Mistake,
    Named,
    Parameter,
    Problem,
    Size,
    Uniform,
    Variable,
    batch,
    softmax,
    sqrt,
)

K = Size("K", 3, also=(2, 4))
theta = Parameter("theta", K, over=LogRational())
reward = Variable("reward", K, over=Uniform(-1, 1))
right = Variable("right", K, over=Masks())  # a reward of 1 or 0
length = Variable("length", K, over=Integers(1, 5))

pi = Named("pi", softmax(theta))
answer = Draw("answer", Categorical(logits=theta))
J = E(reward[answer])
p = Named("p", (pi * right).sum())


# ---- what is written in code ----------------------------------------------------------------------------------------------


def less_the_mean(gains):
    return gains - gains.mean()


def less_the_others(gains):
    return gains - (gains.sum() - gains) / (len(gains) - 1)


def by_the_deviation(gains):
    return less_the_mean(gains) / gains.std(correction=0).clamp(min=1e-9)  # a group of equal gains says nothing


def of_the_group(theta, reward, answer, advantage=less_the_mean):
    return (theta.log_softmax(-1)[answer] * advantage(reward[answer])).mean()


def of_the_others(theta, reward, answer, advantage=less_the_others):
    return of_the_group(theta, reward, answer, advantage)


def of_the_logits(theta, reward, answer, advantage=less_the_mean):
    return (theta[answer] * advantage(reward[answer])).mean()


def normalised(theta, right, answer, advantage=by_the_deviation):
    return of_the_group(theta, right, answer, advantage)


def per_token(theta, reward, length, answer, advantage=less_the_others):
    return (theta.log_softmax(-1)[answer] * advantage(reward[answer]) / length[answer]).mean()


# ---- the mean -------------------------------------------------------------------------------------------------------------

G = 4
group = batch(answer, G)
shortened = Claim(
    "Less the mean of a group of 4 the gradient is 3/4 of what it should be.",
    Equal(Mean(Gradient(of_the_group), over=group), Rational(G - 1, G) * Gradient(J)),
)
baseline = Erratum(
    "The mean of the group is a baseline, which leaves the gradient as it is.",
    Equal(Mean(Gradient(of_the_group), over=group), Gradient(J)),
    instead=shortened,
)
unbiased = Claim("Less the mean of the others it is exact.", Equal(Mean(Gradient(of_the_others), over=group), Gradient(J)))
bare = Claim(
    "The logits do as well as the log-probabilities: advantages that sum to 0 cancel the normaliser.",
    Equal(Mean(Gradient(of_the_logits), over=group), Rational(G - 1, G) * Gradient(J)),
)

# ---- the deviation --------------------------------------------------------------------------------------------------------

two, three = (
    Claim(
        f"Divided by the deviation of {word} answers it is {times} that of the chance to be right, for every prompt.",
        Equal(Mean(Gradient(normalised), over=batch(answer, n)), weight * Gradient(p)),
    )
    for n, word, times, weight in ((2, "two", "just", 1), (3, "three", "sqrt(2) times", sqrt(2)))
)
four = Claim(
    "Of four it is sqrt(3) - (2 sqrt(3) - 3) p (1 - p) times that: less where every second answer is right.",
    Equal(Mean(Gradient(normalised), over=group), (sqrt(3) - (2 * sqrt(3) - 3) * p * (1 - p)) * Gradient(p)),
)
scaled = Erratum(
    "To divide by the deviation scales the gradient of every prompt alike.",
    Equal(Mean(Gradient(normalised), over=group), sqrt(3) * Gradient(p)),
    instead=four,
)

# ---- the length -----------------------------------------------------------------------------------------------------------

rewards, tokens = E(reward[answer] / length[answer]), E(1 / length[answer])
lengths = Claim(
    "Divided by its length, an answer climbs the reward per token, less J times the mean of 1 / length.",
    Equal(
        Mean(Gradient(per_token), over=group), Gradient(E(reward[answer] / length[answer])) - J * Gradient(E(1 / length[answer]))
    ),
)
rate = Erratum(
    "Divided by its length, an answer climbs the reward per token.",
    Equal(Mean(Gradient(per_token), over=group), Gradient(rewards)),
    instead=lengths,
)


# ---- mistakes -------------------------------------------------------------------------------------------------------------


def summed(theta, reward, answer, advantage=less_the_mean):
    return (theta.log_softmax(-1)[answer] * advantage(reward[answer])).sum()


def counted_twice(gains):
    return gains - gains.sum() / (len(gains) - 1)


def of_a_sample(gains):
    return less_the_mean(gains) / gains.std().clamp(min=1e-9)


def unguarded(gains):
    return less_the_mean(gains) / gains.std(correction=0)


def by_the_mean_length(theta, reward, length, answer, advantage=less_the_others):
    return (theta.log_softmax(-1)[answer] * advantage(reward[answer])).mean() / length[answer].mean()


problem = Problem(
    title="Group-relative advantages",
    claims=(shortened, unbiased, bare, two, three, four, lengths),
    errata=(baseline, scaled, rate),
    mistakes=(
        Mistake("the sum of the group, not its mean", {of_the_group: summed}, breaks=shortened),
        Mistake("the answer itself among the others", {less_the_others: counted_twice}, breaks=unbiased),
        Mistake("the deviation of a sample, which is larger", {by_the_deviation: of_a_sample}, breaks=three),
        Mistake("0 / 0 where all rewards are equal", {by_the_deviation: unguarded}, breaks=two),
        Mistake("divided by the mean length of the group", {per_token: by_the_mean_length}, breaks=lengths),
    ),
)
