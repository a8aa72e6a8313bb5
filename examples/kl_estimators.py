"""Which estimate of the KL may be put into a loss?

Fine-tuning keeps a policy near a reference by a penalty, beta times their KL. Of one drawn token, whose log-probabilities are a
gap apart, three estimates are in use (Schulman, "Approximating KL divergence", 2020): k1 = gap, k2 = gap^2 / 2 and k3 =
exp(-gap) - 1 + gap. Which is right depends on what is used of it: in a reward the value, in a loss the slope. k1 and k3 have the
right value, and k2 alone has the right slope. That of k1 is zero in the mean. That of k3, which is never negative, belongs to the
other KL, from the reference to the policy.
"""

from gradcheck_rl import (
    AtMost,
    Categorical,
    Claim,
    Draw,
    E,
    Equal,
    Erratum,
    Gradient,
    LogRational,
    Mean,
    Mistake,
    Named,
    Parameter,
    Problem,
    Size,
    Uniform,
    Value,
    Variable,
    exp,
    log_softmax,
    softmax,
)

K = Size("K", 3, also=(2, 4))
theta = Parameter("theta", K, over=LogRational())
ref, old = Variable("ref", K, over=LogRational()), Variable("old", K, over=LogRational())
reward = Variable("reward", K, over=Uniform(-1, 1))
beta = Variable("beta", over=Uniform(0.1, 1))

pi, pi_ref = Named("pi", softmax(theta)), Named("pi_ref", softmax(ref))
gap = Named("gap", log_softmax(theta) - log_softmax(ref))
KL, other_KL = (pi * gap).sum(), -(pi_ref * gap).sum()
token = Draw("token", Categorical(logits=theta))
stale = Draw("stale", Categorical(logits=old))  # by the policy of some steps ago
J = E(reward[token]) - beta * KL


# ---- what is written in code ----------------------------------------------------------------------------------------------


def log_ratio(theta, ref, token):
    return (theta.log_softmax(-1) - ref.log_softmax(-1))[token]


def k1(theta, ref, token, log_ratio=log_ratio):
    return log_ratio(theta, ref, token)


def k2(theta, ref, token, log_ratio=log_ratio):
    return log_ratio(theta, ref, token) ** 2 / 2


def k3(theta, ref, token, log_ratio=log_ratio):
    apart = log_ratio(theta, ref, token)
    return (-apart).exp() - 1 + apart


def penalised(theta, ref, reward, beta, token, k=k1):
    return theta.log_softmax(-1)[token] * (reward[token] - beta * k(theta, ref, token)).detach()


def penalised_k3(theta, ref, reward, beta, token):
    return penalised(theta, ref, reward, beta, token, k=k3)


def stale_k2(theta, ref, stale):
    return k2(theta, ref, stale)


def weighted_k2(theta, ref, old, stale):
    return log_ratio(theta, old, stale).exp().detach() * k2(theta, ref, stale)


def weighted_k3(theta, ref, old, stale):
    return log_ratio(theta, old, stale).exp() * k3(theta, ref, stale)


# ---- the value, as in a reward --------------------------------------------------------------------------------------------

value_1 = Claim("The mean of k1 is the KL.", Equal(Mean(Value(k1)), KL))
value_3 = Claim("The mean of k3 is the KL too.", Equal(Mean(Value(k3)), KL))
positive = Claim("k3 is never negative.", AtMost(0, Value(k3)))
value_2 = Claim("The mean of k2 is half the mean square of the gap.", Equal(Mean(Value(k2)), (pi * gap**2).sum() / 2))
also_2 = Erratum("The mean of k2 is the KL.", Equal(Mean(Value(k2)), KL), instead=value_2)

in_reward = Claim(
    "Taken off the reward, k1 gives the penalised objective's gradient.", Equal(Mean(Gradient(penalised)), Gradient(J))
)
off_by = Claim("k3 is off there by beta (pi - pi_ref).", Equal(Mean(Gradient(penalised_k3)), Gradient(J) + beta * (pi - pi_ref)))
also_3 = Erratum(
    "Taken off the reward, k3 does so too: it has the same mean.",
    Equal(Mean(Gradient(penalised_k3)), Gradient(J)),
    instead=off_by,
)

# ---- the slope, as in a loss ----------------------------------------------------------------------------------------------

slope = Claim("The slope of the KL is pi (gap - KL).", Equal(Gradient(KL), pi * (gap - KL)))
other_slope = Claim("That of the other KL is pi - pi_ref.", Equal(Gradient(other_KL), pi - pi_ref))
score = Gradient(gap[token], theta)
scored_1 = Claim("The slope of k1 is the score of the token.", Equal(Gradient(k1), score))
slope_1 = Claim("The mean slope of k1 is zero.", Equal(Mean(Gradient(k1)), 0))
slope_2 = Claim("The mean slope of k2 is that of the KL.", Equal(Mean(Gradient(k2)), Gradient(KL)))
scored_3 = Claim("The slope of k3 is (1 - exp(-gap)) times the score.", Equal(Gradient(k3), (1 - exp(-gap[token])) * score))
slope_3 = Claim("The mean slope of k3 is that of the other KL.", Equal(Mean(Gradient(k3)), Gradient(other_KL)))
unbiased = Erratum(
    "k3 is unbiased, and may be minimised.",
    Equal(Mean(Gradient(k3)), Gradient(KL)),
    source="DeepSeekMath, eq. 4",
    instead=slope_3,
)
lowered = Erratum("Minimising k1 lowers the KL.", Equal(Mean(Gradient(k1)), Gradient(KL)), instead=slope_1)

# ---- tokens of an older policy --------------------------------------------------------------------------------------------

on_policy = Claim(
    "Drawn by the policy itself, a token needs no weight.", Equal(Mean(Gradient(stale_k2)), Gradient(KL)), where=Equal(old, theta)
)
off_policy = Claim("Of a token of an older policy k2 needs the ratio, held.", Equal(Mean(Gradient(weighted_k2)), Gradient(KL)))
through = Claim("With its slope through the ratio too, k3 is right.", Equal(Mean(Gradient(weighted_k3)), Gradient(KL)))
unweighted = Erratum("An older token needs no weight.", Equal(Mean(Gradient(stale_k2)), Gradient(KL)), instead=off_policy)


# ---- mistakes -------------------------------------------------------------------------------------------------------------


def turned(theta, ref, token):
    return -log_ratio(theta, ref, token)


def not_halved(theta, ref, token):
    return log_ratio(theta, ref, token) ** 2


def other_side(theta, ref, token):
    apart = log_ratio(theta, ref, token)
    return apart.exp() - 1 - apart


def attached(theta, ref, reward, beta, token):
    return theta.log_softmax(-1)[token] * (reward[token] - beta * k1(theta, ref, token))


def held(theta, ref, old, stale):
    return log_ratio(theta, old, stale).exp().detach() * k3(theta, ref, stale)


problem = Problem(
    title="Estimates of the KL",
    claims=(
        value_1,
        value_3,
        positive,
        value_2,
        in_reward,
        off_by,
        slope,
        other_slope,
        scored_1,
        slope_1,
        slope_2,
        scored_3,
        slope_3,
        on_policy,
        off_policy,
        through,
    ),
    errata=(also_2, also_3, unbiased, lowered, unweighted),
    mistakes=(
        Mistake("the gap turned round", {log_ratio: turned}, breaks=value_1),
        Mistake("the square not halved", {k2: not_halved}, breaks=slope_2),
        Mistake("exp of the gap, not of minus the gap", {k3: other_side}, breaks=value_3),
        Mistake("the penalty not detached", {penalised: attached}, breaks=in_reward),
        Mistake("the ratio held", {weighted_k3: held}, breaks=through),
    ),
)
