// Which latent draws this picture? Zhu et al. 2016: the nearest of many draws, then descent.
//
// The objective is minigan's (editing/descent.py): the mean over pixels of (G(z, y) - x)^2, plus
// `prior` times (q - 1)^2, q being the mean of z^2 over its due size. Without a label, all begin,
// and the best goes on after a few steps: later any digit fits under any label.

"use strict";

const ROUNDS = [                        // how many labels go on, and for how many steps each
  {labels: 10, steps: 12}, {labels: 1, steps: 120}];
const DRAW = 1 / 3;                     // the time of a draw, in steps

// Pictures that G draws, kept as bytes, so that the nearest to a picture is found at once.
class Shelf {
  constructor(generator, latents, labels) {
    this.generator = generator;
    this.latents = latents;
    this.labels = labels;
    this.pictures = labels.map(() => []);
  }

  // Draws what is missing of the first `count` latents, a picture at a time.
  *fill(count = this.latents.length) {
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < this.labels.length; k++) {
        if (i < this.pictures[k].length) continue;
        this.pictures[k].push(toBytes(this.generator.draw(this.latents[i], this.labels[k])));
        yield;
      }
    }
  }

  // So many latents are enough to begin with; more of them make a better beginning.
  get enough() {
    return Math.ceil(this.latents.length / 4);
  }

  // How many pictures must be drawn before a search can begin.
  missing() {
    const needed = this.pictures.map((drawn) => Math.max(0, this.enough - drawn.length));
    return needed.reduce((total, each) => total + each, 0);
  }

  // The latent whose picture is nearest, under a label, and its RMS error.
  nearest(target, k) {
    const bytes = toBytes(target);
    const distances = this.pictures[k].map((picture) => squaredDistance(picture, bytes));
    const best = distances.indexOf(Math.min(...distances));
    return {z: this.latents[best], error: Math.sqrt(distances[best] / bytes.length) / 127.5};
  }
}

function toBytes(picture) {
  return Uint8ClampedArray.from(picture, (x) => (x + 1) * 127.5);     // rounds to the nearest
}

function squaredDistance(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] - b[i]) ** 2;
  return total;
}

// Adam (Kingma and Ba 2015) on the objective of one picture under one label.
class Descent {
  // start: {label, z, error}.
  constructor(generator, target, {label, z, error}, settings) {
    this.generator = generator;
    this.target = target;
    this.label = label;
    this.nearest = error;
    this.error = error;
    this.settings = settings;
    this.z = z.slice();
    this.mean = new Float32Array(this.z.length);
    this.square = new Float32Array(this.z.length);
    this.steps = 0;
  }

  // One step. rate: a factor of the learning rate.
  step(rate) {
    const gradient = this.gradient();
    const {learning_rate, prior, limit, size} = this.settings;
    const mean = this.z.reduce((total, each) => total + each * each, 0) / this.z.length;
    const pull = (4 * prior * (mean / size - 1)) / size / this.z.length;
    this.steps += 1;
    const corrected = 1 - 0.9 ** this.steps;
    for (let i = 0; i < this.z.length; i++) {
      const g = gradient[i] + pull * this.z[i];
      this.mean[i] += 0.1 * (g - this.mean[i]);
      this.square[i] += 0.1 * (g * g - this.square[i]);
      const deviation = Math.sqrt(this.square[i] / corrected) + 1e-8;
      this.z[i] -= (rate * learning_rate * this.mean[i]) / corrected / deviation;
    }
    this.z = within(this.z, limit);
  }

  // Of the mean squared error with respect to z; notes the error of z as it is.
  gradient() {
    const picture = this.generator.draw(this.z, this.label);
    const differences = picture.map((x, i) => x - this.target[i]);
    const squares = differences.reduce((total, x) => total + x * x, 0);
    this.error = Math.sqrt(squares / picture.length);
    return this.generator.pull(differences.map((x) => (2 * x) / picture.length));
  }
}

// Yields {best, share} after every step: the best descent so far, null before there is one, and
// which share of the work is done. target: numbers in [-1, 1]. label: null to look for the best.
function* inversion(generator, target, shelf, label, settings) {
  const rounds = label === null ? ROUNDS : ROUNDS.slice(-1);
  let total = shelf.missing() * DRAW;
  for (const {labels, steps} of rounds) total += Math.min(labels, shelf.labels.length) * steps;
  let done = 0;
  for (const _ of shelf.fill(shelf.enough)) {
    done += DRAW;
    yield {best: null, share: done / total};
  }

  const starts = shelf.labels.map((each, k) => ({label: each, ...shelf.nearest(target, k)}));
  const wanted = starts.filter((each) => label === null || each.label === label);
  let descents = wanted.map((each) => new Descent(generator, target, each, settings));
  for (const {labels, steps} of rounds) {
    descents.sort((a, b) => a.error - b.error);
    descents = descents.slice(0, labels);
    for (let step = 0; step < steps; step++) {
      const rate = labels === 1 ? Math.min(1, 10 * (1 - step / steps)) : 1;
      for (const descent of descents) {
        descent.step(rate);
        done += 1;
        yield {best: descents[0], share: done / total};
      }
    }
  }
  descents[0].gradient();
  yield {best: descents[0], share: 1};
}
