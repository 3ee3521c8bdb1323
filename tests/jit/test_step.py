"""A whole training step, compiled: the same numbers as the step itself, and the same effects."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn, optim, random
from gradarg.nn import functional as F

BACKENDS = ["llvm", "numpy"]
STEPS = 20


def perceptron(sizes: tuple[int, ...] = (64, 32, 10), extra: Any = None) -> nn.Sequential:
    first, hidden, last = sizes
    parts = [nn.Linear(first, hidden, rng=0), nn.ReLU(), nn.Linear(hidden, last, rng=1)]
    return nn.Sequential(*parts) if extra is None else nn.Sequential(*parts[:2], extra, parts[2])


def train_step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def batches(count: int = STEPS, features: int = 64) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(1)
    return [
        (rng.standard_normal((16, features)).astype(np.float32), rng.integers(0, 10, 16))
        for _ in range(count)
    ]


def same(a: Any, b: Any, tolerance: float = 2e-5) -> None:
    """Two trees of equal structure, dtypes and shapes, and of nearly equal numbers."""
    xs, structure = ga.tree.flatten(a)
    for x, y in zip(xs, ga.tree.flatten(b)[0], strict=True):
        assert type(x) is type(y)
        if isinstance(x, np.ndarray):
            assert (x.dtype, x.shape) == (y.dtype, y.shape)
        if not isinstance(x, str):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
    assert structure == ga.tree.flatten(b)[1]


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "dampening": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "Nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01, eps=1e-4),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, eps=1e-4, weight_decay=0.1),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_as_eager_and_compiled_once(name: str, backend: str):
    found = []
    compiled = ga.jit(train_step, backend=backend)
    for step in (train_step, compiled):
        model = perceptron()
        optimizer = OPTIMIZERS[name](model.parameters())
        losses = [step(model, optimizer, x, y).item() for x, y in batches()]
        grads = [p.grad.value for p in model.parameters()]
        passes = [p.grad_passes for p in model.parameters()]
        found.append((losses, model.state_dict(), optimizer.state_dict(), grads, passes))
    same(*found)
    assert compiled._count == 1


def test_parameters_stay_what_they_are():
    model = perceptron()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before, w = list(model.parameters()), model[0].weight
    old = w.value
    kept = old.copy()
    loss = ga.jit(train_step)(model, optimizer, *batches(1)[0])
    assert all(a is b for a, b in zip(before, model.parameters()))
    assert isinstance(w, nn.Parameter) and w.requires_grad and not np.array_equal(w.value, kept)
    np.testing.assert_array_equal(old, kept)  # who has the old value keeps it
    assert type(loss) is ga.Tensor and not loss.requires_grad
    assert w.value.flags.c_contiguous and not w.value.flags.writeable


def places(model: Any, optimizer: Any) -> list[int]:
    kept = [b for state in optimizer._states.values() for b in state.buffers]
    arrays = [p.value for p in model.parameters()] + kept
    return [a.__array_interface__["data"][0] for a in arrays]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sizes", [(64, 32, 10), (600, 700, 10)], ids=["small", "large"])
def test_a_step_writes_where_parameters_and_buffers_lie(sizes: tuple[int, ...], backend: str):
    model, twin = perceptron(sizes), perceptron(sizes)
    optimizer, other = (optim.Adam(m.parameters(), lr=0.01, eps=1e-4) for m in (model, twin))
    step = ga.jit(train_step, backend=backend)
    data = batches(5, sizes[0])
    for x, y in data[:2]:
        step(model, optimizer, x, y)
    before = places(model, optimizer)
    for x, y in data[2:]:
        step(model, optimizer, x, y)
        assert not any(p.value.flags.writeable for p in model.parameters())
    if backend == "llvm":  # NumPy's backend runs small operations one by one
        assert places(model, optimizer) == before
    for x, y in data:
        train_step(twin, other, x, y)
    same([p.value for p in model.parameters()], [p.value for p in twin.parameters()], 1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_that_somebody_holds_stay(backend: str):
    model = perceptron((64, 300, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    step = ga.jit(train_step, backend=backend)
    data = batches(6)
    for x, y in data[:2]:
        step(model, optimizer, x, y)
    first, second = list(model.parameters())[:2]
    value, view = first.value, second.value[3:]
    moment = next(iter(optimizer._states.values())).buffers[0]
    waiting = np.sum(first * first)  # a graph that will read the parameter
    held = [a.copy() for a in (value, view, moment)]
    for x, y in data[2:]:
        step(model, optimizer, x, y)
    for now, then in zip((value, view, moment), held):
        np.testing.assert_array_equal(now, then)
    first.grad = None
    waiting.backward()
    np.testing.assert_allclose(first.grad.value, 2 * held[0], rtol=1e-6)
    assert not np.array_equal(first.value, held[0])


def test_a_step_alone_reads_the_grads_that_are_there():
    def alone(optimizer: Any) -> None:
        optimizer.step()

    found = []
    for how in (alone, ga.jit(alone)):
        ws = [ga.Tensor(np.full(200, x, np.float32), requires_grad=True) for x in (1, 2)]
        optimizer = optim.Adam(ws, lr=0.1)
        for k in range(6):
            optimizer.zero_grad()
            loss = np.sum(ws[0] ** 2) if k == 3 else np.sum(ws[0] ** 2 * ws[1])
            loss.backward()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # one has no gradient in the fourth
                how(optimizer)
            optimizer.param_groups[0]["lr"] *= 0.9
        found.append([w.value for w in ws])
    same(found[0], found[1])


def test_single_numbers_and_arrays_of_none_are_stepped():
    def step(w: Any, none: Any, optimizer: Any) -> None:
        optimizer.zero_grad()
        (w * w + np.sum(none)).backward()
        optimizer.step()

    found = []
    for how in (step, ga.jit(step)):
        w, none = (ga.Tensor(np.float32(x), requires_grad=True) for x in (2.0, np.zeros((0, 3))))
        optimizer = optim.Adam([w, none], lr=0.5)
        for _ in range(3):
            how(w, none, optimizer)
        step(w, none, optimizer)
        found.append(w.item())
        assert none.shape == (0, 3)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_steps_of_both_kinds_interleave():
    found = []
    for kinds in ("eeeeee", "jejjee", "ejeejj"):
        model = perceptron()
        optimizer = optim.Adam(model.parameters(), lr=0.01, eps=1e-4)
        compiled = ga.jit(train_step)
        for kind, (x, y) in zip(kinds, batches()):
            (compiled if kind == "j" else train_step)(model, optimizer, x, y)
        found.append((model.state_dict(), optimizer.state_dict()))
    same(found[1], found[0])
    same(found[2], found[0])


def test_a_schedule_does_not_compile_again():
    found = []
    compiled = ga.jit(train_step)
    for step in (train_step, compiled):
        model = perceptron()
        optimizer = optim.SGD(model.parameters(), lr=0.0, momentum=0.5)
        for i, (x, y) in enumerate(batches()):
            optimizer.param_groups[0]["lr"] = 0.01 * i
            step(model, optimizer, x, y)
        found.append((model.state_dict(), optimizer.state_dict()))
    same(*found)
    assert compiled._count == 1


def test_a_state_that_was_loaded_counts():
    model = perceptron()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    step = ga.jit(train_step)
    data = batches(4)
    step(model, optimizer, *data[0])
    weights, state = model.state_dict(), optimizer.state_dict()
    ends = []
    for _ in range(2):
        for x, y in data:
            step(model, optimizer, x, y)
        ends.append((model.state_dict(), optimizer.state_dict()))
        model.load_state_dict(weights)
        optimizer.load_state_dict(state)
    same(*ends, tolerance=0)
    assert step._count == 1


def test_another_model_of_the_same_form_shares_the_program():
    step = ga.jit(train_step)
    for _ in range(2):
        model = perceptron()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        step(model, optimizer, *batches(1)[0])
        expected = perceptron()
        train_step(expected, optim.SGD(expected.parameters(), lr=0.1), *batches(1)[0])
        same(model.state_dict(), expected.state_dict())
    assert step._count == 1


def test_what_changes_between_calls_is_seen():
    """Calls go by what they are passed, however much of it is what it was before."""

    def changed(step: Any) -> Any:
        random.seed(0)
        model = perceptron(extra=nn.Dropout(0.5))
        optimizer = optim.Adam(model.parameters(), lr=0.01, eps=1e-4)
        data = iter(batches())
        losses = []

        def go() -> None:
            losses.append(step(model, optimizer, *next(data)).item())

        go()
        go()
        model[2].p = 0.25
        go()
        model.eval()
        go()
        model[0].weight.requires_grad = False
        model.zero_grad()
        model[0].weight.requires_grad = True
        go()
        optimizer.param_groups[0]["weight_decay"] = 0.1
        go()
        optimizer.param_groups[0]["betas"] = (0.8, 0.9)
        go()
        setattr(model, "0", nn.Linear(64, 32, rng=5))
        optimizer.param_groups[0]["params"][:2] = list(model[0].parameters())
        go()
        model[0].weight.requires_grad = False
        go()
        with ga.no_grad(), pytest.raises(ga.DerivativeError, match="nothing to differentiate"):
            go()
        return losses, model.state_dict(), optimizer.state_dict()

    same(changed(ga.jit(train_step)), changed(train_step))


def test_parameters_that_stay():
    """One frozen, one that the loss does not reach, and groups with options of their own."""

    class Model(nn.Module):
        def __init__(self) -> None:
            self.used = nn.Linear(64, 10, rng=0)
            self.frozen = nn.Linear(64, 10, rng=1)
            self.idle = nn.Parameter(np.ones(3))
            self.frozen.weight.requires_grad = False

        def forward(self, x: Any) -> Any:
            return self.used(x) + self.frozen(x)

    found = []
    for step in (train_step, ga.jit(train_step)):
        model = Model()
        groups = [
            {"params": model.used.parameters(), "lr": 0.1},
            {"params": [model.frozen.bias, model.idle], "momentum": 0.5},
        ]
        optimizer = optim.SGD(groups, lr=0.02)
        with pytest.warns(ga.GradargWarning, match="no gradient has reached"):
            for x, y in batches(3):
                step(model, optimizer, x, y)
        assert model.idle.grad is None and model.frozen.weight.grad is None
        found.append((model.state_dict(), optimizer.state_dict()))
    same(*found)


def test_two_models_share_a_parameter():
    def step(model: Any, other: Any, optimizer: Any, x: Any) -> Any:
        optimizer.zero_grad()
        loss = np.sum((other(np.tanh(model(x))) - x) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    found = []
    for run in (step, ga.jit(step)):
        model, other = nn.Linear(4, 4, dtype=float, rng=0), nn.Linear(4, 4, dtype=float, rng=1)
        other.weight = model.weight
        optimizer = optim.SGD([model.weight, model.bias, other.bias], lr=0.01, momentum=0.9)
        for i in range(5):
            run(model, other, optimizer, np.full((3, 4), i / 4.0))
        assert other.weight is model.weight
        found.append((model.state_dict(), other.state_dict()))
    same(*found, tolerance=1e-12)


def test_grads_add_up_over_calls():
    def accumulate(model: Any, x: Any, y: Any) -> None:
        F.cross_entropy(model(x), y).backward()

    found = []
    for run in (accumulate, ga.jit(accumulate)):
        model = perceptron()
        for x, y in batches(4):
            assert run(model, x, y) is None
        found.append([(p.grad.value, p.grad_passes) for p in model.parameters()])
    same(*found)
    assert found[0][0][1] == 4


def test_gradients_are_clipped_and_values_set_by_hand():
    def step(w: Any, x: Any) -> Any:
        w.grad = None
        loss = np.sum((x @ w - 1.0) ** 2)
        loss.backward()
        norm = np.sqrt(np.sum(w.grad**2))
        w.grad = w.grad * np.minimum(1.0, 0.5 / norm)
        w.value = w.value - 0.1 * w.grad.value
        return loss, norm

    x = np.random.default_rng(0).standard_normal((5, 3))
    found = []
    for run in (step, ga.jit(step)):
        w = ga.Tensor([1.0, -2.0, 3.0], requires_grad=True)
        losses = [[v.item() for v in run(w, x)] for _ in range(6)]
        found.append((losses, w.value, w.grad.value))
    same(*found, tolerance=1e-12)


def test_parameters_written_in_place():
    def step(w: Any, x: Any) -> Any:
        loss = np.sum(np.sin(w * x))
        w.grad = None
        loss.backward()
        with ga.no_grad():
            w -= 0.1 * w.grad
            w[0] = 0.5
        return loss

    x = np.array([1.0, 2.0, 3.0])
    found = []
    for run in (step, ga.jit(step)):
        w = ga.Tensor([1.0, -2.0, 3.0], requires_grad=True)
        view = w[1:]
        for _ in range(3):
            run(w, x)
        assert w.requires_grad
        found.append((w.value, view.detach().value, w.grad.value))
    same(*found, tolerance=1e-12)


@pytest.mark.parametrize("make", [np.array, ga.Tensor])
def test_arrays_and_tensors_written_in_place(make: Callable[..., Any]):
    def write(buffer: Any, x: Any) -> Any:
        buffer[1:] += x
        buffer *= 2.0
        return buffer[0] + x

    found = []
    for run in (write, ga.jit(write)):
        buffer = make([1.0, 2.0, 3.0])
        outs = [np.asarray(run(buffer, np.array(0.5))).item() for _ in range(3)]
        found.append((outs, np.array(buffer)))
    same(*found, tolerance=1e-14)


def test_buffers_of_a_module():
    """Running statistics: an array that is written to, and a tensor that is replaced."""

    class Norm(nn.Module):
        def __init__(self) -> None:
            self.scale = nn.Parameter(np.ones(3))
            self.mean = np.zeros(3)
            self.spread = ga.Tensor(np.ones(3))

        def forward(self, x: Any) -> Any:
            if self.training:
                with ga.no_grad():
                    self.mean[...] = 0.9 * self.mean + 0.1 * np.mean(x, axis=0)
                    self.spread = 0.9 * self.spread + 0.1 * np.std(x, axis=0)
            return self.scale * (x - self.mean) / self.spread

    def step(model: Any, x: Any) -> Any:
        model.zero_grad()
        loss = np.sum(model(x) ** 2)
        loss.backward()
        return loss

    rng = np.random.default_rng(0)
    data = [rng.standard_normal((8, 3)) for _ in range(4)]
    compiled = ga.jit(step)
    model = Norm()
    mean, spread = np.zeros(3), np.ones(3)
    for x in data:
        compiled(model, x)
        mean, spread = 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * spread + 0.1 * x.std(axis=0)
        slope = np.sum(2 * ((x - mean) / spread) ** 2, axis=0)
        np.testing.assert_allclose(model.scale.grad.value, slope, rtol=1e-12)
    assert type(model.mean) is np.ndarray and type(model.spread) is ga.Tensor
    np.testing.assert_allclose(model.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(model.spread.value, spread, rtol=1e-12)
    compiled(model.eval(), data[0])
    np.testing.assert_allclose(model.mean, mean, rtol=1e-12)
    assert compiled._count == 2


def test_the_mode_is_set_in_each_call():
    def step(model: Any, x: Any) -> Any:
        model.train()
        return model(x).detach()

    model = perceptron(extra=nn.Dropout(0.5)).eval()
    run = ga.jit(step)
    for _ in range(3):
        run(model, batches(1)[0][0])
        assert model.training and model[2].training
        model.eval()
    assert run._count == 1


def test_a_forward_pass_is_differentiated_outside():
    model, expected = perceptron(), perceptron()
    forward = ga.jit(lambda model, x: model(x))
    x, y = batches(1)[0]
    F.cross_entropy(forward(model, x), y).backward()
    F.cross_entropy(expected(x), y).backward()
    for p, q in zip(model.parameters(), expected.parameters()):
        np.testing.assert_allclose(p.grad.value, q.grad.value, rtol=1e-5, atol=1e-6)


def test_a_penalty_on_gradients():
    def step(w: Any, x: Any) -> Any:
        w.grad = None
        np.sum(np.sin(w * x)).backward(create_graph=True)
        slope = w.grad
        w.grad = None
        loss = np.sum(slope**2)
        loss.backward()
        return loss

    x = np.array([1.0, 2.0, 3.0])
    found = []
    for run in (step, ga.jit(step)):
        w = ga.Tensor([1.0, -2.0, 3.0], requires_grad=True)
        found.append((run(w, x).item(), w.grad.value))
    same(*found, tolerance=1e-12)


# ---- random numbers


def test_dropout_is_drawn_anew_and_by_the_seed():
    found = []
    compiled = ga.jit(train_step)
    for step in (train_step, compiled):
        random.seed(3)
        model = perceptron(extra=nn.Dropout(0.4))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        losses = [step(model, optimizer, *batches(1)[0]).item() for _ in range(5)]
        assert len(set(losses)) == 5
        found.append((losses, model.state_dict(), random.generator().random()))
    same(*found)
    model.eval()
    losses = [compiled(model, optim.SGD(model.parameters(), lr=0.0), *batches(1)[0]).item()] * 2
    assert losses[0] == losses[1] and compiled._count == 2


def test_the_derivative_sees_the_mask_of_the_value():
    model = nn.Sequential(nn.Linear(6, 50, rng=0), nn.Dropout(0.5, rng=np.random.default_rng(0)))
    forward = ga.jit(lambda model, x: model(x))
    x = np.random.default_rng(1).standard_normal((1, 6))
    for _ in range(3):
        model.zero_grad()
        out = forward(model, x)
        np.sum(out).backward()
        np.testing.assert_array_equal(model[0].bias.grad.value != 0, out.detach().value[0] != 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_generators_that_are_passed(backend: str):
    def noisy(x: Any, rng: Any) -> Any:
        a = rng.normal(size=3) + rng.integers(10)
        return x * rng.random() + a[rng.permutation(3)]

    x = np.ones(3, np.float32)
    mine, theirs = np.random.default_rng(5), np.random.default_rng(5)
    run = ga.jit(noisy, backend=backend)
    for _ in range(3):
        np.testing.assert_allclose(run(x, mine), noisy(x, theirs), rtol=1e-6)
    assert run._count == 1 and mine.random() == theirs.random()
    assert run((ones := np.ones(3)), mine).dtype == noisy(ones, theirs).dtype


hidden = np.random.default_rng(0)


def test_what_would_be_drawn_once_is_refused():
    inner = np.random.default_rng(0)
    for draw in (
        lambda x: x + hidden.normal(),
        lambda x: x + inner.normal(size=3),
        lambda x: x + np.random.rand(3),  # noqa: NPY002
    ):
        with pytest.raises(ga.ConcreteValueError, match="same in each call"):
            ga.jit(draw)(np.ones(3))
    rng = np.random.default_rng(0)
    with pytest.raises(ga.ConcreteValueError, match="standard_normal"):
        ga.jit(lambda x, rng: rng.normal(x))(np.ones(3), rng)
    with pytest.raises(ga.ConcreteValueError, match="no shuffle"):
        ga.jit(lambda x, rng: rng.shuffle(np.arange(3)))(np.ones(3), rng)
    with pytest.raises(ga.ConcreteValueError, match=r"random\.seed"):
        ga.jit(lambda x: random.seed(0))(np.ones(3))
    random.generator().random()  # itself again


def test_draws_in_a_loop_are_refused():
    def steps(x: Any, rng: Any) -> Any:
        return ga.scan(lambda c, t: (c + rng.normal() * t, c), x, np.arange(3.0))

    def dropped(x: Any, rng: Any) -> Any:
        return ga.fori_loop(0, 3, lambda i, c: F.dropout(c, 0.5), x)

    for f in (steps, dropped, ga.jit(steps), ga.jit(dropped)):
        with pytest.raises(ga.ConcreteValueError, match="the same in all steps"):
            f(np.ones(3), np.random.default_rng(0))
    outside = ga.jit(lambda x, rng: ga.scan(lambda c, r: (c + r, c), x, rng.normal(size=3))[0])
    mine, theirs = np.random.default_rng(0), np.random.default_rng(0)
    for _ in range(2):
        np.testing.assert_allclose(outside(np.array(0.5), mine), 0.5 + theirs.normal(size=3).sum())


# ---- errors leave everything as it was


def everything(model: Any, optimizer: Any) -> Any:
    arrays = [(p.value, None if p.grad is None else p.grad.value) for p in model.parameters()]
    return arrays, model.state_dict(), optimizer.state_dict(), model.training


@pytest.mark.parametrize("started", [False, True])
def test_an_error_while_staging(started: bool):
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        model.eval()
        train_step(model, optimizer, x, y)
        optimizer.param_groups[0]["lr"] = 7.0
        raise KeyError("late")

    model = perceptron()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    if started:
        train_step(model, optimizer, *batches(1)[0])
    before = everything(model, optimizer)
    with pytest.raises(KeyError, match="late"):
        ga.jit(step)(model, optimizer, *batches(1)[0])
    same(everything(model, optimizer), before, tolerance=0)
    train_step(model, optimizer, *batches(1)[0])  # and goes on


def test_an_error_while_running():
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        loss = train_step(model, optimizer, x, y)
        return loss + np.linalg.inv(x[:4, :4].astype(float))[0, 0]

    model = perceptron()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    run = ga.jit(step)
    x, y = batches(1)[0]
    run(model, optimizer, x, y)
    before = everything(model, optimizer)
    with pytest.raises(np.linalg.LinAlgError):
        run(model, optimizer, 0 * x, y)
    same(everything(model, optimizer), before, tolerance=0)


def test_branches_on_values_and_numbers_taken_out_are_refused():
    def stops(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        loss = train_step(model, optimizer, x, y)
        return loss if loss > 1 else -loss

    def logs(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        return train_step(model, optimizer, x, y).item()

    model = perceptron()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before = everything(model, optimizer)
    for step in (stops, logs):
        with pytest.raises(ga.ConcreteValueError):
            ga.jit(step)(model, optimizer, *batches(1)[0])
    same(everything(model, optimizer), before, tolerance=0)


def test_what_would_happen_once_is_refused():
    def counts(model: Any, x: Any) -> Any:
        model.calls = x.shape[0]
        return x

    model = perceptron()
    with pytest.raises(ga.ConcreteValueError, match="attribute 'calls'"):
        ga.jit(counts)(model, np.ones(3))
    assert not hasattr(model, "calls")


def test_values_whose_derivative_would_be_lost_are_refused():
    def step(model: Any, optimizer: Any, x: Any, y: Any) -> Any:
        train_step(model, optimizer, x, y)
        return F.cross_entropy(model(x), y)

    model = perceptron()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ga.DerivativeError, match="detach"):
        ga.jit(step)(model, optimizer, *batches(1)[0])
    with pytest.raises(ga.DerivativeError, match="not passed"):
        ga.jit(lambda x: np.sum(model(x)))(batches(1)[0][0])
    hidden_layer = model[0](batches(1)[0][0])

    def inside(h: Any, w: Any) -> None:
        np.sum(h @ w.T).backward()

    with pytest.raises(ga.DerivativeError, match="itself computed"):
        ga.jit(inside)(hidden_layer, model[2].weight)


def test_transforms_of_a_function_of_a_model():
    model = perceptron((4, 3, 2))
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    loss = ga.jit(lambda model, x: np.sum(np.tanh(model(x))))
    found, expected = ga.grad(loss)(model, x), ga.grad(loss._f)(model, x)
    for p, q in zip(found.parameters(), expected.parameters()):
        np.testing.assert_allclose(p.detach(), q.detach(), rtol=1e-5, atol=1e-6)
    found = ga.jit(ga.grad(loss._f))(model, x)
    for p, q in zip(found.parameters(), expected.parameters()):
        np.testing.assert_allclose(p.detach(), q.detach(), rtol=1e-5, atol=1e-6)


def test_writes_inside_other_transforms():
    def write(x: Any) -> Any:
        y = x * 1.0
        fill(y)
        return np.sum(y**2)

    fill = ga.jit(lambda y: y.__setitem__(0, 3.0 * y[1]))
    expected = ga.grad(lambda x: np.sum(np.array([9.0, 1.0]) * x[1] ** 2 * [1, 1]))(
        np.array([1.0, 2.0])
    )
    np.testing.assert_allclose(ga.grad(write)(np.array([1.0, 2.0])), expected)
