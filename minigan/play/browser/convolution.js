// Convolution of one picture, and its transpose: each is the other's gradient.
//
//     <y, conv2d(x, w)> = <convTranspose2d(y, w), x>
//
// x: (H, W, C), the larger side. y: (OH, OW, O). w: (KH, KW, C, O). g: the geometry of the
// convolution: in_size (H, W), out_size (OH, OW), kernel, stride, pads and dilation, each by axis.
// The tap (k, l) of the kernel connects pixel (i, j) of x with pixel (p, q) of y where
//
//     i = p * stride + k * dilation - top,    j = q * stride + l * dilation - left

"use strict";

// Which pixels of y a pixel of x meets, along one axis: flat pairs (tap of the kernel, place in y).
function meetings(i, axis, g) {
  const pairs = [];
  for (let k = 0; k < g.kernel[axis]; k++) {
    const place = (i + g.pads[axis][0] - k * g.dilation[axis]) / g.stride[axis];
    if (Number.isInteger(place) && place >= 0 && place < g.out_size[axis]) pairs.push(k, place);
  }
  return pairs;
}

// Calls visit(pixel of x, tap, pixel of y), flat numbers, wherever a tap connects two pixels.
function connect(g, visit) {
  const [H, W] = g.in_size;
  const OW = g.out_size[1];
  const KW = g.kernel[1];
  for (let i = 0; i < H; i++) {
    const rows = meetings(i, 0, g);
    for (let j = 0; j < W; j++) {
      const columns = meetings(j, 1, g);
      for (let r = 0; r < rows.length; r += 2) {
        for (let s = 0; s < columns.length; s += 2) {
          visit(i * W + j, rows[r] * KW + columns[s], rows[r + 1] * OW + columns[s + 1]);
        }
      }
    }
  }
}

// x += the transposed convolution of y. Four channels of x at a time share what is read of y.
function convTranspose2d(x, y, w, g) {
  const C = x.length / product(g.in_size);
  const O = y.length / product(g.out_size);
  connect(g, (i, tap, p) => addProducts(x, i * C, C, w, tap * C * O, y, p * O, O));
}

// to[c] += the product of row c of w with `from`: a matrix of C rows times a vector of O numbers.
// After a ReLU half of the numbers are 0, and are left out.
function addProducts(to, at, C, w, tap, from, start, O) {
  const count = findNonzero(from, start, O);
  let c = 0;
  for (; c + 3 < C; c += 4) {
    const first = tap + c * O;
    const second = first + O;
    const third = second + O;
    const fourth = third + O;
    let a = 0;
    let b = 0;
    let d = 0;
    let e = 0;
    for (let n = 0; n < count; n++) {
      const o = nonzero[n];
      const number = from[start + o];
      a += number * w[first + o];
      b += number * w[second + o];
      d += number * w[third + o];
      e += number * w[fourth + o];
    }
    to[at + c] += a;
    to[at + c + 1] += b;
    to[at + c + 2] += d;
    to[at + c + 3] += e;
  }
  for (; c < C; c++) {
    const row = tap + c * O;
    let a = 0;
    for (let n = 0; n < count; n++) a += from[start + nonzero[n]] * w[row + nonzero[n]];
    to[at + c] += a;
  }
}

// The places of the numbers that are not 0 go into `nonzero`; returns how many there are.
let nonzero = new Int32Array(1024);
function findNonzero(from, start, size) {
  if (size > nonzero.length) nonzero = new Int32Array(size);
  let count = 0;
  for (let i = 0; i < size; i++) {
    nonzero[count] = i;
    if (from[start + i] !== 0) count += 1;
  }
  return count;
}

// y += the convolution of x.
function conv2d(x, y, w, g) {
  const C = x.length / product(g.in_size);
  const O = y.length / product(g.out_size);
  connect(g, (i, tap, p) => addRows(y, p * O, O, w, tap * C * O, x, i * C, C));
}

// to += the rows of w, each times its number in `from`: a vector of C numbers times a matrix.
function addRows(to, at, O, w, tap, from, start, C) {
  const count = findNonzero(from, start, C);
  let n = 0;
  for (; n + 3 < count; n += 4) {
    const first = tap + nonzero[n] * O;
    const second = tap + nonzero[n + 1] * O;
    const third = tap + nonzero[n + 2] * O;
    const fourth = tap + nonzero[n + 3] * O;
    const a = from[start + nonzero[n]];
    const b = from[start + nonzero[n + 1]];
    const d = from[start + nonzero[n + 2]];
    const e = from[start + nonzero[n + 3]];
    for (let o = 0; o < O; o++) {
      to[at + o] += a * w[first + o] + b * w[second + o] + d * w[third + o] + e * w[fourth + o];
    }
  }
  for (; n < count; n++) {
    const row = tap + nonzero[n] * O;
    const a = from[start + nonzero[n]];
    for (let o = 0; o < O; o++) to[at + o] += a * w[row + o];
  }
}
