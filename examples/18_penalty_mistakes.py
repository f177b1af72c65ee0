"""18: fourteen ways to get WGAN-GP wrong, and a number that each of them breaks.

The penalty is mean (||grad of f at x_hat|| - 1)^2, at points x_hat between real and generated
samples (Gulrajani et al. 2017, equation 3). All these mistakes were made in public, and none stops
a program: its losses look plausible. tests/engine/test_mutations.py has a test that rejects each.
"""
import numpy as np

import minigan as mg
from minigan import losses, nn, ops, plot
from minigan.models import cgan

N, SHAPE, IMAGE = 16, (4, 4, 2), (1, 2, 3)  # IMAGE: the axes of one image
random = np.random.default_rng(0)
real, fake = (random.normal(mean, size=(N, *SHAPE)) for mean in (0.5, -0.5))
pixels = random.uniform(size=(N, *SHAPE))           # an epsilon a pixel, which is wrong
images = pixels[:, :1, :1, :1]                      # one an image, which is right
unit = np.full(SHAPE, np.prod(SHAPE) ** -0.5)       # a vector of length 1


# %% The penalty with places for mistakes. Without f the critic is <w, x>: its slope is w's length.
def penalty(w, f=None, share=images, of=lambda y: y, length=lambda g: ops.norm(g, IMAGE), target=1,
            fold=ops.mean, create_graph=True, also=()):
    x = mg.tensor(share * real + (1 - share) * fake, requires_grad=True)            # (N, H, W, C)
    y = of(f(x) if f else ops.sum(w * x, IMAGE))                                    # (N,)
    g, *_ = mg.grad(ops.sum(y), [x, *also], create_graph=create_graph)              # (N, H, W, C)
    return fold((length(g) - target) ** 2)


# %% Mistakes that change what it asks of the linear critic, and three that show elsewhere.
MISTAKES = {"right": {}, "sum_for_mean": {"fold": ops.sum}, "wrong_gradient": {"of": ops.sigmoid},
            "norm_over_one_axis": {"length": lambda g: ops.norm(g, axis=1)},
            "norm_over_the_batch": {"length": ops.norm},
            "mean_of_squares": {"length": lambda g: g, "target": 0}}
BY_BATCH = {"of": lambda y, one=mg.tensor([1.0], dtype="f8"): ops.batch_norm(y[:, None], one, one)}
ROOT = {"length": lambda g: ops.sqrt(ops.sum(g ** 2, IMAGE))}  # of 0 as of any other number


def raw_tanh(y):  # value and slope are those of tanh, but the slope is a constant
    t = ops.tanh(y.detach())
    return t + (1 - t * t) * (y - y.detach())


# %% The pull of a penalty on a linear critic: the part of its gradient that lengthens w.
def pull(slope, **mistake):
    w = mg.tensor(slope * unit, requires_grad=True)
    with np.errstate(all="ignore"):
        g = mg.grad(penalty(w, **mistake), w, unreached="zeros").numpy()
    return (g * unit).sum() + 0.0


def products(D, **mistake):  # how many matrix products the penalty of a network takes
    names = []
    with mg.op_hook(lambda op, within, run: names.append(op.name) or run()):
        penalty(None, D, **mistake)
    return names.count("affine") + names.count("matmul")


def main(quick=False):
    slopes, tanh, ask, on_3 = np.linspace(0, 6, 241), ops.tanh, "slope asked for", "pull on slope 3"
    curves = {name: np.maximum([penalty(mg.tensor(s * unit), **mistake).item()
                                for s in slopes], 1e-6) for name, mistake in MISTAKES.items()}
    asks = {name: slopes[curve.argmin()] for name, curve in curves.items()}
    spread = [np.ptp(epsilon, IMAGE).max() for epsilon in (images, pixels)]
    reader = cgan.mlp(cgan.Settings(), SHAPE, 10, mg.seed(0))[1].astype("float64").eval()
    says = [reader(mg.tensor(real), mg.tensor(np.full(N, y))).numpy() for y in (3, 8)]
    D = nn.Sequential(nn.Flatten(), nn.Dense(unit.size, 8), nn.Tanh(), nn.Dense(8, 1)).astype("f8")
    step = mg.grad(losses.generator(D(mg.tensor(fake))), D[1].weight).numpy()
    rows = [
        ("norm_over_one_axis", ask, 1, asks["norm_over_one_axis"], "caogang/wgan-gp #27"),
        ("norm_over_the_batch", ask, 1, asks["norm_over_the_batch"], "torchgan/torchgan #21"),
        ("shared_epsilon", "epsilon's range in an image", *spread, "tntrung/gan #2"),
        ("batch_norm", on_3, pull(3), pull(3, **BY_BATCH), "eriklindernoren/Keras-GAN #48"),
        ("detached", on_3, pull(3), pull(3, create_graph=False), "mlpack/mlpack #2891"),
        ("second_derivative", "pull on tanh, slope 1", pull(1, of=tanh), pull(1, of=raw_tanh),
         "pytorch/pytorch #3743"),
        ("root_of_zero", "pull on slope 0", pull(0), pull(0, **ROOT), "keras-team/keras-io #910"),
        ("real_samples_only", "pull on tanh, slope 3", pull(3, of=tanh), pull(3, of=tanh, share=1),
         "heykeetae/Self-Attention-GAN #27"),
        ("wrong_gradient", ask, 1, asks["wrong_gradient"], "wiseodd/generative-models #31"),
        ("sum_for_mean", "penalty of slope 0", 1, curves["sum_for_mean"][0], "caogang/wgan-gp #36"),
        ("wasted_gradients", "matrix products made", products(D), products(D, also=D.parameters()),
         "pytorch/pytorch #7714"),
        ("mean_of_squares", ask, 1, asks["mean_of_squares"], "articles"),
        ("blind_discriminator", "effect of a label", np.ptp(says, 0).mean(), 0, "articles"),
        ("both_updated", "D moved by G's step", 0, np.linalg.norm(step), "soumith/ganhacks #29")]
    print(f"{'test_mutation_...':20} {'what it breaks':29} {'right':>7} {'so':>7}  reported in")
    print(*("{:20} {:29} {:7.2f} {:7.2f}  {}".format(*row) for row in rows), sep="\n")
    figure = plot.lines({name: (slopes, curve) for name, curve in curves.items()}, log=True,
                        title="Each penalty asks for the slope where it is lowest", x_label="slope")
    print("picture:", plot.save(figure, "runs/examples/18_penalty_mistakes.png"))
    return {name: (right, wrong) for name, _, right, wrong, _ in rows}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Take images of SHAPE (8, 8, 2). Which slope does norm_over_one_axis ask for then?
# 2. Take batches of N = 64. Which two mistakes become worse, and by how much?
