from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from .test_auto import LEFT, judged_front


def test_of_equal_structure_less_batch_wins_only_beyond_the_paired_interval():
    same = {"structure_kept": [90.0] * 5, "alarm": [0.0] * 5}
    certain = judged_front(**same, half_width=0.1)
    assert certain.non_dominated().tolist() == [False, False, False, False, True]
    assert certain.table["non_dominated"].tolist() == certain.non_dominated().tolist()
    unsure = judged_front(**same, half_width=1.0)
    # 4.8 is not certainly below 5, but 1 is certainly below both.
    assert unsure.non_dominated().tolist() == [False, False, False, False, True]
    assert judged_front(**same, half_width=99.0).non_dominated().all()


def test_a_real_trade_off_has_no_dominated_point():
    front = judged_front(structure_kept=[99.0, 95.0, 90.0, 85.0, 80.0], half_width=0.1)
    assert front.non_dominated().all()


def test_less_structure_for_no_less_batch_is_dominated():
    # 4.8 is not certainly below 5
    front = judged_front(structure_kept=[99.0, 95.0, 90.0, 85.0, 80.0], half_width=1.0)
    assert front.non_dominated().tolist() == [True, True, True, False, True]


def test_a_point_that_lost_something_does_not_beat_one_that_keeps_it():
    alarmed = judged_front(structure_kept=[90.0] * 5, half_width=0.1, alarm=[0.0, 0.0, 0.0, 0.0, 1.0])
    assert alarmed.non_dominated().tolist() == [False, False, False, True, True]


def test_loss_planes_are_asked_for_by_name():
    losses = {"generative_loss_test": [1.0, 2.0, 3.0, 2.0, 5.0], "classifier_test": [5.0, 4.0, 3.0, 6.0, 1.0]}
    front = judged_front(**losses)
    assert front.non_dominated("test").tolist() == [True, True, True, False, True]
    assert front.hypervolume([6.0, 6.0], "test") == pytest.approx(5 * 1 + 4 * 1 + 3 * 1 + 1 * 2)
    with pytest.raises(ValueError, match="Unknown plane 'loss'; choose from"):
        front.non_dominated("loss")


def test_hypervolume_of_the_judged_plane_is_percent_removed_times_percent_kept():
    front = judged_front().only([0])
    assert front.hypervolume() == pytest.approx((100 - 30) * 90)
    assert front.number_of_distinct_choices() == 1


def test_steps_use_paired_differences():
    assert judged_front(half_width=0.1).steps() == [0, 1, 2, 3, 4]
    assert judged_front(half_width=1.0).steps() == [0, 1, 2, 4]


def test_limits_go_in_the_better_direction_and_take_the_least_corrected_point():
    front = judged_front()
    assert front.find({"batch_left": 13}) == 1
    assert front.find({"structure_kept": 89.5}) == 0
    assert front.find({"structure_kept": 85, "batch_left": 4.9}) == 3
    with pytest.raises(ValueError, match=r"rings at every point with batch_left <= 2 \(4\)\. allow_alarm=True takes"):
        front.find({"batch_left": 2})
    assert front.find({"batch_left": 2}, allow_alarm=True) == 4
    with pytest.raises(
        ValueError, match="No point has structure_kept >= 95; the closest is point 0 with structure_kept = 90"
    ):
        front.find({"structure_kept": 95})


def test_without_a_path_the_nearest_point_is_taken():
    front = judged_front()
    front.states = {n: {} for n in front.numbers}
    assert front.resolve(batch_left=11).number == 1
    assert front.resolve(batch_left=30.4).number == 0
    with pytest.raises(ValueError, match="batch_left=50 is not reached: this front goes from 30 % .* to 1 %"):
        front.resolve(batch_left=50)
    with pytest.raises(TypeError, match="batch_left='10' is no number"):
        front.resolve(batch_left="10")
    with pytest.raises(TypeError, match=r"got batch_left=10 and preference=0\.5"):
        front.resolve(batch_left=10, preference=0.5)


def test_fronts_that_do_not_trade_the_batch_alone_say_how_a_place_is_chosen():
    front = judged_front()
    front.metadata["on_axis"] = False
    with pytest.raises(ValueError, match="trades classifier, not the batch alone. Choose a place by preference="):
        front.resolve(batch_left=10)
    nothing = judged_front(batch_left=[np.nan] * 5, record={"no_batch_effect": True})
    with pytest.raises(ValueError, match="there is no batch effect to remove"):
        nothing.resolve(batch_left=10)


def test_lost_differences_of_a_point_are_listed_largest_first():
    front = judged_front()
    with pytest.raises(ValueError, match=r"no judged differences between cells; audit\(\)"):
        front.lost()
    rows = [("x", "point 4", 0.2, True), ("y", "point 4", 0.5, True), ("x", "point 3", 0.1, False)]
    front.tables["lost"] = pd.DataFrame(rows, columns=["contrast", "embedding", "lost", "rings"])
    assert front.lost(4)["contrast"].tolist() == ["y", "x"]
    assert front.lost(3).empty
    assert front.lost(3, all_contrasts=True)["point"].tolist() == [3]
    assert len(front.lost()) == 2


def test_a_front_without_a_path_has_no_curve():
    with pytest.raises(ValueError, match="no judged path"):
        judged_front().curve()


def test_tables_survive_plain_form():
    front = judged_front()
    again = type(front).from_plain(front.to_plain())
    pd.testing.assert_frame_equal(again.tables["differences"], front.tables["differences"])
    assert again.steps() == front.steps()
    assert again.table["batch_left"].tolist() == LEFT


def test_fronts_of_the_first_format_load_and_say_what_they_lack():
    plain = judged_front().to_plain()
    del plain["tables"]
    plain["structures"] = {0: {"names": []}}
    old = type(judged_front()).from_plain(plain)
    assert old.tables == {}
    with pytest.raises(ValueError, match="audit"):
        old.lost()
