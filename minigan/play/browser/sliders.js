// A slider for each direction, with what is measured on the picture beside it.

"use strict";

const REACH = 3;                      // amounts from -3 to 3
const UNITS = {boldness: " px", width: " px", height: " px", slant: ""};
const SHOWN = 6;                      // sliders that are not folded away, where none is measured

class Sliders {
  // whenMoved(): called after a slider has moved.
  constructor(place, directions, state, whenMoved) {
    this.state = state;
    this.whenMoved = whenMoved;
    this.rows = directions.map(({name}, k) => this.row(name, k));
    const shown = directions.filter(({name}) => name in UNITS).length || SHOWN;
    place.append(...this.rows.slice(0, shown).map(({row}) => row));
    if (this.rows.length > shown) place.append(this.folded(shown));
  }

  row(name, k) {
    const row = document.createElement("div");
    row.className = "slider";
    const label = document.createElement("label");
    label.textContent = name;
    label.htmlFor = `direction-${k}`;
    const input = document.createElement("input");
    Object.assign(input, {type: "range", min: -REACH, max: REACH, step: 0.05, value: 0});
    input.id = label.htmlFor;
    input.setAttribute("list", "zero");                         // a mark at 0
    input.addEventListener("input", () => {
      this.state.amounts[k] = Number(input.value);
      this.whenMoved();
    });
    const output = document.createElement("output");
    output.htmlFor = input.id;
    output.setAttribute("aria-live", "off");                    // the slider's own text says it
    row.append(label, input, output);
    return {name, row, input, output};
  }

  folded(shown) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    summary.textContent = `${this.rows.length - shown} more`;
    details.append(summary, ...this.rows.slice(shown).map(({row}) => row));
    return details;
  }

  // measured: numbers by name, for the directions that can be measured; for others, the amount.
  show(measured) {
    this.rows.forEach(({name, input, output}, k) => {
      const amount = this.state.amounts[k];
      input.value = amount;
      const words = name in measured ? inWords(name, measured[name]) : signed(amount);
      output.textContent = words;
      input.setAttribute("aria-valuetext", `${signed(amount)}: ${words}`);
    });
  }
}

function inWords(name, value) {
  const digits = UNITS[name] ? 1 : 2;
  const text = value.toFixed(digits);
  return text.replace(/^-(0\.0+)$/, "$1").replace("-", "\u2212") + UNITS[name];
}

function signed(amount) {
  const size = Math.abs(amount).toFixed(1);
  return amount > 0 ? `+${size}` : `${amount < 0 ? "\u2212" : ""}${size}`;
}
