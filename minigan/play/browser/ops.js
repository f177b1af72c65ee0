// The ops of a generator, each with its gradient beside it.
//
// A value is {shape, data, grad}: `grad`, of data's size, is null where no gradient is wanted. A
// call is {op, inputs, y, settings}: inputs and y are values. `prepare(call)` works out once what
// follows from the shapes; `forward(call)` fills y.data; `backward(call)` adds to the inputs' grad
// what y.grad means for them.

"use strict";

// ---------------------------------------------------------------- element by element

function unary(f, derivative) {
  return {
    prepare() {},
    forward({inputs: [x], y, settings}) {
      for (let i = 0; i < y.data.length; i++) y.data[i] = f(x.data[i], settings);
    },
    backward({inputs: [x], y, settings}) {
      for (let i = 0; i < y.data.length; i++) {
        x.grad[i] += y.grad[i] * derivative(x.data[i], y.data[i], settings);
      }
    },
  };
}

// a and b are broadcast against each other. ofA, ofB: the derivatives with respect to each.
function binary(f, ofA, ofB) {
  return {
    prepare(call) {
      call.places = call.inputs.map((x) => broadcastTable(x.shape, call.y.shape));
    },
    forward({inputs: [a, b], y, settings, places: [ofa, ofb]}) {
      for (let i = 0; i < y.data.length; i++) {
        y.data[i] = f(a.data[ofa[i]], b.data[ofb[i]], settings);
      }
    },
    backward({inputs: [a, b], y, settings, places: [ofa, ofb]}) {
      for (let i = 0; i < y.data.length; i++) {
        const u = a.data[ofa[i]];
        const v = b.data[ofb[i]];
        if (a.grad) a.grad[ofa[i]] += y.grad[i] * ofA(u, v, settings);
        if (b.grad) b.grad[ofb[i]] += y.grad[i] * ofB(u, v, settings);
      }
    },
  };
}

// 1 where a is larger, 1/2 where they are equal.
function larger(a, b) {
  return (a > b) + (a === b) / 2;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

function leaky(x, {slope}) {
  return x > 0 ? x : slope * x;
}

function leak(x, {slope}) {
  return x > 0 ? 1 : slope;
}

// ---------------------------------------------------------------- moved elements

// The same memory seen with other steps: y[i] = x[places[i]], from `start`, `apart` along each axis
// of y. Slices, transposes and repetitions are such views. Back, what was repeated is added up.
const view = {
  prepare(call) {
    call.places = table(call.y.shape, call.settings.apart, call.settings.start);
  },
  forward({inputs: [x], y, places}) {
    for (let i = 0; i < y.data.length; i++) y.data[i] = x.data[places[i]];
  },
  backward({inputs: [x], y, places}) {
    for (let i = 0; i < y.data.length; i++) x.grad[places[i]] += y.grad[i];
  },
};

const reshape = {
  prepare() {},
  forward({inputs: [x], y}) {
    y.data.set(x.data);
  },
  backward({inputs: [x], y}) {
    for (let i = 0; i < y.grad.length; i++) x.grad[i] += y.grad[i];
  },
};

// Along an axis, each input fills a piece of every block of y.
const concatenate = {
  prepare(call) {
    const after = (shape) => product(shape.slice(call.settings.axis));
    call.block = after(call.y.shape);
    call.pieces = call.inputs.map((x) => after(x.shape));
  },
  forward({inputs, y, block, pieces}) {
    for (let to = 0, n = 0; to < y.data.length; to += block, n++) {
      let start = to;
      inputs.forEach((x, i) => {
        y.data.set(x.data.subarray(n * pieces[i], (n + 1) * pieces[i]), start);
        start += pieces[i];
      });
    }
  },
  backward({inputs, y, block, pieces}) {
    for (let to = 0, n = 0; to < y.data.length; to += block, n++) {
      let start = to;
      inputs.forEach((x, i) => {
        const at = n * pieces[i];
        for (let j = 0; x.grad && j < pieces[i]; j++) x.grad[at + j] += y.grad[start + j];
        start += pieces[i];
      });
    }
  },
};

// A row of a table: that of the label. No gradient goes back, as the table depends on no latent.
const gather = {
  prepare() {},
  forward({inputs: [rows, label], y}) {
    const size = y.data.length;
    y.data.set(rows.data.subarray(label.data[0] * size, (label.data[0] + 1) * size));
  },
  backward() {},
};

// ---------------------------------------------------------------- weights

// y = x w + b, or without b. x: one row of n numbers; w: (n, m), which no gradient reaches.
const dense = {
  prepare() {},
  forward({inputs: [x, w, b], y}) {
    if (b) y.data.set(b.data);
    else y.data.fill(0);
    addRows(y.data, 0, y.data.length, w.data, 0, x.data, 0, x.data.length);
  },
  backward({inputs: [x, w], y}) {
    addProducts(x.grad, 0, x.grad.length, w.data, 0, y.grad, 0, y.grad.length);
  },
};

const convolution = {
  prepare() {},
  forward({inputs: [x, w], y, settings}) {
    y.data.fill(0);
    conv2d(x.data, y.data, w.data, settings);
  },
  backward({inputs: [x, w], y, settings}) {
    convTranspose2d(x.grad, y.grad, w.data, settings);
  },
};

const transposed = {
  prepare() {},
  forward({inputs: [x, w], y, settings}) {
    y.data.fill(0);
    convTranspose2d(y.data, x.data, w.data, settings);
  },
  backward({inputs: [x, w], y, settings}) {
    conv2d(y.grad, x.grad, w.data, settings);
  },
};

// ---------------------------------------------------------------- by name

const OPS = {
  add: binary((a, b) => a + b, () => 1, () => 1),
  subtract: binary((a, b) => a - b, () => 1, () => -1),
  multiply: binary((a, b) => a * b, (a, b) => b, (a) => a),
  divide: binary((a, b) => a / b, (a, b) => 1 / b, (a, b) => -a / (b * b)),
  maximum: binary((a, b) => Math.max(a, b), larger, (a, b) => larger(b, a)),
  minimum: binary((a, b) => Math.min(a, b), (a, b) => larger(b, a), larger),
  bias_leaky_relu: binary((a, b, s) => leaky(a + b, s), (a, b, s) => leak(a + b, s),
                          (a, b, s) => leak(a + b, s)),
  leaky_relu: unary(leaky, (x, y, s) => leak(x, s)),
  tanh: unary(Math.tanh, (x, y) => 1 - y * y),
  sigmoid: unary(sigmoid, (x, y) => y * (1 - y)),
  softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), sigmoid),
  negative: unary((x) => -x, () => -1),
  square: unary((x) => x * x, (x) => 2 * x),
  sqrt: unary(Math.sqrt, (x, y) => 0.5 / y),
  exp: unary(Math.exp, (x, y) => y),
  abs: unary(Math.abs, Math.sign),
  clip: unary((x, {low, high}) => Math.min(Math.max(x, low), high),
              (x, y, {low, high}) => (x >= low && x <= high ? 1 : 0)),
  reshape,
  view,
  concatenate,
  gather,
  matmul: dense,
  affine: dense,
  conv2d: convolution,
  conv_transpose2d: transposed,
};
