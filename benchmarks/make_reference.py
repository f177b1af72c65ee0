"""Write minigan/metrics/reference.npz, the test digits' statistics that samples are compared with.

    python benchmarks/make_reference.py --mnist FOLDER

FOLDER (or one of minigan's usual data folders) holds MNIST's four original files. Half of the
10,000 test digits, drawn at random, are the reference; the other half is measured with the digit
test as if it were a GAN's, and these numbers are the floors. Run it again after train_judges.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from make_digits import pack

import minigan as mg
from minigan.metrics.copies import nearest_training
from minigan.metrics.digits import digit_test
from minigan.metrics.reference import PATH, arrays, summarise


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the reference of minigan's digit test.")
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's files")
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()

    mg.use_threads(1)
    test = mg.data.load("mnist", "test", options.mnist)
    training = mg.data.load("digits").images
    assert test.labels is not None
    order = mg.Stream(0, "reference").permutation(len(test))
    middle = len(test) // 2
    half = order[:middle]
    other = order[middle:]
    distances, _ = nearest_training(test.images[half], training)
    reference = summarise(test.images[half], test.labels[half], distances, floors={})
    found = digit_test(test.images[other], training, test.labels[other], against=reference)
    reference = reference._replace(floors={row.name: row.value for row in found.rows})
    options.output.write_bytes(pack(arrays(reference)))
    print("\n".join(found.lines()))
    print(f"{options.output.name}: {options.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
