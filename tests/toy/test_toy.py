"""`minigan toy`: the protocols' numbers, every game's step, seeds that are kept, and the report."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import minigan as mg
from minigan import penalties
from minigan.cli import main
from minigan.data import ring
from minigan.metrics import ModeScores
from minigan.nn import BatchNorm, Maxout
from minigan.toy import (GAMES, PROTOCOLS, SETS, Plan, Player, ToyRun, cell, floor, games, lines,
                         summary, training, watch)
from minigan.toy.protocols import dense

pytestmark = pytest.mark.rounding

TINY = dataclasses.replace(PROTOCOLS["minigan"]["ring"], scale=1.0, batch=8, samples=50, steps=6,
                           networks=lambda *given: dense(8, 2, *given))


@pytest.fixture
def tiny(monkeypatch):
    """The usual protocol with networks and a budget for tests."""
    monkeypatch.setitem(PROTOCOLS, "minigan", {
        points: dataclasses.replace(TINY, points=protocol.points)
        for points, protocol in PROTOCOLS["minigan"].items()})


def player(loss="gan", protocol=TINY, seed=0, steps=10, **changes):
    return Player(protocol, dataclasses.replace(GAMES[loss], **changes), steps, seed)


def points(n=8):
    return ring().sample(mg.Stream(0, "data"), n)


# Protocols.

def test_the_points_of_the_papers():
    for name in ("minigan", "veegan", "pacgan"):
        made = [PROTOCOLS[name][points].data() for points in SETS]
        assert [len(data.centres) for data in made] == [8, 25, 0]
        assert (made[0].sigma, made[1].sigma) == (0.01, 0.05)
        np.testing.assert_allclose(np.linalg.norm(made[0].centres, axis=1), 1, rtol=1e-6)
        assert len(np.unique(made[0].centres.round(3), axis=0)) == 8  # distinct
        assert made[1].centres.max() == 4
    assert PROTOCOLS["wgan-gp"]["ring"].data().sigma == pytest.approx(0.02 / 1.414)
    assert {protocol.samples for sets in PROTOCOLS.values() for protocol in sets.values()} == {2500}


def test_the_usual_protocol_shows_networks_unit_variance():
    for protocol in PROTOCOLS["minigan"].values():
        seen = protocol.data().sample(mg.Stream(0, "data"), 20_000) / protocol.scale
        assert seen.var(axis=0).mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("name, packing, weights_g, weights_d", [
    ("veegan", 1, 255 * 128 + 129 * 128 + 129 * 2, 3 * 128 + 129 * 128 + 129),
    ("veegan", 2, 255 * 128 + 129 * 128 + 129 * 2, 5 * 128 + 129 * 128 + 129),
    ("pacgan", 2, 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 401 * 2,
     5 * 1000 + 2 * 201 * 1000 + 201),
    ("wgan-gp", 1, 3 * 512 + 2 * 513 * 512 + 513 * 2, 3 * 512 + 2 * 513 * 512 + 513),
])
def test_the_networks_of_the_papers(name, packing, weights_g, weights_d):
    protocol = PROTOCOLS[name]["ring"]
    G, D = protocol.networks(protocol.latent_size, packing, mg.seed(0))
    assert sum(p.size for p in G.parameters()) == weights_g
    assert sum(p.size for p in D.parameters()) == weights_d
    if name == "pacgan":
        assert sum(isinstance(part, BatchNorm) for _, part in G.named_modules()) == 4
        assert [part.pieces for _, part in D.named_modules() if isinstance(part, Maxout)] == [5] * 3
        assert D.parameters()[0].numpy().std() == pytest.approx(0.02, rel=0.1)


def test_the_budgets_of_the_papers():
    for points in SETS:
        assert {name: (p.latent_size, p.batch, p.rate, p.betas, p.steps, p.critic_steps, p.scale)
                for name, p in ((name, PROTOCOLS[name][points]) for name in PROTOCOLS)
                if name != "minigan"} == {
            "veegan": (254, 500, 1e-3, (0.5, 0.999), 20_000, 5, 1),
            "pacgan": (2, 100, 1e-4, (0.8, 0.999), 400_000, 5, 1),
            "wgan-gp": (2, 256, 1e-4, (0.5, 0.9), 500_000, 5, 1)}


# The step.

@pytest.mark.parametrize("loss", list(GAMES))
def test_every_game_moves_both_networks(loss):
    made = player(loss)
    before = [made.generator.parameters()[0].numpy().copy(),
              made.critic.parameters()[0].numpy().copy()]
    assert made.critic_steps == (2 if loss in ("wgan", "wgan-gp") else 1)
    for i in range(made.critic_steps):
        assert (made.generator.parameters()[0].numpy() == before[0]).all()  # G waits for its turn
        losses = made.step(points(8 * made.game.packing * 3))
    assert set(losses) == {"d_loss", "g_loss"}
    assert all(np.isfinite(loss.item()) and not loss.requires_grad for loss in losses.values())
    assert (made.generator.parameters()[0].numpy() != before[0]).any()
    assert (made.critic.parameters()[0].numpy() != before[1]).any()
    if made.game.clip:
        assert max(np.abs(p.numpy()).max() for p in made.critic.parameters()) <= made.game.clip


def test_a_step_by_hand():
    """The losses of the first step of R1, from the same networks and the same noise."""
    made, twin = player("r1", weight=3.0), player("r1", weight=3.0)
    made.scale = np.float32(2)
    losses = made.step(2 * points())
    x, z = mg.tensor(points()), twin.latent(twin.streams["latent"], 8)
    fake, D = twin.generator(z), twin.critic
    real_logits, fake_logits = D(x).numpy(), D(fake).numpy()
    due = np.log1p(np.exp(-real_logits)).mean() + np.log1p(np.exp(fake_logits)).mean()
    due += 3 * penalties.r1(D, x).item()
    assert losses["d_loss"].item() == pytest.approx(due, rel=1e-5)
    for mine, theirs in zip(D.parameters(), made.critic.parameters()):
        mine.assign(theirs)  # G's loss is of the D after its step
    assert losses["g_loss"].item() == pytest.approx(
        np.log1p(np.exp(-D(fake).numpy())).mean(), rel=1e-5)


def test_both_penalties_at_once():
    critic = player().critic
    x, y = mg.tensor(points()), mg.tensor(points(16)[8:])
    both = games.both_sides(critic, x, y, mg.stream("penalty")).item()
    assert both == pytest.approx((penalties.r1(critic, x) + penalties.r2(critic, y)).item(),
                                 rel=1e-4)
    assert both != pytest.approx(2 * penalties.r1(critic, x).item(), rel=0.1)


def test_the_rate_falls_to_zero_and_only_where_it_should():
    falling = player(steps=4)
    rates = []
    for _ in range(4):
        falling.step(points())
        rates.append(falling.g_optimizer.lr / TINY.rate)
    assert rates == pytest.approx([1, 0.75, 0.5, 0.25])
    steady = player(protocol=dataclasses.replace(TINY, falling_rate=False), steps=4)
    for _ in range(3):
        steady.step(points())
    assert steady.d_optimizer.lr == TINY.rate


def test_points_are_scaled_for_the_networks_alone():
    made = player()
    z = made.latent(mg.Stream(0, "z"), 5)
    plain = made.sample(z)
    made.scale = np.float32(4)
    np.testing.assert_allclose(made.sample(z), 4 * plain)
    np.testing.assert_allclose(made.levels(*np.meshgrid([4.0, 8], [0.0])).ravel(),
                               made.critic(mg.tensor([[1, 0], [2, 0]], dtype="float32")).numpy()
                               .ravel(), rtol=1e-4)


# Runs.

def test_a_seed_decides_the_networks_and_the_noise():
    first, again, other = (player(seed=seed) for seed in (3, 3, 4))
    for network in ("generator", "critic"):
        weights = [getattr(made, network).parameters()[0].numpy() for made in (first, again, other)]
        assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).all()
    noise = [made.latent(made.streams["latent"], 4).numpy() for made in (first, again, other)]
    assert (noise[0] == noise[1]).all() and (noise[0] != noise[2]).all()


def test_looking_changes_nothing(tiny, monkeypatch):
    """The same points at the end, however often somebody looked on the way."""
    seldom = list(watch(Plan("ring"), 0))
    monkeypatch.setattr(training, "LOOKS", (1.0,))
    once = list(watch(Plan("ring"), 0))
    assert len(seldom) > len(once) == 1 and (seldom[-1].points == once[-1].points).all()
    made, bystander = player(), player()
    made.levels(*np.meshgrid([0.0, 1], [0.0]))
    made.sample(made.latent(mg.Stream(0, "evaluation"), 4))
    assert made.streams.state() == bystander.streams.state()


def test_the_same_seed_gives_the_same_bits(tiny):
    first, again, other = (list(watch(Plan("ring"), seed))[-1].points for seed in (3, 3, 4))
    assert (first == again).all() and (first != other).any()


def test_seeds_that_are_done_are_kept(tiny, tmp_path, monkeypatch):
    out, trained = tmp_path / "run", []
    from minigan.toy import seeds
    real = seeds.watch

    def watch(plan, seed):
        trained.append(seed)
        if trained == [0, 1]:
            raise KeyboardInterrupt
        return real(plan, seed)

    monkeypatch.setattr(seeds, "watch", watch)
    with pytest.raises(KeyboardInterrupt):
        ToyRun(Plan("grid", "gan"), out).train(range(2))
    assert not (out / "seed-1.json").exists() and not list(out.glob("*.part"))
    kept = (out / "seed-0.json").read_bytes()
    run = ToyRun(Plan("grid", "gan"), out)
    run.train(range(2))
    assert trained == [0, 1, 1] and (out / "seed-0.json").read_bytes() == kept
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["toy.json", "report.json", *(f"seed-{i}.{kind}" for i in range(2)
                                      for kind in ("json", "png"))])
    report = json.loads((out / "report.json").read_text())
    assert list(report["by_seed"]) == ["0", "1"] and report["seeds"] == 2
    assert report["near"]["mean"] == pytest.approx(
        np.mean([score.near for score in run.scores(range(2)).values()]))


def test_an_empty_folder_will_do_and_what_began_can_be_opened_by_others(tiny, tmp_path):
    ToyRun(Plan("ring"), tmp_path).begin()
    began = (tmp_path / "toy.json").read_bytes()
    again = ToyRun(Plan("ring"), tmp_path)
    again.begin()
    assert (tmp_path / "toy.json").read_bytes() == began and again.scores(range(3)) == {}


def test_a_picture_that_fails_loses_no_seed(tiny, tmp_path, monkeypatch):
    def fail(*given):
        raise PermissionError(13, "Permission denied", "x.png")

    monkeypatch.setattr("minigan.toy.seeds.picture", fail)
    run = ToyRun(Plan("ring", "gan", "minigan", 12), tmp_path / "out")
    with pytest.warns(UserWarning, match=r"seed-0\.png could not be written \(x\.png: permission"):
        run.train([0])
    assert len(run.scores([0])) == 1 and (tmp_path / "out/report.json").is_file()


def test_the_command(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main("toy ring --loss pacgan2 --seeds 2 --steps 3".split()) == 0
    said = capsys.readouterr().out
    assert "3 steps of 8 packs of 2; seeds 0 to 1" in said and "of 2 seeds" in said
    assert (tmp_path / "runs/toy-ring-pacgan2/seed-1.png").stat().st_size > 10_000
    assert main("toy ring --loss pacgan2 --seeds 2 --steps 3".split()) == 0
    assert "2 of them done before" in capsys.readouterr().out


@pytest.mark.parametrize("words, says", [
    ("toy square", "argument ring|grid|swissroll: invalid choice: 'square'"),
    ("toy ring --loss gna", "argument --loss: invalid choice: 'gna'"),
    ("toy ring --protocol x", "argument --protocol: invalid choice: 'x'"),
    ("toy ring --seeds 0", "argument --seeds: must be 1 or more, got 0"),
    ("toy ring --steps 1.5", "argument --steps: '1.5' is not a whole number"),
])
def test_bad_words(words, says, capsys):
    with pytest.raises(SystemExit) as end:
        main(words.split())
    assert end.value.code == 2 and says in capsys.readouterr().err


def test_bad_plans_and_places(tiny, tmp_path):
    for given, says in (({"points": "disc"}, "points must be one of 'ring', 'grid'"),
                        ({"points": "ring", "loss": "x"}, "loss must be one of 'gan'"),
                        ({"points": "ring", "protocol": "x"}, "protocol must be one of"),
                        ({"points": "ring", "steps": 0}, "steps must be a whole number of 1")):
        with pytest.raises(ValueError, match=says):
            Plan(**given)
    ToyRun(Plan("ring"), tmp_path / "run").train([0])
    with pytest.raises(ValueError, match=r"holds a toy run with loss rpgan-r1-r2, not gan; steps "
                                         r"6, not 7; choose another"):
        ToyRun(Plan("ring", "gan", steps=7), tmp_path / "run")
    (tmp_path / "else.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists and is not a toy run"):
        ToyRun(Plan("ring"), tmp_path)
    with pytest.raises(ValueError, match="seeds: there are none"):
        ToyRun(Plan("ring"), tmp_path / "run").train([])


def test_what_is_not_finite_ends_with_a_sentence(tiny, monkeypatch):
    monkeypatch.setitem(GAMES, "gan", dataclasses.replace(GAMES["gan"], rate=1e30))
    with pytest.raises(FloatingPointError, match="ring-gan, seed 0: at step .* losses are"):
        list(watch(Plan("ring", "gan", steps=50), 0))


# The report.

def test_mean_range_and_floor():
    scores = [ModeScores(8, 8, 0.9, 0.01, 0.8, 1.0), ModeScores(8, 7, 0.7, 0.2, 0.0, 1.0)]
    found = summary(scores)
    assert found["found"] == {"mean": 7.5, "least": 7, "most": 8}
    assert found["within_bounds"] == 1 and found["seeds"] == 2
    assert cell("near", found["near"]) == "80.0% (70.0% to 90.0%)"
    assert cell("deviation", found["deviation"]) == "1.00"
    real = floor(Plan("ring"))
    assert real.near == pytest.approx(0.989, abs=0.006) and not real.failed
    text = lines(scores, real)
    assert len({line.index("real points") for line in text[:1]}) == 1
    assert text[1].split() == ["modes", "found,", "of", "8", "7.5", "(7", "to", "8)", "8", "all"]
    assert f"{real.near:.1%}" in text[2] and text[3].endswith("at most 0.1")
    assert "parts of the roll found" in lines(scores, real, Plan("swissroll").parts)[1]
    assert text[-1] == "within all bounds: 1 of 2 seeds"
