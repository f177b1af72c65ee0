// What a handwritten picture is like: minigan's `measure` (editing/directions/attributes.py), after
// Castro et al. 2019, "Morpho-MNIST". Its docstring says what each number means.

"use strict";

const MARGIN = 0.01;   // of the ink, left out at each end of width and height

// bytes: a grey picture of (height, width). Returns {boldness, slant, width, height}.
function measure(bytes, [height, width]) {
  const ink = Float64Array.from(bytes, (x) => x / 255);
  const ofRows = new Float64Array(height);
  const ofColumns = new Float64Array(width);
  ink.forEach((x, i) => {
    ofRows[Math.floor(i / width)] += x;
    ofColumns[i % width] += x;
  });
  const total = sum(ofRows);
  if (total === 0) return {boldness: 0, slant: 0, width: 0, height: 0};

  const y = fromCentre(ofRows);
  const x = fromCentre(ofColumns);
  const slant = slantOf(ink, y, x);
  return {
    boldness: (2 * total) / outline(ink, height, width),
    slant,
    width: extent(upright(y, x, slant), ink),
    height: extent(y, ofRows),
  };
}

function sum(numbers) {
  return numbers.reduce((total, x) => total + x, 0);
}

// Where each place of a profile is, seen from the profile's centre of mass.
function fromCentre(profile) {
  const centre = sum(profile.map((x, i) => x * i)) / sum(profile);
  return profile.map((_, i) => i - centre);
}

function slantOf(ink, y, x) {
  let u02 = 0;
  let u11 = 0;
  ink.forEach((mass, i) => {
    const down = y[Math.floor(i / x.length)];
    u02 += mass * down * down;
    u11 += mass * down * x[i % x.length];
  });
  return u02 > 0 ? -u11 / u02 : 0;
}

// The length of all outlines: the sum of |gradient| where four pixels meet.
function outline(ink, height, width) {
  const at = (i, j) => (i < 0 || j < 0 || i >= height || j >= width ? 0 : ink[i * width + j]);
  let length = 0;
  for (let i = -1; i < height; i++) {
    for (let j = -1; j < width; j++) {
      const right = at(i, j + 1) - at(i, j) + at(i + 1, j + 1) - at(i + 1, j);
      const down = at(i + 1, j) - at(i, j) + at(i + 1, j + 1) - at(i, j + 1);
      length += Math.hypot(right, down) / 2;
    }
  }
  return length;
}

// The place of each pixel, from left to right, once its row has moved back by the slant.
function upright(y, x, slant) {
  return Float64Array.from({length: y.length * x.length}, (_, i) => (
    x[i % x.length] + slant * y[Math.floor(i / x.length)]));
}

// How far ink reaches, without MARGIN of it at each end. The ink of each place is spread evenly
// over one pixel around it, so the ink to the left of t grows by straight pieces, whose slope
// changes where a pixel begins and where it ends.
function extent(places, ink) {
  const changes = [];
  places.forEach((place, i) => {
    if (ink[i]) changes.push([place - 0.5, ink[i]], [place + 0.5, -ink[i]]);
  });
  changes.sort((a, b) => a[0] - b[0]);
  const total = sum(ink);
  return border(changes, (1 - MARGIN) * total) - border(changes, MARGIN * total);
}

// The place to the left of which there is so much ink.
function border(changes, wanted) {
  let held = 0;
  let slope = 0;
  let before = changes[0][0];
  for (const [place, change] of changes) {
    const more = slope * (place - before);
    if (held + more >= wanted) return before + (wanted - held) / slope;
    held += more;
    slope += change;
    before = place;
  }
  return before;
}
