"""The page in a browser: its numbers are NumPy's, and what is moved does what it says."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest
from browser import all_seen, needs_chromium

import minigan as mg
from minigan import nn, ops
from minigan.data import to_bytes
from minigan.editing.directions.attributes import measure
from minigan.editing.directions.finding import find_directions
from minigan.editing.directions.record import SHIPPED, Directions
from minigan.editing.drawing import Drawing
from minigan.editing.latent import slerp
from minigan.engine import Tensor, grad
from minigan.models.cgan import CGAN
from minigan.models.dcgan import DCGAN
from minigan.models.gan import GAN
from minigan.models.model import Model
from minigan.play.generator import described
from minigan.play.page import page
from minigan.runs import Loaded
from minigan.runs.exporting import rounded
from minigan.runs.records import RunConfig
from minigan.streams import Stream

pytestmark = needs_chromium


class AllOps(nn.Module):
    """A generator of nearly every op that the page knows. z: (N, 12) -> (N, 8, 6, 3)."""

    def __init__(self, rng):
        self.first = nn.Dense(12, 48, rng=rng)
        self.wide = nn.Conv2d(4, 5, 3, stride=(1, 2), padding=((2, 2), (1, 3)), dilation=(2, 1),
                              rng=rng)
        self.last = nn.ConvTranspose2d(8, 3, (4, 3), stride=(2, 1), padding=((1, 1), (0, 1)),
                                       rng=rng)

    def forward(self, z):
        n = len(z)
        x = ops.softplus(self.first(z)) / (ops.abs(z[:, :1]) + 1) - ops.square(z[:, 3:4])
        x = ops.transpose(ops.reshape(x, (n, 4, 3, 4)), (0, 2, 1, 3))               # (n, 3, 4, 4)
        x = ops.upsample_nearest(x, 2)[:, 1:5, ::-1]                                # (n, 4, 8, 4)
        x = ops.concatenate([self.wide(x), x[:, :, 2:7, 1:]], axis=3)               # (n, 4, 5, 8)
        x = ops.maximum(x, ops.negative(x) * 0.3) + ops.exp(ops.minimum(x, ops.sigmoid(x)))
        x = ops.sqrt(ops.clip(x, 0.01, 2.5) + 0.1)
        return ops.tanh(self.last(x)) * 0.9


class Odd(Model):
    def build(self):
        self.generator = AllOps(self.streams["init"])
        self.discriminator = nn.Dense(1, 1, rng=self.streams["init"])
        self.optimizers = {}


def network_of(model):
    return model.generator if model.ema is None else model.ema.network


def lively(model):
    """A new model whose pictures are not all grey."""
    state = network_of(model).state_dict()
    for name, array in state.items():
        if array.ndim > 1:
            rows = array.size / array.shape[-1]
            array[...] = Stream(1, name).normal(array.shape) / np.sqrt(rows)
    network_of(model).load_state_dict(state)
    return model


def with_rounded_weights(model):
    """The model with the weights that its page has."""
    state = network_of(model).state_dict()
    network_of(model).load_state_dict(
        {name: rounded(array).astype(array.dtype) for name, array in state.items()})
    return model


FEW = 8  # of a model's pictures whose floats and gradients are compared, too

MODELS = {
    "pretrained": (lambda: mg.load(None).model, 120),
    "uniform": (lambda: lively(CGAN("paper", (5, 4, 1))), 12),
    "colour": (lambda: lively(DCGAN("small", (20, 24, 3), width=4)), 12),
    "dense": (lambda: GAN("mlp", (6, 6, 1)), 12),
    "all ops": (lambda: Odd(None, (8, 6, 3), latent_size=12), 12),
}


class Case:
    """A model's page and NumPy's answers: images, and what a gradient gy of them means for z."""

    def __init__(self, make, n):
        self.model = with_rounded_weights(make())
        drawing = Drawing(self.model)
        self.labels = np.arange(n) % self.model.n_classes
        z = drawing.latents(Stream(5, "page"), n)
        self.z = Tensor(z.data, requires_grad=True)
        images = drawing(self.z, drawing.labels(self.labels, n))
        self.images = images.numpy()
        self.gy = np.zeros(images.shape, np.float32)
        self.gy[:FEW] = Stream(6, "page").normal((FEW, *self.model.shape)).round(3)
        self.gz = grad(images, self.z, Tensor(self.gy)).numpy()

    def asked(self):
        """What the browser is given."""
        description, weights = described(self.model)
        return {"description": description, "weights": base64.b64encode(weights).decode(),
                "z": self.z.numpy().tolist(), "labels": self.labels.tolist(),
                "gy": self.gy[:FEW].reshape(FEW, -1).round(3).tolist()}


NUMBERS = """
const answers = {};
for (const [name, asked] of Object.entries(ASKED)) {
  const model = new Generator(asked.description, bytesOf(asked.weights));
  answers[name] = asked.z.map((z, i) => {
    const image = model.draw(z, asked.labels[i]);
    const bytes = Array.from(toBytes(image));
    if (i >= asked.gy.length) return {bytes};
    return {bytes, image: Array.from(image), gz: Array.from(model.pull(asked.gy[i]))};
  });
}
const [height, width] = shape;
const four = [[1, 0], [0, 2], [-3, 0], [0, -4]].map((corner) => Float32Array.from(corner));
const long = randomLatent(randomNumbers(1), data.latent, data.limit).map((x) => 2 * x);
const start = {label: 3, z: long, error: 0};
const search = {...data.search, limit: data.limit};
const descent = new Descent(generator, generator.draw(long, 3).slice(), start, search);
for (let step = 0; step < 20; step++) descent.step(1);
return {
  answers,
  corners: [[0, 0], [1, 0], [0, 1], [1, 1]].map((place) => [...between(four, ...place)]),
  lengths: [Math.hypot(...long), Math.hypot(...descent.z)],
  measured: answers.pretrained.slice(0, 20).map(({bytes}) => measure(bytes, [height, width])),
  walk: [0, 0.3, 1].map((t) => [...slerp(Float32Array.of(1, 2), Float32Array.of(-2, 1), t)]),
};
"""

TOUCHES = """
const picture = element("picture");
const log = {lack: element("lack").hidden, places: []};
const note = () => log.places.push(["labels", "others", "adopt"].map(
  (id) => Math.round(element(id).getBoundingClientRect().top + window.scrollY)));
note();
await idle();
log.first = pixels(picture);
log.speed = element("speed").textContent;

const slider = element("direction-1");
const slant = () => Number(slider.nextSibling.textContent.replace("\\u2212", "-"));
log.slants = [];
for (const amount of [-2, 2]) {
  slider.value = amount;
  slider.dispatchEvent(new Event("input"));
  await idle();
  log.slants.push(slant());
}
log.spoken = slider.getAttribute("aria-valuetext");
element("level").click();
await idle();
log.level = [pixels(picture).join() === log.first.join(), Number(slider.value)];

element("labels").children[7].click();
await idle();
log.pressed = Array.from(element("labels").children, (x) => x.getAttribute("aria-pressed"));
log.seven = pixels(picture).join() === pixels(element("labels").children[7].firstChild).join();
log.spokenPicture = picture.getAttribute("aria-label");

element("pad").focus();
for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown"]) press(key);
press("ArrowUp", {shiftKey: true});
log.dot = [state.across, state.down, element("pad").getAttribute("aria-valuetext")];
drag("pad", [[0.5, 0.5], [0.9, 2]]);
await idle();
log.dragged = [state.across, state.down, element("dot").style.left, element("dot").style.top];
log.map = [element("four").width, new Set(pixels(element("four"))).size > 50];
element("fresh").click();
await idle();
log.fresh = [state.across, pixels(picture).join() !== log.first.join()];
note();

drag("field", [[0.2, 0.25], [0.5, 0.22], [0.75, 0.2], [0.6, 0.5], [0.45, 0.85]]);
log.looking = element("words").textContent;
await found();
note();
const given = readPicture(element("given"), shape).map((x) => (x + 1) / 2);
log.centre = centreOfMass(given, 28);
log.ink = measure(toBytes(given.map((x) => 2 * x - 1)), shape);
log.twin = [twin.best.label, twin.best.error, twin.best.nearest];
log.words = element("words").textContent;
log.others = Array.from(element("others").children, (x) => new Set(pixels(x.firstChild)).size);
log.read = Array.from(element("others").children).findIndex((x) => x.ariaPressed === "true");

const picked = pixels(element("twin"));
element("adopt").click();
await idle();
log.adopted = [state.across, state.down, state.label, pixels(picture).join() === picked.join()];

element("others").children[1].click();
await found();
log.corrected = [twin.best.label, element("adopt").disabled];

element("clear").click();
log.cleared = [element("adopt").disabled, element("words").textContent, element("hint").hidden];
note();
return log;
"""

FILES = """
const paper = newCanvas(90, 140);
const context = paper.getContext("2d");
context.fillStyle = "#f4f0e8";
context.fillRect(0, 0, 90, 140);
context.fillStyle = "#224";
context.fillRect(12, 20, 8, 70);                          // a 1 with blue ink, far from the middle
const blob = await new Promise((resolve) => paper.toBlob(resolve));
const low = () => Math.round(element("others").getBoundingClientRect().top + window.scrollY);
const before = low();
const give = (file) => {
  const transfer = new DataTransfer();
  transfer.items.add(file);
  element("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true}));
};
give(new File([blob], "one.png", {type: "image/png"}));
await found();
const log = {one: [twin.best.label, twin.best.error], low: [before, low()]};
const given = readPicture(element("given"), shape);
log.centre = centreOfMass(given.map((x) => (x + 1) / 2), 28);
log.range = [Math.min(...given), Math.max(...given)];

give(new File(["no picture"], "words.txt", {type: "text/plain"}));
await until(() => element("words").textContent.includes("words.txt"));
log.refused = element("words").textContent;
context.fillRect(0, 0, 90, 140);
give(new File([await new Promise((resolve) => paper.toBlob(resolve))], "plain.png"));
await until(() => element("words").textContent.includes("no strokes"));
log.adopt = element("adopt").disabled;
log.wide = [document.documentElement.scrollWidth, window.innerWidth];
log.sticky = getComputedStyle(element("picture").parentElement).position;
return log;
"""

PLAIN = """
await idle();
const log = {lack: element("lack").hidden, title: document.title, kind: document.body.className};
log.hidden = Array.from(document.querySelectorAll(".of-classes"), (x) => x.offsetHeight);
log.sliders = Array.from(document.querySelectorAll(".slider label"), (x) => x.textContent);
log.colours = new Set(element("picture").getContext("2d").getImageData(0, 0, 12, 16).data).size;
log.pen = (drag("field", [[0.2, 0.2], [0.8, 0.8]]), twin.target);
const image = newCanvas(60, 40);
image.getContext("2d").fillRect(0, 0, 60, 40);
field.show(image);
await found();
log.twin = [twin.best.label, twin.best.error <= twin.best.nearest];
log.words = element("words").textContent;
return log;
"""


OLD = """
return {lack: document.getElementById("lack").textContent};
"""


def loaded(model, **entries):
    """A model as `load` returns it, of no run."""
    return Loaded(model, RunConfig.from_json({"model": model.name, "preset": model.preset,
                                              "step": 3, **entries}))


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What five browsers saw, side by side."""
    trained = mg.load(None)
    text = page(trained, Directions.load(SHIPPED))
    text = text.replace('"draws":2000', '"draws":200')            # a shorter search
    cases = {name: Case(*model) for name, model in MODELS.items()}
    asked = json.dumps({name: case.asked() for name, case in cases.items()})
    colour = lively(DCGAN("small", (16, 12, 3), width=4, latent_size=8))
    old = text.replace("<noscript>", "<script>delete window.PointerEvent;</script><noscript>")
    assert old != text
    plain = page(loaded(colour, data="./<b>faces"), find_directions(colour, "pca", n=100))

    results = all_seen(
        tmp_path_factory.mktemp("browsers"), numbers=(text, f"const ASKED = {asked};\n{NUMBERS}"),
        touches=(text, TOUCHES), files=(text, FILES, (360, 740)), plain=(plain, PLAIN),
        old=(old, OLD))
    return SimpleNamespace(cases=cases, **results)


# Numbers.

@pytest.mark.parametrize("name", MODELS)
def test_pictures_are_numpys_to_one_grey_level(seen, name):
    case = seen.cases[name]
    bytes_ = np.array([each["bytes"] for each in seen.numbers["answers"][name]])
    ours = to_bytes(case.images).reshape(bytes_.shape).astype(int)
    apart = np.abs(bytes_ - ours)
    assert ours.std() > 5                            # they show something
    assert (apart <= 1).mean() >= 0.999
    assert (apart == 0).mean() > 0.99


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_the_engines(seen, name):
    """Sums of up to 1,200 products in single precision there, in double precision here."""
    case = seen.cases[name]
    answers = seen.numbers["answers"][name][:FEW]
    images = np.array([each["image"] for each in answers])
    gz = np.array([each["gz"] for each in answers])
    assert np.abs(images - case.images[:FEW].reshape(images.shape)).max() < 2e-5
    scale = np.abs(case.gz[:FEW]).max()
    assert np.abs(gz - case.gz[:FEW]).max() < 1e-4 * scale


def test_attributes_and_walks_are_numpys(seen):
    pictures = to_bytes(seen.cases["pretrained"].images[:20])
    for name, ours in measure(pictures).items():
        theirs = [each[name] for each in seen.numbers["measured"]]
        assert np.abs(ours - theirs).max() < 0.02 * ours.std(), name
    ends = np.array([[1, 2], [-2, 1]], np.float32)
    walk = [slerp(*ends, t) for t in (0, 0.3, 1)]
    assert np.allclose(seen.numbers["walk"], walk, atol=1e-5)
    four = [[1, 0], [0, 2], [-3, 0], [0, -4]]
    assert np.allclose(seen.numbers["corners"], four, atol=1e-5)


def test_a_latent_that_is_too_long_is_made_shorter_though_its_picture_fits(seen):
    before, after = seen.numbers["lengths"]
    assert after < 0.95 * before


# What is moved and pressed.

def test_a_slider_moves_the_attribute_that_it_names(seen):
    log = seen.touches
    assert log["lack"]
    left, right = log["slants"]
    assert right - left > 0.25
    assert log["spoken"].startswith("+2.0: ")
    assert log["level"] == [True, 0]


def test_a_label_draws_the_same_latent_as_another_digit(seen):
    assert seen.touches["pressed"] == ["false"] * 7 + ["true"] + ["false"] * 2
    assert seen.touches["seven"]
    assert "7" in seen.touches["spokenPicture"]


def test_the_pad_follows_keys_and_pointer(seen):
    across, down, words = seen.touches["dot"]
    assert (round(across, 2), round(down, 2)) == (0.55, 0.3)
    assert words == "55 percent to the right, 30 percent down"
    assert seen.touches["dragged"] == [pytest.approx(0.9, abs=0.01), 1, "90%", "100%"]
    assert seen.touches["map"] == [7 * 28, True]
    assert seen.touches["fresh"] == [0.5, True]


def test_a_drawn_seven_finds_its_twin_and_its_other_digits(seen):
    log = seen.touches
    label, error, nearest = log["twin"]
    assert (label, log["read"]) == (7, 7)
    assert error < 0.2 and error < nearest
    assert log["looking"] == "Looking for it."
    assert "“7”" in log["words"] and f"{error:.2f}" in log["words"]
    assert min(log["others"]) > 10                   # grey levels in each of ten pictures
    assert np.allclose(log["centre"], 13.5, atol=0.3)
    assert log["ink"]["boldness"] == pytest.approx(2.4, abs=0.5)
    assert 17 < log["ink"]["height"] <= 20.5


def test_the_twin_can_be_played_with_corrected_and_forgotten(seen):
    assert seen.touches["adopted"] == [0, 0, 7, True]
    assert seen.touches["corrected"] == [1, False]
    assert seen.touches["cleared"] == [True, "", False]


def test_nothing_jumps(seen):
    places = seen.touches["places"]
    assert places == [places[0]] * 4


def test_a_picture_that_is_dropped_is_brought_to_size(seen):
    label, error = seen.files["one"]
    assert label == 1 and error < 0.25
    assert np.allclose(seen.files["centre"], 13.5, atol=0.6)
    low, high = seen.files["range"]
    assert low == pytest.approx(-1, abs=0.01) and high > 0.9
    assert seen.files["refused"] == "words.txt is not a picture that this browser can read."
    assert seen.files["adopt"]


def test_a_phone_has_room_for_all_of_it(seen):
    assert seen.files["wide"] == [360, 360]
    assert seen.files["sticky"] == "sticky"
    before, after = seen.files["low"]
    assert before == after                           # the words had their place


def test_colours_without_labels(seen):
    log = seen.plain
    assert log["lack"] and log["kind"] == "plain"
    assert log["hidden"] == [0, 0]
    assert log["sliders"] == [f"pca{i}" for i in range(1, 9)]
    assert log["colours"] > 20
    assert log["pen"] is None                        # only strokes can be drawn
    assert log["twin"] == [0, True]
    assert "reads" not in log["words"]


def test_a_browser_that_lacks_something_is_told_so(seen):
    assert "no pointer events" in seen.old["lack"] and "browser" in seen.old["lack"]
