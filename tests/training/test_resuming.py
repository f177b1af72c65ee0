"""Resuming: a run that was stopped, killed or moved equals the one that never was, bit for bit."""
from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import stand_in  # noqa: F401  (it offers itself as a device)
from model_tools import LIGHT, build, no_samples, no_summary
from project import ROOT

import minigan as mg
from minigan import data, plot
from minigan.models.catalog import find
from minigan.runs import checkpoint
from minigan.runs.pictures import Pictures
from minigan.system.interrupt import Signals
from minigan.training import Trainer, load, new_run

pytestmark = pytest.mark.usefixtures("alone")

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def whole():
    return data.load("digits")


@pytest.fixture(scope="module")
def few(whole):
    """44 digits: with batches of 8 an epoch ends in every sixth step, with 4 images over."""
    return data.Images(whole.images[::114][:44], whole.labels[::114][:44], "few", n_classes=10)


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing takes most of a short run's time."""
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


def everything(run):
    """Each bit that decides about a run's future, and what its folder tells about its past."""
    arrays, numbers = run.state()
    return {**{name: array.tobytes() for name, array in arrays.items()}, **numbers.to_json(),
            "seconds": 0, "log": history(run.folder)}


def history(folder):
    return [{**record, "seconds": 0} for record in folder.read_metrics()]


def differences(one, two):
    """Names of what is not the same; never a dump of a million bytes."""
    return [name for name in {**one, **two} if one.get(name) != two.get(name)]


# A stop.

@pytest.mark.parametrize("name, preset", LIGHT)
def test_a_stop_changes_no_bit(few, no_pictures, name, preset):
    def start(out):
        return Trainer(build(name, preset), few, 8, out, threads=1)

    straight = start("straight").fit(11)
    stopped = start("stopped").fit(7)  # after one turn of a WGAN's G, in the second epoch
    resumed = Trainer.resume("stopped", few)
    assert resumed.step == 7 and resumed.model is not stopped.model
    assert differences(everything(stopped), everything(resumed)) == []
    resumed.fit(4)
    assert differences(everything(straight), everything(resumed)) == []
    assert [record["step"] for record in history(resumed.folder)] == [1, 11]


def test_a_run_of_another_seed_is_another(few, no_pictures):
    """The test above can fail."""
    runs = [Trainer(find("gan")("mlp", few.shape, seed), few, 8, f"out{seed}", threads=1).fit(2)
            for seed in (0, 1)]
    assert {"generator/0.weight", "log", "losses", "batches/permutation", "ema/0.weight",
            "g_optimizer/m"} <= set(differences(*map(everything, runs)))


def test_the_pictures_of_a_resumed_run(few):
    def start(out):
        return Trainer(find("gan")("seed", few.shape), few, 8, out, threads=1)

    straight = start("straight").fit(31)
    start("stopped").fit(18)
    Trainer.resume("stopped", few).fit(13)
    ours, theirs = ({p.name: p.read_bytes() for p in Path(run, "samples").iterdir()}
                    for run in ("stopped", "straight"))
    assert set(ours) - set(theirs) == {"000018.png"}  # of the stop
    assert [name for name in theirs if ours[name] != theirs[name]] == []
    assert straight.folder.grids().keys() == {0, 10, 15, 20, 30, 31}


def test_what_was_drawn_and_logged_after_the_checkpoint_is_forgotten(few, no_pictures):
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(30)
    for step in (20, 30, 40):
        run.folder.write_grid(step, plot.png(np.full((4, 4), step, np.uint8)), keep=True)
    run.folder.append_metrics({"step": 40, "d_loss": 1.0})
    with open(run.folder.metrics, "ab") as file:
        file.write(b'{"step": 60, "d_lo')  # the kill came here
    leftovers = [folder / f".minigan-{run.config['run']}-0123456789abcdef.part"
                 for folder in (run.folder.path, run.folder.samples)]
    for path in leftovers:
        path.write_bytes(b"")
    theirs = persons_files(run.folder)
    assert [r["step"] for r in run.folder.read_metrics()] == [1, 20, 30, 40]
    resumed = Trainer.resume("out", few)
    assert resumed.folder.grids().keys() >= {20, 30, 40}  # nothing is touched before `fit`
    resumed.fit(0)
    assert [r["step"] for r in run.folder.read_metrics()] == [1, 20]
    assert resumed.folder.grids().keys() == {20, 30, 70, 5000}
    assert not any(path.exists() for path in leftovers)
    assert {path: path.read_bytes() for path in theirs} == theirs
    picture = theirs.pop(run.folder.samples / "000070.png")
    for grey in (1, 2):  # ours is replaced, theirs is kept
        run.folder.write_grid(70, plot.png(np.full((4, 4), grey, np.uint8)), keep=True)
    assert (run.folder.samples / "kept-000070.png").read_bytes() == picture
    assert not (run.folder.samples / "kept-000070-2.png").exists()
    assert {path: path.read_bytes() for path in theirs} == theirs


def persons_files(folder):
    """What a person may have put into a run folder, on disk and as {path: bytes}."""
    shutil.copy(folder.samples / "000020.png", folder.samples / "5000.png")
    shutil.copy(folder.samples / "000020.png", folder.samples / "005000.png")
    plot.save(np.full((4, 4), 9, np.uint8), folder.samples / "000070.png")  # as `sample --out`
    for name in ("notes.part", "checkpoint.npz.part", "samples/.latest.png.7.part",
                 ".minigan--0123456789abcdef.part", f".minigan-{'0' * 32}-0123456789abcdef.part",
                 "samples/seed-7.png", "samples/006000.png", "evaluation.part.json"):
        (folder.path / name).write_bytes(b"mine")
    return {path: path.read_bytes() for path in folder.path.rglob("*")
            if path.name in ("5000.png", "005000.png", "000070.png")
            or path.is_file() and path.read_bytes() == b"mine"}


def test_the_embedded_digits_and_the_newest_run_are_found(no_pictures, whole):
    for name, seed in (("one", 1), ("two", 2)):
        Trainer(find("gan")("seed", whole.shape, seed), whole, 8, f"runs/{name}",
                threads=1).fit(2)
    with pytest.raises(FileNotFoundError, match="no run folder of minigan in runs"):
        with_no_runs = Path("elsewhere")
        with_no_runs.mkdir()
        os.chdir(with_no_runs)
        Trainer.resume()
    os.chdir("..")
    assert Trainer.resume().model.streams.seed == 2
    later = time.time() + 10
    os.utime("runs/one/checkpoint.npz", (later, later))
    resumed = Trainer.resume()
    assert (resumed.model.streams.seed, resumed.step, resumed.steps) == (1, 2, 2)
    assert repr(resumed) == "<Trainer of gan seed on digits, step 2, runs/one>"
    assert resumed.fit(1).step == 3 and not Path("runs/gan-001").exists()


def test_a_moved_run_resumes_and_samples(few, no_pictures):
    run = Trainer(find("gan")("seed", few.shape), few, 8, "here/run", threads=1).fit(3)
    straight = everything(run.fit(4))
    Trainer(find("gan")("seed", few.shape), few, 8, "there/run", threads=1).fit(3)
    here = str(Path.cwd())
    Path("far").mkdir()
    shutil.move("there/run", "far/away")
    assert not any(here.encode() in path.read_bytes() for path in Path("far").rglob("*")
                   if path.is_file())
    assert load("far/away").sample(2).shape == (2, 28, 28, 1)
    assert differences(straight, everything(Trainer.resume("far/away", few).fit(4))) == []


def test_training_on_in_python_after_a_resume(few, no_pictures):
    heard = []
    Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(5)
    run = Trainer.resume("out", few, threads=1, callbacks=[lambda run, m: heard.append(run.step)])
    run.fit(10).fit(10)
    assert run.step == 25 and heard == [15, 20, 25]


def test_callbacks_stop_a_run(few, no_pictures):
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1,
                  callbacks=[lambda run, m: run.stop() if run.step >= 40 else None]).fit(100)
    assert run.interrupted and run.step == 40 and load("out").config["steps"] == 100
    assert not Trainer.resume("out", few).fit(10).interrupted


# The data of a run.

def test_other_data_are_refused(few, whole, no_pictures):
    Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(1)
    before = Path("out/checkpoint.npz").read_bytes()
    with pytest.raises(ValueError, match="images that were made in Python, 'few'"):
        Trainer.resume("out")
    other = data.Images(few.images[::-1].copy(), few.labels, "few", n_classes=10)
    for wrong in (whole, other, data.Images(few.images, None, "few"),
                  data.Images(few.images, few.labels[::-1].copy(), "few", n_classes=10)):
        with pytest.raises(ValueError, match="holds other images or labels than those that"):
            Trainer.resume("out", wrong)
    assert Path("out/checkpoint.npz").read_bytes() == before


def test_a_data_folder_is_recorded_and_can_be_elsewhere(few, no_pictures, monkeypatch):
    asked = []

    def load_set(name, split, folder):
        asked.append((name, split, folder))
        return few

    few.source = {"name": "mnist", "split": "train", "folder": "given"}
    try:
        Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(1)
    finally:
        few.source = None
    monkeypatch.setattr(data, "load", load_set)
    Trainer.resume("out")
    Trainer.resume("out", data_dir="now here")
    assert asked == [("mnist", "train", "given"), ("mnist", "train", "now here")]
    place = Path("out").absolute()
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="MNIST's .* are not in given.* --data-dir in a"):
        Trainer.resume(place)
    with pytest.raises(FileNotFoundError, match="MNIST's .* are not in nowhere.*needs no files$"):
        Trainer.resume(place, data_dir="nowhere")


def test_sets_know_where_they_came_from(whole):
    assert whole.source == {"name": "digits", "split": "train", "folder": None, "size": None}
    assert data.load("mnist5k").source["name"] == "digits"
    assert data.load("digits", folder="x").source["folder"] == os.path.abspath("x")


# Another machine.

def test_another_machine_is_named(few, no_pictures):
    Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(1)
    arrays, config = checkpoint.load(Path("out/checkpoint.npz"))
    config["environment"]["numpy"], config["threads"] = "1.0", 2
    checkpoint.save(Path("out/checkpoint.npz"), arrays, config)
    with pytest.warns(UserWarning, match=f"out goes on, but may not get the same bits as without a "
                                         f"stop: threads was 2 and is 1; numpy was 1.0 and is "
                                         f"{np.__version__}$"):
        Trainer.resume("out", few, threads=1)
    with pytest.warns(UserWarning, match="numpy was") as caught:
        resumed = Trainer.resume("out", few)  # with as many threads as before
    assert "threads was" not in str(caught[0].message) and resumed.threads == 2
    resumed.fit(1)
    assert load("out").config["environment"]["numpy"] == np.__version__
    Trainer.resume("out", few)  # no warning any more: the checkpoint was written here


def test_another_device_goes_on(few, no_pictures):
    Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(5)
    with mg.use("stand-in"), pytest.warns(UserWarning, match="backend was numpy and is stand-in$"):
        there = Trainer.resume("out", few).fit(3)
        assert there.model.generator.parameters()[0].device == "stand-in"
        model, step = there.model, there.model.step
        model.step = lambda x, labels: step(x * np.inf, labels)
        with pytest.raises(FloatingPointError, match="came from multiply in the forward"):
            there.fit(2)
    here = Trainer(find("gan")("seed", few.shape), few, 8, "here", threads=1).fit(8)
    assert there.step == 8
    state = there.model.state_dict()
    close = [np.isclose(state[name], value, rtol=1e-3, atol=1e-5).ravel()
             for name, value in here.model.state_dict().items()]
    assert np.mean(np.concatenate(close)) > 0.99  # Adam makes a step of each gradient, even of 1e-9


# Bad checkpoints.

@pytest.fixture
def run(few, no_pictures):
    """Checkpoints of steps 4 (previous.npz) and 6."""
    made = Trainer(find("gan")("seed", few.shape, latent_size=8), few, 8, "run", threads=1).fit(4)
    made.fit(2)
    steps = [checkpoint.load(path)[1]["step"] for path in (made.folder.checkpoint,
                                                           made.folder.previous)]
    assert steps == [6, 4]
    return made


def rewrite(path, change):
    """The same checkpoint with its arrays and config changed."""
    arrays, config = checkpoint.load(path)
    change(arrays, config)
    checkpoint.save(path, arrays, config)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(few, run):
    straight = everything(run)
    damaged = run.folder.checkpoint.read_bytes()[:-1000]
    run.folder.checkpoint.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"run/checkpoint\.npz is damaged .*; the one before is "
                                         r"run/previous\.npz$"):
        load("run")
    with pytest.warns(UserWarning, match=r"run/checkpoint\.npz is damaged .*, it is damaged\.npz "
                                         r"now; going on from run/previous\.npz, step 4$"):
        resumed = Trainer.resume("run", few)
    assert resumed.step == 4 and Path("run/damaged.npz").read_bytes() == damaged
    assert differences(straight, everything(resumed.fit(2))) == []
    assert load("run").config["step"] == 6
    run.folder.checkpoint.write_bytes(b"again")
    with pytest.warns(UserWarning, match=r"damaged-2\.npz now; .*step 4$"):
        Trainer.resume("run", few)
    assert Path("run/damaged.npz").read_bytes() == damaged


def test_a_kill_between_two_renames(few, run):
    run.folder.checkpoint.unlink()
    with pytest.warns(UserWarning, match=r"checkpoint\.npz does not exist; going on from "
                                         r"run/previous\.npz, step 4$"):
        assert Trainer.resume("run", few).step == 4
    assert sorted(p.name for p in Path("run").iterdir() if p.suffix == ".npz") == ["previous.npz"]


def test_nothing_to_go_on_from(few, run):
    for path in (run.folder.checkpoint, run.folder.previous):
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(checkpoint.DamagedError, match=r"run/checkpoint\.npz is damaged .*, and "
                       r"there is no other to go on from: run/previous\.npz is damaged") as caught:
        Trainer.resume("run", few)
    assert len(str(caught.value).splitlines()) == 1
    run.folder.previous.unlink()
    with pytest.raises(checkpoint.DamagedError, match="previous.npz does not exist$"):
        Trainer.resume("run", few)
    run.folder.checkpoint.unlink()
    with pytest.raises(FileNotFoundError, match="does not exist: the run has saved nothing$"):
        Trainer.resume("run", few)


FOREIGN = {
    "another model": (lambda a, c: c.update(model="wgan"), "of another run than .*model is 'wgan'"),
    "another preset": (lambda a, c: c.update(preset="mlp"), "preset is 'mlp', not 'seed'"),
    "another seed": (lambda a, c: c.update(seed=5), "seed is 5, not 0"),
    "another batch size": (lambda a, c: c.update(batch_size=9), "batch_size is 9, not 8"),
    "another layout": (lambda a, c: c.update(layout=1), "in layout 1; this version reads layout 2"),
    "an array missing": (lambda a, c: a.pop("g_optimizer/m"), "does not fit this version"),
    "an array of another size": (lambda a, c: a.update({"generator/0.bias": np.ones(3, "f")}),
                                 "does not fit this version"),
    "no batches": (lambda a, c: a.pop("batches/position"), "does not fit this version"),
    "no streams": (lambda a, c: c.pop("streams"), "does not fit this version"),
    "no step": (lambda a, c: c.pop("step"), "does not fit this version"),
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_foreign_checkpoint_is_refused_and_stays(few, run, how):
    change, said = FOREIGN[how]
    rewrite(run.folder.checkpoint, change)
    before = {path.name: path.read_bytes() for path in Path("run").iterdir() if path.is_file()}
    with pytest.raises(ValueError, match=said) as caught:
        Trainer.resume("run", few)
    assert len(str(caught.value).splitlines()) == 1
    assert before == {path.name: path.read_bytes() for path in Path("run").iterdir()
                      if path.is_file()}


def test_a_config_of_another_run(few, run):
    config = json.loads(run.folder.config.read_text("utf-8"))
    run.folder.config.write_text(json.dumps({**config, "settings": {"latent_size": 9}}), "utf-8")
    with pytest.raises(ValueError, match="its settings is .*, not {'latent_size': 9}"):
        Trainer.resume("run", few)


def damage(content, how, rng):
    """A file cut at a random place, or with a random bit turned."""
    place = rng.randrange(len(content))
    if how == "cut":
        return content[:place]
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1:]


@pytest.mark.parametrize("how", ["cut", "bit"])
def test_damage_at_200_random_places(few, no_pictures, how):
    """Either one clear sentence or, where a bit is not looked at, the very same arrays."""
    model = find("gan")("seed", (4, 4, 1), latent_size=2)
    small = data.Images(few.images[:, ::7, ::7].copy(), few.labels, "small", n_classes=10)
    path = Trainer(model, small, 8, "run", threads=1).fit(1).folder.checkpoint
    content, (good, config) = path.read_bytes(), checkpoint.load(path)
    rng, refused = random.Random(1), 0
    for _ in range(200):
        path.write_bytes(damage(content, how, rng))
        try:
            arrays, again = checkpoint.load(path)
        except ValueError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1 and str(path) in str(error)
        else:
            assert again == config and arrays.keys() == good.keys()
            assert all(np.array_equal(arrays[name], good[name]) for name in good)
    assert refused == 200 if how == "cut" else refused > 150


# Ctrl-C.

def press(times=1):
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


@POSIX
def test_ctrl_c_lets_the_step_finish(few, no_pictures):
    model = find("gan")("mlp", few.shape)
    run, update = Trainer(model, few, 8, "out", threads=1), model.d_optimizer.step

    def pressed(grads):
        update(grads)
        if model.d_optimizer.t == 9:
            press()  # between D's update and G's

    model.d_optimizer.step = pressed
    run.fit(100)
    assert run.interrupted and run.step == 9
    assert model.d_optimizer.t == model.g_optimizer.t == model.ema.t == 9
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    straight = Trainer(find("gan")("mlp", few.shape), few, 8, "straight", threads=1).fit(12)
    resumed = Trainer.resume("out", few).fit(3)
    assert differences(everything(straight), everything(resumed)) == []


@POSIX
def test_a_second_ctrl_c_stops_at_once_and_spoils_nothing(few, no_pictures):
    model = find("gan")("mlp", few.shape)
    run, update = Trainer(model, few, 8, "out", threads=1).fit(3), model.d_optimizer.step

    def pressed(grads):
        update(grads)
        press(2)

    model.d_optimizer.step = pressed
    with pytest.raises(KeyboardInterrupt):
        run.fit(100)
    assert (model.d_optimizer.t, model.g_optimizer.t) == (4, 3)  # torn, and not saved
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    straight = Trainer(find("gan")("mlp", few.shape), few, 8, "straight", threads=1).fit(5)
    resumed = Trainer.resume("out", few).fit(2)
    assert differences(everything(straight), everything(resumed)) == []


def test_ctrl_c_belongs_to_whoever_had_it():
    pressed = []

    def theirs(number, frame):
        pressed.append(number)

    before = signal.signal(signal.SIGINT, theirs)
    try:
        with Signals(lambda number: pressed.append("ours")):
            press()
        assert pressed == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, before)
    with Signals(lambda number: pressed.append("ours")):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
    assert pressed[1:] == ["ours"]


def test_another_thread_can_train(few, no_pictures):
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1)
    thread = threading.Thread(target=run.fit, args=(3,))
    thread.start()
    thread.join()
    assert run.step == 3


# A kill.

VICTIM = """
import os
import signal
import sys
import threading
import numpy as np
from minigan import data
from minigan.models.catalog import find
from minigan.training import Trainer, trainer
from minigan.runs.pictures import Pictures
trainer.SAVE_EVERY_SECONDS = 0.01
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it
orphaned = threading.Timer(90, os._exit, (1,))  # if the tests themselves are killed
orphaned.daemon = True
orphaned.start()
name, preset = sys.argv[1:]
whole = data.load("digits")
few = data.Images(whole.images[::114][:44], whole.labels[::114][:44], "few", n_classes=10)
noise = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), "uint8")
Pictures.draw_samples = lambda self, step, keep=True: noise
Pictures.draw_summary = lambda self, numbers: None
model = find(name)
Trainer(model(preset, model.natural_shape(preset)), few, 8, "killed", threads=1).fit(100_000)
"""


POSIX = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]
ENDINGS = [getattr(signal, name) for name in (POSIX if os.name == "posix" else ["SIGTERM"])]


def killed_and_resumed(name, preset, few, rng):
    """End a real process at a random moment, by force or by a signal; the trainer that goes on."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", VICTIM, name, preset], env=environment)
    try:
        end = time.monotonic() + 60
        while not all(Path("killed", name).exists() for name in ("previous.npz", "checkpoint.npz")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        time.sleep(rng.random() * 0.5)
        process.send_signal(rng.choice(ENDINGS))
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    return Trainer.resume("killed", few)


def check_kills(name, preset, few, kills, seed):
    """After a kill, in any moment, the rest of the run makes the uninterrupted one's bits."""
    rng, at = random.Random(seed), []
    for _ in range(kills):
        shutil.rmtree("killed", ignore_errors=True)
        resumed = killed_and_resumed(name, preset, few, rng)
        at.append(resumed.step)
        steps = resumed.step + 7
        straight = Trainer(build(name, preset), few, 8, f"straight-{len(at)}", threads=1)
        assert differences(everything(straight.fit(steps)), everything(resumed.fit(7))) == []
    return at


@pytest.mark.filterwarnings("default:.*going on from.*previous")  # killed between two renames
def test_a_kill_changes_no_bit(few, no_pictures):
    assert min(check_kills("gan", "mlp", few, 2, seed=time.time_ns())) > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default:.*going on from.*previous")
@pytest.mark.parametrize("name, preset", LIGHT)
def test_many_kills_change_no_bit(few, no_pictures, name, preset):
    check_kills(name, preset, few, 13, seed=time.time_ns())  # 208 over all models


# Two at once.

def test_two_trainers_do_not_share_a_folder(few, no_pictures):
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(1)
    other = Trainer.resume("out", few)
    met = []

    def meet(trainer_, metrics):
        with pytest.raises(RuntimeError, match="out is being trained by another process"):
            other.fit(1)
        with pytest.raises(RuntimeError, match="out is being trained by another process"):
            new_run("gan", "out", overwrite=True)
        met.append(other.step)

    run.callbacks.append(meet)
    run.fit(2)
    assert met == [1]  # nothing was trained
    with pytest.raises(RuntimeError, match=r"^out was trained on by another trainer, to step 3, "
                       r"since this one, at step 1, was made; go on with Trainer.resume\('out'\)$"):
        other.fit(1)
    with pytest.raises(RuntimeError, match="^out was trained on by another trainer"):
        other.save()
    assert Trainer.resume("out", few).fit(1).step == 4  # free again
    with pytest.raises(RuntimeError, match="^out was trained on by another trainer"):
        run.fit(1)


# A number that is not finite.

def test_the_step_and_the_op_are_named(few, no_pictures):
    """A model that divides by zero in a backward rule, in step 26."""
    model = find("gan")("seed", few.shape)
    run, step = Trainer(model, few, 8, "out", threads=1).fit(10), model.step

    def failing_step(x, labels):
        if model.g_optimizer.t == 25:
            x = mg.ops.sqrt(mg.tensor(x.data * 0)) * 1 + x
            weight = model.discriminator.parameters()[0]
            zero = mg.ops.sum(weight * 0)
            (g,) = mg.grad(mg.ops.sqrt(zero), [weight])  # 1 / (2 sqrt 0), times 0
            weight.assign(weight.data + g.data)
        return step(x, labels)

    model.step = failing_step
    before = {p.name: p.read_bytes() for p in Path("out").glob("*.npz")}
    state = everything(run)
    with pytest.raises(FloatingPointError) as caught:
        run.fit(90)
    said = str(caught.value)
    assert "_loss is nan at step 40; training stopped: in step 26 " in said
    assert "the first non-finite value came from " in said
    assert " in the backward rule of sqrt, shape (" in said
    assert "; out/checkpoint.npz is of step 10, before that" in said
    assert run.step == 10 and differences(state, {**everything(run), "steps": 10}) == ["log"]
    assert [r["step"] for r in history(run.folder)] == [1, 20]  # what was before it stays
    assert (Path("out/checkpoint.npz").read_bytes() != before["previous.npz"])
    model.step = step
    assert run.fit(5).step == 15 and [r["step"] for r in history(run.folder)] == [1, 15]


def test_weights_that_are_not_finite_are_never_saved(few, no_pictures):
    model = find("gan")("seed", few.shape)
    run, step = Trainer(model, few, 8, "out", threads=1).fit(4), model.step

    def failing_step(x, labels):
        losses = step(x, labels)
        if model.g_optimizer.t == 9:
            model.generator.parameters()[-1].assign(np.full(784, np.inf, "float32"))
        return losses

    model.step = failing_step
    with pytest.raises(FloatingPointError, match=r"generator/2\.bias is inf at step 9; training "
                       r"stopped: in step 9 the update itself made it: generator/2\.bias is inf"):
        run.fit(5)  # all losses are finite, and read
    assert load("out").config["step"] == 4 and run.step == 4


def test_a_number_from_outside_the_steps(few, no_pictures):
    def spoil(run, metrics):
        run.model.generator.parameters()[0].assign(np.nan)

    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1, callbacks=[spoil])
    with pytest.raises(FloatingPointError, match="the same steps, repeated, do not show it"):
        run.fit(19)
    with pytest.raises(FloatingPointError, match="and there is no checkpoint to go back to"):
        shutil.rmtree("out/samples")
        Path("out/checkpoint.npz").unlink()
        run.folder.samples.mkdir()
        run.model.generator.parameters()[0].assign(np.nan)
        run.fit(1)


def test_samples_that_are_not_finite_stop_too(few):
    model = find("gan")("seed", few.shape)
    run, step = Trainer(model, few, 8, "out", threads=1), model.step

    def failing_step(x, labels):
        losses = step(x, labels)
        model.generator.parameters()[-1].assign(np.nan)
        return losses

    model.step = failing_step
    with pytest.raises(FloatingPointError, match="a pixel of the samples is nan at step 10; .* in "
                                                 "step 1 the update itself made it"):
        run.fit(19)
