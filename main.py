"""Runs ``main.py -c FILE -o Section.key=value``."""

from toolkit.interfaces.cli import main

# The workers of mode extract import this file again.
if __name__ == "__main__":
    raise SystemExit(main())
