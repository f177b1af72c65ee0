// A button with a picture for each label; for many labels, a list to choose from.

"use strict";

const MOST = 12;                                                // labels that are shown as pictures

class Classes {
  // names: of all labels. whenChosen(label): called when one is pressed.
  constructor(place, names, shape, whenChosen) {
    this.place = place;
    this.shape = shape;
    this.buttons = [];
    if (names.length > MOST) this.addList(names, whenChosen);
    else if (names.length) this.addButtons(names, whenChosen);
  }

  addButtons(names, whenChosen) {
    this.place.classList.toggle("ten", names.length === 10);
    this.buttons = names.map((name, label) => {
      const button = document.createElement("button");
      button.type = "button";
      button.addEventListener("click", () => whenChosen(label));
      const words = document.createElement("span");
      words.textContent = name;
      const canvas = newCanvas(this.shape[1], this.shape[0]);
      canvas.className = "picture";
      button.append(canvas, words);
      return button;
    });
    this.place.append(...this.buttons);
    this.press(null);
  }

  addList(names, whenChosen) {
    this.list = document.createElement("select");
    this.list.setAttribute("aria-labelledby", this.place.getAttribute("aria-labelledby"));
    this.list.append(...names.map((name, label) => new Option(name, label)));
    this.list.addEventListener("change", () => whenChosen(Number(this.list.value)));
    this.place.append(this.list);
  }

  // Show which label is chosen; null for none.
  press(chosen) {
    this.buttons.forEach((button, label) => button.setAttribute("aria-pressed", label === chosen));
    if (this.list) this.list.value = chosen;
  }

  // A task: the picture of a latent under each label.
  *draw(generator, z) {
    for (const [label, button] of this.buttons.entries()) {
      paint(button.firstChild, generator.draw(z, label), this.shape);
      yield;
    }
  }

  clear() {
    for (const button of this.buttons) button.firstChild.width = this.shape[1];
    this.press(null);
  }
}
