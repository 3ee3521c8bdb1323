"""What networks are made of: losses, norms, blocks, an optimiser."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator

f4 = np.float32


def normal(*shape: int, scale: float = 1.0) -> Any:
    return (generator().standard_normal(shape) * scale).astype(f4)


# ---- softmax cross entropy


def cross_entropy(np: Any, x: Any, labels: Any) -> Any:
    x = x - np.max(x, axis=1, keepdims=True)
    picked = x[np.arange(x.shape[0]), labels]
    return np.mean(np.log(np.sum(np.exp(x), axis=1)) - picked)


def cross_entropy_by_hand(x: Any, labels: Any) -> Any:
    n = len(x)
    rows = np.arange(n)

    def call() -> Any:
        o = x - x.max(1, keepdims=True)
        picked = o[rows, labels]
        np.exp(o, out=o)
        total = o.sum(1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - picked)
        o /= total * f4(n)
        o[rows, labels] -= f4(1 / n)
        return loss, o

    return call


def cross_entropy_jax(lib: Any, x: Any, labels: Any) -> Any:
    def f(x: Any, labels: Any) -> Any:
        picked = lib.np.take_along_axis(lib.jax.nn.log_softmax(x), labels[:, None], 1)
        return -picked.mean()

    return lib.gradient(f, x, labels)


def cross_entropy_row(n: int, m: int) -> Row:
    def ours(lib: Any, x: Any, labels: Any) -> Any:
        return lib.gradient(lib.ga.nn.functional.cross_entropy, x, labels)

    return Row(
        f"softmax cross entropy and gradient, {n}x{m}",
        lambda: (normal(n, m), generator().integers(0, m, n)),
        cross_entropy_by_hand,
        lambda lib, x, labels: lib.gradient(lambda x, y: cross_entropy(lib.np, x, y), x, labels),
        own={
            "gradarg": ours,
            "gradarg jit": ours,
            "torch": lambda lib, x, y: lib.gradient(lib.torch.nn.functional.cross_entropy, x, y),
            "torch.compile": lambda lib, x, y: lib.gradient(
                lib.torch.nn.functional.cross_entropy, x, y
            ),
            "jax jit": cross_entropy_jax,
            "mygrad": lambda lib, x, y: lib.gradient(
                lambda x: lib.mg.nnet.losses.softmax_crossentropy(x, y), x
            ),
        },
        bytes=8 * n * m,
        target=0.5,
    )


# ---- layer norm


def layer_norm(np: Any, x: Any, g: Any, b: Any) -> Any:
    d = x - np.mean(x, axis=1, keepdims=True)
    return d / np.sqrt(np.mean(d * d, axis=1, keepdims=True) + 1e-5) * g + b


def layer_norm_by_hand(x: Any, g: Any, b: Any, c: Any) -> Any:
    def call() -> Any:
        d = x - x.mean(1, keepdims=True)
        r = 1 / np.sqrt((d * d).mean(1, keepdims=True) + f4(1e-5))
        d *= r
        out = d * g
        out += b
        cg = c * g
        dx = cg - cg.mean(1, keepdims=True)
        cg *= d
        dx -= d * cg.mean(1, keepdims=True)
        dx *= r
        return out, (dx, (c * d).sum(0), c.sum(0))

    return call


def layer_norm_torch(lib: Any, x: Any, g: Any, b: Any, c: Any) -> Any:
    norm = lib.torch.nn.functional.layer_norm
    return lib.pullback(lambda x, g, b: norm(x, (256,), g, b, 1e-5), c, x, g, b, to=3)


# ---- GELU blocks


def gelu_block(lib: Any, x: Any, w: Any, b: Any) -> Any:
    h = x @ w + b
    return h * (0.5 + 0.5 * lib.special.erf(h * 0.7071067811865476))


def gelu_by_hand(x: Any, w: Any, b: Any, c: Any) -> Any:
    from scipy.special import erf

    def call() -> Any:
        h = x @ w
        h += b
        p = h * f4(0.5**0.5)
        erf(p, out=p)
        p *= f4(0.5)
        p += f4(0.5)
        out = h * p
        d = h * h
        d *= f4(-0.5)
        np.exp(d, out=d)
        d *= f4((2 * np.pi) ** -0.5)
        d *= h
        d += p
        d *= c
        return out, (d @ w.T, x.T @ d, d.sum(0))

    return call


def gelu_row(n: int, k: int, m: int, quick: bool) -> Row:
    def torch(lib: Any, x: Any, w: Any, b: Any, c: Any) -> Any:
        gelu = lib.torch.nn.functional.gelu
        return lib.pullback(lambda x, w, b: gelu(lib.torch.addmm(b, x, w)), c, x, w, b, to=3)

    def jax(lib: Any, x: Any, w: Any, b: Any, c: Any) -> Any:
        gelu = lib.jax.nn.gelu
        return lib.pullback(lambda x, w, b: gelu(x @ w + b, approximate=False), c, x, w, b, to=3)

    return Row(
        f"GELU(x @ W + b), all gradients, {n}x{k}x{m}",
        lambda: (normal(n, k), normal(k, m, scale=k**-0.5), normal(m), normal(n, m)),
        gelu_by_hand,
        lambda lib, x, w, b, c: lib.pullback(
            lambda x, w, b: gelu_block(lib, x, w, b), c, x, w, b, to=3
        ),
        own={"torch": torch, "torch.compile": torch, "jax jit": jax, "mygrad": None},
        bytes=4 * (2 * n * k + 2 * k * m + 2 * n * m),
        flops=6 * n * k * m,
        tolerance=2e-5,
        quick=quick,
    )


# ---- Adam

LR, B1, B2, EPS = 1e-3, 0.9, 0.999, 1e-8


def adam(np: Any, p: Any, g: Any, m: Any, v: Any) -> Any:
    m = B1 * m + (1 - B1) * g
    v = B2 * v + (1 - B2) * (g * g)
    return p - LR / (1 - B1) * m / (np.sqrt(v) / (1 - B2) ** 0.5 + EPS), m, v


def adam_by_hand(p: Any, g: Any, m: Any, v: Any) -> Any:
    t = np.empty_like(p)
    p, m, v = p.copy(), m.copy(), v.copy()

    def call() -> Any:  # in place
        np.multiply(m, f4(B1), out=m)
        np.multiply(g, f4(1 - B1), out=t)
        np.add(m, t, out=m)
        np.multiply(v, f4(B2), out=v)
        np.multiply(g, g, out=t)
        np.multiply(t, f4(1 - B2), out=t)
        np.add(v, t, out=v)
        np.sqrt(v, out=t)
        np.multiply(t, f4((1 - B2) ** -0.5), out=t)
        np.add(t, f4(EPS), out=t)
        np.divide(m, t, out=t)
        np.multiply(t, f4(LR / (1 - B1)), out=t)
        np.subtract(p, t, out=p)
        return p, m, v

    return call


def adam_torch(lib: Any, p: Any, g: Any, m: Any, v: Any) -> Any:
    p = p.requires_grad_()
    p.grad = g
    optimizer = lib.torch.optim.Adam([p], lr=LR, betas=(B1, B2), eps=EPS, fused=True)

    def call() -> Any:
        optimizer.step()
        return (p.detach(), *(optimizer.state[p][k] for k in ("exp_avg", "exp_avg_sq")))

    return call


def adam_ours(lib: Any, p: Any, g: Any, m: Any, v: Any) -> Any:
    p = lib.ga.Tensor(p, requires_grad=True)
    p.grad = lib.ga.Tensor(g)
    optimizer = lib.ga.optim.Adam([p], lr=LR, betas=(B1, B2), eps=EPS)
    step = lib.made(lambda optimizer: optimizer.step())

    def call() -> Any:
        step(optimizer)
        return p

    return call


ADAM = 2_000_000

# ---- an embedding: the rows of a table, by tokens


def embedding_by_hand(w: Any, tokens: Any, c: Any) -> Any:
    def call() -> Any:
        dw = np.zeros_like(w)
        np.add.at(dw, tokens, c)
        return w[tokens], (dw,)

    return call


def embedding_torch(lib: Any, w: Any, tokens: Any, c: Any) -> Any:
    return lib.pullback(
        lambda w, tokens: lib.torch.nn.functional.embedding(tokens, w), c, w, tokens
    )


def embedding_row(words: int, width: int, tokens: int) -> Row:
    return Row(
        f"embedding, value and gradient, {tokens} tokens of {words}x{width}",
        lambda: (
            normal(words, width), generator().integers(0, words, tokens), normal(tokens, width)
        ),
        embedding_by_hand,
        lambda lib, w, tokens, c: lib.pullback(lambda w, tokens: w[tokens], c, w, tokens),
        own={"torch": embedding_torch, "torch.compile": embedding_torch, "mygrad": None},
        bytes=4 * width * (words + 5 * tokens),
    )  # fmt: skip


ROWS = [
    embedding_row(5000, 64, 4096),
    cross_entropy_row(256, 1000),
    cross_entropy_row(4096, 50),
    Row(
        "layer norm, all gradients, 4096x256",
        lambda: (normal(4096, 256), normal(256), normal(256), normal(4096, 256, scale=0.5)),
        layer_norm_by_hand,
        lambda lib, x, g, b, c: lib.pullback(
            lambda x, g, b: layer_norm(lib.np, x, g, b), c, x, g, b, to=3
        ),
        own={"torch": layer_norm_torch, "torch.compile": layer_norm_torch},
        bytes=16 * 4096 * 256,
        target=0.6,
        tolerance=2e-5,
    ),
    gelu_row(256, 1024, 1024, True),
    gelu_row(4096, 256, 1024, False),
    Row(
        "Adam, 2e6 parameters",
        lambda: (normal(ADAM), normal(ADAM, scale=0.1), np.zeros(ADAM, f4), np.zeros(ADAM, f4)),
        adam_by_hand,
        lambda lib, *args: lib.apply(lambda *args: adam(lib.np, *args), *args),
        own={
            "gradarg": adam_ours,
            "gradarg jit": adam_ours,
            "torch": adam_torch,
            "torch.compile": lambda lib, *args: lib.apply(lambda *a: adam(lib.torch, *a), *args),
            "autograd": None,
            "mygrad": None,
        },
        bytes=28 * ADAM,
        target=0.9,
    ),
]
