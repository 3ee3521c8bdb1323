"""`python -m gradarg` is the command `gradarg`."""

from gradarg.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
