"""How each library takes a derivative: the same four questions, put in its own words.

A library here has `np`, the names its functions are written in; `array`, an array of its own; and
four ways of making a call that is timed, each of a function of arrays written in those names:

    apply(f, *args)             f itself
    gradient(f, *args, to=n)    its value and its gradient by the first n arguments
    pullback(f, c, *args, to=n) its value, and what the cotangent c pulls back to
    hvp(f, v, x, *rest)         the product of its Hessian by the first argument with v
    hessian(f, x)               the whole Hessian

A library that has no such derivative raises Missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
Call = Callable[[], Any]


class Missing(Exception):
    """This library cannot do it, or not in this way."""


class Gradarg:
    """gradarg, operation by operation."""

    name = "gradarg"

    def __init__(self) -> None:
        import gradarg

        gradarg.set_num_threads(THREADS)
        self.ga, self.np, self.special = gradarg, numpy, gradarg.special

    def array(self, x: Any) -> Any:
        return numpy.array(x)

    def made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f

    def apply(self, f: Callable[..., Any], *args: Any) -> Call:
        run = self.made(f)
        return lambda: run(*args)

    def gradient(self, f: Callable[..., Any], *args: Any, to: int = 1) -> Call:
        return self.apply(self.ga.value_and_grad(f, _argnums(to)), *args)

    def pullback(self, f: Callable[..., Any], c: Any, *args: Any, to: int = 1) -> Call:
        def both(c: Any, *args: Any) -> Any:
            out, pull = self.ga.vjp(lambda *some: f(*some, *args[to:]), *args[:to])
            return out, pull(c)

        return self.apply(both, c, *args)

    def hvp(self, f: Callable[..., Any], v: Any, x: Any, *rest: Any) -> Call:
        product = lambda v, x, *rest: self.ga.hvp(lambda x: f(x, *rest))(x, v)
        return self.apply(product, v, x, *rest)

    def hessian(self, f: Callable[..., Any], x: Any) -> Call:
        return self.apply(self.ga.hessian(f), x)


class Jit(Gradarg):
    """gradarg, compiled."""

    name = "gradarg jit"

    def made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.ga.jit(f)
        return compiled


class Blocked(Gradarg):
    """gradarg, compiled without llvmlite: NumPy in blocks."""

    name = "gradarg numpy"

    def made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.ga.jit(f, backend="numpy")
        return compiled


class Jax:
    """JAX, compiled."""

    name = "jax jit"

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.jax, self.np, self.special = jax, jax.numpy, jax.scipy.special

    def array(self, x: Any) -> Any:
        return self.jax.numpy.asarray(x)

    def apply(self, f: Callable[..., Any], *args: Any) -> Call:
        run, wait = self.jax.jit(f), self.jax.block_until_ready
        return lambda: wait(run(*args))

    def gradient(self, f: Callable[..., Any], *args: Any, to: int = 1) -> Call:
        return self.apply(self.jax.value_and_grad(f, _argnums(to)), *args)

    def pullback(self, f: Callable[..., Any], c: Any, *args: Any, to: int = 1) -> Call:
        def both(c: Any, *args: Any) -> Any:
            out, pull = self.jax.vjp(lambda *some: f(*some, *args[to:]), *args[:to])
            return out, pull(c)

        return self.apply(both, c, *args)

    def hvp(self, f: Callable[..., Any], v: Any, x: Any, *rest: Any) -> Call:
        def product(v: Any, x: Any, *rest: Any) -> Any:
            return self.jax.jvp(self.jax.grad(lambda x: f(x, *rest)), (x,), (v,))[1]

        return self.apply(product, v, x, *rest)

    def hessian(self, f: Callable[..., Any], x: Any) -> Call:
        return self.apply(self.jax.hessian(f), x)


class Torch:
    """PyTorch, operation by operation."""

    name = "torch"

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(THREADS)
        self.torch, self.np, self.special = torch, torch, torch.special

    def array(self, x: Any) -> Any:
        return self.torch.tensor(x)

    def made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f

    def apply(self, f: Callable[..., Any], *args: Any) -> Call:
        run = self.made(f)

        def call() -> Any:
            with self.torch.no_grad():
                return run(*args)

        return call

    def gradient(self, f: Callable[..., Any], *args: Any, to: int = 1) -> Call:
        run, some = self.made(f), self._leaves(args[:to])
        rest, grad = args[to:], self.torch.autograd.grad

        def call() -> Any:
            out = run(*some, *rest)
            return out.detach(), grad(out, some)

        return call

    def pullback(self, f: Callable[..., Any], c: Any, *args: Any, to: int = 1) -> Call:
        run, some = self.made(f), self._leaves(args[:to])
        rest, grad = args[to:], self.torch.autograd.grad

        def call() -> Any:
            out = run(*some, *rest)
            return out.detach(), grad(out, some, c)

        return call

    def hvp(self, f: Callable[..., Any], v: Any, x: Any, *rest: Any) -> Call:
        (x,) = self._leaves([x])
        grad = self.torch.autograd.grad

        def call() -> Any:
            (g,) = grad(f(x, *rest), x, create_graph=True)
            return grad(g, x, v)[0]

        return call

    def hessian(self, f: Callable[..., Any], x: Any) -> Call:
        product = self.torch.func.hessian(f)
        return lambda: product(x)

    def _leaves(self, args: Any) -> list[Any]:
        return [a.clone().requires_grad_() for a in args]


class Compiled(Torch):
    """torch.compile, with the settings it comes with."""

    name = "torch.compile"

    def made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = self.torch.compile(f, fullgraph=True, dynamic=False)
        return compiled

    def hvp(self, *_args: Any) -> Call:
        raise Missing("torch.compile has no second derivatives")

    def hessian(self, f: Callable[..., Any], x: Any) -> Call:
        product = self.torch.compile(self.torch.func.hessian(f), fullgraph=True, dynamic=False)
        return lambda: product(x)


class Autograd:
    """HIPS autograd."""

    name = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy
        import autograd.scipy.special

        self.ag, self.np, self.special = autograd, autograd.numpy, autograd.scipy.special

    def array(self, x: Any) -> Any:
        return numpy.array(x)

    def apply(self, f: Callable[..., Any], *args: Any) -> Call:
        return lambda: f(*args)

    def gradient(self, f: Callable[..., Any], *args: Any, to: int = 1) -> Call:
        return self.apply(self.ag.value_and_grad(f, _argnums(to)), *args)

    def pullback(self, f: Callable[..., Any], c: Any, *args: Any, to: int = 1) -> Call:
        make = self.ag.make_vjp(f, _argnums(to))

        def call() -> Any:
            pull, out = make(*args)
            return out, pull(c)

        return call

    def hvp(self, f: Callable[..., Any], v: Any, x: Any, *rest: Any) -> Call:
        return self.apply(self.ag.hessian_vector_product(f), x, *rest, v)

    def hessian(self, f: Callable[..., Any], x: Any) -> Call:
        return self.apply(self.ag.hessian(f), x)


class MyGrad:
    """MyGrad."""

    name = "mygrad"

    def __init__(self) -> None:
        import mygrad

        mygrad.turn_memory_guarding_off()  # its own advice where speed counts
        self.mg, self.np, self.special = mygrad, mygrad, None

    def array(self, x: Any) -> Any:
        return numpy.array(x)

    def apply(self, *_args: Any) -> Call:
        raise Missing("MyGrad records every operation")

    def gradient(self, f: Callable[..., Any], *args: Any, to: int = 1) -> Call:
        some, rest = [self.mg.tensor(a) for a in args[:to]], args[to:]

        def call() -> Any:
            out = f(*some, *rest)
            out.backward()
            return out.data, [t.grad for t in some]

        return call

    def pullback(self, f: Callable[..., Any], c: Any, *args: Any, to: int = 1) -> Call:
        some, rest = [self.mg.tensor(a) for a in args[:to]], args[to:]

        def call() -> Any:
            out = f(*some, *rest)
            out.backward(c)
            return out.data, [t.grad for t in some]

        return call

    def hvp(self, *_args: Any) -> Call:
        raise Missing("MyGrad has no second derivatives")

    hessian = hvp


def _argnums(to: int) -> Any:
    return 0 if to == 1 else tuple(range(to))


# by name: the class, and the module that must be installed
LIBRARIES: dict[str, tuple[type[Any], str]] = {
    cls.name: (cls, module)
    for cls, module in (
        (Gradarg, "gradarg"),
        (Jit, "gradarg"),
        (Blocked, "gradarg"),
        (Torch, "torch"),
        (Compiled, "torch"),
        (Jax, "jax"),
        (Autograd, "autograd"),
        (MyGrad, "mygrad"),
    )
}
