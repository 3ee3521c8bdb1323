"""The rows of the comparison, a family in each file: see `_row.Row`."""

from __future__ import annotations

from rows import calculus, finance, images, networks, science, sequences, training, transformer

MODULES = (calculus, networks, images, training, transformer, finance, science, sequences)
ROWS = {row.name: row for module in MODULES for row in module.ROWS}
