"""Everything that has to be seen on a machine with a GPU, in nine minutes and one command:

    python benchmarks/gpu.py --output results.jsonl

It needs Python, CuPy with the CUDA toolkit's libraries, PyTorch with CUDA for the comparison,
pytest for the tests; no network. It runs the GPU's tests, then the questions that only a GPU can
answer, then the benchmark against PyTorch. Each part is a process with a time limit of its own;
each row is a line of JSON in the output as soon as it is known, so what was measured stays if the
rest is cut. The table at the end is made of those lines; `--table results.jsonl` prints it again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

LIMIT = 540  # seconds in all
# model, preset, batch, and the targets: captured / PyTorch eager, captured / PyTorch's graph.
WORKLOADS: list[tuple[str, str, int, float, float]] = [
    ("gan", "seed", 64, 0.25, 1.0), ("wgan-gp", "seed", 64, 0.25, 1.0),
    ("dcgan", "wide28", 64, 0.35, 1.1), ("wgan-gp", "wide28", 64, 0.35, 1.1),
    ("dcgan", "torch64", 64, 1.0, 1.3), ("dcgan", "torch64", 256, 1.0, 1.3)]
PRECISIONS = ("fp32", "tf32")
PROTOCOL = 15_625  # steps of batch 64: 20 epochs of 50,000 MNIST images (Lucic et al. 2018)
# Part, the share of what is left of the time that it may take, and what it runs.
PARTS = {"facts": 0.1, "tests": 0.35, "questions": 0.35, "minigan": 0.45, "pytorch": 0.8,
         "cpu": 1.0}


def emit(**row: Any) -> None:
    """One row of results; the parent process writes it down."""
    print(json.dumps(row), flush=True)


# ---------------------------------------------------------------- parts: facts and tests

def facts() -> None:
    """Card, driver, versions, and what each side takes for float32 products."""
    import platform

    import numpy

    import minigan
    from minigan.backend import get_backend
    xp: Any = get_backend("cupy")
    emit(kind="facts", date=date.today().isoformat(), python=platform.python_version(),
         minigan=minigan.__version__, numpy=numpy.__version__, device=xp.describe(),
         default_precision=xp.precision)
    try:
        import torch
        emit(kind="facts", torch=torch.__version__, cuda=torch.version.cuda,
             cudnn=torch.backends.cudnn.version(),
             conv_tf32_by_default=torch.backends.cudnn.allow_tf32,
             matmul_tf32_by_default=torch.backends.cuda.matmul.allow_tf32)
    except ImportError as error:
        emit(kind="facts", torch=str(error))


def tests() -> None:
    """pytest -m gpu: each failure as it happens, the count every so often, what went wrong."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "--tb=short", "-p", "no:cacheprovider",
         "tests/backend/test_gpu.py"], cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    counts: Counter[str] = Counter()
    last = ""
    for line in process.stdout:
        last = line.strip() or last
        name, _, outcome = line.partition(" ")
        outcome = outcome.split()[0] if outcome.split() else ""
        if "::" in name and outcome in ("PASSED", "FAILED", "ERROR", "SKIPPED"):
            counts[outcome] += 1
            if outcome in ("FAILED", "ERROR"):
                emit(kind="tests", test=name, outcome=outcome)
            if sum(counts.values()) % 100 == 0:
                emit(kind="tests", so_far=dict(counts))
        elif line.startswith("E  "):
            emit(kind="tests", error=line.strip()[:300])
    emit(kind="tests", status=process.wait(), counts=dict(counts), summary=last)


# ---------------------------------------------------------------- part: open questions

def questions() -> None:
    """Ask each; one that fails says how, and the next is asked."""
    import minigan
    minigan.use("cupy")
    for ask in (graphs_of_gemm, costs_of_calls, costs_of_nodes, random_numbers, private_pool,
                convolutions, first_run):
        try:
            for row in ask():
                emit(kind="question", question=ask.__name__, **row)
        except Exception as error:
            emit(kind="question", question=ask.__name__,
                 failed=f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")


def device() -> Any:
    """The GPU's backend."""
    from minigan.backend import get_backend
    return get_backend("cupy")


def host_microseconds(job: Callable[[], Any], calls: int = 300) -> float:
    """What one call costs the host, the device being idle at first."""
    return _microseconds(job, calls, waiting=False)


def device_microseconds(job: Callable[[], Any], calls: int = 50) -> float:
    """What one call takes the device when calls follow one another."""
    return _microseconds(job, calls, waiting=True)


def _microseconds(job: Callable[[], Any], calls: int, waiting: bool) -> float:
    """The median of five rounds, a call. waiting: stop the clock only when the device is done."""
    xp, rounds = device(), []
    for _ in range(10):
        job()
    for _ in range(5):
        xp.synchronize()
        began = time.perf_counter()
        for _ in range(calls):
            job()
        if waiting:
            xp.synchronize()
        rounds.append((time.perf_counter() - began) / calls * 1e6)
        xp.synchronize()
    return statistics.median(rounds)


def graphs_of_gemm() -> Any:
    """Is a product on our cuBLAS handle captured and replayed right, and how exact is TF32?"""
    import numpy as np

    import minigan as mg
    xp = device()
    a, b = (np.random.default_rng(i).standard_normal((512, 512)).astype("f4") for i in (0, 1))
    there = [mg.Tensor(xp.from_host(x)) for x in (a, b)]
    exact = a.astype("f8") @ b
    for precision in PRECISIONS:
        xp.set_precision(precision)
        eager = (there[0] @ there[1]).numpy()
        fast = mg.capture(lambda: {"c": there[0] @ there[1]}, there)
        fast()
        there[0].assign(there[0].data * 2)
        twice = fast()["c"].numpy() / 2
        there[0].assign(xp.from_host(a))
        yield {"precision": precision, "same_bits": bool((twice == eager).all()),
               "error": float(np.abs(eager - exact).max() / np.abs(exact).max())}
    xp.set_precision("fp32")


def costs_of_calls() -> Any:
    """What one op costs the host: CuPy's ways, ours, PyTorch's."""
    xp = device()
    cupy = xp.module
    x, y = cupy.ones((64, 128), "f4"), cupy.empty((64, 128), "f4")
    w = cupy.ones((128, 128), "f4")
    custom = cupy.ElementwiseKernel("T a", "T b", "b = a * 2", "twice")
    jobs: dict[str, Callable[[], Any]] = {
        "cupy add": lambda: x + x, "cupy add, out given": lambda: cupy.add(x, x, out=y),
        "cupy ElementwiseKernel": lambda: custom(x, y), "cupy matmul": lambda: x @ w,
        "cupy sum": lambda: x.sum(), "our kernel": lambda: xp.leaky_relu(x, 0.2),
        "our product": lambda: xp.product(x, w), "our sum": lambda: xp.total(x, (0, 1), False)}
    for name, job in jobs.items():
        yield {"call": name, "host_us": round(host_microseconds(job), 2)}
    import torch
    t, v = torch.ones(64, 128, device="cuda"), torch.ones(128, 128, device="cuda")
    for name, job in {"torch add": lambda: t + t, "torch mm": lambda: t @ v}.items():
        yield {"call": name, "host_us": round(host_microseconds(job), 2)}


def costs_of_nodes() -> Any:
    """What replaying a graph of n small kernels costs the host and the device."""
    import minigan as mg
    xp = device()
    x = mg.Tensor(xp.ones((64, 128), "f4"))

    for n in (1, 50, 200):
        def chain(n: int = n) -> dict[str, Any]:
            y = x
            for _ in range(n):
                y = mg.ops.leaky_relu(y, 0.5)
            return {"y": y}
        chain()
        fast = mg.capture(chain)
        yield {"nodes": n, "host_us": round(host_microseconds(fast), 2),
               "device_us": round(device_microseconds(fast), 2)}


def random_numbers() -> Any:
    """Are uniforms the host's to the bit, and how far off are normals?"""
    import numpy as np

    from minigan.backend import get_backend
    from minigan.streams import Stream
    xp, host = device(), get_backend("numpy")
    ours, theirs = Stream(1, "a"), Stream(1, "a")
    u, v = (s.uniform((1000, 1000), xp=where) for s, where in ((ours, xp), (theirs, host)))
    yield {"uniforms_equal": bool((xp.to_host(u) == v).all())}
    u, v = (s.normal((1000, 1000), xp=where) for s, where in ((ours, xp), (theirs, host)))
    units = np.abs(xp.to_host(u).astype("f8") - v) / np.spacing(np.abs(v))
    yield {"normals_most_ulp": float(units.max()), "share_above_2": float((units > 2).mean())}
    generator = xp.module.random.default_rng(0)
    out = xp.module.empty((64, 100), "f4")
    generator.standard_normal(dtype="f4", out=out)
    with xp.captured() as graph:
        generator.standard_normal(dtype="f4", out=out)
    draws = []
    for _ in range(2):
        graph.launch()
        draws.append(xp.to_host(out))
    yield {"cupys_generator_advances_under_capture": bool((draws[0] != draws[1]).any())}


def private_pool() -> Any:
    """Does eager work between replays corrupt them: with our pool, and with CuPy's common one?"""
    import numpy as np
    xp = device()
    cupy = xp.module

    def corrupted(own: bool) -> bool:
        x, out = cupy.arange(100_000, dtype="f4"), cupy.empty(100_000, "f4")
        chain = (lambda: cupy.add(cupy.multiply(x, 2) + 1, 1, out=out))
        chain()
        if own:
            with xp.captured() as graph:
                chain()
        else:
            xp.stream.begin_capture()
            chain()
            graph = xp.stream.end_capture()
        keep = [cupy.zeros(100_000, "f4") for _ in range(8)]  # may get what the capture freed
        xp.synchronize()
        graph.launch() if own else graph.launch(xp.stream)
        return any(bool(xp.to_host(k).any()) for k in keep) or bool(
            np.abs(xp.to_host(out) - (2 * np.arange(100_000, dtype="f4") + 2)).max())

    yield {"pool": "own", "corrupted": corrupted(True)}
    yield {"pool": "common", "corrupted": corrupted(False)}


def convolutions() -> Any:
    """Patches and a product against cuDNN (PyTorch, NHWC), 4x4 stride 2, forward and gradients."""
    import torch

    from minigan.geometry import conv_geometry
    torch.backends.cudnn.benchmark = True
    xp = device()
    for n, size, c_in, c_out in ((64, 14, 64, 128), (64, 32, 64, 128), (64, 8, 256, 512)):
        g = conv_geometry("bench", (size, size), (4, 4), 2, 1, 1)
        x, w = (xp.ones(shape, "f4") for shape in ((n, size, size, c_in), (4, 4, c_in, c_out)))
        y = xp.ones((n, *g.out_size, c_out), "f4")
        like = {"device": "cuda"}
        tx = torch.ones(n, c_in, size, size, **like).to(memory_format=torch.channels_last)
        tw = torch.ones(c_out, c_in, 4, 4, **like).to(memory_format=torch.channels_last)
        ty = torch.ones(n, c_out, *g.out_size, **like).to(memory_format=torch.channels_last)

        def backward(which: int) -> Any:
            return torch.ops.aten.convolution_backward(
                ty, tx, tw, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1,
                [which == 0, which == 1, False])
        ours = {"conv2d": lambda: xp.conv2d(x, w, g),
                "conv_transpose2d": lambda: xp.conv_transpose2d(y, w, g),
                "conv2d_weight": lambda: xp.conv2d_weight(x, y, g)}
        theirs = {"conv2d": lambda: torch.nn.functional.conv2d(tx, tw, None, 2, 1),
                  "conv_transpose2d": lambda: backward(0), "conv2d_weight": lambda: backward(1)}
        for precision in PRECISIONS:
            xp.set_precision(precision)
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            for name in ours:
                mine = device_microseconds(ours[name])
                cudnn = device_microseconds(both(theirs[name]))
                yield {"op": name, "x": [n, size, size, c_in], "c_out": c_out,
                       "precision": precision, "minigan_us": round(mine, 1),
                       "cudnn_us": round(cudnn, 1)}
    xp.set_precision("fp32")


def both(job: Callable[[], Any]) -> Callable[[], Any]:
    """PyTorch computes on its own stream; let our synchronize wait for it too."""
    import torch
    stream = torch.cuda.ExternalStream(device().stream.ptr)

    def run() -> Any:
        with torch.cuda.stream(stream):
            return job()
    return run


def first_run() -> Any:
    """Seconds to the end of the first step, with no kernel compiled yet."""
    for name, preset in (("gan", "mlp"), ("dcgan", "wide28"), ("wgan-gp", "wide28")):
        with tempfile.TemporaryDirectory() as cache:
            code = (f"import time; began = time.perf_counter()\n"
                    f"import sys; sys.path[:0] = {sys.path[:2]!r}\n"
                    f"import gpu\n"
                    f"gpu.ours({name!r}, {preset!r}, 64, True)()\n"
                    f"gpu.device().synchronize(); print(time.perf_counter() - began)")
            done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True,
                                  env={**os.environ, "CUPY_CACHE_DIR": cache})
            seconds = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
            yield {"workload": f"{name}:{preset}", "seconds_with_empty_cache": seconds[0]}


# ---------------------------------------------------------------- part: speed

def build(name: str, preset: str) -> Any:
    """The model of a workload, without the moving average, which the rival has not."""
    from minigan.models.catalog import find
    model = find(name)
    return model(preset, model.natural_shape(preset), 0, ema=0.0)


def noise_images(model: Any, batch: int) -> Any:
    """Images of noise: what they show costs no time."""
    import numpy as np
    return np.random.default_rng(0).integers(0, 256, (4 * batch, *model.shape), "uint8")


def ours(name: str, preset: str, batch: int, captured: bool, backend: str = "cupy"
         ) -> Callable[[], Any]:
    """minigan's step, as `minigan train` makes it."""
    import minigan
    from minigan.backend import default
    from minigan.data import Batches, Images
    from minigan.training.stepping import Stepper
    minigan.use(backend)
    model = build(name, preset)
    batches = Batches(Images(noise_images(model, batch), None, "noise"), batch,
                      model.streams["data"])
    return Stepper(model, batches, default(), captured)


def milliseconds(step: Callable[[], Any], wait: Callable[[], Any], seconds: float = 4.0) -> dict:
    """Median and range of five rounds, each of as many steps as fit."""
    for _ in range(12):  # past the first captures of every kind of step
        step()
    wait()
    began = time.perf_counter()
    for _ in range(10):
        step()
    wait()
    each = (time.perf_counter() - began) / 10
    count = max(10, int(seconds / 5 / each) // 10 * 10)  # whole rounds of a critic's turns
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        rounds.append((time.perf_counter() - began) / count * 1e3)
    return {"ms": statistics.median(rounds), "low": min(rounds), "high": max(rounds),
            "steps": 5 * count}


def speed(side: str, precision: str, form: str, make: Callable[..., Callable[[], Any]],
          wait: Callable[[], Any]) -> None:
    """Measure all workloads of one side in one form."""
    for name, preset, batch, _, _ in WORKLOADS:
        row = {"kind": "speed", "side": side, "workload": f"{name}:{preset}", "batch": batch,
               "precision": precision, "form": form}
        try:
            emit(**row, **milliseconds(make(name, preset, batch), wait))
        except Exception as error:
            emit(**row, failed=f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")


def minigan() -> None:
    """Our side: captured first, as that is what counts."""
    xp = device()
    for form in ("captured", "eager"):
        for precision in PRECISIONS:
            xp.set_precision(precision)
            speed("minigan", precision, form,
                  lambda *load, form=form: ours(*load, form == "captured"), xp.synchronize)


def pytorch() -> None:
    """The rival: eager and as its own CUDA graph."""
    import torch
    torch.backends.cudnn.benchmark = True
    for form in ("graph", "eager"):
        for precision in PRECISIONS:
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            speed("pytorch", precision, form,
                  lambda *load, form=form: rival(*load, form == "graph"), torch.cuda.synchronize)


def rival(name: str, preset: str, batch: int, captured: bool) -> Callable[[], Any]:
    """PyTorch's step of the same networks."""
    import torch
    from rivals.pytorch_gpu import Rival

    import minigan as mg
    with mg.use("numpy"):
        model = build(name, preset)
    images = torch.from_numpy(noise_images(model, batch)).cuda().movedim(-1, 1) / 127.5 - 1
    memory = torch.channels_last if "28" in preset or "64" in preset else torch.contiguous_format
    made = Rival(model, images, batch, memory)
    if captured:
        made.capture()
    return made.step


def cpu() -> None:
    """The same steps by this machine's processor: where does the GPU start to win?"""
    from minigan.system.allocator import keep_freed_memory
    from minigan.system.threads import use_threads
    keep_freed_memory()
    use_threads()
    for name, preset, batch, _, _ in WORKLOADS[:4]:
        emit(kind="speed", side="cpu", workload=f"{name}:{preset}", batch=batch, precision="fp32",
             form="eager", **milliseconds(ours(name, preset, batch, False, "numpy"), lambda: None,
                                          2.0))


# ---------------------------------------------------------------- the parent process

def run(part: str, seconds: float, output: Path) -> None:
    """A part in a process of its own: its rows to the file, cut off when its time is over."""
    process = subprocess.Popen([sys.executable, __file__, "--part", part], text=True,
                               stdout=subprocess.PIPE, start_new_session=True)  # to end it whole
    assert process.stdout is not None
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(max(1, int(seconds)))
    rows = 0
    with open(output, "a", encoding="utf-8") as file:
        for line in process.stdout:
            if line.startswith("{"):
                file.write(line)
                file.flush()
                rows += 1
                print(line.rstrip()[:240], flush=True)
        status = process.wait()
        signal.alarm(0)
        process.stdout.close()
        if status:
            row = {"kind": "part", "part": part, "status": status, "rows": rows,
                   "cut": status == -signal.SIGKILL}
            file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """What was measured, in Markdown: ratios under 1 are ours."""
    ms = {(r["side"], r["workload"], r["batch"], r["precision"], r["form"]): r["ms"]
          for r in rows if r.get("kind") == "speed" and "ms" in r}
    heads = ("workload", "batch", "precision", "captured, ms", "eager, ms", "PyTorch eager, ms",
             "PyTorch graph, ms", "captured / PyTorch eager (target)",
             "captured / PyTorch graph (target)", "15,625 steps, s", "NumPy / captured")
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for name, preset, batch, eager_target, graph_target in WORKLOADS:
        for precision in PRECISIONS:
            load = (f"{name}:{preset}", batch, precision)
            captured, eager = (ms.get(("minigan", *load, form)) for form in ("captured", "eager"))
            theirs, graph = (ms.get(("pytorch", *load, form)) for form in ("eager", "graph"))
            numpy = ms.get(("cpu", *load[:2], "fp32", "eager"))
            if not (captured or eager or theirs or graph):
                continue
            cells = [load[0], str(batch), precision, *map(_ms, (captured, eager, theirs, graph)),
                     f"{_ratio(captured, theirs)} ({eager_target:g})",
                     f"{_ratio(captured, graph)} ({graph_target:g})",
                     f"{captured * PROTOCOL / 1e3:.1f}" if captured and batch == 64 else "-",
                     _ratio(numpy, captured)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return f"{value:.3f}" if value else "-"


def _ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}" if a and b else "-"


LOOK = """
from minigan.backend import BackendError, get_backend
try:
    get_backend("cupy")
except BackendError as error:
    print(error)
"""


def why_not() -> str:
    """Why nothing can be measured here, in a sentence; "" where there is a GPU.

    It is looked for in a process of its own: this one holds no memory of the card's.
    """
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["the look at it ended without a word"])[-1]
    return " ".join(done.stdout.split())


def main() -> int:
    """Measure, or print a table; the exit status is 1 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE / "results" / "gpu.jsonl",
                        help="JSON lines are added to this file (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=LIMIT,
                        help="in all (default: %(default)s)")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", help="these parts alone")
    parser.add_argument("--table", type=Path, help="print the table of an earlier output, no more")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        globals()[options.part]()
        return 0
    output = options.table or options.output
    if not options.table:
        if reason := why_not():
            print(f"no GPU, so nothing is measured: {reason}", file=sys.stderr)
            return 1
        began = time.monotonic()
        output.parent.mkdir(parents=True, exist_ok=True)
        for part in options.only or PARTS:
            left = options.seconds - 5 - (time.monotonic() - began)
            if left > 5:
                run(part, left * (1.0 if options.only else PARTS[part]), output)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
