"""Copy the documentation of an argument into every function that takes it."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

_MARK = re.compile(r"^( *)\{options: ([^}]*)\}$", re.M)


def fill_docstring(owner: type) -> Callable[[F], F]:
    """Replace ``{options: a, b}`` in the docstring of a function by ``owner``'s documentation of a and b.

    Parameters
    ----------
    owner
        A class whose docstring has a numpy section of parameters.
    """
    texts = split_parameters(owner.__doc__ or "")

    def fill(function: F) -> F:
        def text(mark: re.Match[str]) -> str:
            blocks = [texts[name.strip()] for name in mark[2].split("; ")]
            return "\n".join(f"{mark[1]}{line}" if line else "" for block in blocks for line in block.split("\n"))

        if function.__doc__ is not None:  # python -OO has none
            function.__doc__ = _MARK.sub(text, function.__doc__)
        return function

    return fill


def split_parameters(docstring: str) -> dict[str, str]:
    r"""Split the section of parameters into blocks, by the names on their first line.

    Examples
    --------
    >>> split_parameters("Add.\n\nParameters\n----------\na, b\n    Numbers.\nc\n    One more.")
    {'a, b': 'a, b\n    Numbers.', 'c': 'c\n    One more.'}
    """
    _, _, section = cleandoc(docstring).partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w+\n-{3,}\n", section)[0]
    blocks = re.split(r"\n(?=\S)", section.strip("\n"))
    return {block.split("\n")[0]: block for block in blocks if block}
