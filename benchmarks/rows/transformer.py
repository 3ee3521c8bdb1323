"""A training step of a small transformer: causal attention, layer norm, GELU, and Adam."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from _row import Row, generator

from rows.training import EPS, RATE, adam_by_hand, stepping_jax

f4 = np.float32
LAYERS, WIDTH, HEADS, CONTEXT, BATCH, WORDS = 2, 64, 4, 64, 16, 128
EACH = 10  # arrays of a layer
TINY = 1e-5  # that a norm adds to the variance


def data() -> tuple[Any, ...]:
    """Embeddings of words and places; for each layer norm, attention, norm, two products with
    biases; a last norm and product. Then the words, and those that follow."""
    random = generator()

    def normal(*shape: int, scale: float | None = None) -> Any:
        return (random.standard_normal(shape) * (scale or shape[0] ** -0.5)).astype(f4)

    def norm() -> list[Any]:
        return [1 + normal(WIDTH, scale=0.1), normal(WIDTH, scale=0.1)]

    d = WIDTH
    weights = [normal(WORDS, d, scale=0.5), normal(CONTEXT, d, scale=0.5)]
    for _ in range(LAYERS):
        weights += [*norm(), normal(d, 3 * d), normal(d, d)]
        weights += [*norm(), normal(d, 4 * d), normal(4 * d), normal(4 * d, d), normal(d)]
    words = random.integers(0, WORDS, (BATCH, CONTEXT + 1))
    return (*weights, *norm(), normal(d, WORDS), words[:, :-1].copy(), words[:, 1:].copy())


def heads(x: Any) -> Any:
    """(B, T, 3 d) as queries, keys and values, of shape (B, heads, T, d / heads) each."""
    x = x.reshape(BATCH, CONTEXT, 3, HEADS, WIDTH // HEADS)
    return x[:, :, 0].swapaxes(1, 2), x[:, :, 1].swapaxes(1, 2), x[:, :, 2].swapaxes(1, 2)


def joined(x: Any) -> Any:
    return x.swapaxes(1, 2).reshape(BATCH, CONTEXT, WIDTH)


def loss_of(ops: Any, weights: Any, words: Any, following: Any) -> Any:
    """The cross entropy, in a library's own norm, attention, GELU and entropy."""
    x = weights[0][words] + weights[1]
    for k in range(2, 2 + EACH * LAYERS, EACH):
        g1, b1, qkv, out, g2, b2, w1, c1, w2, c2 = weights[k : k + EACH]
        x = x + joined(ops.attention(*heads(ops.norm(x, g1, b1) @ qkv))) @ out
        x = x + ops.gelu(ops.norm(x, g2, b2) @ w1 + c1) @ w2 + c2
    g, b, last = weights[-3:]
    return ops.entropy((ops.norm(x, g, b) @ last).reshape(-1, WORDS), following.reshape(-1))


def plain(np: Any, special: Any, softmax: Any, entropy: Any) -> Any:
    """The operations that a library leaves to its user, in its NumPy names."""

    def norm(x: Any, g: Any, b: Any) -> Any:
        d = x - np.mean(x, axis=-1, keepdims=True)
        return d / np.sqrt(np.mean(d * d, axis=-1, keepdims=True) + TINY) * g + b

    def attention(q: Any, k: Any, v: Any) -> Any:
        scores = q @ k.swapaxes(-1, -2) * (WIDTH // HEADS) ** -0.5
        return softmax(np.where(past(), scores, -np.inf)) @ v

    return SimpleNamespace(
        norm=norm,
        attention=attention,
        gelu=lambda x: x * (0.5 + 0.5 * special.erf(x * 0.5**0.5)),
        entropy=entropy,
    )


def past() -> Any:
    """Which words each word sees: itself and those before it."""
    return np.tri(CONTEXT, dtype=bool)


# ---- by hand


def norm_of(x: Any, g: Any, b: Any) -> Any:
    d = x - x.mean(-1, keepdims=True)
    r = 1 / np.sqrt((d * d).mean(-1, keepdims=True) + f4(TINY))
    d *= r
    return d * g + b, (d, r)


def norm_back(c: Any, d: Any, r: Any, g: Any) -> Any:
    sums = [(c * d).sum((0, 1)), c.sum((0, 1))]
    c = c * g
    inner = (c * d).mean(-1, keepdims=True)
    return (c - c.mean(-1, keepdims=True) - d * inner) * r, *sums


def product_back(x: Any, w: Any, c: Any) -> Any:
    """What c pulls back to, of x @ w: for x and w."""
    flat = c.reshape(-1, c.shape[-1])
    return c @ w.T, x.reshape(-1, x.shape[-1]).T @ flat


def by_hand(*arrays: Any) -> Any:
    from scipy.special import erf

    *weights, words, following = arrays
    weights = [w.copy() for w in weights]
    update = adam_by_hand(weights)
    hidden, scale, n = ~past(), f4((WIDTH // HEADS) ** -0.5), words.size
    rows, labels = np.arange(n), following.reshape(-1)

    def layer(x: Any, g1: Any, b1: Any, qkv: Any, out: Any, g2: Any, b2: Any,
              w1: Any, c1: Any, w2: Any, c2: Any) -> Any:  # fmt: skip
        a, norm1 = norm_of(x, g1, b1)
        q, k, v = heads(a @ qkv)
        p = q @ k.swapaxes(-1, -2) * scale
        p[..., hidden] = -np.inf
        p -= p.max(-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(-1, keepdims=True)
        o = joined(p @ v)
        x = x + o @ out
        m, norm2 = norm_of(x, g2, b2)
        h = m @ w1 + c1
        cdf = (erf(h * f4(0.5**0.5)) + 1) * f4(0.5)
        y = h * cdf
        return x + y @ w2 + c2, (a, norm1, q, k, v, p, o, m, norm2, h, cdf, y)

    def layer_back(c: Any, kept: Any, g1: Any, _b1: Any, qkv: Any, out: Any, g2: Any, _b2: Any,
                   w1: Any, _c1: Any, w2: Any, _c2: Any) -> Any:  # fmt: skip
        a, norm1, q, k, v, p, o, m, norm2, h, cdf, y = kept
        cy, dw2 = product_back(y, w2, c)
        dc2 = c.sum((0, 1))
        cy *= cdf + h * np.exp(h * h * f4(-0.5)) * f4((2 * np.pi) ** -0.5)
        cm, dw1 = product_back(m, w1, cy)
        dc1 = cy.sum((0, 1))
        cx, dg2, db2 = norm_back(cm, *norm2, g2)
        c = c + cx
        co, dout = product_back(o, out, c)
        co = co.reshape(BATCH, CONTEXT, HEADS, -1).swapaxes(1, 2)
        cp = co @ v.swapaxes(-1, -2)
        cp -= (cp * p).sum(-1, keepdims=True)
        cp *= p * scale
        parts = cp @ k, cp.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ co
        together = np.concatenate([joined(part) for part in parts], -1)
        ca, dqkv = product_back(a, qkv, together)
        cx, dg1, db1 = norm_back(ca, *norm1, g1)
        return c + cx, [dg1, db1, dqkv, dout, dg2, db2, dw1, dc1, dw2, dc2]

    def call() -> Any:
        x, kept = weights[0][words] + weights[1], []
        layers = [weights[k : k + EACH] for k in range(2, 2 + EACH * LAYERS, EACH)]
        for each in layers:
            x, some = layer(x, *each)
            kept.append(some)
        g, b, last = weights[-3:]
        m, norm = norm_of(x, g, b)
        o = (m @ last).reshape(n, -1)
        o -= o.max(1, keepdims=True)
        picked = o[rows, labels]
        np.exp(o, out=o)
        total = o.sum(1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - picked)
        o /= total * f4(n)
        o[rows, labels] -= f4(1 / n)
        c, dlast = product_back(m, last, o.reshape(BATCH, CONTEXT, -1))
        c, dg, db = norm_back(c, *norm, g)
        gradients = [dg, db, dlast]
        for each, some in zip(layers[::-1], kept[::-1]):
            c, found = layer_back(c, some, *each)
            gradients = found + gradients
        embedded = np.zeros_like(weights[0])
        np.add.at(embedded, words, c)
        update([embedded, c.sum(0), *gradients])
        return loss

    return call


# ---- the libraries


def gradarg(lib: Any, *arrays: Any) -> Any:
    ga = lib.ga
    *weights, words, following = arrays
    functional = ga.nn.functional
    ops = plain(np, ga.special, functional.softmax, functional.cross_entropy)
    method = ga.optim.adam(RATE["Adam"])

    def step(weights: Any, state: Any, words: Any, following: Any) -> Any:
        both = ga.value_and_grad(lambda weights: loss_of(ops, weights, words, following))
        loss, gradients = both(weights)
        steps, state = method.update(gradients, state, weights)
        return loss, ga.tree.map(np.add, weights, steps), state

    run = lib.made(step)
    kept = [weights, method.init(weights)]
    kept[1]["step"] = np.float32(0)

    def call() -> Any:
        loss, *kept[:] = run(*kept, words, following)
        return loss

    return call


def torch(lib: Any, *arrays: Any) -> Any:
    *weights, words, following = arrays
    weights = [w.requires_grad_() for w in weights]
    functional = lib.torch.nn.functional
    ops = SimpleNamespace(
        norm=lambda x, g, b: functional.layer_norm(x, (WIDTH,), g, b, TINY),
        attention=lambda *qkv: functional.scaled_dot_product_attention(*qkv, is_causal=True),
        gelu=functional.gelu,
        entropy=functional.cross_entropy,
    )
    optimizer = lib.torch.optim.Adam(weights, lr=RATE["Adam"], eps=EPS, fused=True)
    loss_now = lib.made(lambda words, following: loss_of(ops, weights, words, following))

    def call() -> Any:
        optimizer.zero_grad()
        loss = loss_now(words, following)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return call


def jax(lib: Any, *arrays: Any) -> Any:
    jax, jnp = lib.jax, lib.np

    def entropy(scores: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1).mean()

    ops = plain(jnp, lib.special, jax.nn.softmax, entropy)
    ops.gelu = lambda x: jax.nn.gelu(x, approximate=False)
    return stepping_jax(lib, "Adam", lambda *args: loss_of(ops, *args), *arrays)


PRODUCTS = LAYERS * 12 * WIDTH**2 + WIDTH * WORDS
ATTENTION = LAYERS * 2 * BATCH * CONTEXT**2 * WIDTH

ROWS = [
    Row(
        f"training step, Adam, transformer, {LAYERS} layers of {WIDTH}, batch {BATCH}x{CONTEXT}",
        data,
        by_hand,
        gradarg,
        own={"torch": torch, "torch.compile": torch, "jax jit": jax, "autograd": None,
             "mygrad": None},
        bytes=24 * (PRODUCTS + WIDTH * (WORDS + CONTEXT)),
        flops=6 * (BATCH * CONTEXT * PRODUCTS + ATTENTION),
        tolerance=1e-4,
        calls=3,
    ),
]  # fmt: skip
