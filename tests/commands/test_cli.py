"""The command line: what it trains, draws and says, and one sentence for every bad input."""
from __future__ import annotations

import contextvars
import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from project import ROOT

import minigan as mg
from minigan import data, evaluation, ops, plot
from minigan.backend import registry
from minigan.cli import main
from minigan.evaluation.evaluating import Evaluation
from minigan.models.catalog import find, names
from minigan.runs import checkpoint
from minigan.system import console, progress
from minigan.training import evaluate, load, open_run

pytestmark = pytest.mark.usefixtures("alone")

QUICK = ["--preset", "seed", "--batch-size", "8", "--threads", "1"]


@pytest.fixture
def run(capsys):
    """Run a command in this process: exit status, standard output, standard error."""
    def command(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse ends so
            status = stop.code
        return status, *capsys.readouterr()
    return command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "gan-001"
    assert main(["train", "gan", "--steps", "2", "--out", str(folder), *QUICK]) == 0
    return folder


def refusal(result):
    """The one sentence of a refused command."""
    status, out, err = result
    assert status == 2 and out == "", result
    assert err.endswith("\n") and len(err.splitlines()) == 1, err
    assert err.startswith("minigan") and ": error: " in err and "Traceback" not in err
    sentence = err.partition(": error: ")[2].strip()
    assert 10 < len(sentence) < 400
    return sentence


def words(text):
    """A help text without its line breaks."""
    return " ".join(text.split())


# What it does.

def test_train(run):
    status, out, err = run("train", "gan", "--steps", "3", *QUICK)
    assert status == 0 and err == ""
    lines = out.splitlines()
    assert lines[0] == "run folder: runs/gan-001" and out.count("run folder") == 1
    assert lines[1].startswith("gan seed on digits (5,000 images 28x28x1), NumPy ")
    assert "1 thread, 3 steps of 8; look at runs/gan-001/samples/latest.png" in lines[1]
    assert lines[2].startswith("3 steps in ") and len(lines) == 3
    assert sorted(p.name for p in Path("runs/gan-001").iterdir()) == [
        "checkpoint.npz", "config.json", "losses.png", "metrics.jsonl", "previous.npz",
        "report.html", "samples", "samples.gif"]
    text = Path("runs/gan-001/metrics.jsonl").read_text("utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["step"] for record in records] == [1, 3]
    _, out, _ = run("train", "gan", "--steps", "1", *QUICK)
    lines = out.splitlines()
    assert lines[0] == "run folder: runs/gan-002" and lines[2].startswith("1 step in ")
    assert "1 thread, 1 step of 8; look" in lines[1]


def test_a_preset_brings_images_to_its_size(run):
    small = ["--steps", "0", "--batch-size", "2", "--threads", "1", "--width", "2", "--d-width",
             "2", "--out", "out", "--overwrite"]
    status, out, _ = run("train", "dcgan", "--preset", "torch64", *small)
    assert status == 0 and "(5,000 images 64x64x1)" in out
    assert "made 64x64, the size of the preset torch64; --size" in out
    status, out, _ = run("train", "dcgan", "--preset", "torch64", "--size", "48", *small)
    assert status == 0 and "(5,000 images 48x48x1)" in out and "brought" not in out
    status, out, _ = run("train", "dcgan", *small)
    assert status == 0 and "28x28x1" in out and "brought" not in out
    assert find("dcgan").natural_shape("torch64") == (64, 64, 3)
    assert find("dcgan").natural_shape() == (28, 28, 1)


def test_pictures_are_cropped_and_few_of_them_are_enough(run):
    for i in range(9):
        plot.save(np.full((8, 12), 20 * i, np.uint8), f"pictures/{i}.png")
    with pytest.warns(UserWarning, match="9 images, fewer than the usual batch of 256, .* --batch"):
        status, out, _ = run("train", "gan", "--data", "pictures", "--size", "8", "--steps", "1",
                             "--preset", "seed", "--threads", "1", "--out", "out")
    assert status == 0 and "1 step of 9; look" in out
    assert "the middle square of each picture is taken, at 8x8 pixels" in out
    assert json.loads(Path("out/config.json").read_text("utf-8"))["batch_size"] == 9
    assert run("resume", "out", "--more", "1")[0] == 0
    sentence = refusal(run("train", "gan", "--data", "pictures", "--size", "8",
                           "--batch-size", "10"))
    assert sentence == "--batch-size: 10 is more than the 9 images of pictures"


def test_every_setting_reaches_the_model(run):
    status, out, _ = run("train", "gan", "--steps", "0", "--out", "out", "--seed", "11",
                         "--batch-size", "5", "--threads", "2", "--data", "mnist5k", "--backend",
                         "numpy", "--preset", "mlp", "--latent-size", "9", "--loss", "minimax",
                         "--learning-rate", "0.001", "--beta1", "0.25", "--beta2", "0.75",
                         "--ema", "0.5", "--networks", "seed")
    config = json.loads(Path("out/config.json").read_text("utf-8"))
    assert status == 0 and "2 threads, 0 steps of 5" in out
    assert config["settings"] == {"networks": "seed", "latent_size": 9, "loss": "minimax",
                                  "learning_rate": 0.001, "beta1": 0.25, "beta2": 0.75, "ema": 0.5}
    assert (config["preset"], config["seed"], config["batch_size"], config["threads"],
            config["data"], config["backend"]) == ("mlp", 11, 5, 2, "digits", "numpy")


def test_presets_keep_their_own_settings(run):
    assert run("train", "gan", "--steps", "0", "--out", "out", "--preset", "seed")[0] == 0
    settings = json.loads(Path("out/config.json").read_text("utf-8"))["settings"]
    assert settings == dataclasses.asdict(find("gan").presets["seed"])


def steps_of(folder):
    return [record["step"] for record in open_run(folder).read_metrics()]


def test_resume(run):
    assert "no run folder of minigan in runs" in refusal(run("resume"))
    run("train", "gan", "--steps", "3", *QUICK)
    run("train", "gan", "--steps", "2", *QUICK, "--seed", "5", "--threads", "2")
    status, out, err = run("resume", "--more", "4")
    assert status == 0 and err == ""
    lines = out.splitlines()
    assert lines[0] == "run folder: runs/gan-002"  # the newest
    assert "2 threads, from step 2 to 6, look at runs/gan-002/samples/latest.png" in lines[1]
    assert lines[2].startswith("6 steps in ") and steps_of("runs/gan-002") == [1, 6]
    assert run("resume", "runs/gan-001", "--steps", "5")[0] == 0
    assert steps_of("runs/gan-001") == [1, 5]
    for more in ([], ["--steps", "5"], ["--steps", "4"]):
        sentence = refusal(run("resume", "runs/gan-001", *more))
        assert "runs/gan-001 has done 5 of" in sentence and "--more adds" in sentence
    run("train", "gan", "--steps", "5", *QUICK, "--out", "straight")
    assert (load("straight").model.state_dict()["generator/0.weight"].tobytes()
            == load("runs/gan-001").model.state_dict()["generator/0.weight"].tobytes())


def test_resume_says_what_is_wrong(run):
    run("train", "gan", "--steps", "2", *QUICK, "--out", "out")
    with pytest.warns(UserWarning, match="out goes on, but may not get the same bits as without a "
                      "stop: threads was 1 and is 2"):
        assert run("resume", "out", "--more", "1", "--threads", "2")[0] == 0
    for name in ("checkpoint.npz", "previous.npz"):
        path = Path("out", name)
        path.write_bytes(path.read_bytes()[:-9])
    assert "there is no other to go on from" in refusal(run("resume", "out"))
    config = json.loads(Path("out/config.json").read_text("utf-8"))
    Path("out/config.json").write_text(json.dumps({**config, "backend": "cupy"}), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", None)
        patch.delitem(registry._made, "cupy", raising=False)
        assert "cupy-cuda12x[ctk]" in refusal(run("resume", "out"))


@pytest.mark.parametrize("name", names())
def test_every_model_trains_and_draws(run, name):
    status, out, err = run("train", name, "--steps", "2", "--batch-size", "4", "--out", "out",
                           "--threads", "1")
    assert status == 0 and err == "", err
    status, out, err = run("sample", "out", "--n", "3")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "3 images: out/samples/seed-0.png"
    assert len(out.splitlines()) == (2 if name == "pix2pix" else 1)  # whose inputs are explained


def test_options_that_are_switches(run):
    if "wgan-gp" in names():
        for arguments, due in (([], False), (["--one-sided"], True), (["--no-one-sided"], False)):
            assert run("train", "wgan-gp", "--steps", "0", "--out", "out", "--overwrite",
                       *arguments, *QUICK)[0] == 0
            assert load("out").config["settings"]["one_sided"] is due


def test_the_same_seed_gives_the_same_pictures(run):
    for out, seed in (("one", 3), ("two", 3), ("three", 4)):
        assert run("train", "gan", "--steps", "2", "--out", out, "--seed", seed, *QUICK)[0] == 0
    one, two, three = (Path(out, "samples/latest.png").read_bytes() for out in ("one", "two",
                                                                                "three"))
    assert one == two != three


def test_overwrite(run):
    for expected in ([], ["out.old"], ["out.old", "out.old2"]):
        assert run("train", "gan", "--steps", "0", "--out", "out", "--overwrite", *QUICK)[0] == 0
        assert sorted(p.name for p in Path().glob("out.*")) == expected


def test_sample(run, trained):
    before = sorted(trained.rglob("*"))
    for place in (trained, trained / "checkpoint.npz"):
        status, out, err = run("sample", place, "--n", "6", "--seed", "2", "--out", "a/six.png")
        assert (status, out, err) == (0, "6 images: a/six.png\n", "")
        six = Path("a/six.png").read_bytes()
        assert six.startswith(b"\x89PNG")
    assert run("sample", trained, "--n", "6", "--seed", "3", "--out", "b.png")[0] == 0
    assert Path("b.png").read_bytes() != six
    assert run("sample", trained, "--out", "c.png", "--raw")[1] == "64 images: c.png\n"
    assert sorted(trained.rglob("*")) == before


def grey(path):
    """The pixels of a picture that plot.save wrote."""
    from matplotlib.image import imread
    pixels = (imread(path) * 255).round().astype("uint8")
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def test_walks(run, trained):
    due = load(trained).interpolate(3, 10, seed=4)
    assert run("sample", trained, "--interpolate", "--n", "3", "--seed", "4", "--out", "w.png")[1] \
        == "30 images: w.png\n"
    sheet = grey("w.png")
    assert sheet.shape == (2 * (3 * 30 - 2), 2 * (10 * 30 - 2))  # a row each
    assert np.array_equal(sheet[60:116:2, :56:2], due[1, 0, ..., 0])
    assert run("sample", trained, "--interpolate", "--out", "w.png")[1] == "80 images: w.png\n"
    run("train", "cgan", "--steps", "0", "--out", "out", "--batch-size", "4", "--threads", "1")
    assert run("sample", "out", "--interpolate", "--labels", "2,2")[1] == (
        "20 images: out/samples/walk-0.png\n")
    assert run("sample", "out", "--interpolate")[1].startswith("100 images")


def test_single_files(run, trained):
    due = load(trained).sample(3, seed=1)
    assert run("sample", trained, "--single", "--n", "3", "--seed", "1", "--out", "many")[1] == (
        "3 images: many\n")
    assert [p.name for p in sorted(Path("many").iterdir())] == [
        f"seed-1-{i:03d}.png" for i in range(3)]
    assert np.array_equal(grey("many/seed-1-002.png"), due[2, ..., 0])
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    assert run("sample", "out", "--single", "--interpolate", "--n", "1")[1] == (
        "10 images: out/samples/walk-0\n")
    assert len(list(Path("out/samples/walk-0").glob("walk-0-*.png"))) == 10
    assert open_run("out").grids().keys() == {0}


def test_export(run, trained):
    assert run("export", trained, "--out", "g.npz")[1] == (
        f"gan seed, step 2, {Path('g.npz').stat().st_size:,} bytes: g.npz\n")
    assert run("sample", "g.npz", "--n", "2", "--seed", "3")[1] == "2 images: g-seed-3.png\n"
    assert "g.npz exists" in refusal(run("export", trained, "--out", "g.npz"))
    assert ".npz" in refusal(run("export", trained, "--out", "g.zip"))
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    assert run("export", "out")[1].endswith("bytes: out/generator.npz\n")
    assert "not a run folder" in refusal(run("resume", "g.npz"))


def test_export_for_other_programs(run, trained):
    pytest.importorskip("onnx")
    pytest.importorskip("safetensors")
    run("export", trained, "--out", "g.npz")
    status, printed, _ = run("export", "g.npz", "--safetensors", "--onnx", "there/g.onnx")
    assert status == 0 and [line.split(": ")[-1] for line in printed.splitlines()] == [
        "there/g.onnx", "generator.safetensors"]
    before = Path("there/g.onnx").read_bytes()
    assert "there/g.onnx exists" in refusal(
        run("export", trained, "--out", "new.npz", "--onnx", "there/g.onnx"))
    assert not Path("new.npz").exists() and Path("there/g.onnx").read_bytes() == before
    assert run("export", "g.npz", "--out", "a.onnx")[1].endswith("bytes: a.onnx\n")
    assert Path("a.onnx").read_bytes() == before
    assert run("export", "g.npz", "--onnx", "--out", "b.onnx")[1].endswith("bytes: b.onnx\n")
    assert not Path("generator.onnx").exists()
    assert "--onnx: the file must end in .onnx, got 'run'; RUN stands before" in refusal(
        run("export", "--onnx", "run"))
    assert run("export", "--pretrained", "--onnx")[1].endswith("bytes: generator.onnx\n")
    assert "--pretrained" in refusal(run("export", "--pretrained", trained))


def test_no_file_is_written_where_a_package_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "python -m pip install onnx" in refusal(
        run("export", "--pretrained", "--out", "new.npz", "--onnx"))
    assert not Path("new.npz").exists() and not Path("generator.onnx").exists()


def test_pretrained(run):
    assert run("sample", "--pretrained", "--labels", "2,0,2,6") == (
        0, "4 images: pretrained-seed-0.png\n", "")
    due = mg.load().sample(4, labels=[2, 0, 2, 6])
    assert np.array_equal(grey("pretrained-seed-0.png")[:56:2, 60:116:2], due[1, ..., 0])
    assert run("sample", "--pretrained", "--n", "20", "--out", "x.png")[1] == "20 images: x.png\n"
    assert "raw" in refusal(run("sample", "--pretrained", "--raw"))
    assert "--pretrained" in refusal(run("sample", "--pretrained", "run"))


def test_raw_samples_are_those_of_the_generators_own_weights(run):
    run("train", "gan", "--steps", "2", "--batch-size", "4", "--out", "out", "--threads", "1")
    for out, more in (("a.png", []), ("b.png", ["--raw"]), ("c.png", [])):
        assert run("sample", "out", "--n", "2", "--out", out, *more)[0] == 0
    a, b, c = (Path(name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == c != b


def test_where_samples_go_by_default(run):
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    assert run("sample", "out")[1] == "64 images: out/samples/seed-0.png\n"
    assert run("sample", "out/checkpoint.npz", "--seed", "5", "--n", "1")[1] == (
        "1 image: out/checkpoint-seed-5.png\n")
    assert Path("out/samples/seed-0.png").is_file()
    assert Path("out/checkpoint-seed-5.png").is_file()
    for name in ("a", "b"):  # two files in one folder do not overwrite each other's pictures
        run("export", "out", "--out", f"files/{name}.npz")
        assert run("sample", f"files/{name}.npz", "--n", "1")[1] == (
            f"1 image: files/{name}-seed-0.png\n")


def test_without_run_it_is_the_newest(run):
    for command in ("resume", "sample", "evaluate", "export"):
        assert "no run folder of minigan in runs" in refusal(run(command))
    for seed in (0, 1):
        run("train", "gan", "--steps", "1", "--seed", seed, *QUICK)
    assert run("sample", "--n", "2")[1] == "2 images: runs/gan-002/samples/seed-0.png\n"
    assert run("export")[1].endswith("bytes: runs/gan-002/generator.npz\n")
    assert run("evaluate", "--n", "200")[1].endswith("runs/gan-002/evaluation.json\n")
    assert run("resume", "runs/gan-001", "--more", "1")[0] == 0
    assert run("sample", "--n", "2")[1] == "2 images: runs/gan-001/samples/seed-0.png\n"


def test_evaluate(run):
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    status, out, err = run("evaluate", "out", "--n", "200", "--seed", "1")
    assert status == 0 and err == ""
    assert "step 0: 200 samples of the generator's own weights, seed 1" in out
    assert "the digit test fails at b, c\n" in out  # noise, all alike
    assert out.endswith("see out/evaluation.png and out/evaluation.json\n")
    assert json.loads(Path("out/evaluation.json").read_text("utf-8"))["n"] == 200
    status, out, err = run("evaluate", "nowhere")
    assert status == 2 and out == "" and "nowhere" in err and err.count("\n") == 1


def test_models(run):
    status, out, err = run("models")
    assert status == 0 and err == ""
    assert [line.split()[0] for line in out.splitlines()[::2]] == names()
    for name in names():
        assert find(name).paper in out
        assert f"presets: {', '.join(find(name).presets)}" in out


def test_info(run, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("cache").absolute()))
    status, out, err = run("info", "--test")
    assert status == 0 and err == ""
    rows = dict(line.split(":", 1) for line in out.splitlines())
    for name in ("minigan", "Python", "processor", "NumPy", "BLAS", "threads", "data folder",
                 "backend numpy", "backend cupy", "test numpy"):
        assert rows[name].strip(), name
    assert rows["NumPy"].strip() == np.__version__ and rows["minigan"].strip() == mg.__version__
    assert re.fullmatch("ten ops and their gradient, in float32, agree with plain Python's in "
                        r"float64 \([0-9.]+e-0[6-9] apart\)", rows["test numpy"].strip())
    assert rows["backend cupy"].count("backend") <= 1
    if sys.platform.startswith("linux"):
        assert rows["data folder"].strip() == str(Path("cache/minigan").absolute())
    assert "test numpy" not in run("info")[1]


def test_a_wrong_device_fails_its_test(run, monkeypatch):
    right = ops.tanh
    monkeypatch.setattr(ops, "tanh", lambda x: right(x) * 1.001)
    status, out, _ = run("info", "--test")
    assert status == 1 and "ten ops and their gradient, in float32, DIFFER from plain" in out
    monkeypatch.setattr(ops, "tanh", lambda x: right(x) * np.nan)
    status, out, _ = run("info", "--test", "--json")
    assert status == 1 and json.loads(out)["test"]["numpy"] == {"passed": False, "error": None}


def document(result, status=0):
    """What a command with --json printed."""
    assert result[0] == status and result[2] == "", result
    return json.loads(result[1])


def test_no_more_cores_are_busy_than_there_are(run, monkeypatch):
    monkeypatch.setattr("minigan.system.machine.busy_cores", lambda: 1000.0)
    found = document(run("info", "--json"))
    assert found["busy_cores"] == found["cores"]


def test_json_of_info(run):
    found = document(run("info", "--json"))
    assert (found["minigan"], found["numpy"]) == (mg.__version__, np.__version__)
    assert found["cores"] == os.cpu_count() and found["backends"]["numpy"]["available"] is True
    assert "test" not in found and set(found["blas"][0]) >= {"name", "version", "threads"}
    tested = document(run("info", "--json", "--test"))["test"]["numpy"]
    assert tested["passed"] is True and 0 <= tested["error"] < 1e-5


def test_json_of_models(run):
    found = {model["name"]: model for model in document(run("models", "--json"))}
    assert list(found) == names() and found["cgan"]["conditional"] is True
    for name, model in found.items():
        assert list(model["presets"]) == list(find(name).presets)
        assert model["default_steps"] == find(name).default_steps
        assert model["paper"] == find(name).paper
    presets = found["dcgan"]["presets"]
    assert presets["torch64"]["image_shape"] == [64, 64, 3]
    assert presets["small"]["image_shape"] == [28, 28, 1]
    assert presets["small"]["settings"] == dataclasses.asdict(find("dcgan").presets["small"])


def test_json_of_data(run, nowhere):
    found = {one["name"]: one for one in document(run("data", "list", "--json"))}
    assert list(found) == ["digits", *data.sets.SETS, "stacked-mnist"]
    assert found["digits"]["here"] is True and found["digits"]["bytes"] > 1e5
    assert found["cifar-10"] == {"name": "cifar-10", "about": data.sets.SETS["cifar-10"].about,
                                 "bytes": 170_052_171, "here": False, "folder": None}


def test_json_of_profile(run):
    found = document(run("profile", "gan", "--preset", "seed", "--batch-size", "1", "--steps", "2",
                         "--threads", "1", "--json"))
    assert (found["model"], found["preset"], found["image_shape"], found["batch_size"],
            found["threads"], found["steps"]) == ("gan", "seed", [28, 28, 1], 1, 1, 2)
    assert sum(sum(row["ms"]) for row in found["rows"]) == pytest.approx(found["ms"])
    assert sum(sum(row["held_mb"]) for row in found["rows"]) == pytest.approx(found["peak_mb"])
    adam = next(row for row in found["rows"] if row["name"] == "Adam.step")
    assert adam["calls"] == [2, 0] and adam["is_op"] is False  # of a step, not of both
    assert found["convolutions"] == []
    assert Path(found["picture"]).is_file()
    assert "gan seed, 1 image of 28x28x1, " in run(
        "profile", "gan", "--preset", "seed", "--batch-size", "1", "--steps", "1")[1]


def test_json_and_check_of_evaluate(run):
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    found = document(run("evaluate", "out", "--n", "200", "--json"))
    assert found == json.loads(Path("out/evaluation.json").read_text("utf-8"))
    assert found["passed"] is False and document(
        run("evaluate", "out", "--n", "200", "--json", "--check"), status=1) == found
    status, out, err = run("evaluate", "out", "--n", "200", "--check")
    assert (status, err) == (1, "") and "the digit test fails at" in out

    def passing(*arguments, **settings):
        return Evaluation(True, ["well done"], Path("a.json"), Path("a.png"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "evaluate", passing)
        assert run("evaluate", "out", "--check")[0] == 0
        patch.setattr(evaluation, "evaluate",
                      lambda *arguments, **settings: passing()._replace(passed=None))
        status, _, err = run("evaluate", "out", "--check")
        assert status == 2 and "--check: nothing that was measured has a bound" in err
        assert run("evaluate", "out")[0] == 0


def test_version(run):
    assert run("--version") == (0, f"minigan {mg.__version__}\n", "")


def test_quiet_leaves_results_only(run, monkeypatch):
    """A terminal shows a bar, another stream a line now and then: quiet, neither shows anything."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0)
    assert "3 steps/s" in re.sub(r"[0-9.]+ steps", "3 steps", run(
        "train", "gan", "--steps", "3", *QUICK)[2])
    for terminal in (False, True):
        monkeypatch.setattr(console.Forgiving, "isatty", lambda self: terminal)
        status, out, err = run("train", "gan", "--steps", "3", "--quiet", *QUICK)
        assert (status, err) == (0, "") and out.startswith("runs/gan-0") and out.count("\n") == 1
        folder = out.strip()
        assert Path(folder, "report.html").is_file()
        assert run("resume", folder, "--more", "2", "--quiet") == (0, f"{folder}\n", "")
        status, out, err = run("evaluate", folder, "--n", "200", "--quiet")
        assert (status, err) == (0, "") and "the digit test fails" in out
        status, out, err = run("toy", "ring", "--steps", "3", "--quiet", "--out", folder + "-toy")
        assert (status, err) == (0, "") and "run folder" not in out
        assert out.splitlines()[-1].startswith("see ") and "within all bounds" in out
        assert run("sample", folder, "--n", "1", "--quiet")[1:] == (
            f"1 image: {folder}/samples/seed-0.png\n", "")
    assert not console.is_quiet()


def test_quiet_is_silent_about_pictures_but_not_about_warnings(run, monkeypatch):
    monkeypatch.setattr(console.Forgiving, "isatty", lambda self: True)
    for i, image in enumerate(data.load("digits").images[:9]):
        plot.save(image, f"pictures/{i}.png")
    Path("pictures/notes.txt").write_text("no picture")
    with pytest.warns(UserWarning, match="9 pictures of .* 1 not a picture"):
        status, _, err = run("train", "gan", "--steps", "1", "--data", "pictures", "--quiet",
                             *QUICK)
    assert status == 0 and "reading pictures" not in err


# What it says about itself.

def test_help(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("train", "resume", "sample", "export", "models", "info"):
        assert f"\n  {command} " in out or f"\n    {command} " in out
    for meaning in ("0: done", "1: done, but a check", "2: an error", "130 after Ctrl-C",
                    "129 after SIGHUP, 143 after SIGTERM"):
        assert meaning in words(out)
    out = words(run("sample", "--help")[1])
    for option, default in (("--n", "64"), ("--seed", "0"), ("--raw", ""), ("--out", "RUN/samples"),
                            ("RUN", "")):
        assert option in out and default in out.partition(option)[2]
    assert "--test" in run("info", "--help")[1]
    assert all(name in run("train", "--help")[1] for name in names())


@pytest.mark.parametrize("name", names())
def test_help_of_a_model_has_every_option_with_its_default(run, name):
    status, out, _ = run("train", name, "--help")
    model = find(name)
    assert status == 0 and words(model.paper) in words(out)
    rows = {row.split()[0].strip(","): words(row) for row in re.split(r"\n  (?=--)", out)}
    due = {"--steps": model.default_steps,
           "--batch-size": f"{model.default_batch_size}, or all if there are fewer",
           "--seed": 0, "--data": "digits",
           "--threads": "all cores, 4 at most", "--backend": "MINIGAN_BACKEND, else numpy",
           "--precision": "fp32",
           "--out": f"the next free runs/{name}-001", "--preset": next(iter(model.presets)),
           "--data-dir": "MINIGAN_DATA, else the user's cache folder"}
    first = next(iter(model.presets.values()))
    for field in dataclasses.fields(first):
        option = f"--{field.name.replace('_', '-')}"
        due[option] = getattr(first, field.name)
        assert words(field.metadata["help"]) in rows[option]
        assert all(choice in rows[option] for choice in field.metadata["choices"])
    for option, default in due.items():
        assert f"(default: {default})" in rows[option]
    assert "(default: their own" in rows["--size"] and "middle square" in rows["--size"]
    assert all(f"{height} with the preset {preset}" in rows["--size"]
               for preset, (height, _, _) in model.shapes.items())
    others = {"usage:", "--overwrite", "--size", "--capture", "--quiet"}
    assert rows.keys() - due.keys() == others
    assert "OUT.old" in rows["--overwrite"]


# Bad input: one sentence, exit status 2, nothing written.

WRONG = [  # arguments, what the sentence must name
    ([], ["COMMAND"]),
    (["nosuch"], ["COMMAND", "nosuch", "train"]),
    (["--nosuch"], ["COMMAND"]),
    (["train"], ["MODEL"]),
    (["train", "nosuch"], ["MODEL", "nosuch", "gan"]),
    (["train", "gan", "--nosuch", "3"], ["--nosuch"]),
    (["train", "gan", "extra"], ["extra"]),
    (["train", "gan", "--preset", "nosuch"], ["--preset", "nosuch", "mlp", "seed", "paper"]),
    (["train", "gan", "--loss", "hinge"], ["--loss", "hinge", "minimax"]),
    (["train", "gan", "--steps", "-1"], ["--steps", "0 or more", "-1"]),
    (["train", "gan", "--steps", "2.5"], ["--steps", "'2.5'", "whole number"]),
    (["train", "gan", "--steps", "1e3"], ["--steps", "'1e3'"]),
    (["train", "gan", "--steps"], ["--steps"]),
    (["train", "gan", "--batch-size", "0"], ["--batch-size", "1 or more"]),
    (["train", "gan", "--batch-size", "-64"], ["--batch-size", "-64"]),
    (["train", "gan", "--batch-size", "6.5"], ["--batch-size", "'6.5'"]),
    (["train", "gan", "--batch-size", "5001"], ["--batch-size", "5,000 images", "5,001"]),
    (["train", "gan", "--seed", "-1"], ["--seed", "-1"]),
    (["train", "gan", "--seed", "0.5"], ["--seed", "'0.5'"]),
    (["train", "gan", "--threads", "0"], ["--threads", "1 or more"]),
    (["train", "gan", "--threads", "two"], ["--threads", "'two'"]),
    (["train", "gan", "--latent-size", "-5"], ["--latent-size", "-5"]),
    (["train", "gan", "--latent-size", "0"], ["--latent-size", "1 or more"]),
    (["train", "gan", "--latent-size", "2.5"], ["--latent-size", "'2.5'"]),
    (["train", "gan", "--learning-rate", "fast"], ["--learning-rate", "'fast'"]),
    (["train", "gan", "--learning-rate", "0"], ["--learning-rate", "above 0"]),
    (["train", "gan", "--learning-rate", "-1"], ["--learning-rate", "above 0", "'-1'"]),
    (["train", "gan", "--learning-rate", "nan"], ["--learning-rate", "finite", "'nan'"]),
    (["train", "gan", "--learning-rate", "inf"], ["--learning-rate", "finite", "'inf'"]),
    (["train", "gan", "--learning-rate", "1e999"], ["--learning-rate", "finite", "'1e999'"]),
    (["train", "wgan", "--clip", "0"], ["--clip", "above 0"]),
    (["train", "wgan-gp", "--penalty", "inf"], ["--penalty", "finite"]),
    (["train", "gan", "--size", "0"], ["--size", "1 or more", "0"]),
    (["train", "gan", "--threads", "1000000"], ["--threads", "1,000,000"]),
    (["train", "gan", "--out="], ["--out", "empty"]),
    (["bench", "gan:seed", "--turn", "nan"], ["--turn", "finite"]),
    (["profile", "gan", "--steps", "0"], ["--steps", "1 or more"]),
    (["evaluate", "there", "--n", "0"], ["--n", "1 or more"]),
    (["sample", "there", "--seed", "1e3"], ["--seed", "'1e3'"]),
    (["sample", "there", "--labels", "3,,4"], ["--labels", "'3,,4'", "lacks a label"]),
    (["sample", "there", "--labels", "3,"], ["--labels", "'3,'", "lacks a label"]),
    (["sample", "--pretrained", "--labels", "3,10"], ["labels", "from 0 to 9"]),
    (["sample", "--pretrained", "--labels", "99999999999999999999"], ["labels", "from 0 to 9"]),
    (["train", "gan", "--beta1", "1"], ["beta1", "[0, 1)", "1.0"]),
    (["train", "gan", "--beta2", "-1"], ["beta2", "-1.0"]),
    (["train", "gan", "--preset", "paper", "--beta1", "2"], ["momentum", "2.0"]),
    (["train", "gan", "--ema", "1.5"], ["EMA", "decay", "1.5"]),
    (["train", "gan", "--backend", "nosuch"], ["backend", "'nosuch'", "numpy", "cupy"]),
    (["train", "gan", "--data", "nosuch"], ["data", "'nosuch'", "digits", "mnist"]),
    (["train", "gan", "--data", "mnist", "--data-dir", "nowhere"], ["nowhere", "MNIST", "digits"]),
    (["train", "gan", "--out", "there"], ["--out", "there exists", "--overwrite"]),
    (["train", "gan", "--out", "there", "--overwrite"], ["--overwrite", "there", "left alone"]),
    (["train", "gan", "--out", "file"], ["--out", "file exists"]),
    (["train", "gan", "--out", "file/run"], ["file/run", "not a directory"]),
    (["resume", "nowhere"], ["nowhere", "not a run folder"]),
    (["resume", "there"], ["there", "not a run folder"]),
    (["resume", "--steps", "0"], ["--steps", "1 or more"]),
    (["resume", "--more", "-5"], ["--more", "-5"]),
    (["resume", "--steps", "9", "--more", "5"], ["--more", "not allowed with", "--steps"]),
    (["sample"], ["no run folder", "runs"]),
    (["evaluate"], ["no run folder", "runs"]),
    (["sample", "nowhere"], ["nowhere", "does not exist"]),
    (["export"], ["no run folder", "runs"]),
    (["export", "nowhere"], ["nowhere", "does not exist"]),
    (["export", "there"], ["there", "not a run folder"]),
    (["sample", "there"], ["there", "not a run folder"]),
    (["sample", "file"], ["file", "not a checkpoint"]),
    (["sample", "there", "--n", "0"], ["--n", "1 or more"]),
    (["sample", "there", "--n", "1.5"], ["--n", "'1.5'"]),
    (["sample", "there", "--seed", "x"], ["--seed", "'x'"]),
    (["info", "--nosuch"], ["--nosuch"]),
    (["models", "gan"], ["gan"]),
]


@pytest.mark.parametrize("arguments, named", WRONG, ids=[" ".join(a) or "-" for a, _ in WRONG])
def test_bad_input_gets_one_sentence(run, arguments, named):
    Path("there").mkdir()
    Path("there/photo.jpg").write_text("precious")
    Path("file").write_text("mine")
    sentence = refusal(run(*arguments))
    for part in named:
        assert part in sentence, sentence
    assert sorted(p.as_posix() for p in Path().rglob("*")) == ["file", "there", "there/photo.jpg"]
    assert Path("file").read_text() == "mine"


def test_errors_after_the_start_are_one_sentence_too(run):
    status, out, err = run("train", "gan", "--steps", "1", "--batch-size", "1", "--out", "out")
    assert status == 2 and out.startswith("run folder: out\n")
    assert err == ("minigan: error: BatchNorm: an input of shape (1, 256) has 1 value a channel; "
                   "training needs 2 or more\n")
    status, _, err = run("train", "gan", "--steps", "9", "--learning-rate", "1e30", "--out", "o2",
                         *QUICK)
    assert status == 2 and len(err.splitlines()) == 1
    assert "_loss is " in err and "training stopped" in err


def test_cupy_without_cupy(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy fails
    monkeypatch.delitem(registry._made, "cupy", raising=False)
    sentence = refusal(run("train", "gan", "--backend", "cupy"))
    assert "cupy" in sentence and "cupy-cuda12x[ctk]" in sentence and '"numpy"' in sentence
    outside = contextvars.copy_context()  # of the block of `use` that each test is in
    outside.run(registry.choices.set, ())
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setenv("MINIGAN_BACKEND", "cupy")
    assert "cupy-cuda12x[ctk]" in refusal(outside.run(run, "train", "gan", "--steps", "1"))
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setenv("MINIGAN_BACKEND", "tpu")
    assert "'tpu' is unknown" in refusal(outside.run(run, "train", "gan", "--steps", "1"))
    assert not Path("runs").exists()
    monkeypatch.delenv("MINIGAN_BACKEND")
    status, out, _ = run("info")
    assert status == 0 and "backend cupy:" in out and "cupy-cuda12x[ctk]" in out


def test_labels_are_for_conditional_models(run, trained):
    sentence = refusal(run("sample", trained, "--labels", "1,2", "--out", "x.png"))
    assert "--labels" in sentence and "gan is not conditional" in sentence
    for wrong in ("1,x", "1.5", "-1", ""):
        assert "--labels" in refusal(run("sample", trained, f"--labels={wrong}"))
    if "cgan" in names():
        run("train", "cgan", "--steps", "0", "--out", "out", "--batch-size", "4", "--threads", "1")
        assert run("sample", "out", "--labels", "2,0,2,6", "--out", "x.png")[1] == (
            "4 images: x.png\n")
        assert "from 0 to 9" in refusal(run("sample", "out", "--labels", "2,10"))
        assert "3" in refusal(run("sample", "out", "--labels", "2,1", "--n", "3"))


def test_samples_that_cannot_be_written(run, trained):
    Path("file").write_text("mine")
    assert refusal(run("sample", trained, "--out", "file/x.png")) == "file: file exists"
    assert ".png" in refusal(run("sample", trained, "--out", "picture.jpg"))
    assert sorted(p.name for p in Path().iterdir()) == ["file"]


def test_damaged_and_foreign_checkpoints(run, trained):
    content = (trained / "checkpoint.npz").read_bytes()
    for name, bad in (("short.npz", content[:-100]), ("empty.npz", b""), ("x.txt", b"hello")):
        Path(name).write_bytes(bad)
        sentence = refusal(run("sample", name))
        assert name in sentence and "damaged or not a checkpoint" in sentence
    np.savez("other.npz", x=np.ones(3))
    assert "other.npz is not a checkpoint of minigan" in refusal(run("sample", "other.npz"))
    run("train", "gan", "--steps", "0", "--out", "out", *QUICK)
    Path("out/checkpoint.npz").unlink()
    assert "checkpoint.npz does not exist" in refusal(run("sample", "out"))


def test_a_full_disk(run, monkeypatch):
    def full(path, arrays, config, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(checkpoint, "save", full)
    status, _, err = run("train", "gan", "--steps", "1", "--out", "out", *QUICK)
    assert status == 2
    assert err == f"minigan: error: {Path('out/checkpoint.npz')}: no space left on device\n"


def test_too_little_memory(run, monkeypatch):
    def load_too_much(*arguments, **settings):
        raise MemoryError("Unable to allocate 9 EiB")

    monkeypatch.setattr(data, "load", load_too_much)
    sentence = refusal(run("train", "gan"))
    assert "out of memory (Unable to allocate 9 EiB)" in sentence and "--batch-size" in sentence


def test_ctrl_c_before_the_first_step(run, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", interrupted)
    assert run("train", "gan") == (130, "", "minigan: interrupted\n")


def test_a_traceback_on_request(run, monkeypatch):
    monkeypatch.setenv("MINIGAN_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError):
        run("sample", "nowhere")


# As a program of its own.

def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1",
            "PYTHONWARNINGS": "error,ignore::DeprecationWarning", "PYTHONUNBUFFERED": ""}


def command(*arguments, **more):
    return subprocess.run([sys.executable, "-m", "minigan", *map(str, arguments)],
                          env=environment(), capture_output=True, text=True, timeout=120, **more)


def test_a_program_trains_and_draws():
    done = command("train", "gan", "--steps", "3", *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "run folder: runs/gan-001"
    done = command("sample", "runs/gan-001", "--n", "4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 images: runs/gan-001/samples/seed-0.png\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["minigan", "models"])
        assert main() == 0  # the installed script calls it so


def test_a_program_refuses_in_one_sentence():
    done = command("train", "gan", "--steps", "2.5")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "'2.5' is not a whole number" in done.stderr


def test_help_is_quick():
    code = ("import sys; sys.argv = ['minigan', '--help']\n"
            "from minigan.cli import main\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print(sorted({'matplotlib', 'tqdm', 'cupy', 'torch', 'pooch', 'requests', 'PIL'}"
            " & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True,
                          text=True, timeout=60)
    assert done.stdout.endswith("[]\n") and "train" in done.stdout, done


POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def listen_to_ctrl_c():
    """A shell that starts this in the background would have it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@POSIX
def test_ctrl_c_saves_and_says_where():
    process = subprocess.Popen(
        [sys.executable, "-m", "minigan", "train", "gan", "--steps", "1000000", "--out", "out",
         *QUICK], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=listen_to_ctrl_c)
    try:
        metrics, end = Path("out/metrics.jsonl"), time.monotonic() + 60
        while not (metrics.exists() and metrics.read_text().count("\n") > 2):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and err == ""
    assert out.startswith("run folder: out\n")
    last = out.splitlines()[-1]
    assert last.startswith("interrupted at step ")
    assert last.endswith("; what was learned is saved in out/checkpoint.npz, and `minigan resume "
                         "out` goes on from there")
    step = int(last.split()[3].strip(";").replace(",", ""))
    assert load("out").config["step"] == step >= 40
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "checkpoint.npz", "config.json", "losses.png", "metrics.jsonl", "previous.npz",
        "report.html", "samples", "samples.gif"]


def small_files():
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # writing more fails


@POSIX
def test_a_disk_that_takes_no_more():
    done = command("train", "gan", "--steps", "1", "--out", "out", *QUICK, preexec_fn=small_files)
    assert done.returncode == 2
    assert done.stderr == "minigan: error: out/checkpoint.npz: file too large\n"
    assert not Path("out/checkpoint.npz").exists() and not list(Path("out").rglob("*.part"))


@POSIX
def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "minigan", "models"], env=environment(),
                          stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert done.returncode == 1 and done.stderr == ""


# Where home is.

@pytest.fixture
def at_home(alone, monkeypatch):
    """The working folder, with another one as the user's home."""
    home = alone / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


def test_a_tilde_is_the_users_home(run, at_home):
    """A shell does not expand it in --out=~/a; who then removes a folder named ~ loses his home."""
    def ran(*arguments):
        status, _, err = run(*arguments)
        assert status == 0, err

    ran("train", "gan", "--steps", "1", "--out=~/a", *QUICK)
    ran("resume", "~/a", "--more", "1")
    ran("sample", "~/a", "--n", "1", "--out=~/one.png")
    ran("sample", "~/a", "--n", "1", "--single", "--out=~/many")
    ran("export", "~/a", "--out=~/g.npz")
    ran("sample", "~/g.npz", "--n", "1")
    ran("evaluate", "~/a", "--n", "200")
    ran("profile", "gan", "--preset", "seed", "--batch-size", "2", "--steps", "1", "--threads", "1",
        "--out=~/profile.png")
    ran("bench", "gan:seed", "--on", "numpy", "--threads", "1", "--batch-size", "2", "--pairs", "1",
        "--turn", "0.001", "--keep-busy", "--out=~/bench")
    ran("bench", "--show", "~/bench.jsonl")
    ran("toy", "ring", "--steps", "2", "--out=~/toy")
    assert {"a", "one.png", "many", "g.npz", "profile.png", "bench.jsonl", "toy"} <= {
        path.name for path in at_home.iterdir()}
    assert (at_home / "a" / "evaluation.json").is_file()
    assert [path.name for path in Path().iterdir()] == ["home"]


def test_a_tilde_is_the_users_home_in_python_too(at_home):
    images = data.load("digits")
    trainer = mg.Trainer(mg.models.GAN("seed"), images, 8, out="~/a", threads=1).fit(1)
    assert trainer.folder.path == at_home / "a"
    assert mg.Trainer.resume("~/a").step == mg.load("~/a").config["step"] == 1
    assert mg.load("~/a").export("~/g.npz") == at_home / "g.npz"
    assert plot.save(np.zeros((2, 2), np.uint8), "~/dot.png") == at_home / "dot.png"
    plot.save(images.images[0], "~/pictures/0.png")
    assert len(data.load("~/pictures")) == len(data.load("pictures", folder="~")) == 1
    assert evaluate("~/a", n=200).record == at_home / "a" / "evaluation.json"
    assert [path.name for path in Path().iterdir()] == ["home"]


def test_tilde_of_an_unknown_user(run, at_home):
    sentence = refusal(run("train", "gan", "--steps", "0", "--out=~nobody-of-that-name/a"))
    assert "--out" in sentence and "./~nobody-of-that-name/a" in sentence
    assert [path.name for path in Path().iterdir()] == ["home"]
    Path("~odd").mkdir()
    assert run("train", "gan", "--steps", "0", "--out", "./~odd/a", *QUICK)[0] == 0
