"""Command line of scpareto."""

from scpareto.cli import _compare  # noqa: F401 - adds a command
from scpareto.cli._commands import app, main

__all__ = ["app", "main"]
