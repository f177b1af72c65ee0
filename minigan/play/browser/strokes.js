// From the lines of a pen to a picture like the training data's.
//
// MNIST's digits were brought to a box of 20 x 20 of 28 x 28 pixels, and their centre of mass to
// the middle (LeCun et al. 1998, "Gradient-based learning applied to document recognition", III.A).
// Lines are flat lists of points, x0, y0, x1, y1, ...; a pixel's ink follows from its distance to
// the nearest line, so nothing is resampled and the pen is always as thick as in the data.

"use strict";

const BOX = 20 / 28;    // of the picture's side
const PEN = 2.4 / 28;   // thickness

// A picture of height x width numbers from 0 to 1, of lines in any unit.
function inked(lines, height, width) {
  const pen = PEN * Math.min(height, width);
  const fitted = moveAll(lines, ...fit(lines, pen, height, width));
  const [x, y] = centreOfMass(drawn(fitted, pen, height, width), width);
  const centred = moveAll(fitted, 1, (width - 1) / 2 - x, (height - 1) / 2 - y);
  return drawn(centred, pen, height, width);
}

// The scale and shift that bring the lines, as thick as the pen, to the box in the middle.
function fit(lines, pen, height, width) {
  const [left, right, top, bottom] = reach(lines);
  const across = (BOX * width - pen) / Math.max(right - left, 1e-6);
  const down = (BOX * height - pen) / Math.max(bottom - top, 1e-6);
  const scale = Math.min(across, down);
  return [scale, ((width - 1) - scale * (left + right)) / 2,
          ((height - 1) - scale * (top + bottom)) / 2];
}

function reach(lines) {
  const xs = lines.flatMap((line) => line.filter((_, i) => i % 2 === 0));
  const ys = lines.flatMap((line) => line.filter((_, i) => i % 2 === 1));
  return [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
}

function moveAll(lines, scale, right, down) {
  return lines.map((line) => line.map((x, i) => scale * x + (i % 2 ? down : right)));
}

function drawn(lines, pen, height, width) {
  const picture = new Float32Array(height * width);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const ink = pen / 2 + 0.5 - distanceToLines(column, row, lines);
      picture[row * width + column] = Math.min(Math.max(ink, 0), 1);
    }
  }
  return picture;
}

function distanceToLines(x, y, lines) {
  let nearest = Infinity;
  for (const line of lines) {
    nearest = Math.min(nearest, Math.hypot(x - line[0], y - line[1]));
    for (let i = 2; i < line.length; i += 2) {
      nearest = Math.min(nearest, distanceToSegment(x, y, line, i));
    }
  }
  return nearest;
}

// From (x, y) to the piece of a line that ends at its point i.
function distanceToSegment(x, y, line, i) {
  const dx = line[i] - line[i - 2];
  const dy = line[i + 1] - line[i - 1];
  const length = dx * dx + dy * dy;
  const along = ((x - line[i - 2]) * dx + (y - line[i - 1]) * dy) / Math.max(length, 1e-9);
  const t = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - line[i - 2] - t * dx, y - line[i - 1] - t * dy);
}

// Where the ink is, on average: (x, y).
function centreOfMass(picture, width) {
  let total = 1e-9;
  let x = 0;
  let y = 0;
  picture.forEach((ink, i) => {
    total += ink;
    x += ink * (i % width);
    y += ink * Math.floor(i / width);
  });
  return [x / total, y / total];
}
