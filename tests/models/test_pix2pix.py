"""pix2pix beyond the checks of every model in test_models.py: conditions, skips, losses, pictures.

This file goes when models/pix2pix.py goes.
"""
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from model_tools import batch, build, in_float64, no_samples, train
from stand_in import counted

import minigan as mg
from minigan import data, plot
from minigan.backend import default
from minigan.cli import main
from minigan.models.pix2pix import Pix2Pix, edges, halves
from minigan.runs.pictures import Pictures
from minigan.training import Trainer, load

SHAPE = (8, 12, 1)


def small(preset="edges", shape=SHAPE, seed=0, width=4, **settings):
    return Pix2Pix(preset, shape, seed, width=width, **settings)


def picture(text):
    """(1, H, W, 1): # is 1, + is 0.5, - is -0.5, everything else -1."""
    values = [[{"#": 1.0, "+": 0.5, "-": -0.5}.get(sign, -1.0) for sign in row]
              for row in text.split()]
    return np.array(values, "float32")[None, :, :, None]


@pytest.fixture
def few(tmp_path, monkeypatch):
    """48 digits, 8x12 pixels each, and a folder of their own to train in."""
    monkeypatch.chdir(tmp_path)
    whole = data.load("digits").images[::105, 2:26:3, 2:26:2]
    return data.Images(np.ascontiguousarray(whole), None, "few digits")


# Conditions.

def test_edges_of_a_picture_made_by_hand():
    x = picture("""........
                   ..##+...
                   ..#-#...
                   ..###...
                   ........
                   #.......
                   .......#
                   ........""")
    due = picture("""..###...
                     .#...#..
                     .#.#.#..
                     .#...#..
                     #.###...
                     .#.....#
                     #.....#.
                     .......#""")
    found = edges(mg.tensor(x))
    assert found.shape == x.shape and found.dtype == np.float32 and not found.requires_grad
    assert np.array_equal(found.data, due)
    assert np.array_equal(edges(mg.tensor(x.astype("float64"))).data, due)


def test_edges_know_the_rim_and_other_images():
    flat = np.ones((2, 4, 8, 1), "float32")
    assert (edges(mg.tensor(flat)).data == -1).all()  # all bright: what is outside is no edge
    assert (edges(mg.tensor(-flat)).data == -1).all()
    flat[1] = -1
    assert (edges(mg.tensor(flat)).data == -1).all()  # nor is the next image


def test_edges_of_colours_are_those_of_their_mean():
    x = np.full((1, 4, 8, 3), -1, "float32")
    x[0, 1, 3] = 1, 1, -1          # a mean of 1/3: bright
    x[0, 1, 6] = 1, -1, -1         # -1/3: dark
    found = edges(mg.tensor(x)).data
    due = np.full((4, 8), -1)
    due[[0, 2, 1, 1], [3, 3, 2, 4]] = 1
    assert found.shape == x.shape and all(np.array_equal(found[0, :, :, c], due) for c in range(3))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_left_half_is_given(channels):
    x = np.random.default_rng(0).uniform(-1, 1, (2, 4, 8, channels)).astype("float32")
    found = halves(mg.tensor(x))
    assert np.array_equal(found.data[:, :, :4], x[:, :, :4]) and (found.data[:, :, 4:] == -1).all()
    assert found.shape == x.shape and found.dtype == np.float32
    assert not np.shares_memory(found.data, x)


@pytest.mark.parametrize("condition", [edges, halves])
def test_conditions_are_made_where_the_images_are(condition):
    x = data.to_model(data.load("digits").images[:3])
    due = condition(mg.tensor(x)).data
    with mg.use("stand-in"):
        there = mg.tensor(default().from_host(x))
        with counted() as counts:
            found = condition(there)
    assert found.device == "stand-in" and not counts
    assert np.array_equal(found.numpy(), due) and 0.02 < (due > -1).mean() < 0.3


def test_a_preset_says_which_condition():
    x = mg.tensor(data.to_model(data.load("digits").images[:2]))
    for preset, condition in (("edges", edges), ("halves", halves)):
        assert np.array_equal(build("pix2pix", preset).condition(x).data, condition(x).data)
    assert list(Pix2Pix.presets) == ["edges", "halves"]


# Networks.

@pytest.mark.parametrize("shape, patches", [((28, 28, 1), (6, 6)), ((8, 8, 3), (1, 1)),
                                            ((12, 20, 1), (2, 4)), ((64, 64, 3), (15, 15))])
def test_shapes(shape, patches):
    model = small(shape=shape)
    x, _ = batch(model, 3)
    c = model.condition(x)
    assert model.generator(c).shape == x.shape == (3, *shape)
    assert model.discriminator(c, x).shape == (3, *patches, 1)
    assert np.abs(model.generator(c).data).max() < 1


def test_parameter_counts():
    """By hand, for 28x28x1: kernel places times channels in times channels out; + biases, gains."""
    w = 32
    generator = (
        16 * 1 * w + w                              # 28 -> 14
        + 16 * w * 2 * w + 2 * 2 * w                # 14 -> 7; batch norm in place of a bias
        + 49 * 2 * w * 4 * w + 4 * w                # 7 -> 1
        + 49 * 4 * w * 2 * w + 2 * 2 * w            # 1 -> 7
        + 16 * 4 * w * w + 2 * w                    # 7 -> 14, of 2 w channels and 2 w skipped ones
        + 16 * 2 * w * 1 + 1)                       # 14 -> 28, of w and w
    discriminator = (16 * 2 * w + w                 # 28 -> 14, of condition and image
                     + 16 * w * 2 * w + 2 * 2 * w   # 14 -> 7
                     + 16 * 2 * w + 1)              # 7 -> 6: the logits
    model = build("pix2pix", "edges")
    assert mg.nn.count_parameters(model.generator) == generator == 903_137
    assert mg.nn.count_parameters(model.discriminator) == discriminator


def test_a_logit_is_of_a_patch_of_22x22():
    model = small(shape=(28, 28, 1))
    D = model.discriminator.eval()
    x, _ = batch(model, 1)
    seen = [[], []]
    for axis in (1, 2):
        for place in range(28):
            changed = x.data.copy()
            changed[(slice(None),) * axis + (place,)] += 1
            if D(x, mg.tensor(changed)).data[0, 3, 2, 0] != D(x, x).data[0, 3, 2, 0]:
                seen[axis - 1].append(place)
    # logit 3 begins 4 * 3 pixels on, less the paddings 1 + 2 * 1 + 4 * 1
    assert seen == [list(range(5, 27)), list(range(1, 23))]


def test_the_skips_are_used():
    """Each is one of three ways through G; when all are closed, the condition has no influence."""
    model = small()
    train(model, 2)
    G = model.generator.eval()
    c, other = (model.condition(batch(model, 2, seed)[0]) for seed in (0, 1))

    def influence():
        return np.abs(G(c).data - G(other).data).max()

    def close(layer, channels):
        weight = layer.weight.data.copy()
        weight[..., channels] = 0
        layer.weight.assign(weight)

    ways = {"middle": (G.middle[2], slice(None)),                  # weights are (KH, KW, out, in)
            "inner skip": (G.up2[0], slice(8, 16)), "outer skip": (G.up1[0], slice(4, 8))}
    whole, start = influence(), model.generator.state_dict()
    assert whole > 1e-4
    for way in ways:  # each alone leads through
        for other_way in ways.keys() - {way}:
            close(*ways[other_way])
        assert influence() > 1e-6 * whole, way
        close(*ways[way])
        assert influence() == 0, way
        G.load_state_dict(start)
    for way in ways:  # and none is without effect
        close(*ways[way])
        assert influence() != whole, way
        G.load_state_dict(start)


def test_noise_is_dropout():
    model = small()
    c = model.condition(batch(model, 4)[0])
    assert not np.array_equal(model.generator(c).data, model.generator(c).data)
    assert np.array_equal(model.sample(c).data, model.sample(c).data)
    assert [m.rate for _, m in model.generator.named_modules()
            if isinstance(m, mg.nn.Dropout)] == [0.5, 0.5]
    plain = small(dropout=0.0)
    assert np.array_equal(plain.generator(c).data, plain.generator(c).data)


def test_the_discriminator_sees_the_condition():
    model = small()
    x, _ = batch(model, 4)
    c = model.condition(x)
    D = model.discriminator
    assert not np.allclose(D(c, x).data, D(mg.tensor(c.data[::-1].copy()), x).data)


# Losses.

def test_the_losses_are_those_of_the_paper():
    """Equation 4, D's half divided by two, computed in NumPy from the logits of the first step."""
    model = in_float64(small(dropout=0.0, l1=7.0))
    x, _ = batch(model, 4, dtype="float64")
    twin = in_float64(small(dropout=0.0))
    c = twin.condition(x)
    fake = twin.generator(c)
    real, made = (twin.discriminator(c, image).data for image in (x, fake))
    weights = {name: p.data.copy() for name, p in model.discriminator.named_parameters()}
    found = {name: value.item() for name, value in model.step(x).items()}

    def bce(logits, target):
        p = 1 / (1 + np.exp(-logits))
        return -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))

    assert math.isclose(found["d_loss"], (bce(real, 1) + bce(made, 0)) / 2, rel_tol=1e-12)
    assert math.isclose(found["l1"], np.abs(x.data - fake.data).mean(), rel_tol=1e-12)
    moved = {name: p for name, p in model.discriminator.named_parameters()}
    assert all(not np.array_equal(moved[name].data, value) for name, value in weights.items()
               if value.ndim > 1)
    twin.discriminator.load_state_dict(model.discriminator.state_dict())  # G's turn comes second
    after = twin.discriminator(c, fake).data
    assert math.isclose(found["g_loss"], bce(after, 1), rel_tol=1e-9)
    assert not math.isclose(bce(after, 1), bce(made, 1), rel_tol=1e-6)


def test_lambda_pulls_towards_the_truth():
    images, last = data.to_model(data.load("digits").images[::157, 2:26:3, 2:26:2]), []
    for l1 in (0.0, 100.0):
        model = small("halves", l1=l1, learning_rate=1e-2, width=8)
        last.append([model.step(mg.tensor(images))["l1"].item() for _ in range(60)][-1])
    assert last[1] < 0.7 * last[0]


@pytest.mark.parametrize("preset", ["edges", "halves"])
def test_gradients_of_both_losses_at_small_width(preset):
    """Against central differences along every weight's own direction, float64, away from kinks."""
    model = in_float64(small(preset, dropout=0.0))
    x, _ = batch(model, 3, dtype="float64")
    c, G, D = model.condition(x), model.generator, model.discriminator
    fixed = G(c).detach()

    def d_loss(*_):
        return mg.losses.discriminator(D(c, x), D(c, fixed)) / 2

    def g_loss(*_):
        return (mg.losses.generator(D(c, G(c)))
                + 100.0 * mg.ops.mean(mg.ops.abs(x - G(c))))

    for loss, network in ((d_loss, D), (g_loss, G)):
        for p in network.parameters():
            gradient, start, eps = mg.grad(loss(), p).numpy(), p.data.copy(), 1e-6
            direction = gradient / np.linalg.norm(gradient)
            values = []
            for sign in (1, -1):
                p.assign(start + sign * eps * direction)
                values.append(loss().item())
            p.assign(start)
            numeric = (values[0] - values[1]) / (2 * eps)
            assert math.isclose(numeric, np.linalg.norm(gradient), rel_tol=1e-6), p.name


# Ten steps beside PyTorch.

def in_torch(twins, w, masks):
    """The networks as a PyTorch user would write them, for 28x28 images, w channels wide."""
    torch, nn = twins.torch, twins.nn

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1 = nn.Sequential(nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2))
            self.down2 = nn.Sequential(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False),
                                       nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2))
            self.middle = nn.Sequential(
                nn.Conv2d(2 * w, 4 * w, 7), nn.LeakyReLU(0.2),
                nn.ConvTranspose2d(4 * w, 2 * w, 7, bias=False), nn.BatchNorm2d(2 * w),
                twins.Mask(0.5, masks), nn.ReLU())
            self.up2 = nn.Sequential(nn.ConvTranspose2d(4 * w, w, 4, 2, 1, bias=False),
                                     nn.BatchNorm2d(w), twins.Mask(0.5, masks), nn.ReLU())
            self.up1 = nn.Sequential(nn.ConvTranspose2d(2 * w, 1, 4, 2, 1), nn.Tanh())

        def forward(self, c):
            first = self.down1(c)
            second = self.down2(first)
            y = self.up2(torch.cat([self.middle(second), second], 1))
            return self.up1(torch.cat([y, first], 1))

    D = nn.Sequential(nn.Conv2d(2, w, 4, 2, 1), nn.LeakyReLU(0.2),
                      nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w),
                      nn.LeakyReLU(0.2), nn.Conv2d(2 * w, 1, 4, 1, 1))
    return UNet(), D


@pytest.mark.parity
@pytest.mark.parametrize("preset", ["edges", "halves"])
def test_ten_steps_in_pytorch(preset):
    """Losses, weights and statistics as in test_parity_models.py, where the other papers are."""
    import torch_twins as twins
    torch, F = twins.torch, twins.nn.functional
    model = in_float64(build("pix2pix", preset, seed=twins.SEED, width=6))
    masks = mg.Stream(twins.SEED, "dropout")
    G, D = in_torch(twins, 6, masks)
    twins.give_weights(model.generator, G)
    twins.give_weights(model.discriminator, D)
    g_optimizer = torch.optim.Adam(G.parameters(), model.settings.learning_rate, (0.5, 0.999))
    d_optimizer = torch.optim.Adam(D.parameters(), model.settings.learning_rate, (0.5, 0.999))
    images = data.to_model(data.load("digits").images[::31][:160]).astype("float64")
    for x in images.reshape(10, 16, 28, 28, 1):
        found = model.step(mg.tensor(x))
        c = twins.to_torch(model.condition(mg.tensor(x)).data)
        x = twins.to_torch(x)
        fake = G(c)
        d_optimizer.zero_grad()
        real, made = D(torch.cat([c, x], 1)), D(torch.cat([c, fake.detach()], 1))
        d_loss = 0.5 * (F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
                        + F.binary_cross_entropy_with_logits(made, torch.zeros_like(made)))
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        logits = D(torch.cat([c, fake], 1))
        g_loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        l1 = F.l1_loss(fake, x)
        (g_loss + 100 * l1).backward()
        g_optimizer.step()
        for name, value in {"d_loss": d_loss, "g_loss": g_loss, "l1": l1}.items():
            assert math.isclose(found[name].item(), value.item(), rel_tol=twins.TOLERANCE), name
    twins.same(model.generator, G)
    twins.same(model.discriminator, D)
    assert masks.counter == model.streams["dropout"].counter > 0


# Pictures.

def test_the_grid_shows_condition_result_and_truth(few):
    run = Trainer(small(), few, 16, "out", threads=1).fit(1)
    truth = run.pictures.preview.truth
    grid = plot.tile(np.concatenate([data.to_bytes(run.model.condition(truth).numpy()),
                                     run.samples(), data.to_bytes(truth.numpy())], axis=2), 8)
    from matplotlib.image import imread
    found = (imread(run.folder.samples / "latest.png") * 255).round().astype("uint8")
    assert np.array_equal((found if found.ndim == 2 else found[..., 0])[::2, ::2], grid)
    assert grid.shape == (8 * 10 - 2, 8 * (3 * 12 + 2) - 2) and run.samples().shape == (64, *SHAPE)
    truth = data.to_bytes(truth.numpy())
    assert {image.tobytes() for image in truth} == {image.tobytes() for image in few.images}
    assert len({image.tobytes() for image in truth[:48]}) == len(
        {image.tobytes() for image in few.images})  # none comes again before all have come


def test_looking_does_not_change_what_is_learned(few, monkeypatch):
    with_pictures = Trainer(small(), few, 16, "one", threads=1).fit(4)
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    without = Trainer(small(), few, 16, "two", threads=1).fit(4)
    states = [run.model.state_dict() for run in (with_pictures, without)]
    assert all(np.array_equal(value, states[1][name]) for name, value in states[0].items())


def test_a_loaded_model_draws_from_its_data_set_or_from_others(few):
    Trainer(small(), few, 16, "out", threads=1).fit(2)
    trained = load("out")
    with pytest.raises(ValueError, match="images: pix2pix starts from images, and its data set "
                                         "'few digits' is not here .*made in Python"):
        trained.sample(3)
    samples, pictures = trained.sample(5, images=few), trained.pictures(5, images=few)
    assert samples.shape == (5, *SHAPE) and pictures.shape == (5, 8, 36, 1)
    assert np.array_equal(pictures[:, :, 12:24], samples) and samples.dtype == np.uint8
    truth = mg.tensor(data.to_model(np.ascontiguousarray(pictures[:, :, 24:])))
    assert np.array_equal(pictures[:, :, :12],
                          data.to_bytes(trained.model.condition(truth).numpy()))
    due = trained.model.sample(trained.model.condition(truth)).numpy()
    assert np.array_equal(samples, data.to_bytes(due))
    assert np.array_equal(trained.sample(2, images=few), samples[:2])
    assert not np.array_equal(trained.sample(5, images=few, seed=1), samples)
    other = data.Images(np.zeros((3, 8, 8, 1), np.uint8), None, "others")
    with pytest.raises(ValueError, match=r"images: those of others are \(8, 8, 1\), the model "
                                         r"makes \(8, 12, 1\)"):
        trained.sample(2, images=other)


def test_the_command_draws_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    assert main(["train", "pix2pix", "--steps", "2", "--batch-size", "4", "--width", "4", "--out",
                 "out", "--threads", "1", "--preset", "halves"]) == 0
    capsys.readouterr()
    assert main(["sample", "out", "--n", "3"]) == 0
    assert capsys.readouterr().out.startswith("3 images: out/samples/seed-0.png\nof each: input, ")
    header = Path("out/samples/seed-0.png").read_bytes()[16:24]
    assert header == (2 * (3 * 84 + 2 * 2)).to_bytes(4, "big") + (2 * 28).to_bytes(4, "big")
    assert main(["sample", "out", "--n", "3", "--data-dir", "nowhere"]) == 0  # digits need no files


def test_a_data_set_in_another_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Trainer(small(shape=(28, 28, 1)), data.load("digits"), 4, "out", threads=1).fit(1)
    asked = []

    def missing(name, split="train", folder=None, size=None):
        asked.append((name, folder))
        raise FileNotFoundError("data: MNIST's files are nowhere")

    monkeypatch.setattr(data, "load", missing)
    assert main(["sample", "out"]) == 2
    assert capsys.readouterr().err == (
        "minigan: error: images: pix2pix starts from images, and its data set 'digits' is not here "
        "(data: MNIST's files are nowhere (if they were moved, data_dir, --data-dir in a command, "
        "says where to))\n")
    assert main(["sample", "out", "--data-dir", "there"]) == 2
    assert capsys.readouterr().err == "minigan: error: data: MNIST's files are nowhere\n"
    assert asked == [("digits", None), ("digits", "there")]


# Bad input.

@pytest.mark.parametrize("shape", [(28, 30, 1), (27, 28, 1), (4, 28, 1), (28, 4, 1), (28, 28, 2),
                                   (28, 28, 4)])
def test_sizes_that_it_cannot_make(shape):
    size = "x".join(map(str, shape))
    with pytest.raises(ValueError, match=f"shape: .* 1 or 3 channels .* multiples of 4.*{size}"):
        small(shape=shape)


@pytest.mark.parametrize("shape", [(2, 8, 12, 3), (2, 12, 8, 1), (2, 8, 12), (1, 1)])
def test_conditions_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"condition: must be \(N, 8, 12, 1\), got \("):
        small().sample(mg.tensor(np.zeros(shape, "float32")))


def test_wrong_settings():
    with pytest.raises(ValueError, match="condition of pix2pix must be one of edges, halves"):
        small(condition="quarters")
    with pytest.raises(ValueError, match="rate"):
        small(dropout=1.0)
    with pytest.raises(ValueError, match="width of pix2pix must be a whole number of 1 or more"):
        small(width=0)
