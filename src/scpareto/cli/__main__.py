"""Run as ``python -m scpareto.cli``."""

from scpareto.cli import main

main()
