"""What ends a training: signals at any moment, and errors in the middle of a step."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from data_tools import ROOT
from model_tools import no_samples, no_summary

import minigan as mg
from minigan import data
from minigan.cli import main
from minigan.models.catalog import find
from minigan.runs.pictures import Pictures
from minigan.system import interrupt
from minigan.system.interrupt import ENDING, Interrupted, Signals, exit_status
from minigan.training import Trainer, load

pytestmark = pytest.mark.usefixtures("alone", "listening")

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
NAMES = [signal.Signals(number).name for number in ENDING]


@pytest.fixture
def listening():
    """The handlers that Python and the system have; a parent may have had a signal ignored."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, default(number))
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def default(number):
    return signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL


@pytest.fixture(scope="module")
def few():
    whole = data.load("digits")
    return data.Images(np.ascontiguousarray(whole.images[:44, 2:26:3, 2:26:3]), None, "few")


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


def start(few, out, **settings):
    return Trainer(find("gan")("mlp", few.shape, latent_size=4), few, 8, out, threads=1, **settings)


def everything(run):
    """Each bit that decides about a run's future, and its log."""
    arrays, numbers = run.state()
    log = [{**record, "seconds": 0} for record in run.folder.read_metrics()]
    arrays = {name: array.tobytes() for name, array in arrays.items()}
    return {**arrays, **numbers.to_json(), "seconds": 0, "log": log}


def check_goes_on(run, few, steps):
    """The next `fit` of a trainer makes the bits of a run without an interruption."""
    run.fit(steps)
    straight = start(few, f"straight-{time.monotonic_ns()}").fit(run.step)
    one, two = everything(straight), everything(run)
    assert [name for name in one if one[name] != two[name]] == []


# Half a step.

def out_of_memory():
    raise MemoryError("Unable to allocate 1 TiB")


def interrupted():
    raise KeyboardInterrupt


def failing():
    raise RuntimeError("a bug of the model's")


def at_step(run, t, action):
    """Do something between D's update and G's in step t."""
    model, update = run.model, run.model.d_optimizer.step

    def step(grads):
        update(grads)
        if model.d_optimizer.t == t:
            action()

    model.d_optimizer.step = step
    return update


@pytest.mark.parametrize("action, error", [(out_of_memory, MemoryError), (failing, RuntimeError),
                                           (interrupted, KeyboardInterrupt)])
@pytest.mark.parametrize("t", [1, 9, 31])
def test_after_half_a_step_training_goes_back_to_the_checkpoint(few, no_pictures, action, error, t):
    run = start(few, "out")
    if t > 20:
        run.fit(25)
    saved, update = run.step, at_step(run, t, action)
    with pytest.raises(error):
        run.fit(40)
    assert run.step == t - 1
    content = Path("out/checkpoint.npz").read_bytes()
    for refused in (run.save, run.train_step):
        with pytest.raises(RuntimeError, match=rf"step {t} was interrupted in the middle"):
            refused()
    assert Path("out/checkpoint.npz").read_bytes() == content
    run.model.d_optimizer.step = update
    with pytest.warns(UserWarning, match=rf"^step {t} was interrupted in the middle; training goes "
                                         rf"on from step {saved}, that of out/checkpoint\.npz$"):
        check_goes_on(run, few, 30)
    assert run.step == saved + 30


def test_half_a_step_without_a_checkpoint_is_refused(few, no_pictures):
    run = start(few, "out")
    at_step(run, 3, failing)
    with pytest.raises(RuntimeError, match="a bug"):
        run.fit(5)
    Path("out/checkpoint.npz").unlink()
    with pytest.raises(RuntimeError, match="step 3 was interrupted in the middle, and there is no "
                                           "checkpoint to go back to"):
        run.fit(1)


def test_half_a_recorded_step(few, no_pictures):
    run = start(few, "out", capture=True).fit(5)
    replay, calls = run.stepper.graphs["both"], []

    def breaks():
        calls.append(0)
        run.model.generator.parameters()[0].assign(7.0)  # as if half of it had been done
        raise KeyboardInterrupt

    run.stepper.graphs["both"] = breaks
    with pytest.raises(KeyboardInterrupt):
        run.fit(9)
    run.stepper.graphs["both"] = replay
    with pytest.warns(UserWarning, match="step 6 was interrupted"):
        check_goes_on(run, few, 9)
    assert calls == [0]


@pytest.mark.parametrize("step", [1, 20, 40])
def test_after_an_error_of_a_callback_training_goes_on_where_it_was(few, no_pictures, step):
    def fail(run, metrics):
        if run.step == step:
            raise ZeroDivisionError("mine")

    run = start(few, "out", callbacks=[fail])
    with pytest.raises(ZeroDivisionError):
        run.fit(60)
    assert run.step == step and run.save() == Path("out/checkpoint.npz")
    run.callbacks.clear()
    check_goes_on(run, few, 25)
    assert run.step == step + 25


def test_an_error_before_a_line_is_logged_leaves_no_gap(few, no_pictures, monkeypatch):
    run = start(few, "out")
    read = Trainer.read_losses

    def interrupted_once(self):
        if self.step == 20:
            monkeypatch.setattr(Trainer, "read_losses", read)
            raise KeyboardInterrupt
        return read(self)

    monkeypatch.setattr(Trainer, "read_losses", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        run.fit(60)
    assert run.step == 20
    check_goes_on(run, few, 25)


def test_an_error_in_saving_leaves_the_trainer_whole(few, no_pictures, monkeypatch):
    run, save = start(few, "out").fit(7), type(run_folder()).save

    def full(self, *given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(run.folder), "save", full)
    with pytest.raises(OSError, match="No space"):
        run.fit(5)
    monkeypatch.setattr(type(run.folder), "save", save)
    check_goes_on(run, few, 5)
    assert run.step == 12


def run_folder():
    from minigan.training import RunFolder
    return RunFolder(Path("out"))


# Signals in this process.

@contextmanager
def signals_at(number, moment, times=1):
    """Send a signal to ourselves at the `moment`-th call of any of a trainer's inner functions."""
    calls, sent = [], []

    def counted(function):
        def inner(*given, **named):
            calls.append(function.__name__)
            if len(calls) == moment:
                sent.extend([number] * times)
                for _ in range(times):
                    signal.raise_signal(number)
            return function(*given, **named)
        return inner

    from minigan import plot
    from minigan.runs import checkpoint, folder, pictures
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in [(Trainer, "_begin"), (Trainer, "train_step"), (Trainer, "_look"),
                            (Trainer, "save"), (Trainer, "state"), (Trainer, "read_losses"),
                            (mg.optim.Adam, "step"), (checkpoint, "save"), (os, "fsync"),
                            (os, "replace"), (folder.RunFolder, "append_metrics"),
                            (folder.RunFolder, "go_back"), (Pictures, "draw_samples"),
                            (Pictures, "draw_summary"), (pictures, "animate"),
                            (pictures, "write_report"), (plot, "pixels"), (data, "load"),
                            (find("gan"), "build"), (folder.RunFolder, "write_config")]:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield calls


ARGUMENTS = ["train", "gan", "--preset", "seed", "--batch-size", "8", "--threads", "1", "--steps",
             "23", "--out", "run", "--latent-size", "4", "--no-capture"]


def weights(run):
    return {name: array.tobytes() for name, array in load(run).model.state_dict().items()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The weights of the unbroken run, and how many moments it has."""
    place = tmp_path_factory.mktemp("straight") / "run"
    with signals_at(signal.SIGINT, None) as calls:
        assert main([*ARGUMENTS[:-4], str(place), *ARGUMENTS[-3:]]) == 0
    return weights(place), len(calls)


def check_end(status, number, straight, capsys):
    """After a signal: status, words, and a folder that goes on to the bits of the unbroken run."""
    out, err = capsys.readouterr()
    assert status == 128 + number, (status, out, err)
    assert "Traceback" not in err
    last = out.splitlines()[-1] if out else ""
    assert last.startswith(("interrupted at step", "23 steps in ")) or (
        err == "minigan: interrupted\n"), (out, err)
    left = [path for path in Path("run").rglob("*.part*") if path.is_file()]
    assert left == []
    if not Path("run/checkpoint.npz").exists():
        assert not Path("run/samples").exists() or not any(Path("run/samples").iterdir())
        return
    load("run")
    done = load("run").config["step"]
    if done < 23:
        assert main(["resume", "run", "--steps", "23"]) == 0
    assert weights("run") == straight[0]


@POSIX
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(6))
def test_a_signal_at_any_moment_ends_the_command_alike(straight, name, seed, capsys):
    number = signal.Signals[name]
    moment = random.Random(f"{name} {seed}").randrange(1, straight[1] + 1)
    with signals_at(number, moment):
        status = main(ARGUMENTS)
    assert all(signal.getsignal(number) is default(number) for number in ENDING)
    check_end(status, number, straight, capsys)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(6, 50))
def test_a_signal_at_more_moments(straight, name, seed, capsys):
    test_a_signal_at_any_moment_ends_the_command_alike(straight, name, seed, capsys)


@POSIX
@pytest.mark.parametrize("seed", range(8))
def test_a_burst_of_signals_has_a_clean_end(straight, seed, capsys):
    random_ = random.Random(f"burst {seed}")
    number = random_.choice(ENDING)
    with signals_at(number, random_.randrange(1, straight[1] + 1), times=12):
        status = main(ARGUMENTS)
    check_end(status, number, straight, capsys)


@POSIX
@pytest.mark.parametrize("number", ENDING, ids=NAMES)
def test_in_python_a_signal_ends_fit(few, no_pictures, number):
    run = start(few, "out")
    at_step(run, 9, lambda: signal.raise_signal(number))
    run.fit(30)
    assert (run.interrupted, run.signal, run.step) == (True, number, 9)
    assert load("out").config["step"] == 9 and signal.getsignal(number) is default(number)
    run.fit(3)
    assert (run.interrupted, run.signal, run.step) == (False, None, 12)


@POSIX
@pytest.mark.parametrize("number", ENDING, ids=NAMES)
def test_a_second_signal_stops_at_once(few, no_pictures, number):
    run = start(few, "out")
    update = at_step(run, 9, lambda: [signal.raise_signal(number) for _ in range(12)])
    with pytest.raises(KeyboardInterrupt) as caught:
        run.fit(30)
    assert exit_status(caught.value) == 128 + number and run.step == 8
    run.model.d_optimizer.step = update
    with pytest.warns(UserWarning, match="step 9 was interrupted in the middle"):
        check_goes_on(run, few, 12)


@POSIX
@pytest.mark.parametrize("number", ENDING, ids=NAMES)
def test_a_signal_that_is_ignored_stays_ignored(few, no_pictures, number):
    """As under nohup, or in the background of a shell."""
    signal.signal(number, signal.SIG_IGN)
    run = start(few, "out")
    at_step(run, 3, lambda: signal.raise_signal(number))
    run.fit(5)
    assert run.step == 5 and not run.interrupted and signal.getsignal(number) is signal.SIG_IGN
    heard = []
    signal.signal(number, lambda n, frame: heard.append(n))
    handler = signal.getsignal(number)
    at_step(run, 7, lambda: signal.raise_signal(number))
    run.fit(5)
    assert run.step == 10 and heard == [number] and signal.getsignal(number) is handler


@POSIX
def test_an_interruption_that_python_swallows_can_be_repeated(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: now[0])
    with Signals() as signals:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # of the same burst
        now[0] += 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        now[0] += 2
        signals.ignore()
        signal.raise_signal(signal.SIGINT)
    assert signals.number == signal.SIGTERM


def test_exit_statuses():
    assert exit_status(KeyboardInterrupt()) == exit_status(None) == 130
    assert exit_status(Interrupted(15)) == exit_status(15) == 143


# Real processes.

def program(*arguments, before="", stderr=subprocess.PIPE, **variables):
    """`minigan` with signals as a person's shell gives them to it."""
    def listen():
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        if before == "nohup":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **variables}
    return subprocess.Popen([sys.executable, "-m", "minigan", *arguments], env=environment,
                            stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=listen)


LONG = ["train", "gan", "--preset", "seed", "--batch-size", "8", "--threads", "1", "--steps",
        "1000000", "--out", "run", "--latent-size", "4"]


def wait_for_training(process):
    end = time.monotonic() + 120
    metrics = Path("run/metrics.jsonl")
    while not (metrics.exists() and metrics.read_text().count("\n") > 2):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)


@POSIX
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_program_saves_and_ends(name):
    process = program(*LONG)
    try:
        wait_for_training(process)
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (128 + signal.Signals[name], "")
    last = out.splitlines()[-1]
    assert last.startswith("interrupted at step ")
    step = int(last.split()[3].strip(";").replace(",", ""))
    assert load("run").config["step"] == step >= 40 and Path("run/report.html").is_file()


@POSIX
def test_a_program_under_nohup_goes_on():
    process = program(*LONG[:9], "60", *LONG[10:], before="nohup")
    try:
        wait_for_training(process)
        process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "") and load("run").config["step"] == 60


def check_program(name, delay, times=1):
    """Send a signal so many seconds after minigan begins; it ends as it should, or is done.

    Before that Python itself starts, whose own traceback for Ctrl-C nobody can prevent. It tells of
    every import that is done.
    """
    number = signal.Signals[name]
    with open("stderr", "w+", encoding="utf-8") as told:
        process = program(*LONG[:9], "400", *LONG[10:], stderr=told, PYTHONPROFILEIMPORTTIME="1")
        try:
            end = time.monotonic() + 60
            while "minigan.system.starting" not in Path("stderr").read_text("utf-8"):
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.005)
            time.sleep(delay)
            for _ in range(times):
                process.send_signal(number)
            out, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    lines = Path("stderr").read_text("utf-8").splitlines()
    said = [line for line in lines if not line.startswith("import time:")]
    assert said in ([], ["minigan: interrupted"])
    assert process.returncode in (-number, 128 + number, 0), (process.returncode, out, said)
    assert process.returncode or "400 steps in" in out
    if Path("run/checkpoint.npz").exists():
        assert load("run").config["step"] <= 400


@POSIX
@pytest.mark.parametrize("name", NAMES)
def test_a_signal_while_a_program_starts(name):
    check_program(name, random.Random(name).random())


@POSIX
def test_a_burst_in_a_program():
    check_program("SIGINT", 1.2 + random.Random(1).random(), times=12)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(50))
def test_signals_at_many_moments_of_a_program(name, seed):
    moment = random.Random(f"{name} {seed}").random()
    check_program(name, 3 * moment, times=1 + 11 * (seed % 2))
