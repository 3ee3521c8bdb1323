"""Sums along a row, with what is the same throughout the row taken out of them.

    sum(g x / s) = sum(g x) / s

where s is itself a reduction of the row: then the sum need not wait for it, and shares its pass
over the row with others. Differentiated layer norm has three passes so, and not five.
"""

from __future__ import annotations

from .kernel import END_REDUCTIONS, Value, levels

Factors = tuple[tuple[str, Value], ...]  # operations by what is the same throughout the row
_BY_ROW = ("multiply", "product", "divide", "quotient")


def distributed(values: list[Value], outputs: list[Value]) -> list[Value]:
    """The values, with sums that can be had in an earlier pass computed there."""
    levels(values)
    found: list[Value] = []
    sums: dict[int, Value] = {}  # by what they are the sum of
    cores: dict[tuple[str, int, int], Value] = {}
    for v in values:
        if v.op == "row_sum":
            new: list[Value] = []
            tried = dict(cores)
            terms = [(sign, *_split(x, tried, new)) for sign, x in _terms(v.values[0], False)]
            if len(terms) < 5 and all(core.level < v.values[0].level for _, core, _ in terms):
                found += new
                cores = tried
                _becomes(v, terms, found, sums)
        found.append(v)
    return _needed(found, outputs)


def _terms(x: Value, negative: bool) -> list[tuple[bool, Value]]:
    """What is added and subtracted, each a whole row, by its sign."""
    if x.op == "negative":
        return _terms(x.values[0], not negative)
    if x.op in ("add", "subtract") and all(a.kind == "M" for a in x.values):
        one, other = x.values
        return [*_terms(one, negative), *_terms(other, negative ^ (x.op == "subtract"))]
    return [(negative, x)]


def _split(
    x: Value, cores: dict[tuple[str, int, int], Value], new: list[Value]
) -> tuple[Value, Factors]:
    """A value as a core that varies along the row, and what it is multiplied and divided by."""
    if x.op not in _BY_ROW or x.kind != "M":
        return x, ()
    one, other = map(_of_row, x.values)
    if other.kind in ("r", "s"):
        core, factors = _split(one, cores, new)
        return core, (*factors, (x.op, other))
    if x.op in ("divide", "quotient"):
        return x, ()
    if one.kind in ("r", "s"):
        core, factors = _split(other, cores, new)
        return core, (*factors, (x.op, one))
    (one, first), (other, second) = _split(one, cores, new), _split(other, cores, new)
    if not first and not second:
        return x, ()
    key = x.op, id(one), id(other)
    if key not in cores:
        core = cores[key] = Value(x.op, (one, other), "M", "f", {}, x.length)
        core.level = max(one.level, other.level)
        new.append(core)
    return cores[key], (*first, *second)


def _of_row(x: Value) -> Value:
    """What is the same throughout the row, where it was spread over it."""
    return x.values[0] if x.op == "positive" and x.values[0].kind in ("r", "s") else x


def _becomes(
    v: Value,
    terms: list[tuple[bool, Value, Factors]],
    values: list[Value],
    sums: dict[int, Value],
) -> None:
    """Make a sum of what its terms' cores sum to; v stays the same object, others hold it."""

    def row(op: str, *args: Value) -> Value:
        values.append(Value(op, args, "r", "f"))
        return values[-1]

    total: Value | None = None
    for negative, core, factors in terms:
        x = sums.get(id(core)) or row("row_sum", core)
        sums[id(core)] = x
        for op, by in factors:
            x = row(op, x, by)
        if total is None:
            total = row("negative", x) if negative else x
        else:
            total = row("subtract" if negative else "add", total, x)
    assert total is not None
    v.op, v.args = "positive", (total,)


def _needed(values: list[Value], outputs: list[Value]) -> list[Value]:
    """Those that outputs and ends use."""
    kept: set[int] = set()
    left = [*outputs, *(v for v in values if v.op in END_REDUCTIONS)]
    while left:
        v = left.pop()
        if id(v) not in kept:
            kept.add(id(v))
            left += v.values
    return [v for v in values if id(v) in kept or v.op == "input"]
