"""Command line of scpareto."""

from scpareto.cli import _compare, _judge, _survives
from scpareto.cli._commands import app, main

__all__: list[str] = []
