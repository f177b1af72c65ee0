// A picture from a file, brought to what the generator's training data looks like.

"use strict";

const WORK = 280;       // pixels of the longer side, on which a stroke's place is looked for
const SOME_INK = 0.3;   // of the darkest ink: what counts as a stroke

// The middle of an image, as large as fits, as a picture of the shape.
function photograph(image, shape) {
  const [height, width] = shape;
  const scale = Math.min(image.width / width, image.height / height);
  const part = [(image.width - scale * width) / 2, (image.height - scale * height) / 2,
                scale * width, scale * height];
  return readPicture(shrunk(image, part, [width, height], [0, 0, width, height]), shape);
}

// Strokes on a plain ground, dark or light, as light strokes on black: in a box, centred by mass.
// A picture of no strokes is null.
function handwriting(image, shape) {
  const ink = inkOf(image);
  const bounds = boundsOf(ink);
  if (!bounds) return null;
  const [height, width] = shape;
  const [, , wide, high] = bounds;
  const scale = Math.min((BOX * width) / wide, (BOX * height) / high);
  const size = [scale * wide, scale * high];
  const place = [(width - size[0]) / 2, (height - size[1]) / 2, ...size];
  const first = readPicture(shrunk(ink, bounds, [width, height], place), shape);
  const [x, y] = centreOfMass(first.map((value) => (value + 1) / 2), width);
  place[0] += (width - 1) / 2 - x;
  place[1] += (height - 1) / 2 - y;
  return readPicture(shrunk(ink, bounds, [width, height], place), shape);
}

// A canvas of the ink alone: 0 where the picture is like its border, 255 where it differs most.
function inkOf(image) {
  const scale = Math.min(1, WORK / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const paper = newCanvas(image.width, image.height);
  const context = paper.getContext("2d");
  context.fillStyle = "#fff";                                   // where it is transparent
  context.fillRect(0, 0, image.width, image.height);
  context.drawImage(image, 0, 0);
  const all = [0, 0, image.width, image.height];
  const canvas = shrunk(paper, all, [width, height], [0, 0, width, height]);
  const shape = [height, width, 1];
  const grey = readPicture(canvas, shape);
  const ground = median(grey.filter((_, i) => atBorder(i, width, height)));
  const differences = grey.map((x) => (ground > 0 ? ground - x : x - ground));
  const most = differences.reduce((a, b) => Math.max(a, b), 0.2);
  paint(canvas, differences.map((x) => (2 * Math.max(x, 0)) / most - 1), shape);
  return canvas;
}

function atBorder(i, width, height) {
  const column = i % width;
  const row = Math.floor(i / width);
  return column === 0 || row === 0 || column === width - 1 || row === height - 1;
}

function median(numbers) {
  return numbers.slice().sort()[Math.floor(numbers.length / 2)];
}

// The smallest box that holds all strokes, (left, top, width, height); null if there are none.
function boundsOf(canvas) {
  const {width, height} = canvas;
  const ink = readPicture(canvas, [height, width, 1]);
  let [left, right, top, bottom] = [width, -1, height, -1];
  ink.forEach((value, i) => {
    if ((value + 1) / 2 < SOME_INK) return;
    left = Math.min(left, i % width);
    right = Math.max(right, i % width);
    top = Math.min(top, Math.floor(i / width));
    bottom = Math.max(bottom, Math.floor(i / width));
  });
  return right < 0 ? null : [left, top, right - left + 1, bottom - top + 1];
}
