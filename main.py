"""Hands over to the command line."""

from toolkit.interfaces.cli import main

raise SystemExit(main())
