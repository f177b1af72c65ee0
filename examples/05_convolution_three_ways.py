"""05: convolution, transposed convolution and the weight gradient are one thing seen three ways.

T(x, w, y) = <y, conv2d(x, w)> is linear in each of its three arguments. Its derivative with respect
to y is the convolution, to x the transposed convolution, to w the weight gradient. So the gradients
of each of the three functions are the other two, and all higher derivatives exist as well.
"""
import numpy as np

import minigan as mg
from minigan import ops, plot


def inner(a, b):
    return float((a.numpy() * b.numpy()).sum())


# %% Convolution is linear, so it is a matrix: column i is the convolution of the i-th unit picture.
# Each row holds the kernel's nine weights, at the places that one output pixel looks at.
def as_matrix(w):
    units = mg.tensor(np.eye(36).reshape(36, 6, 6, 1))
    return ops.conv2d(units, w).numpy().reshape(36, 16).T                           # (16, 36)


def three_matrix_products(x, w, y):
    matrix, flat = as_matrix(w), ops.conv2d(x, w)
    back, patches = ops.conv_transpose2d(y, w), np.lib.stride_tricks.sliding_window_view(
        x.numpy()[0, :, :, 0], (3, 3)).reshape(16, 9)
    weight = ops.conv2d_weight(x, y, kernel_size=3)
    pairs = {"conv2d(x, w) = A x": (flat, matrix @ x.numpy().ravel()),
             "conv_transpose2d(y, w) = A^T y": (back, matrix.T @ y.numpy().ravel()),
             "conv2d_weight(x, y) = patches^T y": (weight, patches.T @ y.numpy().ravel())}
    errors = [float(np.abs(a.numpy().ravel() - b).max()) for a, b in pairs.values()]
    for name, error in zip(pairs, errors):
        print(f"{name:35} largest difference {error:.0e}")
    return matrix, max(errors)


# %% One number, computed three ways; and `grad` finds the other two functions by itself.
def trilinear(x, w, y):
    conv = ops.conv2d(x, w)
    back, weight = ops.conv_transpose2d(y, w), ops.conv2d_weight(x, y, kernel_size=3)
    numbers = [inner(y, conv), inner(x, back), inner(w, weight)]
    print("<y, conv2d(x, w)>           =", numbers[0])
    print("<x, conv_transpose2d(y, w)> =", numbers[1])
    print("<w, conv2d_weight(x, y)>    =", numbers[2])
    gx, gw = mg.grad(ops.sum(y * conv), [x, w])
    same = float(max(np.abs(gx.numpy() - back.numpy()).max(),
                     np.abs(gw.numpy() - weight.numpy()).max()))
    print(f"grad gives the same two pictures, largest difference {same:.0e}")
    return numbers, same


# %% How often a transposed convolution of stride 2 writes to each pixel. 2 does not divide 5, so
# neighbours are written 4, 6 or 9 times: the checkerboard that early GANs drew. 4x4 has none.
def coverage(size):
    ones, kernel = np.ones((1, 7, 7, 1)), np.ones((size, size, 1, 1))
    return ops.conv_transpose2d(mg.tensor(ones), mg.tensor(kernel), stride=2).numpy()[0, :, :, 0]


def main(quick=False):
    random = np.random.default_rng(0)
    picture = np.zeros((6, 6))
    picture[1:5, 1], picture[1:5, 4], picture[1, 1:5], picture[4, 1:5] = 1, 1, 1, 1
    x = mg.tensor(picture.reshape(1, 6, 6, 1), requires_grad=True)                  # a ring
    w = mg.tensor(np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).reshape(3, 3, 1, 1),
                  requires_grad=True)                         # ink on the left minus on the right
    y = mg.tensor(random.normal(size=(1, 4, 4, 1)))
    matrix, error = three_matrix_products(x, w, y)
    numbers, same = trilinear(x, w, y)
    covers = {size: coverage(size) for size in (5, 4)}
    counts = {k: sorted({int(v) for v in c[4:-4, 4:-4].ravel()}) for k, c in covers.items()}
    for size, count in counts.items():
        print(f"a {size}x{size} kernel with stride 2 writes to inner pixels", count, "times")
    flat = ops.conv2d(x, w).numpy()[0, :, :, 0]
    figure = plot.strip(
        [picture, matrix, flat, covers[5], covers[4]],
        ["x: a 6x6 ring", "A: 16 rows, one an output pixel;\n36 columns, one an input pixel",
         "A x = conv2d(x, w),\nblue: ink on the left", "5x5, stride 2 writes\n4, 6 or 9 times",
         "4x4, stride 2 writes\n4 times inside"],
        title="A convolution is a matrix; its transpose draws", height=1.6)
    print("picture:", plot.save(figure, "runs/examples/05_convolution_three_ways.png"))
    return {"matrix_error": error, "trilinear": numbers, "grad_difference": same, "counts": counts}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Double x. What becomes of the three equal numbers? And if x, w and y are all doubled?
# 2. Which sizes of kernel make no checkerboard with stride 3?
