"""What a call costs, for programs whose cost is known."""

import numpy as np

import gradarg as ga


def test_a_chain_reads_once_and_writes_once():
    n = 10_000
    cost = ga.jit(lambda x: np.tanh(x) * x + 1.0).cost(np.ones(n))
    assert cost.flops == 3 * n
    assert cost.bytes == cost.peak == 16 * n
    assert cost.seconds > 0


def test_a_product_of_matrices():
    a, b = np.ones((30, 40), np.float32), np.ones((40, 50), np.float32)
    cost = ga.jit(lambda a, b: a @ b).cost(a, b)
    assert cost.flops == 2 * 30 * 40 * 50
    assert cost.bytes == cost.peak == 4 * (30 * 40 + 40 * 50 + 30 * 50)


def test_a_view_moves_nothing():
    cost = ga.jit(lambda x: np.transpose(x)).cost(np.ones((30, 40)))
    assert (cost.flops, cost.bytes) == (0, 0)


def test_it_says_so():
    text = str(ga.jit(lambda x: x * 2.0).cost(np.ones(1000)))
    assert "1,000 operations, 16,000 bytes moved" in text
