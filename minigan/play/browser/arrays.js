// Shapes, and tables that say where each element of a result comes from.

"use strict";

function product(shape) {
  return shape.reduce((total, size) => total * size, 1);
}

// How far apart in memory two neighbours along each axis are, in C order.
function strides(shape) {
  const apart = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    apart[axis] = apart[axis + 1] * shape[axis + 1];
  }
  return apart;
}

// For each element of `shape`, in C order: start + the sum over axes of its index * apart[axis].
function table(shape, apart, start = 0) {
  const places = new Int32Array(product(shape));
  const index = shape.map(() => 0);
  let place = start;
  for (let i = 0; i < places.length; i++) {
    places[i] = place;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += apart[axis];
      index[axis] += 1;
      if (index[axis] < shape[axis]) break;
      place -= apart[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return places;
}

// x of shape `from` broadcast to the shape `to`: an axis of size 1 repeats its one element.
function broadcastTable(from, to) {
  const aligned = [...to.slice(0, to.length - from.length).map(() => 1), ...from];
  const apart = strides(aligned).map((step, axis) => (aligned[axis] === 1 ? 0 : step));
  return table(to, apart);
}

// From base64 to bytes, and from bytes to numbers. The bytes are little-endian, as typed arrays are
// on every machine with a browser.
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Half precision: a sign, 5 bits of exponent, 10 bits of fraction (IEEE 754).
function floatsOfHalves(halves) {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const sign = halves[i] & 0x8000 ? -1 : 1;
    const exponent = (halves[i] >> 10) & 0x1f;
    const fraction = halves[i] & 0x3ff;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    floats[i] = sign * size;
  }
  return floats;
}
