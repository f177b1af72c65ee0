// The pad: a map of the pictures between four latents, and a dot on it.

"use strict";

class Pad {
  // whenMoved(): called after the dot has moved.
  constructor(pad, state, whenMoved) {
    this.pad = pad;
    this.canvas = pad.querySelector("canvas");
    this.dot = pad.querySelector("#dot");
    this.state = state;
    this.whenMoved = whenMoved;
    this.listen();
  }

  listen() {
    const {pad} = this;
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      this.pressed = true;
      this.follow(event);
    });
    pad.addEventListener("pointermove", (event) => {
      if (this.pressed) this.follow(event);
    });
    for (const type of ["pointerup", "pointercancel"]) {
      pad.addEventListener(type, () => {
        this.pressed = false;
      });
    }
    pad.addEventListener("keydown", (event) => this.press(event));
  }

  follow(event) {
    const box = this.pad.getBoundingClientRect();
    this.go((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  press(event) {
    const step = event.shiftKey ? 0.25 : 0.05;
    const {across, down} = this.state;
    const places = {
      ArrowLeft: [across - step, down], ArrowRight: [across + step, down],
      ArrowUp: [across, down - step], ArrowDown: [across, down + step],
      Home: [0, 0], End: [1, 1],
    };
    if (!places[event.key]) return;
    event.preventDefault();                                      // the page does not scroll
    this.go(...places[event.key]);
  }

  go(across, down) {
    this.state.across = Math.min(Math.max(across, 0), 1);
    this.state.down = Math.min(Math.max(down, 0), 1);
    this.show();
    this.whenMoved();
  }

  // Put the dot where the state says.
  show() {
    const right = Math.round(100 * this.state.across);
    const down = Math.round(100 * this.state.down);
    this.dot.style.left = `${right}%`;
    this.dot.style.top = `${down}%`;
    this.pad.setAttribute("aria-valuenow", right);
    this.pad.setAttribute("aria-valuetext", `${right} percent to the right, ${down} percent down`);
  }

  // A task: the map of cells x cells pictures, from the middle outwards.
  *map(generator, cells) {
    const [height, width] = generator.shape;
    if (this.canvas.width !== cells * width) {
      this.canvas.width = cells * width;
      this.canvas.height = cells * height;
    }
    const context = this.canvas.getContext("2d");
    for (const [column, row] of fromTheMiddle(cells)) {
      const z = this.state.latent((column + 0.5) / cells, (row + 0.5) / cells);
      const picture = generator.draw(z, this.state.label);
      context.putImageData(imageData(picture, generator.shape), column * width, row * height);
      yield;
    }
  }
}

function fromTheMiddle(cells) {
  const places = [];
  for (let i = 0; i < cells * cells; i++) places.push([i % cells, Math.floor(i / cells)]);
  const middle = (cells - 1) / 2;
  const distance = ([x, y]) => Math.hypot(x - middle, y - middle);
  return places.sort((a, b) => distance(a) - distance(b));
}
