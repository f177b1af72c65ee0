"""Runs never lose work: files that fail, break or meet, trainers that come late, folders that move.
"""
from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_tools import ROOT
from failing_disk import ERRORS, WRITING, failures
from model_tools import no_samples, no_summary

from minigan import data, plot
from minigan.cli import main
from minigan.models.catalog import find
from minigan.runs import checkpoint
from minigan.runs import folder as folders
from minigan.runs.pictures import Pictures
from minigan.runs.records import Saved
from minigan.runs.stamps import is_stamped, is_whole, stamped
from minigan.system import files, machine
from minigan.system.json_files import read_json
from minigan.training import Trainer, load, new_run, newest_run, open_run

pytestmark = pytest.mark.usefixtures("alone")
WRITTEN_BY = Path(__file__).with_name("written_by")  # runs of 5 steps of 4 by earlier versions
OLD = WRITTEN_BY / "0.1.0"  # before runs had ids
POSIX = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")


@pytest.fixture(scope="module")
def few():
    """12 digits of 2x2 pixels: a checkpoint of 20 kB."""
    digits = data.load("digits")
    pixels = np.ascontiguousarray(digits.images[:12, 7::14, 7::14])
    return data.Images(pixels, digits.labels[:12], "few digits", n_classes=10)


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


@pytest.fixture
def start(few, no_pictures):
    def trainer(out="run", seed=0, **more):
        model = find("gan")("seed", few.shape, seed, latent_size=2)
        return Trainer(model, few, 4, out, threads=1, **more)
    return trainer


def bits(trainer):
    return {name: array.tobytes() for name, array in trainer.state()[0].items()}


def contents(folder):
    """All files below a folder, as {path: bytes}."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def saved(path):
    """Arrays of a checkpoint as {name: bytes}, and its step."""
    arrays, config = checkpoint.load(Path(path))
    return {name: array.tobytes() for name, array in arrays.items()}, config["step"]


# Writing: every call of the file system fails in turn.

def described(failure):
    """The error of an action is one sentence that names a file of the run."""
    if failure.error is None:
        return  # it could do without that call
    assert isinstance(failure.error, (OSError, ValueError, RuntimeError)), failure
    assert "\n" not in str(failure.error)
    name = getattr(failure.error, "filename", None) or str(failure.error)
    assert {"run", "out"} & set(str(name).replace(".", " ").replace("/", " ").split()) or (
        failure.call[1] == ".")  # the folder that it is in
    assert ".part" not in str(failure.error), failure


def each_call(prepare, action):
    """`failures` with one of the three errors for each call, in turn."""
    for first, error in enumerate(ERRORS):
        yield from failures(prepare, action, errors=(error,), first=first, every=len(ERRORS))


def nothing_strange(folder="run"):
    return not [path for path in Path(folder).rglob(".*")]


def test_a_save_that_fails_at_any_call_leaves_the_one_before(start):
    def prepare():
        shutil.rmtree("run", ignore_errors=True)
        trainer = start().fit(2)
        trainer.train_step()
        persons = Path("run/notes.part")
        persons.write_text("mine")
        return trainer, saved("run/checkpoint.npz"), saved("run/previous.npz")

    seen = set()
    for failure in each_call(prepare, lambda before: before[0].save()):
        described(failure)
        seen.add(failure.call[0])
        trainer, newest, _ = failure.before
        now = saved("run/checkpoint.npz")
        assert now in (newest, (bits(trainer), 3))
        assert (now == newest) == (failure.error is not None), failure
        assert saved("run/previous.npz")[1] <= 2
        assert Path("run/notes.part").read_text() == "mine"
        assert nothing_strange() or failure.call[0] == "unlink"
        if failure.error is not None:
            trainer.save()  # the disk works again
            assert saved("run/checkpoint.npz") == (bits(trainer), 3)
        assert Trainer.resume("run", trainer.data).fit(1).step == 4
    assert {"open to write", "write", "fsync", "replace", "link"} <= seen


@pytest.mark.filterwarnings("ignore:.*metrics.jsonl could not be written")
def test_a_fit_on_a_disk_that_fails_at_any_call_loses_nothing(start, few):
    """Beginning, metrics, going back and saving; then the run goes on to the bits of another."""
    straight = bits(start("straight").fit(6))

    def prepare():
        shutil.rmtree("run", ignore_errors=True)
        trainer = start().fit(4)
        trainer.folder.write_grid(20, plot.png(np.zeros((4, 4), np.uint8)), keep=True)
        trainer.folder.append_metrics({"step": 20, "d_loss": 1.0})
        Path("run/samples/5000.png").write_text("mine")
        return Trainer.resume("run", few)

    for failure in each_call(prepare, lambda trainer: trainer.fit(2)):
        described(failure)
        assert Path("run/samples/5000.png").read_text() == "mine"
        assert saved("run/checkpoint.npz")[1] in (4, 6)
        assert failure.error is not None or saved("run/checkpoint.npz")[1] == 6, failure
        resumed = Trainer.resume("run", few)
        resumed.fit(6 - resumed.step)
        assert bits(resumed) == straight, failure


def test_a_run_that_cannot_begin_leaves_nothing_or_a_run(start):
    """new_run and config.json; also where an older run is moved out of the way."""
    def prepare():
        for name in ("run", "run.old"):
            shutil.rmtree(name, ignore_errors=True)
        return saved(start().fit(1).save())

    for failure in each_call(prepare, lambda _: start(overwrite=True)):
        described(failure)
        found = [path for path in Path().glob("run*/checkpoint.npz")]
        assert [saved(path) for path in found] == [failure.before], failure
        assert not Path("run").exists() or open_run("run"), failure
        assert nothing_strange("run")

    def fresh():
        shutil.rmtree("run", ignore_errors=True)

    for failure in each_call(fresh, lambda _: start()):
        described(failure)
        assert not Path("run").exists() or open_run("run"), failure


def test_a_resume_that_fails_at_any_call_changes_nothing(start, few):
    def prepare():
        shutil.rmtree("run", ignore_errors=True)
        start().fit(2)
        return contents("run")

    for failure in failures(prepare, lambda _: Trainer.resume("run", few)):
        described(failure)
        assert contents("run") == failure.before, failure


def test_a_disk_that_does_not_answer_is_not_an_empty_one(start, few, monkeypatch):
    """Newer Pythons' Path.exists and is_file say False then, and the log would begin again."""
    run = start().fit(21)
    before = contents("run")
    real = os.stat

    def stat(path, *more, **settings):
        if str(path).endswith(("metrics.jsonl", "checkpoint.npz")):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, *more, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat)
        patch.setattr(Path, "exists", lambda path: False)
        patch.setattr(Path, "is_file", lambda path: False)
        for action in (lambda: run.fit(1), lambda: Trainer.resume("run", few)):
            with pytest.raises(OSError, match="Input/output error.*run/"):
                action()
    assert contents("run") == before


def test_an_export_that_fails_at_any_call(start):
    start().fit(1)
    trained = load("run")

    def prepare():
        Path("out.npz").unlink(missing_ok=True)

    for failure in failures(prepare, lambda _: trained.export("out.npz")):
        described(failure)
        if failure.error is not None:
            assert not Path("out.npz").exists() and nothing_strange("."), failure
        else:
            load("out.npz")
    with pytest.raises(FileExistsError, match="out.npz exists"):
        trained.export("out.npz")


@pytest.mark.parametrize("mode", ["plain", "exclusive", "keep"])
def test_a_file_is_the_old_one_or_the_new_one_whatever_fails(mode):
    path, kept = Path("run/x"), Path("run/y")
    path.parent.mkdir()

    def prepare():
        path.unlink(missing_ok=True)
        kept.write_bytes(b"kept before")
        if mode != "exclusive":
            path.write_bytes(b"old")

    def action(_):
        with files.replacing(path, keep=kept if mode == "keep" else None,
                             exclusive=mode == "exclusive") as file:
            file.write(b"new")

    for lasting in (False, True):
        for failure in failures(prepare, action, kinds=WRITING, lasting=lasting):
            described(failure)
            new = path.exists() and path.read_bytes() == b"new"
            assert new or not path.exists() or path.read_bytes() in (b"old", b""), failure
            assert mode == "exclusive" or path.exists()
            assert new == (failure.error is None), failure
            assert not list(path.parent.glob(".*")) or lasting or failure.call[0] == "unlink"
            for leftover in path.parent.glob(".*"):
                leftover.unlink()  # a disk that lets nothing be removed
            assert kept.read_bytes() in (b"kept before", *([b"old"] if mode == "keep" else []))


def test_where_there_are_no_links_the_checkpoint_before_is_copied(start, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    trainer = start().fit(2)
    before = saved("run/checkpoint.npz")
    trainer.fit(1)
    assert saved("run/previous.npz")[1] == 2 and before[1] == 2
    trained = load("run")
    trained.export("out.npz")
    with pytest.raises(FileExistsError):
        trained.export("out.npz")
    Path("run/checkpoint.npz").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="it is damaged.npz now"):
        Trainer.resume("run", trainer.data)
    assert Path("run/damaged.npz").read_bytes() == b"damaged"


# Writing: several at once, links, permissions.

WRITER = """
import sys
from pathlib import Path
from minigan.system import files
for i in range(150):
    files.write(Path("shared"), sys.argv[1].encode() * 50_000)
"""


def test_two_processes_that_write_one_file_do_not_share_a_part():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, letter], env=environment)
               for letter in "ab"]
    seen = set()
    try:
        while any(writer.poll() is None for writer in writers):
            if Path("shared").exists():
                content = Path("shared").read_bytes()
                assert content in (b"a" * 50_000, b"b" * 50_000)
                seen.add(content[:1])
            time.sleep(0.001)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert [writer.returncode for writer in writers] == [0, 0] and seen
    assert [path.name for path in Path().iterdir()] == ["shared"]


@POSIX
def test_links_that_lie_in_wait_are_not_followed(start, monkeypatch):
    Path("precious").write_text("mine")
    for name in ("checkpoint.npz.part", "config.json.part", ".minigan--0000000000000000.part"):
        Path("folder").mkdir(exist_ok=True)
        Path("folder", name).symlink_to("../precious")
    tokens = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr(files.secrets, "token_hex", lambda n: next(tokens))
    files.write(Path("folder/checkpoint.npz"), b"new")
    assert Path("precious").read_text() == "mine" and next(tokens, None) is None
    assert Path("folder/checkpoint.npz").read_bytes() == b"new"


@POSIX
def test_new_files_have_the_permissions_that_the_umask_leaves(start):
    before = os.umask(0o027)
    try:
        start().fit(1)
        plot.save(np.zeros((2, 2), np.uint8), "a.png")
    finally:
        os.umask(before)
    for path in ("run/checkpoint.npz", "run/config.json", "run/metrics.jsonl", "a.png"):
        assert Path(path).stat().st_mode & 0o777 == 0o640, path


def test_a_name_of_any_length_can_be_written():
    name = "x" * 200 + ".png"
    plot.save(np.zeros((2, 2), np.uint8), name)
    assert [path.name for path in Path().iterdir()] == [name]


# Reading beside a trainer.

def test_a_reader_beside_a_saving_trainer_always_finds_a_checkpoint(start):
    trainer, done, problems, reads = start().fit(1), threading.Event(), [], [0]

    def read():
        while not done.is_set():
            try:
                load("run")
                checkpoint.load(Path("run/previous.npz"))
                reads[0] += 1
            except Exception as error:
                problems.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    end = time.monotonic() + 2
    saves = 0
    with trainer.folder.locked():
        while time.monotonic() < end:
            trainer.save()
            saves += 1
    done.set()
    for reader in readers:
        reader.join()
    assert problems == [] and reads[0] > 3 and saves > 3


def test_a_resume_beside_a_trainer_moves_nothing(start, few):
    """Not even if it finds damage: only a trainer that holds the lock may put a file aside."""
    trainer = start().fit(3)
    good = Path("run/checkpoint.npz").read_bytes()
    Path("run/checkpoint.npz").write_bytes(good[:-50])
    before = contents("run")
    with trainer.folder.locked():
        with pytest.warns(UserWarning, match=r"is damaged .*\); going on from run/previous"):
            other = Trainer.resume("run", few)
        assert contents("run") == before
    Path("run/checkpoint.npz").write_bytes(good)
    trainer.fit(1)
    with pytest.raises(RuntimeError, match="^run was trained on by another trainer, to step 4"):
        other.fit(1)


def test_a_damaged_checkpoint_under_an_open_trainer_is_put_aside(start):
    """The next save would otherwise make it previous.npz, in the good one's place."""
    trainer = start().fit(3)
    Path("run/checkpoint.npz").write_bytes(b"damaged")
    trainer.fit(1)
    assert Path("run/damaged.npz").read_bytes() == b"damaged"
    assert saved("run/previous.npz")[1] == 3 and saved("run/checkpoint.npz")[1] == 4


# Trainers that come late.

def test_a_trainer_that_waited_does_not_write_over_newer_work(start, few):
    waiting = start().fit(1)
    Trainer.resume("run", few).fit(4)
    before = contents("run")
    said = r"^run was trained on by another trainer, to step 5, since this one, at step 1, was made"
    for wrong in (lambda: waiting.fit(1), waiting.save, lambda: waiting.fit(0)):
        with pytest.raises(RuntimeError, match=said):
            wrong()
        assert contents("run") == before
    waiting.restore(Saved.from_file(*checkpoint.load(Path("run/checkpoint.npz"))))
    assert waiting.fit(1).step == 6


def test_one_that_read_while_the_other_was_training(start, few):
    """Not the number of trainers is counted but that of saves."""
    trainer, read = start(), []
    step = trainer.train_step

    def look():
        step()
        if trainer.step == 3:
            trainer.save()
            read.append(Trainer.resume("run", few))

    trainer.train_step = look
    trainer.fit(5)
    assert read[0].step == 3
    with pytest.raises(RuntimeError, match="to step 5, since this one, at step 3"):
        read[0].fit(1)
    trainer.train_step = step
    trainer.fit(1).fit(1)  # who has saved last goes on


def test_a_fresh_trainer_does_not_begin_in_a_trained_folder(start):
    start().fit(2)
    fresh = start(out=open_run("run"))
    with pytest.raises(RuntimeError, match="to step 2, since this one, at step 0"):
        fresh.fit(1)


def test_an_interrupted_save_is_the_trainers_own(start, monkeypatch):
    """A second Ctrl-C after the rename: the trainer must not take itself for another."""
    trainer = start().fit(2)
    be_newest = folders.RunFolder._be_newest

    def interrupted(self, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(folders.RunFolder, "_be_newest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.save()
    monkeypatch.setattr(folders.RunFolder, "_be_newest", be_newest)
    assert trainer.fit(1).step == 3


def test_an_older_state_that_a_person_put_back(start):
    trainer = start().fit(2)
    shutil.copy("run/checkpoint.npz", "mine.npz")
    trainer.fit(2)
    shutil.copy("mine.npz", "run/checkpoint.npz")
    assert trainer.fit(1).step == 5 and saved("run/previous.npz")[1] == 4
    shutil.copy("mine.npz", "run/checkpoint.npz")
    assert Trainer.resume("run", trainer.data).fit(1).step == 3


def test_overwriting_a_run_that_is_open_and_waits(start):
    first = start(seed=1).fit(2)
    before = contents("run")
    second = start(seed=2, overwrite=True)
    said = (r"^run holds another run now: that of this trainer was moved, renamed or deleted; it "
            r"is run\.old now, and `minigan resume run\.old` \(Trainer\.resume\) goes on with it$")
    for wrong in (lambda: first.fit(1), first.save):
        with pytest.raises(RuntimeError, match=said):
            wrong()
    second.fit(1)
    with pytest.raises(RuntimeError, match=said):
        first.fit(1)
    assert contents("run.old") == {Path("run.old", *path.parts[1:]): content
                                   for path, content in before.items()}
    assert load("run").config["seed"] == 2 and load("run").config["step"] == 1
    fresh = start("fresh", seed=1)  # open, and has saved nothing
    start("fresh", seed=3, overwrite=True)
    with pytest.raises(RuntimeError, match="fresh holds another run now: .* it is fresh.old now"):
        fresh.fit(1)


def test_a_folder_that_is_moved_while_its_trainer_trains(start, few):
    said = (r"^run is gone: the run folder was moved or deleted while its trainer was at work; it "
            r"is elsewhere now, and `minigan resume elsewhere` \(Trainer\.resume\) goes on with it")
    trainer = start()
    trainer.callbacks.append(lambda run, _: run.step == 20 and Path("run").rename("elsewhere"))
    with pytest.raises(FileNotFoundError, match=said):
        trainer.fit(60)
    assert not Path("run").exists()
    resumed = Trainer.resume("elsewhere", few)
    assert bits(resumed.fit(60 - resumed.step)) == bits(start("straight").fit(60))


def test_a_config_that_an_editor_saves_again_takes_the_lock_with_it(start, few):
    def another_trains_on(trainer, metrics):
        if trainer.step == 20:
            text = trainer.folder.config.read_bytes()
            files.write(trainer.folder.config, text)  # as editors do: a new file under the name
            Trainer.resume("run", few).fit(30, quiet=True)

    trainer = start(callbacks=[another_trains_on])
    with pytest.raises(RuntimeError, match="trained on by another trainer, to step 3"):
        trainer.fit(25, quiet=True)
    assert Trainer.resume("run", few).step == 30


def test_a_config_that_an_editor_saves_again_ends_no_training(start, few):
    def edit(trainer, metrics):
        files.write(trainer.folder.config, trainer.folder.config.read_bytes())

    start(callbacks=[edit]).fit(25, quiet=True)
    assert Trainer.resume("run", few).step == 25


def test_a_folder_that_is_moved_and_another_run_in_its_place(start):
    def replace(run, _):
        if run.step == 20:
            Path("run").rename("elsewhere")
            start(seed=5).fit(1)
            replace.before = contents("run")

    trainer = start()
    trainer.callbacks.append(replace)
    with pytest.raises(RuntimeError, match="run holds another run now.* elsewhere now"):
        trainer.fit(60)
    assert contents("run") == replace.before


def test_a_config_that_a_person_edited_is_no_other_run(start):
    """Editors write a new file, too."""
    def edit(run, _):
        text = Path("run/config.json").read_text()
        Path("new").write_text(text + "\n")
        os.replace("new", "run/config.json")

    trainer = start()
    trainer.callbacks.append(edit)
    assert trainer.fit(41).step == 41


def test_a_config_that_is_deleted_while_it_trains(start, few):
    trainer = start()
    trainer.callbacks.append(lambda run, _: Path("run/config.json").unlink(missing_ok=True))
    assert trainer.fit(41).step == 41
    with pytest.warns(UserWarning, match="config.json was damaged or gone and has been written"):
        assert Trainer.resume("run", few).fit(1).step == 42


# Two runs at once.

def test_numbers_and_old_names_are_taken_by_one_only(start):
    """Twelve at a barrier, several times: everybody gets a folder, and none is replaced."""
    start("run").fit(0)
    for _ in range(5):
        barrier, found, problems = threading.Barrier(12), [], []

        def begin():
            barrier.wait()
            try:
                found.append(new_run("gan").path)
            except Exception as error:
                problems.append(error)

        threads = [threading.Thread(target=begin) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == [] and len(set(found)) == 12
    assert sorted(path.name for path in Path("runs").iterdir())[-1] == "gan-060"
    Path("run.old").mkdir()  # a person's, and empty
    Path("run.old2").write_text("mine")
    new_run("gan", "run", overwrite=True)
    assert Path("run.old3/checkpoint.npz").exists() and Path("run.old2").read_text() == "mine"
    assert list(Path("run.old").iterdir()) == []


@POSIX
def test_overwriting_a_link_moves_the_link(start):
    start("there").fit(1)
    Path("run").symlink_to("there")
    start("run", overwrite=True)
    assert Path("run.old").is_symlink() and saved("run.old/checkpoint.npz")[1] == 1
    assert not Path("run").is_symlink() and Path("there/checkpoint.npz").exists()


# The clock.

def test_the_newest_run_after_the_clock_went_back(start, few):
    first = start("runs/first").fit(1)
    later = time.time() + 40_000
    os.utime("runs/first/checkpoint.npz", (later, later))  # written when the clock was ahead
    second = start("runs/second")
    assert str(newest_run()) == "runs/second"  # begun last
    first.fit(1)
    assert str(newest_run()) == "runs/first"
    second.fit(1)
    assert str(newest_run()) == "runs/second"
    assert Trainer.resume(data=few).folder.path.name == "second"


# Damage: metrics, config, entries, bits.

LINES = {
    "NULs": b"\0" * 300,
    "NULs and a line end": b"\0" * 300 + b"\n",
    "cut": b'{"step": 40, "d_lo\n',
    "empty": b"\n",
    "blank": b"   \r\n",
    "no step": b'{"d_loss": 1.0}\n',
    "a step of words": b'{"step": "40"}\n',
    "a negative step": b'{"step": -1}\n',
    "a list": b"[1, 2]\n",
    "a number": b"7\n",
    "other bytes": b"\xff\xfe\x00\n",
    "deep": b"[" * 100_000 + b"\n",
    "long": b"7" * 3_000_000 + b"\n",
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("how", LINES)
def test_a_damaged_line_of_metrics_stops_no_resume(start, few, how, where):
    start().fit(21)
    good = Path("run/metrics.jsonl").read_bytes()
    damaged = LINES[how] + good if where == "before" else good + LINES[how]
    Path("run/metrics.jsonl").write_bytes(damaged)
    due = [1, 20, 21]
    if how == "NULs" and where == "before":
        due = [20, 21]  # they stand in the first line
    assert [record["step"] for record in open_run("run").read_metrics()] == due
    resumed = Trainer.resume("run", few)
    with pytest.warns(UserWarning, match=r"^run/metrics\.jsonl: \d+ damaged lines? left out; the "
                                         r"file as it was is damaged-metrics\.jsonl$") as told:
        resumed.fit(1)
    assert len(told) == 1
    assert Path("run/damaged-metrics.jsonl").read_bytes() == damaged
    assert [record["step"] for record in resumed.folder.read_metrics()][-2:] == [20, 22]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trainer.resume("run", few).fit(1)  # once is enough


def test_metrics_with_a_mark_of_byte_order_or_a_cut_end(start, few):
    start().fit(21)
    path = Path("run/metrics.jsonl")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()[:-5])  # a kill cut the last line
    assert [record["step"] for record in open_run("run").read_metrics()] == [1, 20]
    Trainer.resume("run", few).fit(1)
    assert not list(Path("run").glob("damaged*"))


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 500, b"[" * 100_000, b"[]", b'{"a": 1}',
                                     b"\xff\xfe", None])
def test_a_damaged_config_is_written_again(start, few, content):
    start().fit(2)
    path = Path("run/config.json")
    good = json.loads(path.read_text())
    path.unlink() if content is None else path.write_bytes(content)
    assert load("run").config["step"] == 2
    with pytest.warns(UserWarning, match=r"^run/config\.json was damaged or gone and has been "
                                         r"written again from the checkpoint") as told:
        resumed = Trainer.resume("run", few)
    assert len(told) == 1 and json.loads(path.read_text()) == good
    if content is not None:
        assert Path("run/damaged-config.json").read_bytes() == content
    assert resumed.fit(1).step == 3
    Trainer.resume("run", few)  # and no word any more


def test_the_command_resumes_with_a_damaged_config(alone, capsys):
    quick = ["train", "gan", "--preset", "seed", "--steps", "1", "--batch-size", "2", "--threads",
             "1", "--out", "run"]
    assert main(quick) == 0
    Path("run/config.json").write_bytes(b"\0" * 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["resume", "run", "--more", "1"]) == 0
    assert main(["sample", "run"]) == 0


ENTRIES = ["data_crc32", "batch_size", "threads", "environment", "source", "data", "step",
           "steps", "seconds", "losses", "streams", "backend"]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_checkpoint_without_an_entry_is_named(start, few, name):
    start().fit(1)
    arrays, config = checkpoint.load(Path("run/checkpoint.npz"))
    config.pop(name)
    checkpoint.save(Path("run/checkpoint.npz"), arrays, config)
    before = contents("run")
    with pytest.raises(ValueError, match=rf"run/checkpoint\.npz does not fit .*no {name}$"):
        Trainer.resume("run", few)
    assert contents("run") == before


@pytest.mark.parametrize("name", ["batches/position", "batches/permutation", "g_optimizer/t",
                                  "d_optimizer/m", "generator/0.weight"])
def test_a_checkpoint_without_an_array_is_named(start, few, name):
    start().fit(1)
    arrays, config = checkpoint.load(Path("run/checkpoint.npz"))
    arrays.pop(name)
    checkpoint.save(Path("run/checkpoint.npz"), arrays, config)
    with pytest.raises(ValueError, match=r"^run/checkpoint\.npz does not fit this version .*\(.+"):
        Trainer.resume("run", few)


@pytest.fixture(scope="module")
def flips():
    return 1_500


def test_a_flipped_bit_is_damage_or_changes_nothing(start, few, flips):
    """Bits of headers and of data: whatever does not fit is damage, then the one before is used."""
    start().fit(2)
    path = Path("run/checkpoint.npz")
    content = path.read_bytes()
    good, config = checkpoint.load(path)
    with zipfile.ZipFile(path) as entries:
        places = [place for entry in entries.infolist()
                  for place in range(entry.header_offset, entry.header_offset + 250)]
        places += range(entries.start_dir, len(content))
    rng = random.Random(7)
    chosen = rng.sample(range(8 * len(places)), flips)
    chosen = [(places[bit // 8], bit % 8) for bit in chosen]
    chosen += [(rng.randrange(len(content)), rng.randrange(8)) for _ in range(flips // 5)]
    found = 0
    for place, bit in chosen:
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            arrays, again = checkpoint.load(path)
        except checkpoint.DamagedError as error:
            found += 1
            assert "\n" not in str(error) and str(path) in str(error)
            continue
        assert again == config and arrays.keys() == good.keys(), (place, bit)
        for name, array in good.items():
            assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
            assert arrays[name].tobytes() == array.tobytes(), (place, bit)
    assert flips // 2 < found < len(chosen)
    header = content.index(b"\x93NUMPY", content.index(b"generator/0.weight.npy"))
    for offset in range(8, 58, 5):  # in the array's header: its shape, its type, its order
        changed = bytearray(content)
        changed[header + offset] ^= 1
        path.write_bytes(changed)
        with pytest.warns(UserWarning, match="going on from run/previous.npz, step 0"):
            assert Trainer.resume("run", few).step == 0


# Files that would fill the memory.

def bomb(path, entries, kind=zipfile.ZIP_DEFLATED):
    """An npz whose entries unpack to so many zeros."""
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, header, size in entries:
            with file.open(name, "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)
                for _ in range(size >> 20):
                    entry.write(bytes(1 << 20))


def described_array(*shape):
    return {"descr": "<f4", "fortran_order": False, "shape": shape}


def peak(action):
    """Bytes of Python and NumPy that an action takes at most."""
    import tracemalloc
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_npz_that_would_unpack_to_more_than_a_file_holds():
    bomb("bomb.npz", [("x.npy", described_array(96 << 18), 96 << 20)])
    assert Path("bomb.npz").stat().st_size < 1 << 20

    def refused():
        with pytest.raises(checkpoint.DamagedError, match="bomb.npz is damaged .* declare "
                           "1.* bytes, more than the 67,108,864 that a file of"):
            load("bomb.npz")

    assert peak(refused) < 2 << 20


def test_an_array_whose_header_declares_more_than_its_entry_has():
    for shape in ((10 ** 12,), (1 << 62, 1 << 62), (-1, 5), (3, 3)):
        bomb("bomb.npz", [("x.npy", described_array(*shape), 1 << 20)])

        def refused():
            with pytest.raises(checkpoint.DamagedError, match="entry 'x.npy' declares float32"):
                load("bomb.npz")

        assert peak(refused) < 2 << 20


def test_a_file_larger_than_half_of_the_memory(start, monkeypatch):
    start().fit(1)
    monkeypatch.setattr(checkpoint, "memory", lambda: 10_000)
    with pytest.raises(checkpoint.DamagedError, match="more than half of this machine's 0.0 GB"):
        load("run")


def test_settings_that_speak_of_more_than_a_file_holds(start):
    start().fit(1)
    arrays, config = checkpoint.load(Path("run/checkpoint.npz"))
    for change in ({"settings": {**config["settings"], "latent_size": 10 ** 9}},
                   {"shape": [100_000, 100_000, 3]}, {"n_classes": 10 ** 9}):
        checkpoint.save(Path("run/checkpoint.npz"), arrays, {**config, **change})
        with pytest.raises(checkpoint.DamagedError, match="its settings ask for [0-9,]+, its "
                           "arrays"):
            load("run/checkpoint.npz")


def test_more_samples_than_fit_into_the_memory(alone, capsys):
    trained = load()
    for wrong in (lambda: trained.sample(10 ** 11), lambda: trained.sample(10 ** 30),
                  lambda: trained.interpolate(10 ** 6, 10 ** 6), lambda: trained.blocks(10 ** 11),
                  lambda: trained.pictures(10 ** 11)):
        with pytest.raises(ValueError, match=r"^(n|rows \* columns): [0-9,]+ images need .* GB, "
                                             r"more than half of this machine's"):
            wrong()
    assert main(["sample", "--pretrained", "--n", str(10 ** 11)]) == 2


def test_labels_of_a_billion(few):
    labels = few.labels.copy()
    labels[0] = 10 ** 9

    def refused():
        with pytest.raises(ValueError, match="1,000,000,001 classes; expected 1,000,000 at most"):
            data.Images(few.images, labels)
        with pytest.raises(ValueError, match="n_classes must be .* 1,000,000, got 1000000000"):
            find("cgan")("mlp", few.shape, n_classes=10 ** 9)

    assert peak(refused) < 1 << 20


def png_of(width, height, depth=8, colour=2):
    """A PNG whose header declares a size, with a few rows of its pixels."""
    import struct
    import zlib
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks)


def test_a_picture_that_declares_more_pixels_than_fit(alone):
    from minigan.data import pictures
    plot.save(np.zeros((64, 64), np.uint8), alone / "faces" / "a.png")
    Path("faces/b.png").write_bytes(png_of(13_300, 13_300))
    Path("faces/c.png").write_bytes(png_of(5_800, 5_800))
    with pytest.warns(UserWarning, match="2 files are left out: 2 too large"):
        assert len(data.load(alone / "faces", size=64)) == 1
    with pytest.raises(pictures.Unusable, match="too large"):
        pictures.decode(Path("faces/b.png"), 64)


def test_an_idx_file_that_unpacks_to_more_than_it_declares(monkeypatch):
    import gzip

    from minigan.data import idx

    def read(name):
        return idx.parse_idx(idx.read_contents(Path(name)), 3, Path(name))

    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (10, 28, 28))
    Path("bomb.gz").write_bytes(gzip.compress(header + bytes(200 << 20), 1))

    def refused():
        with pytest.raises(ValueError, match="bomb.gz: too long, 7841 values"):
            read("bomb.gz")

    assert peak(refused) < 4 << 20
    Path("big").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(10))
    with pytest.raises(ValueError, match="big: its header declares .* GB, more than half of this"):
        read("big")
    monkeypatch.setattr(idx, "memory", lambda: None)
    Path("words").write_bytes(b"no idx file at all")
    with pytest.raises(ValueError, match="words: not an idx file"):
        read("words")


def test_a_batch_of_cifar_that_is_too_large(monkeypatch):
    import tarfile

    from minigan.data import cifar
    monkeypatch.setattr(cifar, "MOST", 4000)
    Path("folder").mkdir()
    Path("folder/data_batch_1.bin").write_bytes(bytes(5000))
    with tarfile.open("archive.tar.gz", "w:gz") as archive_:
        archive_.add("folder/data_batch_1.bin", "cifar-10-batches-bin/data_batch_1.bin")
    for place in ("folder", "archive.tar.gz"):
        with pytest.raises(ValueError, match="data_batch_1.bin has 5,000 bytes, a file of CIFAR"):
            cifar.read_batches(Path(place), ["data_batch_1.bin"])


def test_json_of_deep_nesting_is_no_json():
    for name in ("config.json", "toy.json"):
        Path("deep").mkdir(exist_ok=True)
        Path("deep", name).write_bytes(b"[" * 200_000)
    with pytest.raises(FileNotFoundError, match="deep is not a run folder of minigan"):
        open_run("deep")
    with pytest.raises(ValueError, match="deep.toy.json is not JSON .*nested too deeply"):
        read_json(Path("deep/toy.json"))
    with pytest.raises(ValueError, match="is larger than 1,000 bytes"):
        read_json(Path("deep/toy.json"), 1000)
    assert main(["toy", "ring", "--out", "deep"]) == 2


# Toy runs and downloads.

def test_a_toy_run_with_a_damaged_seed_and_a_killed_begin():
    from minigan.toy import Plan, ToyRun
    Path("toy").mkdir()
    Path("toy/.minigan--0123456789abcdef.part").write_bytes(b"half")
    run = ToyRun(Plan("ring", "gan", "minigan", 1), "toy")
    run.begin()
    for content in (b"", b"[]", b"{}", b'{"scores": {"modes": 1}}', b"[" * 100_000):
        Path("toy/seed-0.json").write_bytes(content)
        with pytest.raises(ValueError, match="^toy/seed-0.json is (no|not) "):
            run.train([0])
        assert Path("toy/seed-0.json").read_bytes() == content
    Path("toy/toy.json").write_text('{"plan": 7}')
    with pytest.raises(ValueError, match="toy holds a toy run with points None"):
        ToyRun(Plan("ring", "gan", "minigan", 1), "toy")


def test_a_download_keeps_every_file_that_was_there():
    from minigan.data import download
    told = []
    for content in ("one", "two", "three"):
        Path("new").write_text(content)
        download._put(Path("new"), Path("target"), told.append)
    names = ("target", "target.old", "target.old2")
    assert [Path(name).read_text() for name in names] == ["three", "one", "two"]
    assert len(told) == 2 and told[1].endswith("kept as target.old2")


def test_warnings_in_the_log_stay(start, few):
    run = start().fit(21)
    for step, record in ((15, "warning"), (17, "warning"), (20, "warning"), (10, "d_loss")):
        run.folder.append_metrics({"step": step, record: "words"})
    Trainer.resume("run", few).fit(1)
    records = open_run("run").read_metrics()
    assert [record["step"] for record in records] == [1, 20, 15, 20, 22]


# Stamps.

def test_a_stamp_is_of_one_run_one_step_and_these_bytes():
    png = plot.png(np.arange(64, dtype=np.uint8).reshape(8, 8))
    content = stamped(png, "a" * 32, 50)
    assert is_whole(png) and is_whole(content) and is_stamped(content, "a" * 32, 50)
    assert not is_stamped(content, "a" * 32, 51) and not is_stamped(content, "b" * 32, 50)
    assert not is_stamped(png, "a" * 32, 50) and not is_stamped(b"", "a" * 32, 50)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 4
        assert not is_stamped(bytes(changed), "a" * 32, 50), place
        assert not is_stamped(content[:place], "a" * 32, 50)
        assert not is_whole(content[:place])
    Path("a.png").write_bytes(content)
    from PIL import Image
    with Image.open("a.png") as image:
        assert image.size == (8, 8) and "step 50" in image.info["minigan"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG", bytes(9), b"text"])
def test_a_damaged_picture_in_samples_stops_no_resume(few, content):
    model = find("gan")("seed", few.shape, latent_size=2)
    Trainer(model, few, 4, "run", threads=1).fit(10)
    whole = Path("run/samples/000010.png").read_bytes()
    Path("run/samples/000000.png").write_bytes(content)
    Path("run/samples/000015.png").write_bytes(whole[:-20])
    resumed = Trainer.resume("run", few)
    assert resumed.folder.grids().keys() == {10}
    resumed.fit(6)
    assert resumed.folder.grids().keys() == {10, 15, 16}
    assert Path("run/samples/kept-000015.png").read_bytes() == whole[:-20]
    assert Path("run/samples/000000.png").read_bytes() == content


# A data set that moves.

def test_a_moved_data_set(alone, capsys):
    rng = np.random.default_rng(0)
    for i in range(8):
        plot.save(rng.integers(0, 256, (8, 8), np.uint8), alone / "a" / f"{i}.png")
    assert main(["train", "gan", "--preset", "seed", "--data", "a", "--steps", "1", "--batch-size",
                 "4", "--threads", "1", "--out", "run"]) == 0
    Path("a").rename("b")
    more = ["resume", "run", "--more", "1"]
    assert main([*more, "--data-dir", "b"]) == 0
    assert main([*more, "--data-dir", "b"]) == 0
    assert main(more) == 0  # where they were last
    Path("b").rename("a")
    assert main([*more, "--data-dir", "a"]) == 0
    assert main(more) == 0
    Path("a").rename("c")
    assert main([*more, "--data-dir", "c"]) == 0
    Path("c").rename("a")
    assert main(more) == 0  # where they were when the run began
    assert load("run").config["step"] == 8
    plot.save(np.zeros((8, 8), np.uint8), "a/0.png")
    capsys.readouterr()
    assert main(more) == 2
    assert "holds other images or labels than those that the run was trained on" in (
        capsys.readouterr().err)


# Other arithmetic, and settings that changed.

def test_other_kernels_and_loops_are_named(start, few, monkeypatch):
    start().fit(1)
    now = machine.environment()
    assert {"blas_kernels", "numpy_loops"} <= now.keys()
    monkeypatch.setattr(machine, "numpy_loops", lambda: "fewer")
    with pytest.warns(UserWarning, match="numpy_loops was .* and is fewer$"):
        Trainer.resume("run", few)
    arrays, config = checkpoint.load(Path("run/checkpoint.npz"))
    del config["environment"]["numpy_loops"]  # as older ones
    checkpoint.save(Path("run/checkpoint.npz"), arrays, config)
    Trainer.resume("run", few)


def test_a_rate_that_a_callback_changes_is_kept(start, few):
    def fall(run, metrics):
        for optimizer in run.model.optimizers.values():
            optimizer.lr *= np.float64(0.5)

    straight = start("straight", callbacks=[fall]).fit(41)
    start("run", callbacks=[fall]).fit(20)
    resumed = Trainer.resume("run", few, callbacks=[fall])
    assert resumed.model.d_optimizer.lr == 2e-4 * 0.25
    assert bits(resumed.fit(21)) == bits(straight)


# What older versions wrote.

@pytest.mark.filterwarnings("ignore:run goes on, but may not get the same bits")
def test_a_run_of_before_ids_and_versions_goes_on(start, few):
    shutil.copytree(OLD, "run")
    assert "run" not in json.loads(Path("run/config.json").read_text())
    assert load("run").config["step"] == 5 and load("run").sample(2).shape == (2, 2, 2, 1)
    first, second = Trainer.resume("run", few), Trainer.resume("run", few)
    assert first.step == 5 and first.fit(2).step == 7
    assert [record["step"] for record in first.folder.read_metrics()] == [1, 7]
    with pytest.raises(RuntimeError, match="to step 7, since this one, at step 5"):
        second.fit(1)
    assert Trainer.resume("run", few).fit(1).step == 8
    Path("run/config.json").write_bytes(b"")
    with pytest.warns(UserWarning, match="written again"):
        assert Trainer.resume("run", few).fit(1).step == 9
    start("run", overwrite=True).fit(1)
    with pytest.raises(RuntimeError, match="run holds another run now"):
        first.fit(1)


@pytest.mark.parametrize("model", ["gan", "wgan-gp"])
def test_a_run_of_the_version_before_goes_on(few, model, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(WRITTEN_BY / "0.1.1" / model, "run")
    with np.load("run/checkpoint.npz") as saved:
        weights = {name: saved[name] for name in saved.files if name.startswith("generator/")}
    assert weights

    loaded = load("run")
    assert loaded.config["step"] == 5 and loaded.sample(2).shape == (2, 2, 2, 1)

    with pytest.warns(UserWarning, match="minigan was 0.1.1 and is"):
        trainer = Trainer.resume("run", few)
    assert trainer.step == 5
    arrays, _ = trainer.state()
    for name, value in weights.items():
        np.testing.assert_array_equal(arrays[name], value)

    trainer.fit(2, quiet=True)
    assert [record["step"] for record in trainer.folder.read_metrics()] == [1, 7]
    assert Path("run/report.html").exists() and Path("run/samples/000007.png").exists()


def test_a_generator_that_the_version_before_exported_draws_the_same(few):
    exported = load(WRITTEN_BY / "0.1.1" / "generator.npz")
    run = load(WRITTEN_BY / "0.1.1" / "gan")
    difference = exported.sample(8).astype(int) - run.sample(8)
    assert abs(difference).max() <= 2  # weights of 8 bits
