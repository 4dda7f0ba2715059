"""Show, save and return a finished plot."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import FigureCanvasBase

from scpareto._runtime import check_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 300
"""Resolution of pixel formats, as journals ask for."""


@dataclass(frozen=True)
class Finish:
    """Show, save and return a figure, as :mod:`scanpy.pl` does; bad arguments raise errors before drawing.

    Parameters
    ----------
    show
        Whether to show all figures; None leaves that to the notebook.
    save
        File to write; its folder is created if necessary.
    return_fig
        Whether to return the figure.

    Raises
    ------
    TypeError
        If ``save`` is not a path.
    ValueError
        If matplotlib does not support the file type, or the file cannot be written there.
    """

    show: bool | None
    save: str | os.PathLike[str] | None
    return_fig: bool

    def __post_init__(self) -> None:
        if self.save is None:
            return
        if not isinstance(self.save, str | os.PathLike):
            raise TypeError(f"save={self.save!r} must be a path, such as 'figures/front.pdf'.")
        path = Path(self.save)
        valid = sorted(FigureCanvasBase.get_supported_filetypes())
        if path.suffix.lower().removeprefix(".") not in valid:
            raise ValueError(f"save={str(path)!r} must end in one of {', '.join(f'.{ending}' for ending in valid)}.")
        if path.is_dir():
            raise ValueError(f"save={str(path)!r} is a folder; give a file in it.")
        check_folder("save", path.absolute().parent)

    def __call__(self, axes: Axes | np.ndarray) -> Any:
        """Finish the figure of some axes.

        Parameters
        ----------
        axes
            Axes with the plot.

        Returns
        -------
        The figure with ``return_fig``; otherwise None if it was shown; otherwise the axes.
        """
        first_ax = axes.flat[0] if isinstance(axes, np.ndarray) else axes
        figure = cast("Figure", first_ax.get_figure(root=True))
        if self.save is not None:
            self._write(figure, Path(self.save))
        if self.show:
            plt.show()
        if self.return_fig:
            return figure
        return None if self.show else axes

    def _write(self, figure: Figure, path: Path) -> None:
        dpi = mpl.rcParams["savefig.dpi"]
        with write_atomically(path) as unfinished:
            figure.savefig(unfinished, dpi=_DPI if isinstance(dpi, str) else dpi, bbox_inches="tight")
