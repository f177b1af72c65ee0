// The page: what is in it, and what happens when something is moved or pressed.

"use strict";

if (!window.PointerEvent) throw new Error("no pointer events");  // to drag, to draw

const data = JSON.parse(element("data").textContent);
const generator = new Generator(data.generator, bytesOf(element("weights").textContent));
const {shape} = generator;
const state = new State(data);
const names = data.classes;

const pad = new Pad(element("pad"), state, changed);
const sliders = new Sliders(element("sliders"), data.directions, state, changed);
const classes = new Classes(element("labels"), names, shape, (label) => {
  state.label = label;
  changed();
});

const shelf = newShelf();
const twin = new Twin(generator, shelf, names, {...data.search, limit: data.limit}, (z, label) => {
  state.adopt(z, label);
  changed();
  element("playing").scrollIntoView();
  element("pad").focus({preventScroll: true});
});
const field = new Field(shape, data.strokes, (picture) => {
  if (picture) twin.find(picture);
  else twin.forget();
}, (words) => twin.forget(words));

element("fresh").addEventListener("click", () => {
  state.refresh();
  changed();
});
element("level").addEventListener("click", () => {
  state.level();
  changed();
});
element("save").addEventListener("click", save);
element("no-sliders").hidden = data.directions.length > 0;
element("level").hidden = data.directions.length === 0;

// Latents to compare pictures with: always the same, so that a search repeats.
function newShelf() {
  const random = randomNumbers(data.search.seed);
  const labels = names.length ? names.map((_, label) => label) : [0];
  const each = Math.max(4, Math.round(data.search.draws / labels.length));
  const latents = Array.from({length: each}, () => randomLatent(random, data.latent, data.limit));
  return new Shelf(generator, latents, labels);
}

// Something has moved: the picture first, then what depends on it, as time allows.
function changed() {
  pad.show();
  classes.press(names.length ? state.label : null);
  startTask("picture", drawPicture);
  startTask("labels", () => classes.draw(generator, state.latent()));
  startTask("pad", () => pad.map(generator, data.cells));
}

function* drawPicture() {
  const picture = generator.draw(state.latent(), state.label);
  paint(element("picture"), picture, shape);
  const words = names.length ? `The picture, as ${names[state.label]}` : "The picture";
  element("picture").setAttribute("aria-label", words);
  const bytes = data.strokes ? toBytes(picture) : null;
  sliders.show(bytes ? measure(bytes, shape) : {});
}

// The picture as a file, ten times as large.
function save() {
  const large = newCanvas(10 * shape[1], 10 * shape[0]);
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(element("picture"), 0, 0, large.width, large.height);
  const link = document.createElement("a");
  link.href = large.toDataURL("image/png");
  link.download = names.length ? `minigan-${names[state.label]}.png` : "minigan.png";
  link.click();
}

// Fills the shelf while nothing else is to do, and then says how long a picture takes.
function* fillShelf() {
  yield* shelf.fill();
  const z = state.latent();
  const before = performance.now();
  for (let i = 0; i < 8; i++) generator.draw(z, state.label);
  const each = (performance.now() - before) / 8;
  if (each) element("speed").textContent = `This browser draws one in ${each.toFixed(1)} ms.`;
}

changed();
startTask("shelf", fillShelf);
