"""The page without a browser: what it holds, and what it refuses."""

import base64
import json
import math
import re

import numpy as np
import pytest
from project import HOUSE

import minigan as mg
from minigan import nn, ops
from minigan.editing.directions.record import SHIPPED, Directions
from minigan.models.cgan import CGAN
from minigan.models.dcgan import DCGAN
from minigan.models.gan import GAN
from minigan.models.model import Model
from minigan.models.pix2pix import Pix2Pix
from minigan.play.generator import OPS, VIEWS, described, with_rounded_weights
from minigan.play.page import SCRIPTS, in_script, page
from minigan.portable import traced
from minigan.runs import Loaded
from minigan.runs.records import RunConfig

BROWSER = HOUSE / "play" / "browser"


def loaded(model, **entries):
    """A model as `load` returns it, of no run."""
    return Loaded(model, RunConfig.from_json({"model": model.name, "preset": model.preset,
                                              "step": 3, **entries}))


def element(text, name):
    """What the page's script element of that id holds."""
    return re.search(rf'<script[^>]* id="{name}">(.*?)</script>', text, re.S)[1]


@pytest.fixture(scope="module")
def text():
    trained = mg.load(None)
    return page(trained, Directions.load(SHIPPED, trained.model))


# The file.

def test_it_is_small_whole_and_asks_nobody(text):
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"https?:|\b(src|href)=|@import|url\(|fetch\(|XMLHttp|//\w+\.\w+/", text)
    assert "default-src 'none'" in text
    without_scripts = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert "$" not in without_scripts                          # no placeholder is left
    assert text.count("<script") == text.count("</script>") == 4


def test_its_weights_are_those_of_export(text):
    data = json.loads(element(text, "data"))
    raw = base64.b64decode(element(text, "weights"))
    start = 0
    found = {}
    for each in data["generator"]["constants"]:
        dtype = "<f2" if each["half"] else "<f4"
        found[each["name"]] = np.frombuffer(raw, dtype, math.prod(each["shape"]), start)
        start += found[each["name"]].nbytes
    assert start == len(raw) < 550_000
    model = mg.load(None).model
    for name, array in with_rounded_weights(traced(model), model).constants.items():
        assert np.array_equal(found[name], array.ravel())      # what follows from weights is whole
    for name, array in model.generator.state_dict().items():
        if name.endswith("weight"):
            assert found[name].dtype == np.float16
            assert np.array_equal(found[name], array.ravel())
    names = [each["name"] for each in data["directions"]]
    assert names[:5] == ["boldness", "slant", "width", "height", "pca1"]


def test_it_says_what_it_is(text):
    assert "<h1>Digits that nobody wrote</h1>" in text
    assert "64 random numbers" in text and "trained on digits for 4,000 steps" in text
    classes = page(loaded(CGAN("mlp", (4, 4, 1), n_classes=2), data="x", class_names=["ä", "b"]))
    assert "as another class" in classes
    assert "A generator turns 100 random numbers, called a latent, into" in page(
        loaded(GAN("seed", (4, 4, 1)), data="x"))


def test_names_end_no_element_and_are_escaped():
    model = CGAN("mlp", (4, 4, 1), n_classes=2)
    names = ["</script><b>", "$title <!--"]
    text = page(loaded(model, data="./a<b>", class_names=names))
    assert json.loads(element(text, "data"))["classes"] == names
    assert "a&lt;b&gt;" in text and "<b>" not in text
    assert json.loads(in_script(names)) == names and "<" not in in_script(names)


def test_classes_without_names_have_numbers():
    text = page(loaded(CGAN("mlp", (4, 4, 1), n_classes=3), data="x", class_names=["a"]))
    assert json.loads(element(text, "data"))["classes"] == ["a", "1", "2"]


def test_a_uniform_latent_has_its_limit():
    data = json.loads(element(page(loaded(GAN("paper", (4, 4, 1)), data="x")), "data"))
    assert data["limit"] == pytest.approx(1, abs=0.01)
    assert data["directions"] == [] and not data["classes"]


# The scripts.

def test_every_script_is_in_the_page_once_and_no_name_twice():
    assert sorted(path.stem for path in BROWSER.glob("*.js")) == sorted(SCRIPTS)
    defined = []
    for name in SCRIPTS:
        script = (BROWSER / f"{name}.js").read_text("utf-8")
        defined += re.findall(r"^(?:function\*?|class|const|let) (\w+)", script, re.M)
    assert len(defined) == len(set(defined))


def test_browser_files_have_100_columns_at_most():
    for path in BROWSER.iterdir():
        if path.suffix in (".js", ".css"):
            assert max(map(len, path.read_text("utf-8").splitlines())) <= 100, path.name


def test_the_ops_are_those_of_the_script():
    script = (BROWSER / "ops.js").read_text("utf-8")
    table = script[script.index("const OPS"):]
    known = set(re.findall(r"^  (\w+)[,:]", table, re.M))
    assert known == OPS - VIEWS | {"view"}


# What it refuses.

class Computing(nn.Module):
    """A generator (N, 4) -> (N, 2, 2, 1) that computes something with its first layer's result."""

    def __init__(self, computed):
        self.first = nn.Dense(4, 4, bias=False)
        self.computed = computed

    def forward(self, z):
        return ops.reshape(self.computed(self.first(z)), (len(z), 2, 2, 1))


def made(computed):
    class Made(Model):
        def build(self):
            self.generator = Computing(computed)
            self.discriminator = nn.Dense(1, 1)
            self.optimizers = {}
    return Made(None, (2, 2, 1), latent_size=4)


@pytest.mark.parametrize("computed, words", [
    (lambda x: ops.log(ops.square(x) + 1),
     "log in .* is an op that the page does not know; it knows abs, add, "),
    (lambda x: ops.matmul(x, x, transpose_a=True)[:1] + x, "numbers that depend on the latent"),
    (lambda x: ops.reshape(ops.matmul(ops.reshape(x, (len(x), 2, 2)), ops.reshape(
        mg.tensor([1., 2, 3, 4]), (2, 2))), (len(x), 4)), "3 axes"),
    (lambda x: ops.matmul(x, mg.tensor([[1., 2, 3, 4]] * 4), transpose_b=True), "transposes"),
])
def test_ops_that_the_page_does_not_know_are_named(computed, words):
    with pytest.raises(ValueError, match=words):
        described(made(computed))


def test_models_that_start_from_images_have_no_page():
    model = Pix2Pix("small28") if "small28" in Pix2Pix.presets else Pix2Pix()
    with pytest.raises(ValueError, match="^play: pix2pix starts from images"):
        page(loaded(model, data="x"))


def test_colours_are_no_strokes():
    text = page(loaded(DCGAN("small", (8, 8, 3), width=2), data="x"))
    assert not json.loads(element(text, "data"))["strokes"]
    assert 'class="plain"' in text
