"""Minified data are refused with what the counts would have been needed for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from scpareto.model._minified import refuse_minified


def test_the_message_says_what_counts_are_needed_for():
    refuse_minified(SimpleNamespace(minified_data_type=None), "train on")
    with pytest.raises(ValueError, match=r"Minified data hold no counts to train on\. Load the model with the full"):
        refuse_minified(SimpleNamespace(minified_data_type="latent_posterior_parameters"), "train on")
