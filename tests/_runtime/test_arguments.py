"""Numbers, hardware and keywords that a user gives to a training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.accelerators import MPSAccelerator

from scpareto._runtime import check_accelerator, check_seed, check_trainer_keywords, check_whole_number, choose_hardware


@given(st.integers(1, 10**9))
def test_whole_numbers_stay_what_they_are(number):
    assert check_whole_number("epochs", number) == check_whole_number("epochs", np.int64(number)) == number
    assert check_whole_number("epochs", float(number)) == number


@given(st.one_of(st.floats(allow_nan=True), st.text(), st.booleans(), st.integers(max_value=0), st.none()))
def test_anything_else_is_refused_by_name(value):
    if isinstance(value, float) and value >= 1 and value == value // 1:
        return
    with pytest.raises(ValueError, match="^epochs="):
        check_whole_number("epochs", value)


@given(st.integers(0, 2**32 - 1))
def test_seeds_of_32_bits_are_taken(seed):
    assert check_seed(seed) == check_seed(np.uint32(seed)) == seed


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40, 1.0, "7", True, None])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=r"^seed=.* must be a whole number from 0 to 4294967295\.$"):
        check_seed(seed)


@pytest.mark.parametrize("accelerator", ["abacus", "tpu", None, 3])
def test_hardware_that_is_not_there_is_refused(accelerator):
    with pytest.raises(ValueError, match=r"is not there. Choose one of 'auto', .*'cpu'"):
        check_accelerator(accelerator)


def test_hardware_that_is_there_is_taken():
    check_accelerator("auto")
    check_accelerator("cpu", 4)


def test_keywords_of_trainers_are_taken_and_others_refused():
    check_trainer_keywords({"precision": "bf16-mixed", "early_stopping": True, "callbacks": []})
    with pytest.raises(TypeError, match="unexpected argument 'max_epoch'. Did you mean max_epochs"):
        check_trainer_keywords({"max_epoch": 3})
    with pytest.raises(TypeError, match="max_epochs=3: there are two"):
        check_trainer_keywords({"max_epochs": 3}, refused={"max_epochs": "there are two"})
    check_trainer_keywords({"plan_config": {}}, also=["plan_config"])


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (("auto", "auto"), ("auto", 1)),
        (("auto", -1), ("auto", 1)),
        (("cpu", "auto"), ("cpu", 1)),
        (("cpu", 3), ("cpu", 3)),
        (("gpu", "auto"), ("gpu", 1)),
        (("gpu", -1), ("gpu", -1)),
        (("gpu", [1]), ("gpu", [1])),
    ],
)
def test_one_device_unless_more_are_asked_for(monkeypatch, asked, taken):
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: False))
    assert choose_hardware(*asked) == dict(zip(("accelerator", "devices"), taken, strict=True))


def test_an_apple_gpu_is_taken_where_it_is_named(monkeypatch):
    monkeypatch.setattr(MPSAccelerator, "is_available", staticmethod(lambda: True))
    assert choose_hardware("auto", "auto") == {"accelerator": "cpu", "devices": 1}
    assert choose_hardware("mps", "auto") == {"accelerator": "mps", "devices": 1}
