"""Two logits.

A softmax over two actions, small enough that every number can be worked out by hand.
"""

from gradcheck_rl import (
    Categorical,
    Claim,
    Derivation,
    Draw,
    E,
    Equal,
    Erratum,
    Gradient,
    LogRational,
    Mean,
    Mistake,
    Parameter,
    Point,
    Problem,
    Size,
    Uniform,
    Value,
    Variable,
    softmax,
)

K = Size("K", 2, also=(3,))
theta = Parameter("theta", K, over=LogRational())
reward = Variable("reward", K, over=Uniform(-1, 1))
action = Draw("action", Categorical(logits=theta))
J = E(reward[action])


def log_pi(theta):
    return theta.log_softmax(-1)


def reinforce(theta, reward, action, log_pi=log_pi):
    return log_pi(theta)[action] * reward[action]


unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="T-001, T-002")
uniform = Claim("Equal logits make equal chances.", Equal(Value(softmax(theta)) * K, 1), at=Point(theta=0), source="T-003")
halved = Erratum("It is half of it.", Equal(Mean(Gradient(reinforce)), Gradient(J) / 2), instead=unbiased, source="T-004")
square = Derivation("A square", (theta[0] + 1) ** 2, ((theta[0] ** 2 + 2 * theta[0] + 1, "expand"),))


def not_normalised(theta):
    return theta


unnormalised = Mistake("logits for log-probabilities", {log_pi: not_normalised}, breaks=unbiased)

problem = Problem(
    title="Two logits",
    claims=(unbiased, uniform),
    errata=(halved,),
    derivations=(square,),
    mistakes=(unnormalised,),
)
