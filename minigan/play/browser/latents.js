// Latent vectors: random ones, ones between them, ones further along a direction.

"use strict";

// Uniform numbers in [0, 1) that a seed decides: mulberry32, by Tommy Ettinger.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// A latent as the model was trained with: uniform within `limit`, or else normal (Box and Muller).
function randomLatent(random, size, limit) {
  return Float32Array.from({length: size}, () => {
    if (limit !== null) return limit * (2 * random() - 1);
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  });
}

function within(z, limit) {
  return limit === null ? z : z.map((x) => Math.min(Math.max(x, -limit), limit));
}

// From a (t = 0) to b (t = 1) along the sphere (Shoemake 1985), as minigan's `slerp`.
function slerp(a, b, t) {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    squareA += a[i] * a[i];
    squareB += b[i] * b[i];
  }
  const cosine = product / Math.max(Math.sqrt(squareA * squareB), 1e-37);
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  const straight = Math.sin(angle) < 1e-3;
  const ofA = straight ? 1 - t : Math.sin((1 - t) * angle) / Math.sin(angle);
  const ofB = straight ? t : Math.sin(t * angle) / Math.sin(angle);
  return a.map((x, i) => ofA * x + ofB * b[i]);
}

// Between four corners, left to right and then top to bottom. across, down: from 0 to 1.
function between([topLeft, topRight, bottomLeft, bottomRight], across, down) {
  const top = slerp(topLeft, topRight, across);
  const bottom = slerp(bottomLeft, bottomRight, across);
  return slerp(top, bottom, down);
}

// z + the sum of amounts[k] * directions[k].
function moved(z, amounts, directions) {
  const further = z.slice();
  directions.forEach((direction, k) => {
    for (let i = 0; i < z.length; i++) further[i] += amounts[k] * direction[i];
  });
  return further;
}
