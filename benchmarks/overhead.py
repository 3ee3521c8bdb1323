"""What one small operation costs: recording it, and walking back.

    python benchmarks/overhead.py --rounds 5

Rows:

    x * y          a recorded product of 4 float32 numbers
    sigmoid        forward and backward of sigmoid(a * x + b), three numbers
    Scalar         the same on the textbook engines of single numbers
    perceptron     forward and backward of 64-32-10 with cross entropy, batch 64, float32
"""

from collections.abc import Callable

import numpy as np
from _contest import Rows, contest

random = np.random.default_rng(0)
X = random.standard_normal((64, 64)).astype(np.float32)
LABELS = random.integers(0, 10, 64)
SHAPES = [(64, 32), (32,), (32, 10), (10,)]
WEIGHTS = [(random.standard_normal(s) * 0.1).astype(np.float32) for s in SHAPES]


def rows_numpy() -> Rows:
    x, y = np.ones(4, np.float32), np.ones(4, np.float32)
    rows = np.arange(64)

    def perceptron() -> object:
        w1, b1, w2, b2 = WEIGHTS
        z = X @ w1 + b1
        h = np.maximum(z, 0)
        o = h @ w2 + b2
        o -= o.max(1, keepdims=True)
        e = np.exp(o)
        s = e.sum(1, keepdims=True)
        loss = -(o[rows, LABELS] - np.log(s[:, 0])).mean()
        d = e / s
        d[rows, LABELS] -= 1
        d /= 64
        dh = d @ w2.T
        dh *= z > 0
        return loss, X.T @ dh, dh.sum(0), h.T @ d, d.sum(0)

    return {"x * y": lambda: x * y, "perceptron": perceptron}


def rows_gradarg() -> Rows:
    import gradarg as ga
    from gradarg.scalar import Scalar
    from gradarg.scalar import sigmoid as scalar_sigmoid

    x = ga.Tensor(np.ones(4, np.float32), requires_grad=True)
    y = ga.Tensor(np.ones(4, np.float32), requires_grad=True)
    a, u, b = (ga.Tensor(v, requires_grad=True) for v in (1.0, 2.0, 3.0))
    p, q, r = Scalar(1.0), Scalar(2.0), Scalar(3.0)
    w1, b1, w2, b2 = parameters = [ga.Tensor(w, requires_grad=True) for w in WEIGHTS]
    data = ga.Tensor(X)
    rows = np.arange(64)

    def perceptron() -> object:
        for w in parameters:
            w.grad = None
        h = ga.relu(data @ w1 + b1)
        loss = -ga.mean(ga.log_softmax(h @ w2 + b2)[rows, LABELS])
        loss.backward()
        return loss

    return {
        "x * y": lambda: x * y,
        "sigmoid": lambda: ga.sigmoid(a * u + b).backward(),
        "Scalar": lambda: scalar_sigmoid(p * q + r).backward(),
        "perceptron": perceptron,
    }


def rows_torch() -> Rows:
    import torch
    from torch.nn.functional import cross_entropy

    x = torch.ones(4, requires_grad=True)
    y = torch.ones(4, requires_grad=True)
    a, u, b = (torch.tensor(v, requires_grad=True) for v in (1.0, 2.0, 3.0))
    w1, b1, w2, b2 = parameters = [torch.tensor(w, requires_grad=True) for w in WEIGHTS]
    data, labels = torch.tensor(X), torch.tensor(LABELS)

    def perceptron() -> object:
        for w in parameters:
            w.grad = None
        loss = cross_entropy(torch.relu(data @ w1 + b1) @ w2 + b2, labels)
        loss.backward()
        return loss

    return {
        "x * y": lambda: x * y,
        "sigmoid": lambda: torch.sigmoid(a * u + b).backward(),
        "perceptron": perceptron,
    }


def rows_autograd() -> Rows:
    import autograd
    import autograd.numpy as anp
    from autograd.extend import VSpace, vspace
    from autograd.tracer import new_box, trace_stack

    assert VSpace and vspace  # the value spaces are registered on import
    rows = np.arange(64)
    gradient = autograd.value_and_grad(lambda v: 1 / (1 + anp.exp(-(v[0] * v[1] + v[2]))))

    def loss(parameters: list[np.ndarray]) -> object:
        w1, b1, w2, b2 = parameters
        o = anp.maximum(anp.dot(X, w1) + b1, 0) @ w2 + b2
        o = o - anp.max(o, 1, keepdims=True)
        return -anp.mean((o - anp.log(anp.sum(anp.exp(o), 1, keepdims=True)))[rows, LABELS])

    perceptron = autograd.value_and_grad(loss)
    result = {
        "sigmoid": lambda: gradient((1.0, 2.0, 3.0)),
        "perceptron": lambda: perceptron(WEIGHTS),
    }
    with trace_stack.new_trace() as level:
        from autograd.core import VJPNode

        ones = np.ones(4, np.float32)
        x, y = (new_box(ones, level, VJPNode.new_root()) for _ in range(2))
        result["x * y"] = lambda: anp.multiply(x, y)
    return result


def rows_mygrad() -> Rows:
    import mygrad as mg
    from mygrad.nnet.losses import softmax_crossentropy

    x, y = mg.tensor(np.ones(4, np.float32)), mg.tensor(np.ones(4, np.float32))
    a, u, b = (mg.tensor(v) for v in (1.0, 2.0, 3.0))
    w1, b1, w2, b2 = (mg.tensor(w) for w in WEIGHTS)

    def perceptron() -> object:
        h = mg.maximum(X @ w1 + b1, 0)
        loss = softmax_crossentropy(h @ w2 + b2, LABELS)
        loss.backward()
        return loss

    return {
        "x * y": lambda: x * y,
        "sigmoid": lambda: (1 / (1 + mg.exp(-(a * u + b)))).backward(),
        "perceptron": perceptron,
    }


def rows_micrograd() -> Rows:
    import math

    from micrograd.engine import Value

    def sigmoid(x: Value) -> Value:  # micrograd has none: one more operation, in its own style
        out = Value(1 / (1 + math.exp(-x.data)), (x,), "sigmoid")

        def backward() -> None:
            x.grad += out.data * (1 - out.data) * out.grad

        out._backward = backward
        return out

    a, x, b = Value(1.0), Value(2.0), Value(3.0)
    return {"Scalar": lambda: sigmoid(a * x + b).backward()}


CONTENDERS: dict[str, Callable[[], Rows]] = {
    "numpy": rows_numpy,
    "gradarg": rows_gradarg,
    "torch": rows_torch,
    "autograd": rows_autograd,
    "mygrad": rows_mygrad,
    "micrograd": rows_micrograd,
}


if __name__ == "__main__":
    contest(__file__, __doc__, CONTENDERS)
