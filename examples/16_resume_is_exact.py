"""16: a training that was killed and resumed has the same bits as one that ran through.

A checkpoint holds more than weights: optimizers' means, the order of the images, where each random
stream stands. A process is killed and resumed; then four more each forget one thing, and drift.
"""
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minigan import data, plot
from minigan.training import Trainer

# %% What runs in a process of its own. It saves every 20 steps; without a callback, every minute.
TRAIN = """
import sys
from minigan import data
from minigan.models import GAN
from minigan.training import Trainer
Trainer(GAN("mlp"), data.load("digits"), 16, sys.argv[1], threads=1,
        callbacks=[lambda run, metrics: run.save()]).fit(int(sys.argv[2]))
"""


def train_and_kill(folder, steps, kill_at):
    """Start it, and end it without warning once its log has come to a step."""
    log = folder / "metrics.jsonl"
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(folder), str(steps)])
    while not log.exists() or f'"step": {kill_at},' not in log.read_text():
        time.sleep(0.005)
    process.kill()
    process.wait()


# %% What a resumed run can forget.
def adams_means(run):
    for optimizer in run.model.optimizers.values():
        optimizer.t = 0
        for flat in optimizer.running.values():
            flat[...] = 0


def rewind(name):
    return lambda run: setattr(run.model.streams[name], "counter", 0)  # that noise comes again


FORGET = {"Adam's means": adams_means, "latent noise": rewind("latent"),
          "dropout noise": rewind("dropout"), "order of images": lambda run: run.batches.load_state(
              data.Batches(run.data, 16, run.model.streams["data"]).state())}


def weights_over_time(folder, steps, forget=lambda run: None):
    """G's weights after each of the next steps, a row each."""
    run, rows = Trainer.resume(folder), []
    forget(run)
    for _ in range(steps):
        run.train_step()
        rows.append(run.model.g_optimizer.values.copy())
    return np.array(rows)


# %% Train through, train and kill, resume, compare.
def main(quick=False):
    steps, kill_at, watched = (50, 20, 4) if quick else (160, 100, 60)
    with tempfile.TemporaryDirectory() as place:
        straight, killed, copy = (Path(place) / name for name in ("straight", "killed", "copy"))
        subprocess.run([sys.executable, "-c", TRAIN, str(straight), str(steps)], check=True)
        train_and_kill(killed, steps, kill_at)
        shutil.copytree(killed, copy)
        run = Trainer.resume(killed)
        print(f"killed after step {kill_at}, last checkpoint at step {(start := run.step)}")
        run.fit(run.steps - run.step)
        (due, numbers), (found, ours) = Trainer.resume(straight).state(), run.state()
        differ = [name for name in due if due[name].tobytes() != found[name].tobytes()]
        same = ours.streams == numbers.streams and ours.losses == numbers.losses
        print(f"{len(due)} arrays, {sum(array.nbytes for array in due.values()):,} bytes: "
              f"{len(differ)} differ; streams and losses {'are the same' if same else 'DIFFER'}")
        exact, again = (weights_over_time(copy, watched) for _ in range(2))
        apart = {name: np.abs(weights_over_time(copy, watched, forget) - exact).max(axis=1)
                 for name, forget in FORGET.items()}
    for name, d in apart.items():
        print(f"without {name:16} {d[0]:.0e} apart after a step, {d[-1]:.0e} after {watched}")
    figure = plot.lines({name: (range(1, watched + 1), y) for name, y in apart.items()}, log=True,
                        title="Resumed, with one thing forgotten: the weight of G that is most off",
                        x_label="steps after the resume", caption="Nothing forgotten: 0, always.")
    print("picture:", plot.save(figure, "runs/examples/16_resume_is_exact.png"))
    return {"start": start, "differ": differ, "same": same, "apart": apart, "again":
            np.abs(again - exact).max()}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Resume with Trainer.resume(killed, threads=2). Which bits change?
# 2. A fifth forgetful run moves one weight of D by 1e-7. How far apart are the runs after 60 steps?
