"""10: digits by convolutions (DCGAN), and the two lives of batch norm.

The game is that of example 08; its networks follow the guidelines of Radford et al. 2015, section
3: stride instead of pooling, batch norm everywhere but on G's output and D's input, ReLU in G,
LeakyReLU in D, weights from N(0, 0.02^2). While it trains, batch norm looks at the whole batch, so
a picture depends on its company; afterwards it must not. It takes four minutes.
"""
import numpy as np

import minigan as mg
from minigan import data, losses, nn, optim, plot
from minigan.backend.allocator import keep_freed_memory
from minigan.backend.threads import use_threads


# %% The two networks, mirror images of each other. A 4x4 kernel of stride 2 halves height and width
# (Conv2d) or doubles them (its transpose, ConvTranspose2d). Batch norm would undo a bias: no bias.
def make_networks():
    normal = {"weight_init": nn.init.normal(0.02)}
    strided = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False, **normal}
    G = nn.Sequential(
        nn.Dense(100, 7 * 7 * 64, bias=False, **normal), nn.BatchNorm(7 * 7 * 64), nn.ReLU(),
        nn.Reshape(7, 7, 64),
        nn.ConvTranspose2d(64, 32, **strided), nn.BatchNorm(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, **strided), nn.Tanh())
    D = nn.Sequential(
        nn.Conv2d(1, 32, **strided), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, **strided), nn.BatchNorm(64), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Dense(7 * 7 * 64, 1, **normal))
    return G, D


def describe(name, network, x):  # the shapes on the way through it, in evaluation mode
    sizes = [x.shape[1:]]
    for layer in network.eval().layers:
        x = layer(x)
        sizes += [x.shape[1:]] if x.shape[1:] != sizes[-1] else []
    print(name + ":", " -> ".join("x".join(map(str, s)) for s in sizes) + ",",
          f"{nn.count_parameters(network):,} parameters")
    network.train()


# %% The training loop of example 08. Pictures are drawn by the moving average of G: its running
# statistics are averaged like its weights, and it is in evaluation mode.
def train(times):
    streams = mg.seed(0)
    G, D = make_networks()
    describe("G", G, mg.tensor(np.zeros((1, 100), "float32")))
    describe("D", D, mg.tensor(np.zeros((1, 28, 28, 1), "float32")))
    g_opt = optim.Adam(G.parameters(), 8e-4, betas=(0.5, 0.999))
    d_opt = optim.Adam(D.parameters(), 8e-4, betas=(0.5, 0.999))
    average, history = optim.EMA(G, 0.999), {}
    batches = data.Batches(data.load("digits"), 64, streams["data"])
    watched = mg.tensor(streams["preview"].normal((64, 100)))
    for step in range(max(times) + 1):
        x = mg.tensor(next(batches)[0])
        fake = G(mg.tensor(streams["latent"].normal((64, 100))))
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        d_opt.step(mg.grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake))
        g_opt.step(mg.grad(g_loss, G.parameters()))
        average.update()
        if step in times:
            history[step] = draw(average.network, watched)
            print(f"step {step:5}: loss of D {d_loss.item():.2f}, of G {g_loss.item():.2f}")
    return average.network, watched, history, G, D


# %% The two modes. `draw` says which; then the same 64 latents, each in a batch of other kinds.
def draw(G, z, training=False):
    with mg.no_grad():
        return G.train(training)(z).numpy()


def in_company(G, z, spread, stream, training):  # the first of a batch of 64, for each latent
    others = stream.normal((len(z), 64, z.shape[1])) * np.float32(spread)
    if spread < 1:
        others += z.numpy()[:, None]                                   # (n, 64, 100): near copies
    others[:, 0] = z.numpy()
    return np.concatenate([draw(G, mg.tensor(batch), training)[:1] for batch in others])


def main(quick=False):
    use_threads()  # as `minigan train` does, and:
    keep_freed_memory()
    times = (0, 3) if quick else (100, 500, 2000, 6000)
    G, watched, history, rawG, D = train(times)
    z = watched[:4 if quick else 64]
    stream, state = mg.stream("company"), G.state_dict()
    alone = np.concatenate([draw(G, z[i:i + 1]) for i in range(len(z))])
    drawn = {"evaluation": in_company(G, z, 1.0, stream, training=False),
             "strangers": in_company(G, z, 1.0, stream, training=True),
             "copies": in_company(G, z, 0.1, stream, training=True)}
    print("how far (root mean square) pictures are from those drawn alone, in evaluation mode:")
    return history, alone, drawn, state, rawG.state_dict(), D.state_dict()
