"""Where on its front a model is: take a point or a place for good, or for the length of a block."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import check_key_added
from scpareto.front import load_selection, refine_point
from scpareto.model._minified import refuse_minified
from scpareto.model._without_cells import refuse_without_cells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    import torch
    from numpy.typing import NDArray

    from scpareto.pareto import Front, Place, Selection, Which


class SelectionMixin:
    """Selection of a model that keeps a front.

    Comes before the scvi-tools class among the bases.
    """

    _front: Front | None = None
    selected_: int | None = None
    preference_: list[float] | None = None

    def select(
        self,
        which: Which | None = None,
        *,
        batch_left: float | None = None,
        preference: Place | None = None,
        allow_alarm: bool = False,
        key_added: str | None = None,
    ) -> int:
        """Load a point of the front into the model, in place; everything downstream then works on it.

        Also notes the selection in ``adata.uns["scpareto"]``. Embeddings that were written before stay as they were:
        ``key_added`` writes that of the new point.

        Parameters
        ----------
        which
            A point: its number (int), a rule (``"auto"``, the recommended point, for which
            :meth:`scpareto.pareto.Front.explain` gives the reasons, or ``"knee"``), or limits on columns of the front,
            in their better direction, e.g. ``{"batch_left": 5}`` (at most) or ``{"structure_kept": 95}`` (at least):
            the least corrected point within all of them.
        batch_left
            A place instead: what may be left of the batch, in %. Exactly this place where all preferences were trained
            at once, otherwise the nearest point.
        preference
            A place instead, in the coordinate of the training: a float in [0, 1], 0 uncorrected and 1 strongest, or one
            importance for each objective.
        allow_alarm
            Whether limits may take a point whose over-correction alarm rings.
        key_added
            Where in ``adata.obsm`` to write the embedding, for example ``"X_paretovi"``; which point it is of goes to
            ``adata.uns["scpareto"]["embeddings"]``. The AnnData is that of the model, or the one that
            :func:`scpareto.tl.integrate` was given. None to write none.

        Returns
        -------
        Number of the point, of the nearest one where the place lies between points.

        Raises
        ------
        RuntimeError
            If the model has no front yet.
        ValueError
            If there is no such point or place, the data are minified with the codes of another one, or the embedding
            cannot be written.
        TypeError
            If not exactly one of the three is given, or a place is given as a point.

        Warns
        -----
        UserWarning
            If the over-correction alarm of the point rings; the message names genes of what is lost.
        """
        if key_added is not None:
            check_key_added(key_added)
        selection = self._resolved(which, preference, batch_left, allow_alarm=allow_alarm)
        self._enter(selection)
        self._record()
        if key_added is not None:
            self._write_codes(key_added)
        if words := self._trained_front().warning(selection.number):
            warnings.warn(words, UserWarning, stacklevel=2)
        return selection.number

    @contextmanager
    def at(
        self,
        which: Which | None = None,
        *,
        batch_left: float | None = None,
        preference: Place | None = None,
        allow_alarm: bool = False,
    ) -> Iterator[Self]:
        """Put the model at a point or place for the length of a ``with`` block; the selection stays.

        Every getter works in the block as after :meth:`select`. At its end, and after an error in it, the model is
        back where it was. Blocks may be nested. A model that is trained or minified in the block stays as it is then.

        Parameters
        ----------
        which, batch_left, preference, allow_alarm
            As for :meth:`select`.

        Yields
        ------
        The model.

        Raises
        ------
        RuntimeError, ValueError, TypeError
            As :meth:`select`.
        """
        selection = self._resolved(which, preference, batch_left, allow_alarm=allow_alarm)
        with self._put_back():
            self._enter(selection)
            yield self

    def get_latent_representation(
        self, *args: Any, batch_left: float | None = None, preference: Place | None = None, **kwargs: Any
    ) -> Any:
        """Return codes of cells, of the selected point or of another place.

        Parameters
        ----------
        *args, **kwargs
            As in scvi-tools: ``adata``, ``indices``, ``give_mean``, ``mc_samples``, ``batch_size``, ``return_dist``,
            ``dataloader``. A model that a data module has trained needs the last.
        batch_left, preference
            None for the selected point, or another place, for example ``batch_left=10``, see :meth:`select`; the
            selection stays. For a point by number or rule, and for other getters, see :meth:`at`.

        Returns
        -------
        Codes, shape ``(n_cells, n_latent)``, or with ``return_dist`` mean and variance.

        Raises
        ------
        RuntimeError, ValueError, TypeError
            As :meth:`select`.
        """
        if not args and kwargs.get("adata") is None and kwargs.get("dataloader") is None:
            refuse_without_cells(self, "encode")
        codes = super().get_latent_representation  # type: ignore[misc]
        if preference is None and batch_left is None:
            return codes(*args, **kwargs)
        selection = self._resolved(None, preference, batch_left)
        with self._put_back():
            load_selection(self, selection)
            return codes(*args, **kwargs)

    def refine(
        self,
        which: Which | None = None,
        *,
        batch_left: float | None = None,
        preference: Place | None = None,
        max_epochs: int = 20,
        progress: bool = True,
        **trainer_kwargs: Any,
    ) -> int:
        """Train one point a few epochs further, judge it again, and select it.

        Where all preferences were trained at once, a point gets weights of its own by this, and a place between points
        takes the place of the nearest one. The front changes in place.

        Parameters
        ----------
        which, batch_left, preference
            As for :meth:`select`.
        max_epochs
            Longest training; the state with the best value on validation cells is kept.
        progress
            Whether to show a bar.
        **trainer_kwargs
            Passed to :class:`scvi.train.Trainer`.

        Returns
        -------
        Number of the point.

        Raises
        ------
        RuntimeError
            If the model has no front yet.
        ValueError
            If there is no such point, ``max_epochs`` is not positive, the model holds no cells or minified ones, or the
            front was trained within clusters, which it does not keep.
        TypeError
            As :meth:`select`.
        """
        refuse_without_cells(self, "train on")
        refuse_minified(self, "train on")
        front = self._trained_front()
        module = self.module  # type: ignore[attr-defined]
        before = _copied(module)
        options = {"max_epochs": max_epochs, "progress": progress} | trainer_kwargs
        try:
            number = refine_point(self, front, which, batch_left=batch_left, preference=preference, **options)
        except BaseException:
            # Interrupted or refused: the selected point stays.
            module.load_state_dict(before)
            module.eval()
            raise
        return self.select(number)

    def _resolved(
        self,
        which: Which | None,
        preference: Place | None,
        batch_left: float | None = None,
        *,
        allow_alarm: bool = False,
    ) -> Selection:
        """Look up a point or place; refuse what minified data do not hold."""
        front = self._trained_front()
        selection = front.resolve(which, batch_left=batch_left, preference=preference, allow_alarm=allow_alarm)
        if self._is_minified() and not self._is_at(selection.number, selection.preference):
            other = f"point {selection.number}" if which is not None else f"batch_left {batch_left!r}"
            other = f"preference {preference!r}" if preference is not None else other
            raise ValueError(
                f"The data are minified with the codes of {self._place_in_words(front)}; {other} needs the counts. "
                "Load the model with the full AnnData to select another point."
            )
        return selection

    def _is_at(self, number: int | None, preference: NDArray[np.float64]) -> bool:
        """Whether the model is at a point or place; a model without a preference is anywhere near its point."""
        here = self.preference_
        return self.selected_ == number and (here is None or bool(np.allclose(here, preference, equal_nan=True)))

    def _place_in_words(self, front: Front) -> str:
        number = self.selected_
        if number is None:
            return "no point of the front"
        at_point = self._is_at(number, front.preferences[front.numbers.index(number)])
        return f"point {number}" if at_point else f"preference {np.round(self.preference_ or [], 4).tolist()}"

    def _enter(self, selection: Selection) -> None:
        """Be where a selection says."""
        load_selection(self, selection)
        self.selected_ = selection.number
        self.preference_ = [float(value) for value in selection.preference]

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        """Go back to where the model is now, unless it is another model by then."""
        module = self.module  # type: ignore[attr-defined]
        number, preference = self.selected_, self.preference_
        state, note, known = _copied(module), self._noted(), self._known(number)
        try:
            yield
        finally:
            stays = all(now is then for now, then in zip(self._known(number), known, strict=True))
            if stays:
                module.load_state_dict(state)
                self.selected_, self.preference_ = number, preference
            if not stays or self._noted() is not note:
                self._record()

    def _is_minified(self) -> bool:
        return getattr(self, "minified_data_type", None) is not None

    def _known(self, number: int | None) -> tuple[Any, ...]:
        """Return what training, refining and minifying replace: front, own weights of a point, kind of data."""
        own = None if self._front is None or number is None else self._front.states.get(number)
        return self._front, own, self._is_minified()

    # What FrontMixin, the only class that is built on this one, gives.

    def _trained_front(self) -> Front:
        raise NotImplementedError

    def _record(self) -> None:
        raise NotImplementedError

    def _noted(self) -> dict[str, Any] | None:
        raise NotImplementedError

    def _write_codes(self, key: str) -> None:
        raise NotImplementedError


def _copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}
