"""Optimisers against closed forms, a plain transcription of their papers, and PyTorch."""

import importlib.util
import math

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn, optim

STEPS = 50
TORCH = importlib.util.find_spec("torch") is not None

SGD_OPTIONS = [
    {"lr": 0.05},
    {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.02, "momentum": 0.9},
    {"lr": 0.02, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
]
ADAM_OPTIONS = [
    {},
    {"lr": 0.1},
    {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-3},
    {"lr": 0.05, "weight_decay": 0.2},
    {"lr": 0.05, "betas": (0.0, 0.0), "eps": 0.1},
]
CASES = [("SGD", o) for o in SGD_OPTIONS]
CASES += [(name, o) for name in ("Adam", "AdamW") for o in ADAM_OPTIONS]
PURE = {"SGD": optim.sgd, "Adam": optim.adam, "AdamW": optim.adamw}

RNG = np.random.default_rng(0)
START = [RNG.standard_normal((3, 2)), RNG.standard_normal(4), np.array(1.5)]
CURVATURES = [RNG.uniform(0.2, 3.0, a.shape) for a in START]


def loss(parameters):
    """A bowl with different curvatures and a wave: its gradient changes from step to step."""
    total = 0.0
    for p, c in zip(parameters, CURVATURES):
        total = total + np.sum(c * p * p) / 2 + np.sum(1 - np.cos(2 * p)) / 4
    return total


def gradient(p, c):
    return c * p + np.sin(2 * p) / 2


def transcribed(name, options):
    """The trajectory of each parameter, element by element on Python floats."""
    path = []
    for start, curvature in zip(START, CURVATURES):
        ends = np.empty((STEPS, *start.shape))
        for i in np.ndindex(start.shape):
            p, c = float(start[i]), float(curvature[i])
            b = m = v = 0.0
            for t in range(1, STEPS + 1):
                g = gradient(p, c)
                if name == "AdamW":
                    p *= 1 - options.get("lr", 1e-3) * options.get("weight_decay", 0.01)
                else:
                    g += options.get("weight_decay", 0) * p
                if name == "SGD":
                    mu = options.get("momentum", 0)
                    b = g if t == 1 else mu * b + (1 - options.get("dampening", 0)) * g
                    p -= options["lr"] * (g + mu * b if options.get("nesterov") else b)
                else:
                    b1, b2 = options.get("betas", (0.9, 0.999))
                    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
                    root = math.sqrt(v / (1 - b2**t)) + options.get("eps", 1e-8)
                    p -= options.get("lr", 1e-3) * (m / (1 - b1**t)) / root
                ends[(t - 1, *i)] = p
        path.append(ends)
    return path


def trajectory(name, options, dtype=float):
    parameters = [ga.Tensor(a, requires_grad=True, dtype=dtype) for a in START]
    optimizer = getattr(optim, name)(parameters, **options)
    path = [np.empty((STEPS, *a.shape), dtype) for a in START]
    for t in range(STEPS):
        optimizer.zero_grad()
        loss(parameters).backward()
        optimizer.step()
        for ends, p in zip(path, parameters):
            ends[t] = p.value
    return path


@pytest.mark.parametrize(("name", "options"), CASES)
def test_trajectories_are_those_of_the_papers(name, options):
    for found, expected in zip(trajectory(name, options), transcribed(name, options)):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_trajectories_in_float32(name, options):
    for found, expected in zip(trajectory(name, options, np.float32), transcribed(name, options)):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=3e-5)


if TORCH:

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(("name", "options"), CASES)
    def test_trajectories_are_those_of_pytorch(name, options, dtype):
        import torch

        parameters = [torch.tensor(a.astype(dtype), requires_grad=True) for a in START]
        theirs = getattr(torch.optim, name)(parameters, **options)
        path = trajectory(name, options, dtype)
        for t in range(STEPS):
            theirs.zero_grad()
            total = sum(
                (torch.tensor(c.astype(dtype)) * p * p).sum() / 2 + (1 - (2 * p).cos()).sum() / 4
                for p, c in zip(parameters, CURVATURES)
            )
            total.backward()
            theirs.step()
            for ends, p in zip(path, parameters):
                np.testing.assert_allclose(ends[t], p.detach().numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_pure_form_takes_the_same_steps(name, options):
    rule = PURE[name](**options)
    params = {"a": START[0], "rest": (START[1], START[2])}
    curvatures = {"a": CURVATURES[0], "rest": (CURVATURES[1], CURVATURES[2])}
    state = rule.init(params)
    for _ in range(STEPS):
        grads = ga.tree.map(gradient, params, curvatures)
        before = ga.tree.map(np.copy, state), ga.tree.map(np.copy, params)
        steps, after = rule.update(grads, state, params)
        np.testing.assert_equal((state, params), before)  # nothing is changed in place
        params, state = ga.tree.map(np.add, params, steps), after
    assert state["step"] == STEPS
    path = trajectory(name, options)
    for p, ends in zip([params["a"], *params["rest"]], path):
        np.testing.assert_allclose(p, ends[-1], rtol=1e-12)


# ----------------------------------------------------------------------------- closed forms


def test_descent_on_a_parabola():
    p = ga.Tensor([2.0, -3.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(p.value, np.array([2.0, -3.0]) * 0.8**20)


def test_momentum_sums_a_constant_gradient_geometrically():
    p = ga.Tensor(np.zeros(1), requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    for _ in range(10):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
    speeds = 2 - 0.5 ** np.arange(10.0)
    np.testing.assert_allclose(p.value, [-speeds.sum()])


def test_adam_walks_lr_a_step_under_a_constant_gradient():
    p = ga.Tensor(np.zeros(3), requires_grad=True)
    scale = np.array([1e-3, -5.0, 1e4])
    optimizer = optim.Adam([p], lr=0.25, eps=0)
    for _ in range(8):
        optimizer.zero_grad()
        (p * scale).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(p.value, -2.0 * np.sign(scale), rtol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_arrays_of_many_blocks(name, options):
    """What is cut into blocks for the cache gives the same as one array."""
    rng = np.random.default_rng(1)
    start = rng.standard_normal((300, 170)).astype(np.float32)
    p = ga.Tensor(np.asfortranarray(start), requires_grad=True)
    optimizer = getattr(optim, name)([p], **options)
    rule = PURE[name](**options)
    params, state = start, rule.init(start)
    for _ in range(3):
        g = rng.standard_normal(start.shape).astype(np.float32)
        p.grad = ga.Tensor(g)
        optimizer.step()
        steps, state = rule.update(g, state, params)
        params = params + steps
    assert p.dtype == params.dtype == np.float32
    np.testing.assert_array_equal(p.value, params)


# ---------------------------------------------------------------------- transforms of rules


def test_the_derivative_of_training_with_respect_to_its_options():
    def after(options, name):
        rule = PURE[name](**options)
        params = np.array([2.0, -1.0], np.float64)
        state = rule.init(params)
        for _ in range(4):
            steps, state = rule.update(gradient(params, np.array([0.5, 2.0])), state, params)
            params = params + steps
        return np.sum(params**2)

    for name, options in [
        ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.0}),
        ("SGD", {"lr": 0.1, "momentum": 0.5, "dampening": 0.1}),
        ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.1, "weight_decay": 0.0}),
    ]:
        found, tree = ga.tree.flatten(ga.grad(after)(options, name))
        values = ga.tree.flatten(options)[0]
        for i, value in enumerate(values):
            if value == 0.0:  # options stop at 0
                h, (f0, f1, f2) = (
                    1e-4,
                    (
                        after(tree.unflatten([*values[:i], k * 1e-4, *values[i + 1 :]]), name)
                        for k in range(3)
                    ),
                )
                expected = (-3 * f0 + 4 * f1 - f2) / (2 * h)
            else:
                f1, f2 = (
                    after(tree.unflatten([*values[:i], value + h, *values[i + 1 :]]), name)
                    for h in (-1e-6, 1e-6)
                )
                expected = (f2 - f1) / 2e-6
            np.testing.assert_allclose(found[i], expected, rtol=1e-5, atol=1e-7, err_msg=str(i))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_staged_step_keeps_dtypes_and_counts(name, options):
    rule = PURE[name](**options)
    params = {"w": START[0].astype(np.float32)}
    grads = {"w": START[0].astype(np.float32) / 3}
    state = rule.init(params)
    graph = ga.stage(rule.update, grads, state, params)
    for _ in range(3):
        steps, after = graph(grads, ga.tree.map(np.asarray, state), params)
        expected, state = rule.update(grads, state, params)
        assert steps["w"].dtype == np.float32
        np.testing.assert_allclose(steps["w"], expected["w"], rtol=1e-5)
        assert after["step"] == state["step"]


def test_a_model_is_trained_by_a_rule():
    x = np.random.default_rng(0).standard_normal((20, 2))
    y = x @ np.array([[1.0], [-2.0]]) + 0.5
    model = ga.tree.map(lambda p: p.value, nn.Linear(2, 1, dtype=float, rng=0))
    rule = optim.adam(lr=0.1)
    state = rule.init(model)
    for _ in range(300):
        grads = ga.grad(lambda m: nn.functional.mse_loss(m(x), y))(model)
        steps, state = rule.update(grads, state, model)
        model = ga.tree.map(np.add, model, steps)
    np.testing.assert_allclose(model.weight, [[1.0, -2.0]], atol=1e-3)
    np.testing.assert_allclose(model.bias, [0.5], atol=1e-3)
    assert type(state["exp_avg"]) is nn.Linear


def test_a_rule_says_what_does_not_fit():
    rule = optim.sgd(0.1, momentum=0.9)
    params = {"w": np.ones(2)}
    state = rule.init(params)
    with pytest.raises(ga.TreeError, match="params"):
        rule.update({"v": np.ones(2)}, state, params)
    with pytest.raises(ga.TreeError, match="momentum_buffer"):
        rule.update(params, optim.sgd(0.1, momentum=0.9).init([np.ones(2)]), params)
    with pytest.raises(ga.ShapeError, match=r"shape \(1,\), that of params \(2,\)"):
        rule.update({"w": np.ones(1)}, state, params)
    with pytest.raises(TypeError, match="real floats, but met int64"):
        rule.init(np.arange(3))
    with pytest.raises(TypeError, match="the real and the imaginary part as two arrays"):
        optim.adam().init(np.ones(2, complex))


# --------------------------------------------------------------------------- the optimizer


def model_and_loss():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))
    x = np.random.default_rng(2).standard_normal((6, 2)).astype(np.float32)
    return model, lambda: np.mean((model(x) - x[:, :1]) ** 2)


def stepped(optimizer, compute, n=3):
    for _ in range(n):
        optimizer.zero_grad()
        compute().backward()
        optimizer.step()


def test_training_lowers_the_loss():
    for name, options in [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.05})]:
        model, compute = model_and_loss()
        before = compute().item()
        stepped(getattr(optim, name)(model.parameters(), **options), compute, 50)
        assert compute().item() < before / 10
        assert all(p.dtype == np.float32 for p in model.parameters())


def test_a_parameter_without_gradient_stays_and_its_steps_are_not_counted():
    a, b = (ga.Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([a, b], lr=0.5)
    (a * a).sum().backward()
    with pytest.warns(ga.GradargWarning, match=r"Adam.*no gradient.*parameters 1 \(shape \(1,\)"):
        optimizer.step()
    optimizer.step()  # said once
    assert a.value < 0.5 and b.value == [1.0]
    assert list(optimizer.state_dict()["state"]) == [0]
    (b * b).sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"][1]["step"] == 1
    assert b.value == pytest.approx(0.5)


def test_groups_have_options_of_their_own():
    a, b = (ga.Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.25)
    for _ in range(2):
        optimizer.zero_grad()
        (a + b).sum().backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.125  # a schedule
    assert a.value == [0.625] and b.value == [0.0]
    assert repr(optimizer).startswith("SGD(1 parameter, lr=0.125, ") and "; 1 p" in repr(optimizer)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_state_can_be_saved_and_loaded(name, options):
    make = getattr(optim, name)
    model, compute = model_and_loss()
    one = make(model.parameters(), **options)
    stepped(one, compute)
    weights, saved = model.state_dict(), one.state_dict()
    stepped(one, compute)
    expected = model.state_dict()

    model.load_state_dict(weights)
    other = make(model.parameters(), lr=123.0)
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] == one.param_groups[0]["lr"]
    stepped(other, compute)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, expected[key])


def test_a_saved_state_is_a_copy_with_pytorch_s_names():
    model, compute = model_and_loss()
    optimizer = optim.Adam(model.parameters())
    stepped(optimizer, compute)
    saved = optimizer.state_dict()
    assert saved["param_groups"] == [
        {
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 0.0,
            "params": [0, 1, 2, 3],
        }
    ]
    assert saved["state"][0].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["state"][0]["exp_avg"].shape == (3, 2)
    kept = saved["state"][0]["exp_avg"].copy()
    stepped(optimizer, compute)
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], kept)
    saved["state"][0]["exp_avg"][:] = np.nan
    assert np.isfinite(optimizer.state_dict()["state"][0]["exp_avg"]).all()


if TORCH:

    @pytest.mark.parametrize(("name", "options"), CASES)
    def test_a_state_of_pytorch_goes_on_here(name, options):
        import torch

        start = np.array([1.0, -2.0, 0.5])
        theirs = torch.tensor(start, requires_grad=True)
        their_optimizer = getattr(torch.optim, name)([theirs], **options)

        def their_step():
            their_optimizer.zero_grad()
            (theirs**2).sum().backward()
            their_optimizer.step()

        for _ in range(3):
            their_step()
        mine = ga.Tensor(theirs.detach().numpy(), requires_grad=True)
        my_optimizer = getattr(optim, name)([mine], lr=1.0)
        my_optimizer.load_state_dict(their_optimizer.state_dict())
        for _ in range(3):
            their_step()
            my_optimizer.zero_grad()
            (mine**2).sum().backward()
            my_optimizer.step()
        np.testing.assert_allclose(mine.value, theirs.detach().numpy(), rtol=1e-12)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    model, compute = model_and_loss()
    optimizer = optim.Adam(model.parameters())
    stepped(optimizer, compute)
    before = optimizer.state_dict()

    def refused(words, change):
        state = optimizer.state_dict()
        change(state)
        with pytest.raises(ValueError, match=words):
            optimizer.load_state_dict(state)
        np.testing.assert_equal(optimizer.state_dict(), before)

    refused(r"\[3\] parameters .* \[4\]", lambda s: s["param_groups"][0]["params"].pop())
    refused("exp_avg of shape .* found", lambda s: s["state"][3].update(exp_avg=np.ones(2)))
    refused("exp_avg_sq of shape .* none", lambda s: s["state"][3].pop("exp_avg_sq"))
    refused(r"no options \{'amsgrad': True\}", lambda s: s["param_groups"][0].update(amsgrad=True))
    refused("lr is a number", lambda s: s["param_groups"][0].update(lr=-1))


def test_a_step_without_any_gradient_says_that_backward_was_forgotten():
    w = ga.Tensor([1.0], requires_grad=True)
    for name in ("SGD", "Adam"):
        with pytest.raises(ga.DerivativeError, match=r"none of the 1 parameters .*backward\(\)"):
            getattr(optim, name)([w]).step()


# -------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("make", [lambda o: optim.SGD([W], **o), lambda o: optim.sgd(**o)])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -0.1}, "lr is a number, 0 or more, not -0.1"),
        ({"lr": "fast"}, "lr is a number, 0 or more, not 'fast'"),
        ({"lr": math.nan}, "not nan"),
        ({"lr": 0.1, "momentum": -1}, "momentum is a number"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay is a number"),
        ({"lr": 0.1, "nesterov": True}, "needs a momentum above 0"),
        ({"lr": 0.1, "nesterov": True, "momentum": 0.9, "dampening": 0.1}, "no dampening"),
    ],
)
def test_wrong_options_of_sgd(make, options, words):
    with pytest.raises(ValueError, match=words):
        make(options)


W = ga.Tensor([1.0], requires_grad=True)


@pytest.mark.parametrize("make", [lambda o: optim.Adam([W], **o), lambda o: optim.adam(**o)])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -0.1}, "lr is a number"),
        ({"betas": (1.0, 0.9)}, r"betas\[0\] is a number, 0 or more and below 1, not 1.0"),
        ({"betas": (0.9, -0.1)}, r"betas\[1\] is a number"),
        ({"betas": 0.9}, "betas is a pair of numbers, not 0.9"),
        ({"eps": -1}, "eps is a number"),
    ],
)
def test_wrong_options_of_adam(make, options, words):
    with pytest.raises(ValueError, match=words):
        make(options)


def test_wrong_parameters():
    refused = [
        (W, TypeError, "iterable of tensors.*not Tensor"),
        (3, TypeError, "not int"),
        ([], ValueError, "params is empty"),
        (iter([]), ValueError, "params is empty"),
        ([np.ones(2)], TypeError, "parameter 0 is ndarray, not a tensor"),
        ([W, W], ValueError, r"parameter 1, of shape \(1,\), was given twice"),
        ([W, W * 2], ValueError, "parameter 1 was computed from others"),
        ([ga.Tensor([1, 2])], TypeError, "parameter 0 is of int64"),
        ([{"params": [W]}, W], TypeError, "not Tensor among dicts"),
        ([{"params": [W], "momentun": 0.9}], TypeError, r"unknown options \['momentun'\]"),
        ([{"params": [W], "lr": -1}], ValueError, "SGD: lr is a number"),
    ]
    for params, error, words in refused:
        with pytest.raises(error, match=words):
            optim.SGD(params)


def test_an_option_that_is_a_tensor_needs_the_pure_form():
    with pytest.raises(TypeError, match=r"SGD: lr is a tensor.*optim\.sgd"):
        optim.SGD([W], lr=ga.Tensor(0.1))


def test_a_forgotten_zero_grad_is_said():
    w = ga.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.125)
    for _ in range(3):  # adding up several passes before a step is no mistake
        (w * w).sum().backward()
    assert w.grad_passes == 3
    optimizer.step()
    optimizer.zero_grad()
    assert w.grad_passes == 0
    (w * w).sum().backward()
    optimizer.step()
    (w * w).sum().backward()
    assert w.grad_passes == 2
    with pytest.warns(ga.GradargWarning, match=r"SGD.*added to.*zero_grad\(\)"):
        optimizer.step()
    (w * w).sum().backward()
    optimizer.step()  # said once
    w.grad = None  # which is as good
    other = optim.SGD([w], lr=0.125)
    for _ in range(2):
        (w * w).sum().backward()
        other.step()
        w.grad = None
