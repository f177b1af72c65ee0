// The search for the twin of a picture, shown while it goes on.

"use strict";

const PATIENCE = 350;   // milliseconds after a stroke: another may follow
const EVERY = 16;       // steps between two pictures that are shown

class Twin {
  // names: of the labels. whenAdopted(z, label): called when the twin shall be played with.
  constructor(generator, shelf, names, settings, whenAdopted) {
    this.generator = generator;
    this.shelf = shelf;
    this.names = names;
    this.settings = settings;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.others = new Classes(element("others"), names, generator.shape, (label) => {
      this.correct(label);
    });
    element("adopt").addEventListener("click", () => whenAdopted(this.best.z, this.best.label));
    this.forget();
  }

  // Nothing is looked for, and nothing was found.
  forget(words = "") {
    clearTimeout(this.waiting);
    stopTask("twin");
    this.target = null;
    this.best = null;
    this.others.clear();
    const [height, width] = this.generator.shape;
    for (const id of ["given", "twin"]) Object.assign(element(id), {width, height});
    this.say(words, 0);
  }

  // Look for a picture's twin, soon. label: of the picture, null if it is not known.
  find(target, label = null) {
    clearTimeout(this.waiting);
    stopTask("twin");
    this.target = target;
    paint(element("given"), target, this.generator.shape);
    this.say("Looking for it.", 0);
    this.waiting = setTimeout(() => startTask("twin", () => this.search(label)), PATIENCE);
  }

  // The person says which label is right.
  correct(label) {
    if (this.target) this.find(this.target, label);
  }

  *search(label) {
    const {generator, target, shelf, settings} = this;
    let steps = 0;
    for (const {best, share} of inversion(generator, target, shelf, label, settings)) {
      element("progress").value = share;
      this.best = best;
      if (best && steps % EVERY === 0 && !this.still) yield* this.show();
      steps += 1;
      yield;
    }
    yield* this.show();
    this.say(this.words(), 1);
  }

  *show() {
    const {z, label} = this.best;
    paint(element("twin"), this.generator.draw(z, label), this.generator.shape);
    this.others.press(this.names.length ? label : null);
    yield* this.others.draw(this.generator, z);
  }

  words() {
    const {label, error, nearest} = this.best;
    const drawn = this.shelf.pictures[0].length;
    const numbers = `Twin and picture differ by ${error.toFixed(2)} (root mean square, on a ` +
      `scale from \u22121 to 1); the nearest of ${drawn} random pictures by ` +
      `${nearest.toFixed(2)}.`;
    if (!this.names.length) return numbers;
    return `It reads your picture as \u201c${this.names[label]}\u201d. ${numbers} If it reads it ` +
      "wrongly, choose the right one below.";
  }

  say(words, share) {
    element("words").textContent = words;
    element("progress").value = share;
    element("adopt").disabled = share < 1;
  }
}
