"""L4: compiling staged graphs."""
