// Between canvases and pictures, which are numbers in [-1, 1] in the order (H, W, C).

"use strict";

function element(id) {
  return document.getElementById(id);
}

// Give a canvas the picture's pixels; its size on the page is that of the style sheet.
function paint(canvas, picture, shape) {
  canvas.width = shape[1];
  canvas.height = shape[0];
  canvas.getContext("2d").putImageData(imageData(picture, shape), 0, 0);
}

function imageData(picture, [height, width, channels]) {
  const image = new ImageData(width, height);
  const bytes = toBytes(picture);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = bytes[channels * i + (channels < 3 ? 0 : c)];
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// The picture of a canvas of that shape.
function readPicture(canvas, [height, width, channels]) {
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  const picture = new Float32Array(height * width * channels);
  for (let i = 0; i < width * height; i++) {
    const rgb = data.subarray(4 * i, 4 * i + 3);
    const grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    for (let c = 0; c < channels; c++) {
      picture[channels * i + c] = (channels < 3 ? grey : rgb[c]) / 127.5 - 1;
    }
  }
  return picture;
}

function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// A part of an image, (left, top, width, height), made smaller step by step, so that each of its
// pixels counts, and put into a canvas of that size at (left, top, width, height).
function shrunk(image, part, size, place) {
  let from = image;
  let [left, top, width, height] = part;
  while (width / 2 > place[2] && height / 2 > place[3]) {
    const half = newCanvas(Math.ceil(width / 2), Math.ceil(height / 2));
    const context = half.getContext("2d");
    context.drawImage(from, left, top, width, height, 0, 0, half.width, half.height);
    from = half;
    [left, top, width, height] = [0, 0, half.width, half.height];
  }
  const canvas = newCanvas(...size);
  canvas.getContext("2d").drawImage(from, left, top, width, height, ...place);
  return canvas;
}
