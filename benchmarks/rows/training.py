"""Whole training steps: forward, loss, backward, and the optimiser's update."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from _row import Row, generator

f4 = np.float32
RATE, B1, B2, EPS = {"SGD": 1e-2, "Adam": 1e-3}, 0.9, 0.999, 1e-8
STEPS = 3  # whose losses are compared: the later ones tell of the updates


def data(sizes: tuple[int, ...], batch: int) -> tuple[Any, ...]:
    """A weight (in, out) and a bias for each layer, the batch, its labels."""
    random = generator()
    weights = []
    for k, m in pairwise(sizes):
        weights += [random.standard_normal((k, m)) * k**-0.5, random.standard_normal(m) * 0.1]
    x = random.standard_normal((batch, sizes[0]))
    labels = random.integers(0, sizes[-1], batch)
    return (*(a.astype(f4) for a in (*weights, x)), labels)


def by_hand(rule: str) -> Any:
    def made(*arrays: Any) -> Any:
        *weights, x, labels = arrays
        weights = [w.copy() for w in weights]
        moments = [(np.zeros_like(w), np.zeros_like(w), np.empty_like(w)) for w in weights]
        n, rows, done = len(x), np.arange(len(x)), [0]

        def call() -> Any:
            h, hidden = x, [x]
            for w, b in zip(weights[:-2:2], weights[1:-2:2]):
                h = h @ w
                h += b
                np.maximum(h, 0, out=h)
                hidden.append(h)
            o = h @ weights[-2]
            o += weights[-1]
            o -= o.max(1, keepdims=True)
            picked = o[rows, labels]
            np.exp(o, out=o)
            total = o.sum(1, keepdims=True)
            loss = np.mean(np.log(total[:, 0]) - picked)
            o /= total * f4(n)
            o[rows, labels] -= f4(1 / n)
            done[0] += 1
            for k in range(len(hidden) - 1, -1, -1):
                gradients, h = (hidden[k].T @ o, o.sum(0)), hidden[k]
                if k:
                    o = o @ weights[2 * k].T
                    o *= h > 0
                for i, g in enumerate(gradients):
                    updated(rule, weights[2 * k + i], g, *moments[2 * k + i], done[0])
            return loss

        return call

    return made


def updated(rule: str, w: Any, g: Any, m: Any, v: Any, t: Any, step: int) -> None:
    """A weight after a step, in place; t is memory to work in."""
    if rule == "SGD":
        g *= f4(RATE[rule])
        w -= g
        return
    m *= f4(B1)
    m += np.multiply(g, f4(1 - B1), out=t)
    v *= f4(B2)
    g *= g
    v += np.multiply(g, f4(1 - B2), out=t)
    np.sqrt(v, out=t)
    t *= f4((1 - B2**step) ** -0.5)
    t += f4(EPS)
    np.divide(m, t, out=t)
    t *= f4(RATE[rule] / (1 - B1**step))
    w -= t


def adam_by_hand(weights: Any) -> Any:
    """A function of gradients that updates the weights in place."""
    moments = [(np.zeros_like(w), np.zeros_like(w), np.empty_like(w)) for w in weights]
    done = [0]

    def update(gradients: Any) -> None:
        done[0] += 1
        for w, g, kept in zip(weights, gradients, moments):
            updated("Adam", w, g, *kept, done[0])

    return update


def pure(rule: str) -> Any:
    """A step as a function of weights and state. Large ones are donated, as to JAX; new memory for
    small ones is sooner had than theirs is found to be free."""

    def build(lib: Any, *arrays: Any) -> Any:
        ga = lib.ga
        *weights, x, labels = arrays
        method = getattr(ga.optim, rule.lower())(RATE[rule])

        def loss_of(weights: Any, x: Any, labels: Any) -> Any:
            return ga.nn.functional.cross_entropy(forward(np, weights, x), labels)

        def step(weights: Any, state: Any, x: Any, labels: Any) -> Any:
            loss, gradients = ga.value_and_grad(loss_of)(weights, x, labels)
            steps, state = method.update(gradients, state, weights)
            return loss, ga.tree.map(np.add, weights, steps), state

        run = ga.jit(step, donate_argnums=(0, 1) if weights[0].nbytes > 1 << 20 else ())
        kept = [[w.copy() for w in weights], method.init(weights)]  # what was passed is not ours
        kept[1]["step"] = np.float32(0)

        def call() -> Any:
            loss, *kept[:] = run(*kept, x, labels)
            return loss

        return call

    return build


def imperative(rule: str) -> Any:
    """A step as one writes it in PyTorch."""

    def build(lib: Any, *arrays: Any) -> Any:
        ga = lib.ga
        *weights, x, labels = arrays
        model = network(ga.nn, weights)
        for p, w in zip(model.parameters(), weights):
            p.value = w.T
        optimizer = getattr(ga.optim, rule)(model.parameters(), lr=RATE[rule])

        def step(model: Any, optimizer: Any, x: Any, labels: Any) -> Any:
            optimizer.zero_grad()
            loss = ga.nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        run = lib.made(step)
        return lambda: run(model, optimizer, x, labels)

    return build


def network(nn: Any, weights: Any) -> Any:
    layers: list[Any] = []
    for w in weights[::2]:
        layers += [nn.Linear(*w.shape), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def torch(rule: str) -> Any:
    def build(lib: Any, *arrays: Any) -> Any:
        *weights, x, labels = arrays
        model = network(lib.torch.nn, weights)
        with lib.torch.no_grad():
            for p, w in zip(model.parameters(), weights):
                p.copy_(w.T)
        optimizer = getattr(lib.torch.optim, rule)(model.parameters(), lr=RATE[rule], fused=True)
        entropy = lib.torch.nn.functional.cross_entropy
        loss_of = lib.made(lambda x, labels: entropy(model(x), labels))

        def call() -> Any:
            optimizer.zero_grad()
            loss = loss_of(x, labels)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return call

    return build


def forward(np: Any, weights: Any, x: Any) -> Any:
    for w, b in zip(weights[:-2:2], weights[1:-2:2]):
        x = np.maximum(x @ w + b, 0)
    return x @ weights[-2] + weights[-1]


def jax(rule: str) -> Any:
    def build(lib: Any, *arrays: Any) -> Any:
        jax, np = lib.jax, lib.np

        def loss_of(weights: Any, x: Any, labels: Any) -> Any:
            scores = jax.nn.log_softmax(forward(np, weights, x))
            return -np.take_along_axis(scores, labels[:, None], 1).mean()

        return stepping_jax(lib, rule, loss_of, *arrays)

    return build


def stepping_jax(lib: Any, rule: str, loss_of: Any, *arrays: Any) -> Any:
    """Steps by the gradient of a loss of the weights, a batch and its labels."""
    jax, np = lib.jax, lib.np
    *weights, x, labels = arrays

    def step(weights: Any, state: Any, x: Any, labels: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, labels)
        if rule == "SGD":
            return loss, [w - RATE[rule] * g for w, g in zip(weights, gradients)], state
        t, ms, vs = state
        t = t + 1
        ms = [B1 * m + (1 - B1) * g for m, g in zip(ms, gradients)]
        vs = [B2 * v + (1 - B2) * g * g for v, g in zip(vs, gradients)]
        a, b = RATE[rule] / (1 - B1**t), (1 - B2**t) ** -0.5
        after = [w - a * m / (np.sqrt(v) * b + EPS) for w, m, v in zip(weights, ms, vs)]
        return loss, after, (t, ms, vs)

    run = jax.jit(step, donate_argnums=(0, 1))
    zeros = lambda: [np.zeros_like(w) for w in weights]
    kept = [[np.array(w) for w in weights], ()]  # copies: what was passed is not ours to donate
    if rule == "Adam":
        kept[1] = (np.zeros((), np.float32), zeros(), zeros())

    def call() -> Any:
        loss, *kept[:] = run(*kept, x, labels)
        return jax.block_until_ready((loss, kept))[0]

    return call


def autograd(rule: str) -> Any:
    def build(lib: Any, *arrays: Any) -> Any:
        *weights, x, labels = arrays
        anp, rows = lib.np, np.arange(len(x))

        def loss_of(weights: Any) -> Any:
            o = forward(anp, weights, x)
            o = o - anp.max(o, axis=1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(o), axis=1)) - o[rows, labels])

        both = lib.ag.value_and_grad(loss_of)

        def call() -> Any:
            loss, gradients = both(weights)
            for w, g in zip(weights, gradients):
                w -= f4(RATE[rule]) * g
            return loss

        return call

    return build


def mygrad(rule: str) -> Any:
    def build(lib: Any, *arrays: Any) -> Any:
        *arrays, x, labels = arrays
        weights = [lib.mg.tensor(a) for a in arrays]
        entropy = lib.mg.nnet.losses.softmax_crossentropy

        def call() -> Any:
            loss = entropy(forward(lib.mg, weights, x), labels)
            loss.backward()
            for w in weights:
                w.data -= f4(RATE[rule]) * w.grad
            return loss.data

        return call

    return build


def row(rule: str, *sizes: int, batch: int, target: float, form: Any = pure) -> Row:
    layers = list(pairwise(sizes))
    count = sum((k + 1) * m for k, m in layers)
    plain = rule == "SGD"
    return Row(
        f"training step, {rule}, {'-'.join(map(str, sizes))}, batch {batch}"
        + (", imperative" if form is imperative else ""),
        lambda: data(sizes, batch),
        by_hand(rule),
        imperative(rule),
        own={
            "gradarg jit": form(rule),
            "torch": torch(rule),
            "torch.compile": torch(rule),
            "jax jit": jax(rule),
            "autograd": autograd(rule) if plain else None,
            "mygrad": mygrad(rule) if plain else None,
        },
        bytes=(8 if plain else 24) * count,
        flops=2 * batch * (3 * sum(k * m for k, m in layers) - sizes[0] * sizes[1]),
        calls=STEPS,
        target=target,
        quick=form is pure and (rule == "Adam" or sizes[1] < 1024),
    )


ROWS = [
    row("SGD", 64, 32, 10, batch=64, target=0.4),
    row("Adam", 64, 32, 10, batch=64, target=0.4),
    row("SGD", 784, 128, 10, batch=64, target=0.65),
    row("Adam", 784, 128, 10, batch=64, target=0.65),
    row("SGD", 64, 32, 10, batch=64, target=0.4, form=imperative),
    row("Adam", 784, 128, 10, batch=64, target=0.65, form=imperative),
    row("SGD", 784, 1024, 1024, 10, batch=256, target=1.0),
    row("Adam", 784, 1024, 1024, 10, batch=256, target=1.0),
]
