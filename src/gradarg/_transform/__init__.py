"""L3: the transforms. Functions in, functions out; nested in any order."""
