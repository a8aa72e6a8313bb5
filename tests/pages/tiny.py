"""Two logits.

A softmax over two actions, small enough that every number can be worked out by hand.
"""

from gradcheck_rl import (
    Categorical, Claim, Derivation, Draw, E, Equal, Erratum, Gradient, LogRational, Mean, Mistake, Parameter, Point, Problem, Size,
    Uniform, Variable, array, torch,
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


# With equal logits the gradient is (r_0 - r_1)/4 and its negative; no exact number stands for K = 3.
unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="T-001, T-002")
quarter = Claim(
    "Equal logits, rewards 1 and 0: a quarter.", Equal(Gradient(J), array(*([1, -1] + [0] * K)[:K]) / 4),
    at=Point(theta=0, reward=tuple(([1, 0] + [0] * K)[:K])), source="T-003",
) if K == 2 else unbiased
halved = Erratum("The gradient is half of it.", Equal(Mean(Gradient(reinforce)), Gradient(J) / 2), instead=unbiased, source="T-004")
square = Derivation("A square", (theta[0] + 1) ** 2, ((theta[0] ** 2 + 2 * theta[0] + 1, "expand"),))


def not_normalised(theta):
    return theta


unnormalised = Mistake("logits for log-probabilities", {log_pi: not_normalised}, breaks=unbiased)

problem = Problem(
    title="Two logits", claims=(unbiased, quarter) if K == 2 else (unbiased,), errata=(halved,), derivations=(square,),
    mistakes=(unnormalised,),
)
