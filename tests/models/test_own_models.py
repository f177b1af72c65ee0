"""Models outside of the package: trained, reported, exported, loaded, resumed, and not mistaken."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import types
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from data_tools import ROOT

import minigan as mg
from minigan import losses
from minigan.cli import main
from minigan.engine import grad
from minigan.models import catalog, identity
from minigan.models.catalog import find
from minigan.models.gan import GAN
from minigan.models.identity import source_crc
from minigan.models.model import Model
from minigan.models.rebuilding import rebuild
from minigan.models.settings import setting
from minigan.training import Trainer, evaluate, load, make_report

pytestmark = pytest.mark.usefixtures("alone")


class OwnGAN(GAN):
    """One's own, with another loss of D, in a module that can be imported."""

    name = "own"

    def step(self, x, labels=None):
        found = super().step(x, labels)
        return {**found, "d_loss": found["d_loss"] * 2}


class LeastSquares(GAN):
    """Keeps the name of its base."""

    def step(self, x, labels=None):
        fake = self.generator(self.latent(len(x)))
        d_loss = mg.ops.mean(mg.ops.square(self.discriminator(x) - 1)
                             + mg.ops.square(self.discriminator(fake.detach())))
        self.d_optimizer.step(grad(d_loss, self.discriminator.parameters()))
        g_loss = losses.generator(self.discriminator(fake))
        self.g_optimizer.step(grad(g_loss, self.generator.parameters()))
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}


class Bare(Model):
    """No more than what has to be there."""

    def build(self):
        pixels = int(np.prod(self.shape))
        rng = self.streams["init"]
        self.generator = mg.nn.Sequential(mg.nn.Dense(100, pixels, rng=rng),
                                          mg.nn.Reshape(*self.shape))
        self.discriminator = mg.nn.Sequential(mg.nn.Flatten(), mg.nn.Dense(pixels, 1, rng=rng))
        self.optimizers = {"g": mg.optim.Adam(self.generator.parameters(), 1e-3),
                           "d": mg.optim.Adam(self.discriminator.parameters(), 1e-3)}

    def step(self, x, labels=None):
        fake = self.generator(self.latent(len(x)))
        d_loss = losses.discriminator(self.discriminator(x), self.discriminator(fake.detach()))
        self.optimizers["d"].step(grad(d_loss, self.discriminator.parameters()))
        return {"d_loss": d_loss.detach()}


@dataclasses.dataclass(frozen=True)
class TupleSettings:
    sizes: tuple[int, ...] = (4, 4)
    latent_size: int = 100
    rate: float = setting(0.5, "a rate")


class WithTuple(Bare):
    name = "with-tuple"
    Settings = TupleSettings
    presets = {"small": TupleSettings(), "large": TupleSettings((8, 8))}


@pytest.fixture(scope="module")
def few():
    whole = mg.data.load("digits")
    return mg.data.Images(np.ascontiguousarray(whole.images[:80, 2:26:3, 2:26:3]),
                          whole.labels[:80], "few", n_classes=10)


def trained(kind, few, out="run", steps=3, **settings):
    preset = "seed" if issubclass(kind, GAN) else None
    return Trainer(kind(preset, few.shape, **settings), few, 8, out, threads=1).fit(steps)


def forget(run, *names):
    """Take entries out of a run's config.json and checkpoint, as if an older version wrote them."""
    from minigan.runs import checkpoint
    arrays, config = checkpoint.load(run.folder.checkpoint)
    for name in names:
        del config[name]
    checkpoint.save(run.folder.checkpoint, arrays, config)
    of_the_run = run.folder.read_config()
    run.folder.write_config({k: v for k, v in of_the_run.items() if k not in names})


def bits(trainer):
    return {name: value.tobytes() for name, value in trainer.model.state_dict().items()}


@contextmanager
def pretend(kind, module="__main__", name=None):
    """Let a class be one of a script, which ends with this block."""
    before = kind.__module__, kind.__name__, kind.__qualname__
    kind.__module__, kind.__name__ = module, name or kind.__name__
    kind.__qualname__ = kind.__name__
    try:
        yield
    finally:
        kind.__module__, kind.__name__, kind.__qualname__ = before


# All that a run has.

def test_a_class_in_an_imported_module_is_found(few):
    run = trained(OwnGAN, few, steps=6)
    assert run.config["class"] == f"{__name__}:OwnGAN"
    text = run.folder.report.read_text("utf-8")
    assert "Goodfellow" in text and "from test_own_models import OwnGAN" in text
    assert "minigan train own" not in text and "minigan resume" not in text
    whole = bits(run)
    half = trained(OwnGAN, few, "half")
    resumed = Trainer.resume("half", few)
    assert type(resumed.model) is OwnGAN
    assert bits(resumed.fit(3)) == whole
    assert bits(half) != whole
    loaded = load("run")
    assert type(loaded.model) is OwnGAN
    loaded.export("own.npz")
    np.testing.assert_allclose(load("own.npz").sample(4).astype(int), loaded.sample(4), atol=3)


def test_a_class_of_a_script_has_to_be_given(few, capsys):
    with pretend(OwnGAN):
        run = trained(OwnGAN, few)
        load("run", OwnGAN).export("own.npz")
        assert "# OwnGAN: the class, of the module __main__" in run.folder.report.read_text("utf-8")
        assert "model=OwnGAN, data=images).fit(3)" in run.folder.report.read_text("utf-8")
        assert run.config["class"] == "__main__:OwnGAN"
    sentence = "its model is the class OwnGAN of the module __main__, which is not imported here"
    for path in ("run", "run/checkpoint.npz", "own.npz"):
        with pytest.raises(ValueError, match=f"npz: {sentence}"):
            load(path)
        assert type(load(path, model=OwnGAN).model) is OwnGAN  # in a module now, under its name
    with pytest.raises(ValueError, match=sentence):
        Trainer.resume("run", few)
    for command in ("sample", "evaluate", "export"):
        assert main([command, "run"]) == 2
        assert sentence in capsys.readouterr().err
    assert type(Trainer.resume("run", few, model=OwnGAN).fit(1).model) is OwnGAN
    Path("run/report.html").unlink()
    assert make_report("run", model=OwnGAN).is_file()
    assert "spread" in " ".join(evaluate("run", 20, images=few, model=OwnGAN).lines)
    assert load("run", lambda *a, **s: OwnGAN(*a, **s)).config["step"] == 4  # it has moved: saved


def test_no_module_is_imported_because_a_file_names_it(few, monkeypatch):
    Path("surprise.py").write_text("open('ran', 'w')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(".")
    with pretend(OwnGAN, "surprise"):
        trained(OwnGAN, few)
    with pytest.raises(ValueError, match="OwnGAN of the module surprise, which is not imported"):
        load("run")
    assert not Path("ran").exists()
    monkeypatch.setitem(sys.modules, "surprise", types.ModuleType("surprise"))
    with pytest.raises(ValueError, match="OwnGAN of the module surprise"):
        load("run")
    for other in (3, GAN("seed"), Path):
        monkeypatch.setattr(sys.modules["surprise"], "OwnGAN", other, raising=False)
        with pytest.raises(ValueError, match="OwnGAN of the module surprise"):
            load("run")


def test_a_script_from_its_first_line_to_its_last():
    Path("script.py").write_text("""
import minigan as mg, numpy as np, sys
from minigan.models.gan import GAN
from minigan.training import Trainer, evaluate, load, make_report
images = mg.data.Images(np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8, 1), name="mine")
def inside():
    class Inner(GAN):
        name = "inner"
    return Inner
Inner = inside()
if sys.argv[1] == "train":
    Trainer(Inner("seed", images.shape), images, 8, "run", threads=1).fit(30)
else:
    Trainer.resume("run", images, model=Inner).fit(30)
    print(load("run", model=Inner).sample(3).shape)
""", encoding="utf-8")
    for what in ("train", "resume"):
        done = subprocess.run([sys.executable, "script.py", what], capture_output=True, text=True,
                              env={"PYTHONPATH": str(ROOT)}, timeout=300)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "(3, 8, 8, 1)\n" and "warning" not in done.stderr.lower()
    config = json.loads(Path("run/config.json").read_text("utf-8"))
    assert config["class"] == "__main__:inside.<locals>.Inner"
    assert "60 steps" in Path("run/report.html").read_text("utf-8")


# A class that differs.

def test_a_class_that_keeps_a_name_is_not_taken_for_its_base(few):
    with pretend(LeastSquares):
        trained(LeastSquares, few)
    with pytest.raises(ValueError, match="the class LeastSquares of the module __main__"):
        Trainer.resume("run", few)
    for wrong in (GAN, OwnGAN, lambda *a, **s: GAN(*a, **s)):
        with pytest.raises(ValueError, match="is not the class that was trained, __main__:Least"):
            Trainer.resume("run", few, model=wrong)
        with pytest.raises(ValueError, match="is not the class that was trained"):
            load("run", model=wrong)
    assert type(Trainer.resume("run", few, model=LeastSquares).model) is LeastSquares
    trained(GAN, few, "plain")
    with pytest.raises(ValueError, match="LeastSquares is not the class that was trained, minigan"):
        Trainer.resume("plain", few, model=LeastSquares)
    with pretend(LeastSquares, name="GAN"):
        with pytest.raises(ValueError, match=":GAN is not the class that was trained, minigan"):
            Trainer.resume("plain", few, model=LeastSquares)


def test_a_function_that_makes_another_model_is_refused(few):
    trained(OwnGAN, few)
    for maker, sentence in (
            (lambda p, shape, seed, n, **s: OwnGAN("mlp", shape, seed, n, **s), "preset of the"),
            (lambda p, shape, seed, n, **s: OwnGAN(p, (9, 9, 1), seed, n, **s), "shape of the"),
            (lambda p, shape, seed, n, **s: OwnGAN(p, shape, seed, 3, **s), "n_classes of the"),
            (lambda p, shape, seed, n, **s: OwnGAN(p, shape, seed, n), "setting latent_size of")):
        run = trained(OwnGAN, few, f"run-{sentence.replace(' ', '-')}", latent_size=7)
        with pytest.raises(ValueError, match=f"model: {sentence}"):
            load(run.folder.path, model=maker)
    for wrong in (3, "OwnGAN", OwnGAN("seed", few.shape)):
        with pytest.raises(TypeError, match="model must be a class derived from Model"):
            load("run", model=wrong)
    for wrong in (dict, lambda *a, **s: 3):
        with pytest.raises(TypeError, match="model must be a class derived from Model"):
            load("run", model=wrong)


def test_a_class_under_another_name_is_refused(few, monkeypatch):
    trained(OwnGAN, few)
    monkeypatch.setattr(OwnGAN, "name", "other")
    for given in (None, OwnGAN):
        with pytest.raises(ValueError, match="has the name 'other', the run's model 'own'"):
            load("run", model=given)


def test_changed_source_is_told(few, monkeypatch):
    run = trained(OwnGAN, few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trainer.resume("run", few)
    monkeypatch.setattr(identity.inspect, "getsource", lambda cls: "class OwnGAN:\n    other = 1\n")
    with pytest.warns(UserWarning, match="OwnGAN, whose source text has changed since"):
        resumed = Trainer.resume("run", few)
    resumed.fit(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trainer.resume("run", few)  # told once
    assert run.config["class_crc32"] != resumed.config["class_crc32"]


def test_the_sum_of_a_source(monkeypatch):
    def of(text):
        monkeypatch.setattr(identity.inspect, "getsource", lambda kind: text)
        return source_crc(OwnGAN)
    code = 'class A(B):\n    """Words."""\n    def step(self):\n        return 1\n'
    assert of(code) == of(code.replace("Words", "Others")) == of(code.replace("1", "1  # one"))
    assert of(code) == of("    " + code.replace("\n", "\n    "))  # inside a function
    assert of(code) != of(code.replace("1", "2"))
    assert source_crc(GAN) is None  # of the package, whose version is recorded

    def none(kind):
        raise OSError("source code not available")
    monkeypatch.setattr(identity.inspect, "getsource", none)
    assert source_crc(OwnGAN) is None


def test_runs_of_versions_that_recorded_no_class(few):
    forget(trained(GAN, few, "plain"), "class", "class_crc32", "class_names")
    forget(trained(OwnGAN, few, "own"), "class", "class_crc32", "class_names")
    assert type(load("plain").model) is GAN
    assert type(Trainer.resume("plain", few).fit(1).model) is GAN
    with pytest.raises(ValueError, match="model 'own' is unknown"):
        load("own")
    assert type(load("own", model=OwnGAN).model) is OwnGAN
    assert type(Trainer.resume("own", few, model=OwnGAN).fit(1).model) is OwnGAN


# What a class may leave out, and what is refused before there is a folder.

def test_a_class_with_no_more_than_it_needs(few):
    run = trained(Bare, few)
    assert (Bare.name, Bare.paper, Bare.normal_curve, list(Bare.presets)) == (
        "bare", "", "", ["default"])
    text = run.folder.report.read_text("utf-8")
    assert "<title>bare default on few</title>" in text and ">3 steps of 8 images" in text
    assert run.folder.losses.is_file()
    assert load("run").sample(2).shape == (2, *few.shape)
    assert Trainer.resume("run", few).fit(1).step == 4
    assert trained(Bare, few, out=None).folder.path == Path("runs/bare-001")


def test_settings_may_be_tuples_and_plain_fields(few):
    run = trained(WithTuple, few, sizes=(2, 3))
    assert json.loads(Path("run/config.json").read_text("utf-8"))["settings"]["sizes"] == [2, 3]
    assert load("run").model.settings == TupleSettings((2, 3))
    assert "sizes=(2, 3)" in run.folder.report.read_text("utf-8").replace("&#x27;", "'")
    resumed = Trainer.resume("run", few).fit(1)
    assert resumed.model.settings.sizes == (2, 3)
    assert rebuild({**run.config, "preset": "large", "settings": {}}).settings.sizes == (8, 8)


def without(kind, **attributes):
    return type("Made", (kind,), attributes)


@dataclasses.dataclass(frozen=True)
class Holder:
    latent_size: int = 100
    thing: object = None


def broken(few, **changes):
    model = Bare(shape=few.shape)
    for name, value in changes.items():
        if value is None:
            delattr(model, name)
        else:
            setattr(model, name, value)
    return model


def unlisted(few):
    """A model whose optimizers live on, but not in `optimizers`."""
    model = Bare(shape=few.shape)
    model.mine = model.optimizers
    model.optimizers = {}
    return model


@pytest.mark.parametrize("make, kind, sentence", [
    (lambda few: Bare, TypeError, "an instance of a class derived from Model, got the class Bare"),
    (lambda few: 3, TypeError, "an instance of a class derived from Model, got int"),
    (lambda few: broken(few, generator=None), TypeError, "Bare has no generator; its __init__ mus"),
    (lambda few: broken(few, optimizers=None), TypeError, "Bare has no optimizers"),
    (lambda few: unlisted(few), TypeError,
     r"optimizers of Bare lacks the \w+ of generator\..*weight, so a run could not be resumed"),
    (lambda few: broken(few, preset="mine"), ValueError, "'mine' of this bare is not one of"),
    (lambda few: without(Bare, name="a/b")(shape=few.shape), ValueError, "the name of Made, 'a/b'"),
    (lambda few: without(Bare, name="")(shape=few.shape), ValueError, "the name of Made, ''"),
    (lambda few: without(Bare, name="..")(shape=few.shape), ValueError, "the name of Made, '..'"),
    (lambda few: without(Model, build=Bare.build)(shape=few.shape), ValueError, "defines no step"),
    (lambda few: without(Bare, build=Model.build)(shape=few.shape), NotImplementedError,
     "Made defines no build"),
    (lambda few: without(Bare, Settings=dict)(shape=few.shape), TypeError,
     "Settings of Made must be a dataclass, got <class 'dict'>"),
    (lambda few: without(Bare, presets={})(shape=few.shape), TypeError, "presets of Made must be"),
    (lambda few: without(Bare, presets={"a": {"latent_size": 3}})(shape=few.shape), TypeError,
     "presets of Made must be a dict of one or more instances of its Settings"),
    (lambda few: without(Bare, Settings=Holder, presets={"a": Holder(thing=np.ones(3))})(
        shape=few.shape), ValueError, "setting thing of bare is .*, which config.json cannot"),
    (lambda few: without(Bare, Settings=Holder, presets={"a": Holder(thing=math_nan())})(
        shape=few.shape), ValueError, "setting thing of bare is nan, which config.json cannot"),
])
def test_what_cannot_be_trained_is_refused_before_there_is_a_folder(few, make, kind, sentence):
    with pytest.raises(kind, match=sentence):
        Trainer(make(few), few, 8)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("capture", [False, True])
def test_a_step_that_returns_nothing_is_told(few, capture):
    silent = without(Bare, step=lambda self, x, labels=None: None)(shape=few.shape)
    with pytest.raises(TypeError, match="step of Made must return its losses by name, .*got None"):
        Trainer(silent, few, 8, capture=capture).fit(1)


def math_nan():
    return float("nan")


def test_names_of_earlier_versions_are_refused_when_a_class_is_made():
    for old, new in (("kind", "phase"), ("sizes", "shapes")):
        with pytest.raises(TypeError, match=f"Made defines {old}, .*: rename {old} to {new}"):
            type("Made", (Bare,), {old: lambda self: "both"})
        mixin = type("Mixin", (), {old: lambda self: "both"})
        with pytest.raises(TypeError, match=f"Made defines {old}, .*: rename {old} to {new}"):
            type("Made", (mixin, Bare), {})


@pytest.mark.parametrize("name, value, sentence", [
    ("class", -1, "class must be a text such as 'module:Name', got -1"),
    ("class", [], "class must be a text such as 'module:Name', got "),
    ("settings", None, "settings must be by name, got None"),
    ("settings", [], "settings must be by name, got "),
])
def test_a_config_whose_words_have_another_type_is_refused(name, value, sentence):
    config = {"model": "gan", "preset": "seed", "shape": [28, 28, 1], "seed": 0, "n_classes": 10,
              "settings": {}}
    assert rebuild(config).name == "gan"
    with pytest.raises(ValueError, match=sentence):
        rebuild({**config, name: value})


def test_a_model_without_latent_size_says_so(few):
    @dataclasses.dataclass(frozen=True)
    class Empty:
        width: int = 3
    model = without(Bare, Settings=Empty, presets={"a": Empty()})(shape=few.shape)
    with pytest.raises(TypeError, match="the settings of bare have no latent_size, so Made must"):
        model.latent(3)


def test_every_model_of_the_package_is_found_by_its_class():
    for name in catalog.names():
        model = find(name)
        assert identity.qualified(model).startswith("minigan.models.")
        assert not identity.is_own({"class": identity.qualified(model), "model": name})
