"""Step after step: a recurrent network, and a long recurrence of one number."""

from __future__ import annotations

from typing import Any

import numpy as np
from _row import Row, generator

f4 = np.float32

# ---- an LSTM: its gates are i, f, g, o, in the order of PyTorch

STEPS, BATCH, WIDTH = 100, 32, 128


def lstm(lib: Any, scan: Any, w: Any, u: Any, b: Any, xs: Any) -> Any:
    """The mean square of what it puts out."""
    np, n = lib.np, WIDTH
    sigmoid = lib.ga.sigmoid if hasattr(lib, "ga") else lib.special.expit

    def step(state: Any, x: Any) -> Any:
        h, c = state
        z = x @ w + h @ u + b
        c = sigmoid(z[:, n : 2 * n]) * c + sigmoid(z[:, :n]) * np.tanh(z[:, 2 * n : 3 * n])
        h = sigmoid(z[:, 3 * n :]) * np.tanh(c)
        return (h, c), h

    zero = np.zeros((BATCH, n), dtype=np.float32)
    hs = scan(step, (zero, zero), xs)[1]
    return np.mean(hs * hs)


def lstm_by_hand(w: Any, u: Any, b: Any, xs: Any) -> Any:
    n, flat = WIDTH, (STEPS * BATCH, -1)
    zero = np.zeros((BATCH, n), f4)

    def sigmoid(x: Any) -> None:
        np.negative(x, out=x)
        np.exp(x, out=x)
        x += f4(1)
        np.reciprocal(x, out=x)

    def call() -> Any:
        gates = (xs.reshape(flat) @ w + b).reshape(STEPS, BATCH, -1)
        hs, cs, ts = (np.empty((STEPS + 1, BATCH, n), f4) for _ in range(3))
        hs[0] = cs[0] = 0
        for k, z in enumerate(gates):
            z += hs[k] @ u
            sigmoid(z[:, : 2 * n])
            np.tanh(z[:, 2 * n : 3 * n], out=z[:, 2 * n : 3 * n])
            sigmoid(z[:, 3 * n :])
            i, f, g, o = (z[:, j : j + n] for j in range(0, 4 * n, n))
            np.multiply(f, cs[k], out=cs[k + 1])
            cs[k + 1] += i * g
            np.tanh(cs[k + 1], out=ts[k])
            np.multiply(o, ts[k], out=hs[k + 1])
        out = hs[1:]
        loss = np.mean(out * out)
        dh, dc, scale = zero, zero, f4(2 / out.size)
        for k in reversed(range(STEPS)):
            z = gates[k]
            i, f, g, o = (z[:, j : j + n] for j in range(0, 4 * n, n))
            dh = dh + out[k] * scale
            dc = dc + dh * o * (1 - ts[k] * ts[k])
            di, df, dg = dc * g, dc * cs[k], dc * i
            dc = dc * f
            z[:, 3 * n :] = dh * ts[k] * o * (1 - o)
            z[:, 2 * n : 3 * n] = dg * (1 - g * g)
            z[:, n : 2 * n] = df * f * (1 - f)
            z[:, :n] = di * i * (1 - i)
            dh = z @ u.T
        dz = gates.reshape(flat)
        gradients = (
            xs.reshape(flat).T @ dz,
            hs[:-1].reshape(flat).T @ dz,
            dz.sum(0),
            (dz @ w.T).reshape(xs.shape),
        )
        return loss, gradients

    return call


def lstm_torch(lib: Any, w: Any, u: Any, b: Any, xs: Any) -> Any:
    torch = lib.torch
    net = torch.nn.LSTM(WIDTH, WIDTH)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), (w.T, u.T, b, 0 * b)):
            parameter.copy_(value)
    net.bias_hh_l0.requires_grad_(False)  # it has two biases
    if lib.name == "torch.compile":
        torch._dynamo.config.allow_rnn = True
    xs = xs.requires_grad_()
    loss = lib.made(lambda xs: net(xs)[0].square().mean())
    some = (net.weight_ih_l0, net.weight_hh_l0, net.bias_ih_l0, xs)

    def call() -> Any:
        out = loss(xs)
        dw, du, db, dxs = torch.autograd.grad(out, some)
        return out.detach(), (dw.T, du.T, db, dxs)

    return call


def lstm_data() -> tuple[Any, ...]:
    random, many = generator(), 4 * WIDTH
    w, u = random.standard_normal((2, WIDTH, many)).astype(f4) * f4(WIDTH**-0.5)
    b = random.standard_normal(many).astype(f4) * f4(0.1)
    return w, u, b, random.standard_normal((STEPS, BATCH, WIDTH)).astype(f4)


def lstm_of(scan: Any) -> Any:
    def build(lib: Any, *args: Any) -> Any:
        return lib.gradient(lambda *args: lstm(lib, scan(lib), *args), *args, to=4)

    return build


# ---- the logistic map

LONG = 10_000


def logistic_map(np: Any, scan: Any, r: Any, x: Any) -> Any:
    """The mean of x, r x (1 - x), ..., the first left out."""

    def step(x: Any, _: Any) -> Any:
        x = r * x * (1.0 - x)
        return x, x

    return np.mean(scan(step, x, None, LONG)[1])


def map_by_hand(r: Any, x: Any) -> Any:
    r, start = float(r), float(x)

    def call() -> Any:
        x, xs = start, [start]
        for _ in range(LONG):
            x = r * x * (1.0 - x)
            xs.append(x)
        total, dx, dr = sum(xs[1:]), 0.0, 0.0
        for x in reversed(xs[:-1]):
            dx += 1.0
            dr += dx * x * (1.0 - x)
            dx *= r * (1.0 - 2.0 * x)
        return total / LONG, (dr / LONG, dx / LONG)

    return call


def map_of(scan: Any) -> Any:
    def build(lib: Any, r: Any, x: Any) -> Any:
        return lib.gradient(lambda r, x: logistic_map(lib.np, scan(lib), r, x), r, x, to=2)

    return build


def loop_in_python(lib: Any) -> Any:
    def scan(f: Any, carry: Any, xs: Any, length: int = 0) -> Any:
        ys = []
        for x in [None] * length if xs is None else xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, lib.np.stack(ys)

    return scan


def ours(lib: Any) -> Any:
    return lib.ga.scan


def jax_scan(lib: Any) -> Any:
    return lib.jax.lax.scan


ROWS = [
    Row(
        "LSTM scan, value and all gradients, 100 steps, batch 32, width 128",
        lstm_data,
        lstm_by_hand,
        lstm_of(ours),
        own={
            "torch": lstm_torch,
            "torch.compile": None,  # it would unroll the loop
            "jax jit": lstm_of(jax_scan),
            "autograd": lstm_of(loop_in_python),
            "mygrad": None,
        },
        flops=3 * 2 * STEPS * BATCH * 2 * WIDTH * 4 * WIDTH,
        tolerance=2e-5,
    ),
    Row(
        "a recurrence of 10,000 steps, value and gradient",
        lambda: (np.float64(3.5), np.float64(0.3)),
        map_by_hand,
        map_of(ours),
        own={
            "torch": map_of(loop_in_python),
            "torch.compile": None,  # it would unroll the loop
            "jax jit": map_of(jax_scan),
            "autograd": None,  # 40 s a call
            "mygrad": None,
        },
        tolerance=1e-9,
    ),
]
