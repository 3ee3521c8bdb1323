"""L1: the tables of primitives, one row each. Each file imports only those before it."""
