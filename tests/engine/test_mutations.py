"""Fourteen known mistakes in and around the gradient penalty, and the property that rejects each.

Numbers 1 to 11 were found in public code, 12 to 14 in snippets that circulate in articles. Each
`test_mutation_*` yields one or more variants of the mistake, as `Method`s with one part replaced.
"rejected_by" is the property that must catch every variant, "also" are all others that catch one.
What the table says is itself tested, at the end: delete a property, or hollow it out, and
`test_the_table_is_exact` fails.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Callable, Iterator, Sequence

import numpy as np
import pytest
from penalty_properties import (CRITICS, LAYOUTS, PROPERTIES, Method, convolutional, critic_loss,
                                dense, slope_along)

from minigan import engine, losses, ops
from minigan.engine import Tensor, grad, op
from minigan.models import cgan
from minigan.models.wgan_gp import WGANGP
from minigan.nn import BatchNorm, Conv2d, Module, Tanh
from minigan.ops import mean, norm, sigmoid, sqrt, square, sum
from minigan.penalties import gradient_penalty

pytestmark = pytest.mark.rounding

RIGHT = Method()


@dataclass(frozen=True)
class Mutation:
    """One mistake: its variants, and what is claimed of them."""

    name: str
    build: Callable[[], Iterator[Method]]
    rejected_by: str
    also: frozenset[str]


MUTATIONS: dict[int, Mutation] = {}


def mutation(number: int, rejected_by: str, also: Sequence[str] = ()) -> Callable:
    """Register the mistake and turn it into the test that the property rejects every variant."""
    def register(build: Callable[[], Iterator[Method]]) -> Callable[[], None]:
        def test() -> None:
            variants = list(build())
            assert variants
            for method in variants:
                with pytest.raises(AssertionError):
                    PROPERTIES[rejected_by](method)

        MUTATIONS[number] = Mutation(build.__name__, build, rejected_by, frozenset(also))
        test.__name__, test.__doc__ = build.__name__, build.__doc__
        return test
    return register


@pytest.fixture(autouse=True)
def _private_ops():
    """Ops that a mutation defines leave the table of ops again."""
    before = dict(engine.OPS)
    yield
    engine.OPS.clear()
    engine.OPS.update(before)


LINEAR = "punish a linear critic by its slope"
ORDER = "not depend on the order of samples and pixels"
SIZE = "not depend on the size of the batch"
ADDITIVE = "be additive over samples"
NUMERIC = "have the gradient that differences find"
FINITE = "be finite where the critic is flat"
POINTS = "look between real and fake, a share a sample"
PRODUCTS = "make no matrix product that nobody needs"
LABELS = "let the label change what D says"
STEPS = "train one network at a time"


# ---------------------------------------------------------------- the right one, in three parts

def mixed(real, fake, rng, share=None):
    """x_hat, ready to be differentiated by; share: epsilon, by default one a sample."""
    if share is None:
        share = rng.uniform((len(real),) + (1,) * (real.ndim - 1), dtype=real.dtype)
    return Tensor(share * real.data + (1 - share) * fake.data, requires_grad=True)


def slopes(critic, at, create_graph=True):
    """The gradient at each sample."""
    return grad(sum(critic(at)), at, create_graph=create_graph)


def lengths(gradients, safe=norm):
    """The norm of each sample's gradient, over all axes but the first."""
    return safe(gradients, axis=tuple(range(1, gradients.ndim)))


def test_the_three_parts_make_minigans_penalty():
    def penalty(critic, real, fake, rng):
        return mean(square(lengths(slopes(critic, mixed(real, fake, rng))) - 1))

    for accepts in PROPERTIES.values():
        accepts(replace(RIGHT, penalty=penalty))


# ---------------------------------------------------------------- eleven from public code

@mutation(1, rejected_by=ORDER, also=[LINEAR])
def test_mutation_norm_over_one_axis():
    """Over axis 1, as for flat data, or over the channels: a norm for every line or pixel."""
    for axis in (1, -1):
        def penalty(critic, real, fake, rng, axis=axis):
            return mean(square(norm(slopes(critic, mixed(real, fake, rng)), axis=axis) - 1))
        yield replace(RIGHT, penalty=penalty)


@mutation(2, rejected_by=LINEAR, also=[SIZE, ADDITIVE])
def test_mutation_norm_over_the_batch():
    """One norm for all samples, of the gradient of the sum or of the mean."""
    for fold in (sum, mean):
        def penalty(critic, real, fake, rng, fold=fold):
            at = mixed(real, fake, rng)
            return square(norm(grad(fold(critic(at)), at, create_graph=True)) - 1)
        yield replace(RIGHT, penalty=penalty)


@mutation(3, rejected_by=POINTS)
def test_mutation_shared_epsilon():
    """One for the batch, one for each pixel, or a normal one, which leaves the segment."""
    def one_a_batch(real, rng):
        return rng.uniform((1,) * real.ndim, dtype=real.dtype)

    def one_a_pixel(real, rng):
        return rng.uniform(real.shape, dtype=real.dtype)

    def normal(real, rng):
        return rng.normal((len(real),) + (1,) * (real.ndim - 1), dtype=real.dtype)

    for draw in (one_a_batch, one_a_pixel, normal):
        def penalty(critic, real, fake, rng, draw=draw):
            at = mixed(real, fake, rng, draw(real, rng))
            return mean(square(lengths(slopes(critic, at)) - 1))
        yield replace(RIGHT, penalty=penalty)


@mutation(4, rejected_by=ADDITIVE)
def test_mutation_batch_norm():
    """In the critic: the gradient at one sample then depends on the others.

    `gradient_penalty` refuses minigan's own BatchNorm; this one is written by hand, without flag.
    """
    class ByHand(BatchNorm):
        mixes_batch = False

    yield replace(RIGHT, critics={"batch norm": (lambda: convolutional(ByHand(3), Tanh()),
                                                 LAYOUTS["NHWC"])})


@mutation(5, rejected_by=NUMERIC, also=[LINEAR])
def test_mutation_detached():
    """The value is right and is added to the loss, but nothing is differentiated through it."""
    def no_graph(critic, real, fake, rng):
        return mean(square(lengths(slopes(critic, mixed(real, fake, rng), False)) - 1))

    def detached(critic, real, fake, rng):
        return gradient_penalty(critic, real, fake, rng).detach()

    for penalty in (no_graph, detached):
        yield replace(RIGHT, penalty=penalty)


@mutation(6, rejected_by=NUMERIC)
def test_mutation_second_derivative():
    """An op whose rule is right but uses plain arrays: constants when it is differentiated."""
    @op(lambda gy, y, x: gy * Tensor(1 - y.data ** 2))
    def raw_tanh(xp, x):
        return xp.tanh(x)

    @op(lambda gy, y, x, w: ops.conv_transpose2d(gy, Tensor(w.data), 2, 1, 1),
        lambda gy, y, x, w: ops.conv2d_weight(x, gy, w.shape[:2], 2, 1))
    def raw_conv2d(xp, x, w):
        return ops.conv2d(Tensor(x), Tensor(w), 2, 1).data

    class RawTanh(Module):
        def forward(self, x):
            return raw_tanh(x)

    class RawConv(Conv2d):
        def forward(self, x):
            return raw_conv2d(x, self.weight) + self.bias if self.stride == 2 else (
                super().forward(x))

    yield replace(RIGHT, critics={"tanh": (lambda: dense((6,), RawTanh), (6,))})
    yield replace(RIGHT, critics={"conv": (lambda: convolutional(Tanh(), conv=RawConv),
                                           LAYOUTS["NHWC"])})


@mutation(7, rejected_by=FINITE)
def test_mutation_root_of_zero():
    """The derivative of a plain square root is infinite at 0, and 0 times infinity is NaN."""
    def plain(x, axis):
        return sqrt(sum(square(x), axis))

    def penalty(critic, real, fake, rng):
        return mean(square(lengths(slopes(critic, mixed(real, fake, rng)), plain) - 1))

    yield replace(RIGHT, penalty=penalty)


@mutation(8, rejected_by=POINTS)
def test_mutation_real_samples_only():
    """Between real and generated ones, where G will go next, the critic is left free."""
    def penalty(critic, real, fake, rng):
        return mean(square(lengths(slopes(critic, mixed(real, real, rng))) - 1))

    yield replace(RIGHT, penalty=penalty)


@mutation(9, rejected_by=LINEAR, also=[SIZE, ADDITIVE, PRODUCTS])
def test_mutation_wrong_gradient():
    """With respect to the parameters, or of the sigmoid of what the critic says."""
    def of_parameters(critic, real, fake, rng):
        gradients = grad(sum(critic(mixed(real, fake, rng))), critic.parameters(),
                         create_graph=True)
        return square(sqrt(sum(ops.stack([sum(square(g)) for g in gradients]))) - 1)

    def of_the_sigmoid(critic, real, fake, rng):
        at = mixed(real, fake, rng)
        return mean(square(lengths(slopes(lambda x: sigmoid(critic(x)), at)) - 1))

    for penalty in (of_parameters, of_the_sigmoid):
        yield replace(RIGHT, penalty=penalty)


@mutation(10, rejected_by=SIZE, also=[LINEAR])
def test_mutation_sum_for_mean():
    """lambda then means something else for every size of the batch."""
    def penalty(critic, real, fake, rng):
        return sum(square(lengths(slopes(critic, mixed(real, fake, rng))) - 1))

    yield replace(RIGHT, penalty=penalty)


@mutation(11, rejected_by=PRODUCTS)
def test_mutation_wasted_gradients():
    """The inner pass computes the weights' gradients too, and throws them away."""
    def penalty(critic, real, fake, rng):
        at = mixed(real, fake, rng)
        gradients, *_ = grad(sum(critic(at)), [at, *critic.parameters()], create_graph=True)
        return mean(square(lengths(gradients) - 1))

    yield replace(RIGHT, penalty=penalty)


# ---------------------------------------------------------------- three from articles

@mutation(12, rejected_by=LINEAR)
def test_mutation_mean_of_squares():
    """Over all entries, no root, no target: every slope is pulled to 0, weakly on large images."""
    def penalty(critic, real, fake, rng):
        return mean(square(slopes(critic, mixed(real, fake, rng))))

    yield replace(RIGHT, penalty=penalty)


@mutation(13, rejected_by=LABELS)
def test_mutation_blind_discriminator():
    """It is given the label and ignores it; nothing complains, and G learns to do the same."""
    class Blind(Module):
        def __init__(self, network):
            self.network = network

        def forward(self, x, labels):
            return self.network(x, Tensor(labels.data * 0))

    def build(*arguments):
        generator, discriminator = cgan.conv(*arguments)
        return generator, Blind(discriminator)

    yield replace(RIGHT, networks={"conv": build})


@mutation(14, rejected_by=STEPS)
def test_mutation_both_updated():
    """One gradient for all weights of both networks: G's step makes D worse at its work."""
    class Together(WGANGP):
        def generator_step(self, n):
            of_g, of_d = self.generator.parameters(), self.discriminator.parameters()
            loss = losses.wasserstein_generator(self.discriminator(self.generator(self.latent(n))))
            gradients = grad(loss, of_g + of_d)
            self.g_optimizer.step(gradients[:len(of_g)])
            self.c_optimizer.step(gradients[len(of_g):])

    yield replace(RIGHT, model=Together)


# ---------------------------------------------------------------- minigan is accepted

@pytest.mark.parametrize("name", PROPERTIES)
def test_minigan_has_the_property(name):
    PROPERTIES[name](RIGHT)


@pytest.mark.parametrize("name", CRITICS)
def test_the_gradient_is_right_for_every_single_weight(name):
    """The property looks along one direction of each weight matrix; here every entry is moved."""
    critic, loss = critic_loss(RIGHT, name)
    parameters = critic.parameters()
    gradients = grad(loss(), parameters, unreached="zeros")
    for p, g in zip(parameters, gradients):
        one_by_one = [slope_along(loss, p, unit.reshape(p.shape)) for unit in np.eye(p.size)]
        np.testing.assert_allclose(g.numpy().ravel(), one_by_one, rtol=1e-6, atol=1e-7)


# ---------------------------------------------------------------- the table is tested

def rejects(name, method):
    """Whether a property fails; an error of another kind is not a rejection and goes on."""
    try:
        PROPERTIES[name](method)
    except AssertionError:
        return True
    return False


@cache
def found():
    """For each mutation and each variant of it, the names of the properties that reject it."""
    return {number: [frozenset(name for name in PROPERTIES if rejects(name, method))
                     for method in m.build()] for number, m in MUTATIONS.items()}


def complaints(rejections):
    """(mutation, what is not as the table says); `rejections` has the form of `found()`."""
    wrong = []
    for number, m in MUTATIONS.items():
        for variant, names in enumerate(rejections[number], 1):
            if m.rejected_by not in names:
                wrong.append((m.name, f"variant {variant} passes: {m.rejected_by!r} is missing or "
                                      f"too weak"))
        others = frozenset().union(*rejections[number]) - {m.rejected_by}
        wrong += [(m.name, f"{name!r} rejects it too, unsaid") for name in others - m.also]
        wrong += [(m.name, f"{name!r} should reject it too") for name in m.also - others]
    return wrong


def test_there_are_fourteen_mutations_each_with_a_test_of_its_name():
    assert sorted(MUTATIONS) == list(range(1, 15))
    tests = {name for name in globals() if name.startswith("test_mutation_")}
    assert tests == {m.name for m in MUTATIONS.values()} and len(tests) == 14


def test_the_table_is_exact():
    """Every mutation is rejected by the properties of the table and by no others."""
    assert complaints(found()) == []


def test_every_property_is_the_one_that_has_to_catch_something():
    assert {m.rejected_by for m in MUTATIONS.values()} == set(PROPERTIES)


@pytest.mark.parametrize("name", PROPERTIES)
def test_deleting_a_property_would_be_noticed(name):
    """Without the rejections of one property, the check of the table names all that it caught."""
    without = {number: [names - {name} for names in variants]
               for number, variants in found().items()}
    caught = {m.name for m in MUTATIONS.values() if name in {m.rejected_by, *m.also}}
    news = set(complaints(without)) - set(complaints(found()))
    assert caught and {mutation for mutation, _ in news} == caught
