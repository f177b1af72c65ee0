// What a handwritten picture is like: minigan's `measure` (editing/attributes.py), after Castro et
// al. 2019, "Morpho-MNIST". Its docstring says what each number means.

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
    width: extent(upright(ink, y.map((down) => slant * down), width)),
    height: extent(ofRows),
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

// The ink in each column once row i has moved right by shift[i]; a pixel's ink is shared by two.
function upright(ink, shift, width) {
  const columns = new Float64Array(3 * width);
  ink.forEach((mass, i) => {
    const place = (i % width) + width + shift[Math.floor(i / width)];
    const limited = Math.min(Math.max(place, 0), columns.length - 2);
    const left = Math.floor(limited);
    columns[left] += mass * (1 - (limited - left));
    columns[left + 1] += mass * (limited - left);
  });
  return columns;
}

// How far the ink of a profile reaches, without MARGIN of it at each end.
function extent(profile) {
  const total = sum(profile);
  return border(profile, (1 - MARGIN) * total) - border(profile, MARGIN * total);
}

// The place in a profile up to which it holds this much ink.
function border(profile, wanted) {
  let held = 0;
  for (let i = 0; i < profile.length; i++) {
    if (profile[i] > 0 && held + profile[i] >= wanted) return i + (wanted - held) / profile[i];
    held += profile[i];
  }
  return profile.length;
}
