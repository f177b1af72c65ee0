// A generator: the list of calls that Python traced, for one picture at a time.
//
// description: {inputs, constants, calls, output}, see minigan/play/generator.py. bytes: those of
// the constants, one after the other.

"use strict";

class Generator {
  constructor(description, bytes) {
    this.values = {};
    this.addInputs(description.inputs);
    this.addConstants(description.constants, bytes);
    this.calls = description.calls.map((call) => this.prepared(call));
    this.output = this.values[description.output];
    this.shape = this.output.shape.slice(1);                              // (H, W, C)
    this.output.grad = new Float32Array(this.output.data.length);
  }

  addInputs(inputs) {
    for (const [name, shape] of Object.entries(inputs)) {
      const data = new Float32Array(product(shape));
      const grad = name === "z" ? new Float32Array(data.length) : null;
      this.values[name] = {shape, data, grad};
    }
  }

  addConstants(constants, bytes) {
    let start = 0;
    for (const {name, shape, half} of constants) {
      const end = start + product(shape) * (half ? 2 : 4);
      const piece = bytes.slice(start, end).buffer;
      const data = half ? floatsOfHalves(new Uint16Array(piece)) : new Float32Array(piece);
      this.values[name] = {shape, data, grad: null};
      start = end;
    }
  }

  // A call with its values in place of their names, and memory for its result.
  prepared({op, inputs, settings, output, shape}) {
    const values = inputs.map((x) => this.values[x] || {shape: [], data: Float32Array.of(x)});
    const data = new Float32Array(product(shape));
    const grad = values.some((x) => x.grad) ? new Float32Array(data.length) : null;
    const call = {op: OPS[op], inputs: values, y: {shape, data, grad}, settings};
    call.op.prepare(call);
    this.values[output] = call.y;
    return call;
  }

  // The picture of a latent, H * W * C numbers in [-1, 1]. They are overwritten by the next call.
  draw(z, label) {
    this.values.z.data.set(z);
    if (this.values.labels) this.values.labels.data[0] = label;
    for (const call of this.calls) call.op.forward(call);
    return this.output.data;
  }

  // What a gradient of the last picture means for its latent.
  pull(gradient) {
    for (const call of this.calls) if (call.y.grad) call.y.grad.fill(0);
    this.values.z.grad.fill(0);
    this.output.grad.set(gradient);
    for (const call of [...this.calls].reverse()) if (call.y.grad) call.op.backward(call);
    return this.values.z.grad;
  }
}
