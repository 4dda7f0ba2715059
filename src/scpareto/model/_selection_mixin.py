"""Select a point or place of the front, permanently or within a ``with`` block."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import check_key_added
from scpareto.front import load_selection, refine_point
from scpareto.model._minified import refuse_minified
from scpareto.model._state import copy_state
from scpareto.model._without_cells import refuse_without_cells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from numpy.typing import NDArray

    from scpareto.pareto import Front, Place, Selection, Which


class SelectionMixin:
    """Selection of points and places, for a model that has a front.

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

        Also writes the selection to ``adata.uns["scpareto"]``. Embeddings written before do not change; ``key_added``
        writes the embedding of the new point.

        Parameters
        ----------
        which
            A point: its number (int), a rule (``"auto"``, the recommended point, for which
            :meth:`scpareto.pareto.Front.explain` gives the reasons, or ``"knee"``), or limits on columns of the front,
            in their better direction, e.g. ``{"batch_left": 5}`` (at most) or ``{"structure_kept": 95}`` (at least):
            the least corrected point within all of them.
        batch_left
            A place instead: how much may be left of the batch, in %. If all preferences were trained at once, the model
            takes exactly this place, otherwise the nearest point.
        preference
            A place instead, in the coordinate of the training: a float in [0, 1], 0 uncorrected and 1 strongest, or one
            importance for each objective.
        allow_alarm
            Whether limits may take a point whose over-correction alarm rings.
        key_added
            Key of ``adata.obsm`` for the embedding, for example ``"X_paretovi"``; its point is noted in
            ``adata.uns["scpareto"]["embeddings"]``. The AnnData is that of the model, or the one given to
            :func:`scpareto.tl.integrate`. None writes no embedding.

        Returns
        -------
        Number of the point; for a place between points, that of the nearest one.

        Raises
        ------
        RuntimeError
            If the model has no front yet.
        ValueError
            If there is no such point or place, the data are minified with the codes of another point, or the embedding
            cannot be written.
        TypeError
            If not exactly one of the three is given, or a place is given as a point.

        Warns
        -----
        UserWarning
            If the over-correction alarm of the point rings; the message names genes of the lost structure.
        """
        if key_added is not None:
            check_key_added(key_added)
        selection = self._resolve_selection(which, preference, batch_left, allow_alarm=allow_alarm)
        self._apply_selection(selection)
        self._record()
        if key_added is not None:
            self._write_codes(key_added)
        if words := self._get_trained_front().warning(selection.number):
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
        """Use the model at a point or place within a ``with`` block; the selection stays.

        Every getter works in the block as after :meth:`select`. When the block ends, also by an error, the model
        returns to its previous place. Blocks may be nested. A model that is trained or minified in the block is not put
        back.

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
        selection = self._resolve_selection(which, preference, batch_left, allow_alarm=allow_alarm)
        with self._restore_afterwards():
            self._apply_selection(selection)
            yield self

    def get_latent_representation(
        self, *args: Any, batch_left: float | None = None, preference: Place | None = None, **kwargs: Any
    ) -> Any:
        """Return codes of cells at the selected point or at another place.

        Parameters
        ----------
        *args, **kwargs
            As in scvi-tools: ``adata``, ``indices``, ``give_mean``, ``mc_samples``, ``batch_size``, ``return_dist``,
            ``dataloader``. A model that was trained with a data module needs ``dataloader``.
        batch_left, preference
            None for the selected point, or another place, for example ``batch_left=10``, see :meth:`select`; the
            selection stays. Use :meth:`at` for a point by number or rule, and for other getters.

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
        selection = self._resolve_selection(None, preference, batch_left)
        with self._restore_afterwards():
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
        """Train one point for a few more epochs, judge it again, and select it.

        If all preferences were trained at once, the point gets its own weights, and a refined place between points
        replaces the nearest point. The front changes in place.

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
        front = self._get_trained_front()
        module = self.module  # type: ignore[attr-defined]
        previous_state = copy_state(module)
        options = {"max_epochs": max_epochs, "progress": progress} | trainer_kwargs
        try:
            number = refine_point(self, front, which, batch_left=batch_left, preference=preference, **options)
        except BaseException:
            # Interrupted or refused: restore the selected point.
            module.load_state_dict(previous_state)
            module.eval()
            raise
        return self.select(number)

    def _resolve_selection(
        self,
        which: Which | None,
        preference: Place | None,
        batch_left: float | None = None,
        *,
        allow_alarm: bool = False,
    ) -> Selection:
        """Look up a point or place; raise ValueError if minified data hold the codes of another one."""
        front = self._get_trained_front()
        selection = front.resolve(which, batch_left=batch_left, preference=preference, allow_alarm=allow_alarm)
        if self._is_minified() and not self._is_at_place(selection.number, selection.preference):
            requested = f"point {selection.number}" if which is not None else f"batch_left {batch_left!r}"
            requested = f"preference {preference!r}" if preference is not None else requested
            raise ValueError(
                f"The data are minified with the codes of {self._describe_place(front)}; {requested} needs the counts. "
                "Load the model with the full AnnData to select another point."
            )
        return selection

    def _is_at_place(self, number: int | None, preference: NDArray[np.float64]) -> bool:
        """Return whether the model is at a point or place; without a stored preference, compare the point only."""
        current = self.preference_
        return self.selected_ == number and (current is None or bool(np.allclose(current, preference, equal_nan=True)))

    def _describe_place(self, front: Front) -> str:
        number = self.selected_
        if number is None:
            return "no point of the front"
        at_point = self._is_at_place(number, front.preferences[front.numbers.index(number)])
        return f"point {number}" if at_point else f"preference {np.round(self.preference_ or [], 4).tolist()}"

    def _apply_selection(self, selection: Selection) -> None:
        """Load a selection into the model and note it as selected."""
        load_selection(self, selection)
        self.selected_ = selection.number
        self.preference_ = [float(value) for value in selection.preference]

    @contextmanager
    def _restore_afterwards(self) -> Iterator[None]:
        """Restore the selection and weights after a block, unless the model was trained or minified in it."""
        module = self.module  # type: ignore[attr-defined]
        number, preference = self.selected_, self.preference_
        state, record, front_state = copy_state(module), self._get_record(), self._get_front_state(number)
        try:
            yield
        finally:
            is_unchanged = all(
                now is before for now, before in zip(self._get_front_state(number), front_state, strict=True)
            )
            if is_unchanged:
                module.load_state_dict(state)
                self.selected_, self.preference_ = number, preference
            if not is_unchanged or self._get_record() is not record:
                self._record()

    def _is_minified(self) -> bool:
        return getattr(self, "minified_data_type", None) is not None

    def _get_front_state(self, number: int | None) -> tuple[Any, ...]:
        """Return the objects that training, refining and minifying replace: front, weights of a point, kind of data."""
        weights = None if self._front is None or number is None else self._front.states.get(number)
        return self._front, weights, self._is_minified()

    # FrontMixin, the only subclass, implements the following methods.

    def _get_trained_front(self) -> Front:
        raise NotImplementedError

    def _record(self) -> None:
        raise NotImplementedError

    def _get_record(self) -> dict[str, Any] | None:
        raise NotImplementedError

    def _write_codes(self, key: str) -> None:
        raise NotImplementedError
