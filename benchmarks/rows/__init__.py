"""The rows of the comparison, a family in each file: see `_row.Row`."""

from __future__ import annotations

from rows import calculus, finance, networks, science

ROWS = {row.name: row for module in (calculus, networks, finance, science) for row in module.ROWS}
