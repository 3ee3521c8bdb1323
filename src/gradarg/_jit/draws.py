"""Random numbers in a jitted function: drawn by NumPy's generators, in each call anew.

What is drawn does not depend on values that are computed, so all of it is drawn first, in the
order of the function, and given to the program as arrays. So the numbers are those of the function
itself, and a derivative sees the very numbers that its function saw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._core.errors import ConcreteValueError
from .._core.trace import Box

_METHODS = (
    "beta binomial bytes chisquare choice dirichlet exponential f gamma geometric gumbel "
    "hypergeometric integers laplace logistic lognormal logseries multinomial "
    "multivariate_hypergeometric multivariate_normal negative_binomial noncentral_chisquare "
    "noncentral_f normal pareto permutation permuted poisson power random rayleigh "
    "standard_cauchy standard_exponential standard_gamma standard_normal standard_t triangular "
    "uniform vonmises wald weibull zipf"
)
_REFUSED = ("shuffle", "spawn", "bit_generator")


class Draw(NamedTuple):
    """One call of a method of the generator of that number."""

    generator: int
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    cast: Any = None  # the dtype of what was a Python float

    def of(self, generator: Any) -> Any:
        value = getattr(generator, self.method)(*self.args, **self.kwargs)
        return value if self.cast is None else self.cast(value)


class Draws(np.random.Generator):
    """Stands for a generator while a function is staged, and notes what is drawn."""

    def __init__(self, note: Callable[[Draw, Any], Any], number: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._note, self._number = note, number
        self.drawn = 0
        self._samples = np.random.default_rng(0)  # for their shapes and dtypes

    def __getattribute__(self, name: str) -> Any:
        if name in _REFUSED:
            raise ConcreteValueError(
                f"Inside ga.jit a generator has no {name}: it would act once, when the function is "
                "compiled. Use rng.permutation(n) for a shuffle, or do it outside."
            )
        if name not in _METHODS.split():
            return super().__getattribute__(name)

        def draw(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(a, Box) for a in (*args, *kwargs.values())):
                raise ConcreteValueError(
                    f"Inside ga.jit rng.{name} takes numbers and shapes that are known, not "
                    "tensors. Draw standard numbers and transform them: "
                    "mu + sigma * rng.standard_normal(mu.shape), x[rng.permutation(len(x))]."
                )
            if kwargs.get("out") is not None:
                raise ConcreteValueError(
                    f"Inside ga.jit rng.{name}(out=) would write once, when the function is "
                    "compiled. Use what it returns."
                )
            self.drawn += 1
            sample = getattr(self._samples, name)(*args, **kwargs)
            return self._note(Draw(self._number, name, args, kwargs), sample)

        return draw
