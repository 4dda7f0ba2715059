"""Show the explorer as a widget in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scpareto.pl._explorer._page import as_json, static_file

if TYPE_CHECKING:
    from collections.abc import Mapping


def require_anywidget() -> None:
    """Raise an error early, before long computations.

    Raises
    ------
    ImportError
        If anywidget is not installed.
    """
    try:
        import anywidget  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ImportError(
            "The explorer as a widget needs anywidget. Install the extra: pip install 'scpareto[explorer]'; "
            "or give a path to write a page."
        ) from error


def make_widget(header: Mapping[str, Any], data: bytes, pictures: Mapping[str, str]) -> Any:
    """Make a widget with the same view for a notebook.

    Parameters
    ----------
    header
        Plain values, as from :func:`pack`.
    data
        Compressed coordinates and colourings.
    pictures
        Data URLs of the static pictures, by name.

    Returns
    -------
    An `anywidget.AnyWidget`; its `point` is the number of the shown point, or a preference between points, and can be
    set.
    """
    import anywidget
    import traitlets

    numbers = [point["number"] for point in header["points"]]

    class Explorer(anywidget.AnyWidget):
        _esm = static_file("explorer.js")
        _css = static_file("explorer.css")
        header = traitlets.Unicode().tag(sync=True)
        data = traitlets.Bytes().tag(sync=True)
        pictures = traitlets.Dict().tag(sync=True)
        point = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)

        @traitlets.validate("point")
        def _check_point(self, proposal: Any) -> int | float:
            if proposal["value"] not in numbers:
                raise traitlets.TraitError(f"point={proposal['value']} is not on this front; points: {numbers}.")
            return numbers[numbers.index(proposal["value"])]

    return Explorer(header=as_json(header), data=data, pictures=dict(pictures), point=numbers[header["selected"]])
