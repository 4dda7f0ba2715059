"""Report wrong options in one line, like all other errors."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from scpareto.cli._run_folder import console

# typer uses its own copy of click, or the installed one.
_UsageError: Any = typer.BadParameter.__mro__[1]


class ShortErrorGroup(TyperGroup):
    """Commands whose usage errors are one line instead of a box."""

    def main(self, *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:
        """Run a command; report an option that is missing, unknown or of the wrong type in one line."""
        try:
            code = super().main(*args, standalone_mode=False, **kwargs)  # type: ignore[misc]
        except _UsageError as error:
            if not standalone_mode:
                raise
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                text = " ".join(error.format_message().split())
                path = error.ctx.command_path if error.ctx is not None else "scpareto"
                text = f"[bold red]Error:[/] {escape(text)} See {path} --help."
                console.print(text, highlight=False, soft_wrap=True)
            sys.exit(error.exit_code)
        except typer.Abort:
            sys.exit(1)
        if standalone_mode:
            sys.exit(code or 0)
        return code
