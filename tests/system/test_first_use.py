"""Names of the package that are imported when first asked for."""

import subprocess
import sys

import pytest
from project import ROOT

import minigan as mg
from minigan import training

THREADS = """
import sys, threading
import minigan as mg
sys.setswitchinterval(1e-6)
names = ["Trainer", "graph", "load", "gradcheck", "training", "runs", "evaluation", "editing"] * 3
together, faults = threading.Barrier(len(names)), []
def ask(name):
    together.wait()
    try:
        getattr(mg, name)
    except BaseException as error:
        faults.append((name, repr(error)))
threads = [threading.Thread(target=ask, args=(name,)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not faults, faults
"""


@pytest.mark.parametrize("package", [mg, training])
def test_names_that_wait_are_listed_and_there(package):
    assert set(package.__all__) <= set(dir(package))
    for name in dir(package):
        getattr(package, name)


def test_a_name_that_is_not_there_is_pythons_own_error():
    with pytest.raises(AttributeError, match="module 'minigan' has no attribute 'Trainr'"):
        mg.Trainr
    with pytest.raises(ImportError, match="cannot import name 'evaluated'"):
        exec("from minigan.training import evaluated")


def test_threads_may_ask_for_the_first_time_at_once():
    """Without a lock they found packages that were imported halfway."""
    run = subprocess.run([sys.executable, "-c", THREADS], cwd=ROOT, capture_output=True, text=True,
                         timeout=120)
    assert run.returncode == 0, run.stderr
