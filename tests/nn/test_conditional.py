"""Networks that are told a label: what each of the three ways computes, and that it is used."""
from __future__ import annotations

import numpy as np
import pytest
from model_tools import PRESETS, batch, small

import minigan as mg
from minigan import losses, nn, ops
from minigan.gradcheck import check_grads
from minigan.nn.conditional import join, one_hot
from minigan.optim import Adam

pytestmark = pytest.mark.rounding

Y = np.array([2, 0, 2, 1])


def numbers(*shape, seed=0):
    return np.random.Generator(np.random.Philox(seed)).standard_normal(shape)


def stream(seed=0):
    return mg.Stream(seed, "init")


# The label beside the input.

def test_labels_become_features_of_vectors_and_constant_maps_of_images():
    y = one_hot(mg.tensor(Y), 3, "float64")
    assert y.dtype == "float64" and np.array_equal(y.data, np.eye(3)[Y])
    x = numbers(4, 5)
    assert np.array_equal(join(mg.tensor(x), y).data, np.hstack([x, np.eye(3)[Y]]))
    images = numbers(4, 2, 3, 1)
    joined = join(mg.tensor(images), y).data
    assert joined.shape == (4, 2, 3, 4) and np.array_equal(joined[..., :1], images)
    assert (joined[..., 1:] == np.eye(3)[Y][:, None, None]).all()


def test_stages_and_branches_compute_what_they_say():
    first, second = (nn.Dense(n, m, rng=stream(n)).astype("float64") for n, m in ((8, 4), (7, 2)))
    x, y = numbers(4, 5), np.eye(3)[Y]
    h = np.hstack([x, y]) @ first.weight.data
    due = np.hstack([h, y]) @ second.weight.data
    found = nn.Joined(3, first, second)(mg.tensor(x), mg.tensor(Y))
    np.testing.assert_allclose(found.data, due, rtol=1e-12)
    of_x, of_y, joint = (nn.Dense(n, m, rng=stream(n)).astype("float64")
                         for n, m in ((5, 2), (3, 4), (6, 1)))
    due = np.hstack([x @ of_x.weight.data, y @ of_y.weight.data]) @ joint.weight.data
    found = nn.Branches(3, of_x, of_y, joint)(mg.tensor(x), mg.tensor(Y))
    np.testing.assert_allclose(found.data, due, rtol=1e-12)


# The label at the end.

def critic(size=6, hidden=5):
    return nn.Sequential(nn.Dense(size, hidden, rng=stream(1)), nn.Tanh(),
                         nn.Dense(hidden, 1, rng=stream(2)))


def test_a_projection_is_the_papers_formula():
    network = critic()
    D = nn.Projection(network, 3, rng=stream(3)).astype("float64")
    inner, outer = network.layers[0], network.layers[2]
    V = D.classes.weight.data
    assert V.shape == (3, 5) and np.abs(V).max() <= np.sqrt(6 / (3 + 5)) and V.std() > 0.2
    x = numbers(4, 6)
    due = []
    for sample, label in zip(x, Y):
        h = np.tanh(sample @ inner.weight.data + inner.bias.data)
        due.append([(h @ outer.weight.data).item() + outer.bias.data.item() + V[label] @ h])
    np.testing.assert_allclose(D(mg.tensor(x), mg.tensor(Y)).data, due, rtol=1e-12)
    D.classes.weight.assign(np.zeros_like(V))  # a V that knows nothing leaves the network as it was
    np.testing.assert_array_equal(D(mg.tensor(x), mg.tensor(Y)).data, network(mg.tensor(x)).data)


def test_a_projections_derivatives():
    """Of the output and of its gradient, with respect to images, V and all other weights."""
    D = nn.Projection(critic(), 3, rng=stream(3)).astype("float64")
    places = [(module, name) for _, module in D.named_modules() for name, value
              in vars(module).items() if isinstance(value, nn.Parameter)]
    starts = [getattr(module, name) for module, name in places]

    def f(x, *values):
        for (module, name), value in zip(places, values):
            setattr(module, name, value)
        return D(x, mg.tensor(Y))

    checks = check_grads(f, [mg.tensor(numbers(4, 6)), *(mg.tensor(p.data) for p in starts)])
    assert len(starts) == 5 and {check.order for check in checks} == {1, 2}


PLAIN = [row for row in PRESETS if row[0] not in ("cgan", "pix2pix")]


@pytest.mark.parametrize("name, preset", PLAIN, ids=[":".join(row) for row in PLAIN])
def test_every_discriminator_can_be_told_a_label(name, preset):
    model = small(name, preset)
    before = nn.count_parameters(model.discriminator)
    model.discriminator.eval()  # no dropout, no statistics of the batch
    x, labels = batch(model, 4)
    plain = model.discriminator(x).data
    D = nn.Projection(model.discriminator, 10, rng=stream())
    size = D.psi.weight.shape[0]
    assert nn.count_parameters(D) == before + 10 * size
    D.classes.weight.assign(np.eye(10, size, dtype="float32"))
    h = D.phi(x).data
    due = plain[:, 0] + [row[label] if label < size else 0 for row, label in zip(h, labels.data)]
    np.testing.assert_allclose(D(x, labels).data[:, 0], due, rtol=1e-4, atol=1e-6)
    gradient = mg.grad(losses.discriminator(D(x, labels), D(x, labels)), D.classes.weight).data
    seen = np.isin(np.arange(10), labels.data)
    assert (gradient[~seen] == 0).all() and np.abs(gradient[seen]).max() > 0


@pytest.mark.parametrize("told", [True, False])
def test_a_projection_learns_which_label_belongs_to_what(told):
    """Real: x with its own label; fake: x with another one. Without V there is nothing to see."""
    random = np.random.Generator(np.random.Philox(0))
    centres = 2 * random.standard_normal((4, 6))
    D = nn.Projection(critic(hidden=16), 4, rng=stream(3))
    if not told:
        D.classes.weight = mg.tensor(np.zeros((4, 16), "float32"))
    optimizer, values = Adam(D.parameters(), 1e-2), []
    for _ in range(150):
        labels = random.integers(0, 4, 64)
        x = mg.tensor((centres[labels] + random.standard_normal((64, 6))).astype("float32"))
        wrong = (labels + random.integers(1, 4, 64)) % 4
        loss = losses.discriminator(D(x, mg.tensor(labels)), D(x, mg.tensor(wrong)))
        optimizer.step(mg.grad(loss, D.parameters()))
        values.append(loss.item())
    last = np.mean(values[-10:])
    assert last < 0.5 if told else last > 1.35  # 2 log 2 = 1.39 is knowing nothing


def test_what_cannot_be_projected():
    for network in (nn.Sequential(nn.Dense(3, 1), nn.Tanh()), nn.Sequential(nn.Dense(3, 2)),
                    small("pix2pix", "edges").discriminator.layers):
        with pytest.raises(ValueError, match="Projection: network must end in a Dense layer with "
                                             "one output, not in "):
            nn.Projection(network, 10)
    D = nn.Projection(critic(), 3)
    x = mg.tensor(numbers(4, 6).astype("float32"))
    with pytest.raises(ValueError, match=r"give vectors of \(4, 5\) and \(1, 5\)"):
        D(x, mg.tensor(np.zeros(1, int)))  # would be broadcast
    with pytest.raises(ValueError, match="must be from 0 to 2, got 0 to 3"):
        D(x, mg.tensor(np.arange(4)))
    assert ops.sum(D(x, mg.tensor(Y))).shape == ()
