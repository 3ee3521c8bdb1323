"""Numbers that remember how they were computed, and so know their derivatives.

Arithmetic on a `Scalar` does two things at once. It computes the value, and it notes on an `Edge`
for each input how fast the result moves with that input: the *local gradient*. The nodes and edges
make a graph, and the chain rule says that along a path of it the local gradients multiply, and that
over all the paths between two nodes the products add up. One graph can be summed up in two ways:

- `y.backward()` walks from the result to the inputs: d(y)/d(node) for every node, in one sweep;
- `y.forward(x)` walks from an input to the result: d(node)/d(x) for every node, in one sweep.

A neuron with one input, and what its output owes to each of the three numbers that made it:

>>> from gradarg.scalar import Scalar, sigmoid
>>> a, x, b = Scalar(1), Scalar(2), Scalar(3)
>>> y = sigmoid(a * x + b)
>>> y.backward()
>>> print(f"{y.value:.6f}: {a.grad:.6f} {x.grad:.6f} {b.grad:.6f}")
0.993307: 0.013296 0.006648 0.006648

The value of a Scalar may itself be a Scalar. Then the local gradients, being computed from values,
are Scalars too, with a graph of their own; so a derivative can be differentiated in its turn:

>>> x = Scalar(Scalar(2.0))
>>> y = x**3
>>> y.backward()                 # x.grad = 3 x^2 = 12, and it remembers x.value
>>> x.grad.backward()            # 6 x = 12
>>> x.grad.value, x.value.grad
(12.0, 12.0)

Where mathematics leaves a choice, this file makes it once: the slope of `abs` and of `relu` at 0 is
0, equal arguments of `max` and `min` share the gradient, `sqrt` at 0 has slope inf. NaN passes
through. Outside its domain an operation raises an error, as Python's own numbers do.
"""

from __future__ import annotations

import math

__all__ = [
    "Edge",
    "Scalar",
    "abs",
    "cos",
    "exp",
    "log",
    "max",
    "min",
    "relu",
    "sigmoid",
    "sin",
    "sqrt",
    "tan",
    "tanh",
]


class Edge:
    """One input of a node: the node it came from, and d(node)/d(prev) at the time."""

    __slots__ = ("local_grad", "prev")

    def __init__(self, prev: Scalar, local_grad: Scalar | float) -> None:
        self.prev = prev
        self.local_grad = local_grad

    def __repr__(self) -> str:
        return f"Edge({self.prev!r}, local_grad={self.local_grad!r})"


class Scalar:
    """A real number in a graph: its value, its gradient, and the edges to what it came from.

    `Scalar(value)` is an input, and `value` a real number or a Scalar (for higher derivatives).
    `Scalar(value, prevs)` is the result of an operation, which is all it takes to add one:

    >>> x = Scalar(2.0)
    >>> y = Scalar(math.atan(x.value), [Edge(x, 1 / (1 + x.value**2))])
    >>> y.backward()
    >>> x.grad
    0.2

    `.value` may be assigned, as a step of gradient descent does; a graph made earlier keeps the
    local gradients of the values it was made with. `.grad` is of the kind of `.value`, and 0 until
    a backward sweep adds to it.

    Comparisons, `==` among them, and truth go by value, as for any number. Hashing goes by
    identity, so that each Scalar is its own key in a dict or set, whatever values they share.

    Raises TypeError for what is not one real number, and for a mixture of Scalars that hold a
    number with Scalars that hold a Scalar.
    """

    __slots__ = ("grad", "prevs", "value")

    __array_ufunc__ = None  # numpy_array + scalar is for Scalar to judge, not for NumPy to spread

    def __init__(self, value: Scalar | float, prevs: list[Edge] | None = None) -> None:
        self.value = value
        self.grad: Scalar | float = 0.0
        self.prevs = prevs or []
        if type(value) is not float:
            self._settle()

    @classmethod
    def from_random(cls, lower: float = -1.0, upper: float = 1.0) -> Scalar:
        """Draw an input evenly from between `lower` and `upper`; `random.seed` makes it repeat.

        >>> 2 <= Scalar.from_random(2, 3) <= 3
        True
        """
        import random

        return cls(random.uniform(_number(lower), _number(upper)))

    def __repr__(self) -> str:
        return f"Scalar({self.value!r}, grad={self.grad!r})"

    # ---------------------------------------------------------------- the two sweeps

    def backward(self) -> None:
        """Add d(self)/d(node) to the `.grad` of every node that self was computed from.

        From self, whose gradient is 1, each edge hands on to `prev`

            d(self)/d(prev) += d(self)/d(node) * d(node)/d(prev)

        once all the edges into `node` have brought theirs. Sweeps add up: until `zero_grad`, a
        second one, from here or from another result, adds its own gradients to those of the first.

        >>> x = Scalar(3.0)
        >>> y = x * x                # two edges lead to x
        >>> y.backward()
        >>> x.grad
        6.0
        >>> y.backward()
        >>> x.grad
        12.0
        """
        more = self._graph()  # for each node, the edges still to come after the next
        partial: dict[Scalar, Scalar | float] = {}  # what has come to nodes that wait for more
        ready: list[tuple[Scalar, Scalar | float]] = [(self, 1.0)]
        for node, total in ready:
            node.grad += total
            for edge in node.prevs:
                prev = edge.prev
                share = total * edge.local_grad
                if prev in partial:
                    share += partial[prev]
                if more[prev]:
                    more[prev] -= 1
                    partial[prev] = share
                else:
                    ready.append((prev, share))

    def forward(self, x: Scalar) -> dict[Scalar, Scalar | float]:
        """Return d(node)/d(x) for every node that self was computed from, self coming last.

        From x, whose derivative is 1, while that of all other inputs is 0, each node takes

            d(node)/d(x) = sum over its edges of d(node)/d(prev) * d(prev)/d(x)

        once all that it was computed from have theirs. Where there is no path from x, that is 0.
        No `.grad` changes.

        >>> x = Scalar(3.0)
        >>> u = x * x
        >>> y = u + 5 * x
        >>> dx = y.forward(x)
        >>> dx[u], dx[y]
        (6.0, 11.0)
        """
        if not isinstance(x, Scalar):
            raise TypeError(f"forward(x) takes the Scalar to differentiate by, and got {x!r}")
        zero, one = _constant(0.0, like=self.value), _constant(1.0, like=self.value)
        tangents: dict[Scalar, Scalar | float] = {}
        waiting = [self]
        while waiting:
            node = waiting[-1]
            missing = [edge.prev for edge in node.prevs if edge.prev not in tangents]
            if missing:
                waiting += missing
            else:
                terms = [edge.local_grad * tangents[edge.prev] for edge in node.prevs]
                tangents[node] = one if node is x else sum(terms, zero)
                waiting.pop()
        return tangents

    def zero_grad(self) -> None:
        """Set `.grad` to 0 here and in every node that self was computed from.

        Where values are Scalars, the same happens in the graph of self.value.

        >>> x = Scalar(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.zero_grad()
        >>> x.grad
        0.0
        """
        for node in self._graph():
            node.grad = _constant(0.0, like=node.value)
        if isinstance(self.value, Scalar):
            self.value.zero_grad()

    def _graph(self) -> dict[Scalar, int]:
        """Find each node that self was computed from, and count the edges into it beyond the first.

        The list grows while it is walked, as a recursion would end at Python's thousandth call.
        """
        more = {self: 0}
        nodes = [self]
        for node in nodes:
            for edge in node.prevs:
                prev = edge.prev
                if prev in more:
                    more[prev] += 1
                else:
                    more[prev] = 0
                    nodes.append(prev)
        return more

    def _settle(self) -> None:
        """Make the value a float, or a Scalar if all that it came from hold Scalars; grad alike."""
        if not isinstance(self.value, Scalar):
            self.value = _number(self.value)
            return
        self.grad = _constant(0.0, like=self.value)
        for edge in self.prevs:
            if not isinstance(edge.prev.value, Scalar):
                raise TypeError(
                    f"cannot combine {edge.prev!r}, which holds a number, with a Scalar that holds "
                    "a Scalar: wrap it once more, as in Scalar(x), for a constant at that depth"
                )

    # ---------------------------------------------------------------- arithmetic

    def __add__(self, other: Scalar | float) -> Scalar:
        """The sum x + y: d/dx = 1, d/dy = 1."""
        if isinstance(other, Scalar):
            return Scalar(self.value + other.value, [Edge(self, 1.0), Edge(other, 1.0)])
        return Scalar(self.value + _number(other), [Edge(self, 1.0)])

    __radd__ = __add__

    def __sub__(self, other: Scalar | float) -> Scalar:
        """The difference x - y: d/dx = 1, d/dy = -1."""
        if isinstance(other, Scalar):
            return Scalar(self.value - other.value, [Edge(self, 1.0), Edge(other, -1.0)])
        return Scalar(self.value - _number(other), [Edge(self, 1.0)])

    def __rsub__(self, other: float) -> Scalar:
        return Scalar(_number(other) - self.value, [Edge(self, -1.0)])

    def __mul__(self, other: Scalar | float) -> Scalar:
        """The product x * y: d/dx = y, d/dy = x."""
        x = self.value
        if isinstance(other, Scalar):
            y = other.value
            return Scalar(x * y, [Edge(self, y), Edge(other, x)])
        y = _number(other)
        return Scalar(x * y, [Edge(self, y)])

    __rmul__ = __mul__

    def __truediv__(self, other: Scalar | float) -> Scalar:
        """The ratio x / y: d/dx = 1 / y, d/dy = -(x / y) / y; ZeroDivisionError where y = 0."""
        if isinstance(other, Scalar):
            y = other.value
            ratio = _divide(self.value, y)
            return Scalar(ratio, [Edge(self, 1.0 / y), Edge(other, -ratio / y)])
        y = _number(other)
        return Scalar(_divide(self.value, y), [Edge(self, 1.0 / y)])

    def __rtruediv__(self, other: float) -> Scalar:
        y = self.value
        ratio = _divide(_number(other), y)
        return Scalar(ratio, [Edge(self, -ratio / y)])

    def __pow__(self, other: Scalar | float) -> Scalar:
        """The power x ** n: d/dx = n x^(n-1), d/dn = x^n log x, the latter only for a Scalar n.

        A whole number n goes with any x, as in (x - 1)**2. Where x = 0, the slope d/dx is inf for
        0 < n < 1, and d/dn is 0, since 0**n stays 0 as n moves.

        Raises ZeroDivisionError where x = 0 and n < 0, ValueError where x < 0 and n is a fraction
        or a Scalar, OverflowError where the power is too large for a float.
        """
        x = self.value
        if isinstance(other, Scalar):
            n = other.value
            y = _power(x, n)
            return Scalar(y, [Edge(self, _slope(x, n)), Edge(other, y * _log_base(x))])
        n = _number(other)
        return Scalar(_power(x, n), [Edge(self, _slope(x, n))])

    def __rpow__(self, other: float) -> Scalar:
        x, n = _number(other), self.value
        y = _power(x, n)
        return Scalar(y, [Edge(self, y * _log_base(x))])

    def __neg__(self) -> Scalar:
        """-x: d/dx = -1."""
        return Scalar(-self.value, [Edge(self, -1.0)])

    def __pos__(self) -> Scalar:
        return self

    def __abs__(self) -> Scalar:
        """|x|: d/dx = 1 where x > 0, -1 where x < 0, and 0 at 0."""
        x = self.value
        sign = 1.0 if x > 0 else -1.0 if x < 0 else 0.0
        return Scalar(abs(x), [Edge(self, sign)])

    # ---------------------------------------------------------------- comparison

    def __eq__(self, other: object) -> bool:
        return self.value == (other.value if isinstance(other, Scalar) else other)

    def __lt__(self, other: Scalar | float) -> bool:
        return self.value < _value(other)

    def __le__(self, other: Scalar | float) -> bool:
        return self.value <= _value(other)

    def __gt__(self, other: Scalar | float) -> bool:
        return self.value > _value(other)

    def __ge__(self, other: Scalar | float) -> bool:
        return self.value >= _value(other)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        """Raise TypeError: leaving the graph takes an explicit `.value`."""
        raise TypeError(
            "a Scalar does not turn into a plain number by itself, as its derivative would be "
            "lost: for the number use x.value, for functions those of gradarg.scalar, not of math"
        )

    __int__ = __float__


# -------------------------------------------------------------------- functions
# Each turns a Scalar into a Scalar, and a plain number into a float. Given a Scalar, it calls
# itself with the value, which may be a Scalar again; a plain number at the bottom ends that.


def exp(x: Scalar | float) -> Scalar | float:
    """e^x: d/dx = e^x. Raises OverflowError above 709.78, where floats end.

    >>> exp(Scalar(0.0)).prevs
    [Edge(Scalar(0.0, grad=0.0), local_grad=1.0)]
    """
    if isinstance(x, Scalar):
        y = exp(x.value)
        return Scalar(y, [Edge(x, y)])
    try:
        return math.exp(_number(x))
    except OverflowError:
        message = f"exp({x}) is too large for a float: expected x <= 709.78, so rescale x"
        raise OverflowError(message) from None


def log(x: Scalar | float) -> Scalar | float:
    """The natural logarithm: d/dx = 1 / x. Raises ValueError unless x > 0.

    >>> log(Scalar(4.0)).prevs
    [Edge(Scalar(4.0, grad=0.0), local_grad=0.25)]
    """
    if isinstance(x, Scalar):
        return Scalar(log(x.value), [Edge(x, 1.0 / x.value)])
    x = _number(x)
    if x <= 0:
        raise ValueError(f"log({x}) is not defined: expected x > 0, as in log(max(x, 1e-12))")
    return math.log(x)


def sqrt(x: Scalar | float) -> Scalar | float:
    """The square root y: d/dx = 1 / (2 y). Raises ValueError if x < 0.

    At 0 the slope is inf, and inf times a gradient of 0 is NaN: where x may be 0, expect that.

    >>> sqrt(Scalar(4.0)).prevs
    [Edge(Scalar(4.0, grad=0.0), local_grad=0.25)]
    """
    if isinstance(x, Scalar):
        root = sqrt(x.value)
        return Scalar(root, [Edge(x, 0.5 * _reciprocal(root))])
    x = _number(x)
    if x < 0:
        raise ValueError(f"sqrt({x}) is not a real number: expected x >= 0, as in sqrt(max(x, 0))")
    return math.sqrt(x)


def sin(x: Scalar | float) -> Scalar | float:
    """The sine of x radians: d/dx = cos x. Raises ValueError if x is infinite.

    >>> sin(Scalar(0.0)).prevs
    [Edge(Scalar(0.0, grad=0.0), local_grad=1.0)]
    """
    if isinstance(x, Scalar):
        return Scalar(sin(x.value), [Edge(x, cos(x.value))])
    return math.sin(_finite("sin", x))


def cos(x: Scalar | float) -> Scalar | float:
    """The cosine of x radians: d/dx = -sin x. Raises ValueError if x is infinite.

    >>> cos(Scalar(0.0)).value
    1.0
    """
    if isinstance(x, Scalar):
        return Scalar(cos(x.value), [Edge(x, -sin(x.value))])
    return math.cos(_finite("cos", x))


def tan(x: Scalar | float) -> Scalar | float:
    """The tangent y of x radians: d/dx = 1 + y^2. Raises ValueError if x is infinite.

    >>> tan(Scalar(0.0)).prevs
    [Edge(Scalar(0.0, grad=0.0), local_grad=1.0)]
    """
    if isinstance(x, Scalar):
        y = tan(x.value)
        return Scalar(y, [Edge(x, 1.0 + y * y)])
    return math.tan(_finite("tan", x))


def tanh(x: Scalar | float) -> Scalar | float:
    """The hyperbolic tangent y: d/dx = 1 - y^2.

    >>> tanh(Scalar(0.0)).prevs
    [Edge(Scalar(0.0, grad=0.0), local_grad=1.0)]
    """
    if isinstance(x, Scalar):
        double = 2.0 * x.value
        slope = 4.0 * sigmoid(double) * sigmoid(-double)  # = 1 - y^2, exact where y is near 1
        return Scalar(tanh(x.value), [Edge(x, slope)])
    return math.tanh(_number(x))


def sigmoid(x: Scalar | float) -> Scalar | float:
    """The logistic function y = 1 / (1 + e^-x): d/dx = y (1 - y); no x overflows.

    >>> sigmoid(Scalar(0.0)).prevs
    [Edge(Scalar(0.0, grad=0.0), local_grad=0.25)]
    >>> sigmoid(-800), sigmoid(800)
    (0.0, 1.0)
    """
    if isinstance(x, Scalar):
        y = sigmoid(x.value)
        return Scalar(y, [Edge(x, y * sigmoid(-x.value))])  # = 1 - y, exact where y is near 1
    x = _number(x)
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    power = math.exp(x)
    return power / (1.0 + power)


def relu(x: Scalar | float) -> Scalar | float:
    """The larger of x and 0: d/dx = 1 where x > 0, and 0 elsewhere, at 0 too.

    >>> relu(Scalar(3.0)).prevs
    [Edge(Scalar(3.0, grad=0.0), local_grad=1.0)]
    >>> relu(-3.0)
    0.0
    """
    if isinstance(x, Scalar):
        return Scalar(relu(x.value), [Edge(x, 0.0 if x <= 0 else 1.0)])
    x = _number(x)
    return 0.0 if x <= 0 else x


def abs(x: Scalar | float) -> Scalar | float:
    """The size |x|: d/dx = 1 where x > 0, -1 where x < 0, 0 at 0. Python's own `abs` does the same.

    >>> abs(Scalar(-3.0)).prevs
    [Edge(Scalar(-3.0, grad=0.0), local_grad=-1.0)]
    """
    return x.__abs__() if isinstance(x, Scalar) else math.fabs(_number(x))


def max(*xs: Scalar | float) -> Scalar | float:
    """The largest of two or more: d/dx = 1 for it, 0 for the others; equals share the 1.

    >>> [edge.local_grad for edge in max(Scalar(5.0), Scalar(2.0), Scalar(5.0)).prevs]
    [0.5, 0.0, 0.5]
    """
    return _best(xs, largest=True)


def min(*xs: Scalar | float) -> Scalar | float:
    """The smallest of two or more: d/dx = 1 for it, 0 for the others; equals share the 1.

    >>> [edge.local_grad for edge in min(Scalar(5.0), Scalar(2.0), Scalar(5.0)).prevs]
    [0.0, 1.0, 0.0]
    """
    return _best(xs, largest=False)


# -------------------------------------------------------------------- the small print


def _best(xs: tuple[Scalar | float, ...], largest: bool) -> Scalar | float:
    """The max or min of xs; NaN if one of them is NaN, and then all share the gradient."""

    def beats(x: Scalar | float, y: Scalar | float) -> bool:
        return x > y if largest else x < y

    if len(xs) < 2:
        name = "max" if largest else "min"
        raise TypeError(f"{name} takes two numbers or more; those of a list go in as {name}(*list)")
    if any(isinstance(x, Scalar) for x in xs):
        values = tuple(_value(x) for x in xs)
        best = _best(values, largest)
        tied = [not beats(best, value) for value in values]
        shares = [tie / sum(tied) for tie in tied]
        edges = [Edge(x, share) for x, share in zip(xs, shares) if isinstance(x, Scalar)]
        return Scalar(best, edges)
    best, *others = (_number(x) for x in xs)
    for x in others:
        if beats(x, best) or math.isnan(x):
            best = x
    return best


def _number(x: Scalar | float) -> float:
    """Turn x into a float; TypeError for what is not one real number."""
    if type(x) is float:
        return x
    if hasattr(x, "__float__") and not hasattr(x, "__len__"):  # an array has both
        return float(x)
    raise TypeError(
        f"expected a real number or a Scalar, and got {type(x).__name__}: "
        "text goes through float(...) first, and arrays are for gradarg.Tensor"
    )


def _value(x: Scalar | float) -> Scalar | float:
    return x.value if isinstance(x, Scalar) else x


def _constant(number: float, like: Scalar | float) -> Scalar | float:
    """Wrap the number in as many Scalars as `like` is."""
    return Scalar(_constant(number, like.value)) if isinstance(like, Scalar) else number


def _divide(x: Scalar | float, y: Scalar | float) -> Scalar | float:
    if y == 0:
        raise ZeroDivisionError(f"cannot divide {x!r} by {y!r}: expected a divisor other than 0")
    return x / y


def _reciprocal(x: Scalar | float) -> Scalar | float:
    """1 / x for x >= 0, with 1 / 0 = inf: the slope where a curve rises upright."""
    if isinstance(x, Scalar):
        y = _reciprocal(x.value)
        return Scalar(y, [Edge(x, -y * y)])
    return 1.0 / x if x else math.inf


def _power(x: Scalar | float, n: Scalar | float) -> Scalar | float:
    """The real number x ** n, for which Python's own might be a complex one."""
    if isinstance(x, Scalar) or isinstance(n, Scalar):
        return x**n
    if x == 0 and n < 0:
        raise ZeroDivisionError(f"{x} ** {n} divides by 0: expected a base other than 0")
    try:
        return math.pow(x, n)
    except ValueError:
        message = f"({x}) ** {n} is not a real number: expected a base >= 0 or a whole exponent"
        raise ValueError(message) from None
    except OverflowError:
        message = f"({x}) ** {n} is too large for a float: expected a smaller base or exponent"
        raise OverflowError(message) from None


def _slope(x: Scalar | float, n: Scalar | float) -> Scalar | float:
    """The slope d(x ** n)/dx = n x^(n-1), at x = 0 too."""
    if n == 0 and (x == 0 or not isinstance(n, Scalar)):
        return 0.0
    if 0 < n < 1:
        return n * _reciprocal(_power(x, 1.0 - n))
    if n <= 0:
        return n * _power(x, n) / x  # as x^(n-1) may be too large where x^n is not
    return n * _power(x, n - 1.0)


def _log_base(x: Scalar | float) -> Scalar | float:
    """The log x in d(x ** n)/dn = x^n log x."""
    if x == 0:
        return 0.0
    if x < 0:
        raise ValueError(
            f"({x}) ** Scalar has no derivative by its exponent: expected a base >= 0, or a plain "
            "number for the exponent, as in x ** n.value"
        )
    return log(x)


def _finite(name: str, x: float) -> float:
    x = _number(x)
    if math.isinf(x):
        raise ValueError(f"{name}({x}) is not defined: expected a finite angle")
    return x
