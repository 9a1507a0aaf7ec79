"""The small GPT of the course: the same numbers on every engine and in PyTorch, and names of its own."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import autodiff
from benchmarks.compiled_microgpt import ENGINES, agreement, torch_cost, torch_weights
from lessons import gpt


def test_the_names_are_distinct_and_of_both_languages():
    """Five hundred or more; none stands twice; letters as both languages write them, nine at most."""
    assert len(set(gpt.NAMES)) == len(gpt.NAMES) >= 500
    assert {"íñigo", "sofía", "elizabeth", "harry"} <= set(gpt.NAMES)
    assert all(name == name.lower() and name.isalpha() and len(name) <= 9 for name in gpt.NAMES)
    learnt, kept = gpt.held_out()
    assert sorted([*learnt, *kept]) == sorted(gpt.NAMES)


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "compiled"])
def test_losses_of_training_are_the_same_on_every_engine(engine):
    """Values, the compiled program, its text under JAX, a micrograd-style engine and PyTorch's tensors with its own Adam."""
    package = {"its text, jax.jit": "jax", "PyTorch, tensors": "torch"}.get(engine)
    if package:
        pytest.importorskip(package)
    steps, size = (3, 1) if "style" in engine else (12, 2)
    losses = {name: list(ENGINES[name](steps, size)) for name in ("compiled", engine)}
    assert len(losses["compiled"]) == len(losses[engine]) == steps
    assert losses["compiled"][-1] != losses["compiled"][0]
    agreement(losses)


def test_losses_that_differ_are_told():
    """One part in a hundred million is too much."""
    with pytest.raises(AssertionError, match=r"losses differ by 1\.0e-08"):
        agreement({"one": [2.0, 3.0], "other": [2.0, 3.0 * (1 + 1e-8)]})


def test_value_and_gradient_are_those_of_pytorch():
    """Cost of each name and the mean's derivative by each of the 4,288 weights, names of several lengths padded."""
    torch = pytest.importorskip("torch")
    data = gpt.padded(["ana", "elizabeth", "luz", "íñigo"])
    model = gpt.GPT(random_state=0)
    program = autodiff.compile(model.cost)
    _, gradient = program.value_and_grad(*data)
    W = torch_weights()
    costs = torch_cost(W, *data)
    costs.mean().backward()
    assert program(*data) == pytest.approx(costs.tolist(), rel=1e-12)
    place = {id(p): i for i, p in enumerate(program.parameters)}
    ours = gradient[[place[id(p)] for p in model.parameters()]]
    theirs = torch.cat([W[name].grad.ravel() for name in gpt.SHAPES]).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_a_name_costs_the_same_with_and_without_what_is_filled_up():
    """A place after the end has no share and no influence, since attention looks back alone."""
    model = gpt.GPT(random_state=0)
    short = model.cost(*gpt.sample("ana"))
    letters, following, shares = (part[0].tolist() for part in gpt.padded(["ana"]))
    letters[5:] = [7.0] * len(letters[5:])
    assert model.cost(letters, following, shares).data == pytest.approx(short.data, rel=1e-14)


def test_attention_and_blame_are_those_of_pytorch():
    """Shares of every head, and the length of ∂(surprise at a letter)/∂(what stands for a letter read)."""
    torch = pytest.importorskip("torch")
    model, seen = gpt.GPT(random_state=0), {}
    torch_cost(torch_weights(), *(np.array([part], dtype=float) for part in gpt.sample("elena")), seen=seen)
    np.testing.assert_allclose(gpt.attention(model, "elena"), seen["attention"][0].detach().numpy(), rtol=1e-12)
    slopes = [
        torch.autograd.grad(each, seen["inputs"], retain_graph=True)[0][0].norm(dim=-1) for each in seen["surprise"][0]
    ]
    np.testing.assert_allclose(gpt.blame(model, "elena"), torch.stack(slopes).numpy(), rtol=1e-11, atol=1e-15)


@pytest.fixture(scope="module")
def trained():
    """The model after the lesson's own training, and the costs on the way."""
    model = gpt.GPT(random_state=0)
    return model, gpt.train(model, gpt.held_out()[0])


def test_it_learns_more_than_a_table_of_pairs(trained):
    """At names it never saw, its surprise is below that of counted pairs of letters (one added to each count)."""
    model, costs = trained
    learnt, kept = gpt.held_out()
    pairs = Counter(pair for name in learnt for pair in pairwise(gpt.numbers(name)))
    counts = np.array([[1.0 + pairs[i, j] for j in range(len(gpt.ALPHABET))] for i in range(len(gpt.ALPHABET))])
    table = -np.log(counts / counts.sum(axis=1, keepdims=True))
    of_pairs = np.mean([np.mean([table[pair] for pair in pairwise(gpt.numbers(name))]) for name in kept])
    assert costs[0] > np.log(len(gpt.ALPHABET)) - 0.5
    assert autodiff.compile(model.cost)(*gpt.padded(kept)).mean() < of_pairs


def test_it_writes_names_from_seeds(trained):
    """The same name from the same seed, letters alone, most of them in no list, and none of a single kind."""
    model, _ = trained
    written = [model.write(random_state=seed) for seed in range(60)]
    assert written == [model.write(random_state=seed) for seed in range(60)]
    assert all(set(name) <= set(gpt.ALPHABET) - {gpt.END} and len(name) <= gpt.PLACES for name in written)
    assert len(set(written)) > 50
    vowels = set("aeiouyáéíóú")
    assert np.mean([bool(set(name) & vowels) for name in written]) > 0.9


def test_a_cold_model_writes_what_is_likeliest(trained):
    """Near temperature 0 every seed gives the name of the largest scores, letter by letter."""
    model, _ = trained
    likeliest, memory, plain = "", gpt.Memory(), model.numbers()
    for place in range(gpt.PLACES):
        scores = plain.scores(gpt.ALPHABET.index((gpt.END + likeliest)[-1]), place, memory)
        if (letter := gpt.ALPHABET[int(np.argmax(scores))]) == gpt.END:
            break
        likeliest += letter
    assert {model.write(random_state=seed, temperature=1e-3) for seed in range(3)} == {likeliest}


def test_the_command_trains_writes_and_draws(tmp_path, capsys):
    """It says what it learnt, counts the names that no list has, and leaves pictures for both kinds of paper."""
    pytest.importorskip("matplotlib", reason="it draws with matplotlib, the extra `plots`")
    gpt.main(["--steps", "30", "--write", "5", "--name", "luz", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    names = said.splitlines()[-6].split()
    assert len(names) == 5
    unseen = sum(name.endswith("*") for name in names)
    assert unseen == sum(name.strip("*") not in gpt.NAMES for name in names)
    assert f"* {unseen} of 5 are in no list" in said
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == ["gpt-attention-dark.png", "gpt-attention.png", "gpt-delta-dark.png", "gpt-delta.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_the_benchmark_gives_losses_and_times_in_a_process_of_its_own():
    """As many of each as there are steps."""
    from benchmarks.compiled_microgpt import in_a_process

    run = in_a_process("compiled", 3, 1)
    assert len(run["losses"]) == len(run["times"]) == 3
    assert all(later > earlier for earlier, later in pairwise(run["times"]))
