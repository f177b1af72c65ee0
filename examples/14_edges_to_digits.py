"""14: from edges to digits: pix2pix, and what its skip connections and its two losses are for.

pix2pix (Isola et al. 2017) is a conditional GAN whose condition is a picture: G is given outlines
and fills them in, D judges outline and digit together. G's loss adds lambda times the L1 distance
to the true digit. The same program runs whole and three times without one part, and is judged on
500 digits that it has not seen. It takes two minutes.
"""
import numpy as np

import minigan as mg
from minigan import data, losses, nn, ops, optim, plot

DIGITS = data.load("digits")
ORDER = mg.Stream(0, "split").permutation(len(DIGITS))
TRAIN = data.Images(DIGITS.images[ORDER[:4500]])
HELD_OUT = data.to_model(DIGITS.images[ORDER[4500:]])
RUNS = {  # skip connections, weight of the GAN's loss, lambda
    "all of it": (1, 1, 100), "no skips": (0, 1, 100), "no GAN": (1, 0, 100), "no L1": (1, 1, 0)}
W = 16  # channels of the first layers


# %% The condition: 1 on dark pixels with a bright neighbour above, below, left or right, else -1.
def edges(x):
    bright = np.pad(x > 0, ((0, 0), (1, 1), (1, 1), (0, 0)))                        # (n, 30, 30, 1)
    beside = [bright[:, :-2, 1:-1], bright[:, 2:, 1:-1], bright[:, 1:-1, :-2], bright[:, 1:-1, 2:]]
    return np.where(np.any(beside, axis=0) & (x <= 0), 1, -1).astype("float32")     # (n, 28, 28, 1)


# %% G is a U-Net: down to a single pixel, which knows the whole, and up again. On the way up each
# layer is also given what was seen on the way down at its size: that is a skip connection.
def conv(n_in, n_out, layer=nn.Conv2d, size=4, stride=2, padding=1):
    return layer(n_in, n_out, size, stride, padding, weight_init=nn.init.normal(0.02))


class UNet(nn.Module):
    def __init__(self, skips):
        up, self.skips = nn.ConvTranspose2d, skips
        self.down1 = nn.Sequential(conv(1, W), nn.LeakyReLU(0.2))
        self.down2 = nn.Sequential(conv(W, 2 * W), nn.BatchNorm(2 * W), nn.LeakyReLU(0.2))
        self.middle = nn.Sequential(
            conv(2 * W, 4 * W, size=7, padding=0), nn.LeakyReLU(0.2),
            conv(4 * W, 2 * W, up, 7, padding=0), nn.BatchNorm(2 * W), nn.Dropout(0.5), nn.ReLU())
        self.up2 = nn.Sequential(conv(4 * W, W, up), nn.BatchNorm(W), nn.Dropout(0.5), nn.ReLU())
        self.up1 = nn.Sequential(conv(2 * W, 1, up), nn.Tanh())

    def forward(self, c):
        first = self.down1(c)                                                       # (n, 14, 14, W)
        second = self.down2(first)                                                  # (n, 7, 7, 2 W)
        y = self.middle(second)                                                     # (n, 7, 7, 2 W)
        y = self.up2(ops.concatenate([y, second * self.skips], axis=3))             # (n, 14, 14, W)
        return self.up1(ops.concatenate([y, first * self.skips], axis=3))           # (n, 28, 28, 1)


# %% D gives a logit for each patch of 22x22 pixels; the training loop is that of the other GANs.
def train(skips, gan, l1, steps):
    batches = data.Batches(TRAIN, 64, mg.seed(0)["data"])
    G, D = UNet(skips), nn.Sequential(
        conv(2, W), nn.LeakyReLU(0.2), conv(W, 2 * W), nn.BatchNorm(2 * W), nn.LeakyReLU(0.2),
        conv(2 * W, 1, stride=1))                                                   # (n, 6, 6, 1)
    g_opt, d_opt = (optim.Adam(n.parameters(), 8e-4, betas=(0.5, 0.999)) for n in (G, D))
    for _ in range(steps):
        images = next(batches)[0]
        x, c = mg.tensor(images), mg.tensor(edges(images))
        fake = G(c)
        real, made = (D(ops.concatenate([c, y], axis=3)) for y in (x, fake.detach()))
        d_opt.step(mg.grad(losses.discriminator(real, made) / 2, D.parameters()))
        del real, made  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(ops.concatenate([c, fake], axis=3)))
        g_opt.step(mg.grad(gan * g_loss + l1 * ops.mean(ops.abs(x - fake)), G.parameters()))
    return G.eval()


def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    truth = HELD_OUT[:50] if quick else HELD_OUT
    given, known = edges(truth), data.to_model(TRAIN.images)
    alike = given.reshape(-1, 784) @ edges(known).reshape(-1, 784).T                # (500, 4500)
    drawn = {"edges as they are": given, "nearest neighbour": known[alike.argmax(axis=1)]}
    for run, settings in RUNS.items():
        G = train(*settings, 2 if quick else 800)
        with mg.no_grad():
            drawn[run] = G(mg.tensor(given)).numpy()
    found = {name: {"l1": float(np.abs(y - truth).mean()), "grey": float((np.abs(y) < 0.9).mean())}
             for name, y in {**drawn, "truth": truth}.items()}
    for name, numbers in found.items():
        print("{:20} L1 to the truth {l1:.3f}, grey pixels {grey:.1%}".format(name, **numbers))
    columns = [given, *(drawn[run] for run in RUNS), truth]
    rows = data.to_bytes(np.stack([y[:7] for y in columns], axis=1)).reshape(-1, 28, 28, 1)
    figure = plot.image_grid(rows, 6, ["edges", *RUNS, "truth"], scale=2)
    print("picture:", plot.save(figure, "runs/examples/14_edges_to_digits.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Give G the left half instead: np.where(np.arange(28)[:, None] < 14, x, -1). Which run fails?
# 2. Show D digits without their edges, c * 0 in both of its inputs. Which run suffers from it?
