// What the page shows: four corners, a place between them, amounts along directions, and a label.

"use strict";

class State {
  constructor({latent, limit, directions, corners, label}) {
    this.size = latent;
    this.limit = limit;
    this.directions = directions.map(({vector}) => vector);
    this.random = randomNumbers(corners);
    this.label = label;
    this.refresh();
    this.level();
  }

  // Four new corners, with the dot in the middle.
  refresh() {
    this.corners = Array.from({length: 4}, () => randomLatent(this.random, this.size, this.limit));
    this.across = 0.5;
    this.down = 0.5;
  }

  // Nothing is added along any direction.
  level() {
    this.amounts = this.directions.map(() => 0);
  }

  // A latent as the first corner, with the dot on it.
  adopt(z, label) {
    this.corners[0] = z.slice();
    this.across = 0;
    this.down = 0;
    this.label = label;
    this.level();
  }

  // The latent at a place of the pad; by default where the dot is.
  latent(across = this.across, down = this.down) {
    const z = between(this.corners, across, down);
    return within(moved(z, this.amounts, this.directions), this.limit);
  }
}
