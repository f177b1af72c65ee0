"""`minigan completion`: its scripts are sourced in a real bash and zsh, and complete words there.

Bash is asked as it asks: COMP_WORDS, COMP_CWORD and the function of `complete -p`. Of zsh's own
commands `compadd` and `_files`, which work inside of its line editor only, there are stand-ins that
print.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from minigan.cli import COMMANDS, main
from minigan.models.catalog import find, names

BASH, ZSH = shutil.which("bash"), shutil.which("zsh")
pytestmark = [pytest.mark.usefixtures("alone"),
              pytest.mark.skipif(os.name != "posix", reason="shells of POSIX")]
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")
needs_zsh = pytest.mark.skipif(ZSH is None, reason="zsh is not installed")


@pytest.fixture
def script(capsys):
    """The script for a shell, in a file."""
    def write(shell):
        assert main(["completion", shell]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        path = Path(f"minigan.{shell}")
        path.write_text(said.out, "utf-8")
        return path
    return write


def shell(program, code):
    done = subprocess.run([program, *(["-f"] if program == ZSH else ["--norc"]), "-c", code],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


def quoted(word):
    return "'" + word + "'"


@pytest.fixture
def bash(script):
    """What bash offers after words, the last of which is being typed."""
    file = script("bash")

    def offers(*typed):
        return shell(BASH, f"source ./{file}; COMP_WORDS=({' '.join(map(quoted, typed))})\n"
                     f"COMP_CWORD={len(typed) - 1}; _minigan\n"
                     'for word in "${COMPREPLY[@]}"; do echo "$word"; done')
    return offers


@pytest.fixture
def zsh(script):
    """What zsh is offered, before it takes what begins with the word that is being typed."""
    file = script("zsh")

    def offers(*typed):
        return shell(ZSH, "compdef() { }; compset() { }; _files() { print -- FILES }\n"
                     f"compadd() {{ shift; print -l -- \"$@\" }}; source ./{file}\n"
                     f"words=({' '.join(map(quoted, typed))}); CURRENT={len(typed)}; _minigan")
    return offers


@needs_bash
def test_bash_takes_the_script(script):
    found = shell(BASH, f"source ./{script('bash')}; complete -p minigan")
    assert found == ["complete -F _minigan minigan"]


@needs_bash
def test_bash_completes_commands_models_and_options(bash):
    assert set(bash("minigan", "")) == {*COMMANDS, "--help", "--version"}
    assert bash("minigan", "ev") == ["evaluate"]
    assert [word for word in bash("minigan", "train", "") if word != "--help"] == names()
    assert bash("minigan", "train", "wgan-g") == ["wgan-gp"]
    offered = bash("minigan", "train", "gan", "--")
    assert {"--preset", "--learning-rate", "--quiet", "--data"} <= set(offered)
    assert "--n-critic" not in offered and "--n-critic" in bash("minigan", "train", "wgan", "--")
    assert "--no-capture" in offered
    assert bash("minigan", "data", "get", "m") == ["mnist"]
    assert bash("minigan", "completion", "z") == ["zsh"]
    assert bash("minigan", "toy", "--loss", "hin") == ["hinge"]


@needs_bash
def test_bash_completes_values(bash):
    for name in names():
        assert bash("minigan", "train", name, "--preset", "") == list(find(name).presets)
    assert bash("minigan", "train", "gan", "--steps", "9", "--preset", "se") == ["seed"]
    assert bash("minigan", "train", "gan", "--steps", "") == []  # any number
    assert bash("minigan", "profile", "dcgan", "--preset", "torch") == ["torch64"]
    assert bash("minigan", "train", "gan", "--backend", "") == ["numpy", "cupy"]
    assert bash("minigan", "train", "gan", "--preset", "=") == list(find("gan").presets)
    assert bash("minigan", "train", "gan", "--preset", "=", "pa") == ["paper"]
    assert bash("minigan", "bench", "dcgan", ":", "wi") == ["wide28"]  # bash parts words at :
    assert "dcgan:wide28" in bash("minigan", "bench", "dcg")


@needs_bash
def test_bash_completes_runs_and_files(bash):
    for run in ("gan-001", "my run", "no-run"):
        Path("runs", run).mkdir(parents=True)
    for run in ("gan-001", "my run"):
        Path("runs", run, "config.json").write_text("{}")
    Path("a picture.png").write_text("")
    offered = bash("minigan", "sample", "")
    assert {"runs/gan-001", "runs/my run", "a picture.png", "--pretrained"} <= set(offered)
    assert "runs/no-run" not in offered
    assert bash("minigan", "evaluate", "runs/g")[0] == "runs/gan-001"
    assert bash("minigan", "sample", "--out", "a p") == ["a picture.png"]
    assert "a picture.png" in bash("minigan", "train", "gan", "--data", "")
    assert "digits" in bash("minigan", "train", "gan", "--data", "d")
    assert "runs/gan-001" in bash("minigan", "sample", "--out", "train", "--seed", "3", "runs/")


@needs_zsh
def test_zsh_completes(zsh, script):
    assert set(zsh("minigan", "")) == {*COMMANDS, "--help", "--version"}
    assert [word for word in zsh("minigan", "train", "") if word != "--help"] == names()
    assert zsh("minigan", "train", "gan", "--preset", "") == list(find("gan").presets)
    assert zsh("minigan", "train", "gan", "--preset=") == list(find("gan").presets)
    assert zsh("minigan", "train", "gan", "--steps", "") == []
    assert zsh("minigan", "sample", "--out", "") == ["FILES"]
    assert "--n-critic" in zsh("minigan", "train", "wgan", "")
    Path("runs/my run").mkdir(parents=True)
    Path("runs/my run/config.json").write_text("{}")
    offered = zsh("minigan", "resume", "")
    assert "runs/my run" in offered and offered[-1] == "FILES"
    shell(ZSH, f"autoload -Uz compinit; compinit -D -u; source ./{script('zsh')}\n"
          '[[ "$_comps[minigan]" == _minigan ]]')


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "fish"])
    assert "invalid choice: 'fish'" in capsys.readouterr().err


def test_help_says_where_the_script_goes(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "source <(minigan completion bash)" in said and "~/.zshrc" in said
