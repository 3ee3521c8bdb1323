"""A small transformer, in the names a user has: its jitted training steps are the eager ones."""

import numpy as np
import pytest

import gradarg as ga
from gradarg.nn import functional as F

BATCH, CONTEXT, WIDTH, HEADS, WORDS, LAYERS = 3, 7, 12, 2, 11, 2


def norm(x, g, b):
    d = x - np.mean(x, axis=-1, keepdims=True)
    return d / np.sqrt(np.mean(d * d, axis=-1, keepdims=True) + 1e-5) * g + b


def attention(x):
    """Causal, of several heads; x holds queries, keys and values."""
    x = x.reshape(BATCH, CONTEXT, 3, HEADS, WIDTH // HEADS)
    q, k, v = (x[:, :, i].swapaxes(1, 2) for i in range(3))
    scores = q @ k.swapaxes(-1, -2) * (WIDTH // HEADS) ** -0.5
    seen = np.tri(CONTEXT, dtype=bool)
    out = F.softmax(np.where(seen, scores, -np.inf)) @ v
    return out.swapaxes(1, 2).reshape(BATCH, CONTEXT, WIDTH)


def loss_of(weights, words, following):
    x = weights["words"][words] + weights["places"]
    for w in weights["layers"]:
        x = x + attention(norm(x, *w["norm1"]) @ w["qkv"]) @ w["out"]
        h = norm(x, *w["norm2"]) @ w["up"] + w["bias"]
        x = x + h * (0.5 + 0.5 * ga.special.erf(h * 0.5**0.5)) @ w["down"]
    scores = norm(x, *weights["norm"]) @ weights["last"]
    return F.cross_entropy(scores.reshape(-1, WORDS), following.reshape(-1))


def weights(dtype):
    random = np.random.default_rng(3)
    normal = lambda *shape: random.normal(0, 0.4, shape).astype(dtype)
    norm = lambda: (1 + normal(WIDTH), normal(WIDTH))
    layers = [
        {
            "norm1": norm(), "qkv": normal(WIDTH, 3 * WIDTH), "out": normal(WIDTH, WIDTH),
            "norm2": norm(), "up": normal(WIDTH, 4 * WIDTH), "bias": normal(4 * WIDTH),
            "down": normal(4 * WIDTH, WIDTH),
        }
        for _ in range(LAYERS)
    ]  # fmt: skip
    return {
        "words": normal(WORDS, WIDTH), "places": normal(CONTEXT, WIDTH), "layers": layers,
        "norm": norm(), "last": normal(WIDTH, WORDS),
    }  # fmt: skip


@pytest.mark.parametrize("backend", ["auto", "numpy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_the_eager_ones(dtype, backend):
    random = np.random.default_rng(4)
    text = random.integers(0, WORDS, (BATCH, CONTEXT + 1))
    words, following = text[:, :-1], text[:, 1:]
    method = ga.optim.adam(1e-2, eps=1e-3)  # so that no update is the sign of a rounding error

    def step(weights, state, words, following):
        loss, gradients = ga.value_and_grad(loss_of)(weights, words, following)
        steps, state = method.update(gradients, state, weights)
        return loss, ga.tree.map(np.add, weights, steps), state

    def steps(step):
        kept = weights(dtype), method.init(weights(dtype))
        losses = []
        for _ in range(3):
            loss, *kept = step(*kept, words, following)
            losses.append(loss)
        return losses, kept[0]

    losses, after = steps(ga.jit(step, backend=backend))
    expected, eager = steps(step)
    tolerance = 2e-5 if dtype is np.float32 else 1e-11
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    assert losses[2] < losses[0]

    def same(a, b):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

    ga.tree.map(same, after, eager)
