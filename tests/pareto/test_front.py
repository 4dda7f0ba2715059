from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import torch

from scpareto.pareto import (
    Front,
    Scaler,
    hypervolume,
    knee_index,
    number_of_distinct_choices,
    preference_vectors,
    register_rule,
    rule_names,
)

# Test losses; the validation losses are these plus a constant, except for point 4, where the orders differ.
GENERATIVE = np.array([330.0, 330.5, 331.0, 333.0, 338.0, 345.0])
MINE = np.array([1.5, 0.8, 0.2, 0.1, 0.12, 0.01])


def make_row(point, **changes):
    importance = [0.0, 0.0, 1 / 3, 2 / 3, 1.0, 1.0][point]
    return {
        "point": point,
        "kind": "extreme" if point in (0, 5) else "candidate",
        "preference_generative_loss": 1 - importance,
        "preference_mine": importance,
        "generative_loss_validation": GENERATIVE[point] + 1,
        "mine_validation": MINE[point] + 0.1 - 0.1 * (point == 4),
        "generative_loss_test": GENERATIVE[point],
        "mine_test": MINE[point],
        "leakage_mean": 1 - 0.15 * point,
        "seed": 2**60 + point,
        "note": f"point {point}",
    } | changes


def make_state(point):
    return {"weight": torch.full((2, 3), 0.1 * point), "steps": torch.tensor(point)}


@pytest.fixture
def front():
    front = Front(objectives=["generative_loss", "mine"], method="pareto_mtl", n_expected=6)
    for point in (5, 0, 1, 2, 3, 4):  # the extremes are trained first
        front.add(make_row(point), make_state(point))
    return front


def reload(front):
    buffer = io.BytesIO()
    torch.save(front.to_plain(), buffer)
    buffer.seek(0)
    return Front.from_plain(torch.load(buffer, weights_only=True))


def test_table_has_the_promised_columns_in_order(front):
    table = front.to_dataframe()
    losses = [f"{o}_{s}" for o in ("generative_loss", "mine") for s in ("train", "validation", "test")]
    judged = [f"{name}{end}" for name in ("batch_left", "structure_kept") for end in ("", "_low", "_high")]
    assert list(table.columns) == [
        *("point", "kind", "preference_generative_loss", "preference_mine", *losses, *judged),
        *("alarm", "non_dominated", "seed", "leakage_mean", "note"),
    ]
    assert table["point"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["seed"].tolist() == [2**60 + point for point in range(6)], "seeds are not rounded"
    assert table["batch_left"].isna().all()
    table["point"] = 7
    assert front.numbers == [0, 1, 2, 3, 4, 5], "the caller gets a copy"


def test_front_from_rows_equals_front_grown_point_by_point(front):
    whole = Front(pd.DataFrame([make_row(point) for point in range(6)]), objectives=front.objectives)
    pd.testing.assert_frame_equal(whole.table, front.table)


def test_incomplete_front_knows_what_is_missing():
    front = Front(objectives=["generative_loss", "mine"], method="pareto_mtl", n_expected=6)
    assert front.missing == [0, 1, 2, 3, 4, 5]
    assert front.non_dominated().shape == (0,)
    assert (front.hypervolume(), front.number_of_distinct_choices()) == (0, 0)
    front.add(make_row(0))
    front.add(make_row(5))
    assert front.missing == [1, 2, 3, 4]
    assert len(front) == 2
    assert repr(front) == "Front of generative_loss, mine by pareto_mtl: 2 of 6 points, 2 non-dominated (test losses)"
    assert Front(objectives=["generative_loss", "mine"]).missing == []
    with pytest.raises(ValueError, match="already there|more than once"):
        front.add(make_row(5))
    assert len(front) == 2, "a refused row leaves the front as it was"


def test_html_shows_few_columns_and_marks_points(front):
    html = front._repr_html_()
    assert "5 non-dominated (test losses)" in html
    assert "<td>3</td>" in html
    assert 3 <= html.count("<th>") <= 8
    front.selected = 2
    marked = [row for row in front._repr_html_().split("<tr") if "selected" in row]
    assert len(marked) == 1
    assert "<td>2</td>" in marked[0]
    assert "recommended" in html


def test_update_sets_columns_of_one_point(front):
    front.update(2, {"retention": 0.4, "scib_total": 0.7, "mine_test": 2.0})
    table = front.to_dataframe().set_index("point")
    assert table.loc[2, "retention"] == 0.4
    assert table["scib_total"].notna().tolist() == [False, False, True, False, False, False]
    assert table["non_dominated"].tolist() == [True, True, False, True, False, True], "recomputed"
    assert table["seed"].tolist() == [2**60 + point for point in range(6)]
    with pytest.raises(ValueError, match="no point 9"):
        front.update(9, {"retention": 0.1})
    with pytest.raises(ValueError, match="keeps its number"):
        front.update(2, {"point": 3})


def test_points_are_losses_of_a_split(front):
    np.testing.assert_array_equal(front.points(), np.stack([GENERATIVE, MINE], axis=1))
    np.testing.assert_array_equal(front.points("validation", [5, 0])[:, 0], [346, 331])
    assert np.isnan(front.points("train")).all()
    with pytest.raises(ValueError, match=r"'all'.*'train', 'validation', 'test'"):
        front.points("all")
    with pytest.raises(ValueError, match="no point 8"):
        front.points(points=[0, 8])


def test_non_dominated_follows_the_split_and_the_column_means_test(front):
    assert front.non_dominated().tolist() == [True, True, True, True, False, True]
    assert front.non_dominated("validation").tolist() == [True] * 6
    assert not front.non_dominated("train").any()
    assert front.table["non_dominated"].tolist() == front.non_dominated("test").tolist()


def test_hypervolume_and_choices_are_those_of_the_losses(front):
    losses = np.stack([GENERATIVE, MINE], axis=1)
    assert front.hypervolume() == pytest.approx(hypervolume(losses, losses.max(axis=0) + 0.001))
    assert front.hypervolume([400, 2]) == pytest.approx(hypervolume(losses, [400, 2]))
    extent = (losses - losses.min(axis=0)) / np.ptp(losses, axis=0)
    assert front.number_of_distinct_choices() == number_of_distinct_choices(extent, 0.05)
    assert front.number_of_distinct_choices(0.05, scaled=False) == number_of_distinct_choices(losses, 0.05)
    # The front's own scaler comes first.
    scaler = Scaler("payoff", [0.0, 0.0], [1e6, 1e6])
    front.metadata["scaler"] = scaler.to_plain()
    assert front.number_of_distinct_choices() == 1
    assert front.hypervolume(scaled=True) == pytest.approx(hypervolume(losses / 1e6, losses.max(axis=0) / 1e6 + 0.001))
    front.update(3, {"mine_test": np.nan})
    assert front.hypervolume([400, 2]) == pytest.approx(hypervolume(np.delete(losses, 3, axis=0), [400, 2]))


@pytest.mark.parametrize(
    ("which", "point"),
    [
        (0, 0),
        (np.int64(3), 3),
        ({"leakage_mean": 0.72}, 2),
        ({"leakage_mean": np.float32(1.0)}, 0),
        ({"mine_validation": 0.25, "leakage_mean": 0.9}, 3),
        ({"seed": 2.0**60}, 0),
    ],
)
def test_find(front, which, point):
    found = front.find(which)
    assert found == point
    assert type(found) is int
    front.states = {number: {"w": torch.tensor([float(number)])} for number in front.numbers}
    resolved = front.resolve(which)
    assert resolved.number == point
    assert resolved.state is front.states[point]
    np.testing.assert_array_equal(resolved.preference, front.preferences[point])


@pytest.mark.parametrize(
    ("preference", "point"),
    [
        (0.0, 0),  # shared with point 1: the extreme
        (0, 0),
        (1.0, 5),
        (1, 5),  # the strongest place, whatever point 1 is
        (0.3, 2),
        (0.5, 2),  # half-way: the less corrected
        (0.51, 3),
        (np.float32(0.6), 3),
        (np.array(0.6), 3),
        (torch.tensor(0.6), 3),
        ([0.7, 0.3], 2),
        ((0.0, 1.0), 5),
        (np.array([0.3, 0.7]), 3),
        (torch.tensor([0.3, 0.7]), 3),
        (pd.Series([0.3, 0.7]), 3),
    ],
)
def test_a_place_of_points_trained_apart_is_the_nearest_point(front, preference, point):
    front.states = {number: {"w": torch.tensor([float(number)])} for number in front.numbers}
    found = front.resolve(preference=preference)
    assert found.number == point
    assert type(found.number) is int
    assert found.state is front.states[point]
    np.testing.assert_array_equal(found.preference, front.preferences[point])


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (0.37, r"which=0.37: a place .* is preference=0.37, as in select\(preference=0.37\)\.$"),
        (1.0, r"is preference=1.0, as in select\(preference=1.0\); point 1 is select\(1\)\.$"),
        (4.0, r"point 4 is select\(4\)"),
        (np.float32(0.6), r"select\(preference=0.6\)"),
        (np.float64(1.0), r"point 1 is select\(1\)"),
        (np.array(0.37), r"select\(preference=0.37\)"),
        (torch.tensor(0.25), r"select\(preference=0.25\)"),
        (np.array(2), r"a point number is an integer; point 2 is select\(2\)"),
        (torch.tensor(2), r"point 2 is select\(2\)"),
        ([0.6, 0.4], r"select\(preference=\[0.6, 0.4\]\)"),
        ((0, 1), r"select\(preference=\[0.0, 1.0\]\)"),
        (np.array([0.6, 0.4]), r"select\(preference=\[0.6, 0.4\]\)"),
        (torch.tensor([0.6, 0.4]), r"select\(preference=\[0.6, 0.4\]\)"),
        (pd.Series([0.6, 0.4]), r"select\(preference=\[0.6, 0.4\]\)"),
        (float("nan"), "preference=nan"),
        (["knee"], r"\['knee'\].*a rule from"),
        ([], "give a point number"),
    ],
)
def test_a_place_is_not_taken_for_a_point(front, which, message):
    for door in (front.find, front.resolve):
        with pytest.raises(TypeError, match=message):
            door(which)


@pytest.mark.parametrize(
    ("preference", "error", "message"),
    [
        (1.5, ValueError, r"\[0, 1\].*1.5"),
        (-0.1, ValueError, "-0.1"),
        (float("nan"), ValueError, "nan"),
        (3, ValueError, r"got 3.0. Point 3 is select\(3\)"),
        ([0.5, 0.6], ValueError, "sums to 1"),
        ([0.2, 0.3, 0.5], ValueError, "2 numbers"),
        ("knee", TypeError, r"preference='knee' is no place.*select\('knee'\)"),
        ({"leakage_mean": 0.1}, TypeError, r"without the keyword, as in select\(\{'leakage_mean': 0.1\}\)"),
        (True, TypeError, "preference=True is no place"),
        (np.True_, TypeError, "is no place"),
        (["knee", "auto"], TypeError, "one number per objective"),
        ({1, 2}, TypeError, "is no place"),
    ],
)
def test_what_is_no_place_is_refused(front, preference, error, message):
    with pytest.raises(error, match=message):
        front.resolve(preference=preference)


def test_exactly_one_of_point_and_place_is_given(front):
    with pytest.raises(TypeError, match="either a point .* or a place .* got neither"):
        front.resolve()
    with pytest.raises(TypeError, match="got which=1 and preference=0.3"):
        front.resolve(1, preference=0.3)


@pytest.mark.parametrize("number", [1.0, "knee", True, [0.7, 0.3], None])
def test_weights_and_lists_of_points_go_by_number(front, number):
    for door in (front.state, lambda n: front.only([n]), lambda n: front.points(points=[n])):
        with pytest.raises(TypeError, match="A point number is an integer, got"):
            door(number)


def test_find_knee_uses_validation_losses(front):
    expected = knee_index(front.points("validation"))
    assert front.find("knee") == expected == 2
    front.update(2, {"generative_loss_validation": 350.0})
    assert front.find("knee") == 3
    front.update(3, {"mine_validation": np.nan})
    assert front.find("knee") == 4, "points with unknown losses are left out"


def test_rules_can_be_added(front, monkeypatch):
    from scpareto.pareto import _rules

    monkeypatch.setattr(_rules, "_RULES", dict(_rules._RULES))
    register_rule("least_leaky")(lambda front: front.find({"leakage_mean": front.table["leakage_mean"].min()}))
    assert rule_names() == ["auto", "knee", "least_leaky"]
    assert front.find("least_leaky") == 5
    with pytest.raises(ValueError, match="'knee'"):
        register_rule("knee")(lambda front: 0)


def test_find_by_limit_takes_the_least_corrected_point(front):
    front.update(4, {"generative_loss_validation": 300.0})
    assert front.find({"leakage_mean": 0.72}) == 2
    # A point whose column is unknown does not satisfy a limit.
    front.update(2, {"leakage_mean": np.nan})
    assert front.find({"leakage_mean": 0.72}) == 3


@pytest.mark.parametrize(
    ("which", "error", "message"),
    [
        (6, ValueError, r"no point 6.*\[0, 1, 2, 3, 4, 5\]"),
        (-1, ValueError, "no point -1"),
        (True, TypeError, "by True"),
        (np.False_, TypeError, "False"),
        (None, TypeError, "by None.*'knee'"),
        ({1, 2}, TypeError, r"\{1, 2\}"),
        ("elbow", ValueError, "'elbow'.*'knee'"),
        ({}, ValueError, "at least one column"),
        ({"leakage": 0.1}, ValueError, "'leakage'.*'leakage_mean'"),
        ({"kind": 0.1}, ValueError, "'kind'"),
        ({"non_dominated": 1}, ValueError, "'non_dominated'"),
        ({"leakage_mean": "low"}, ValueError, "'leakage_mean' must be a number, got 'low'"),
        ({"leakage_mean": True}, ValueError, "got True"),
        ({"leakage_mean": np.True_}, ValueError, "True"),
        ({"leakage_mean": float("nan")}, ValueError, "got nan"),
        ({"batch_left": 5}, ValueError, "'batch_left' is still empty"),
        ({"leakage_mean": 0.05}, ValueError, "leakage_mean <= 0.05; the closest is point 5 with leakage_mean = 0.25"),
        (
            {"leakage_mean": 0.3, "generative_loss_test": 340},
            ValueError,
            r"closest is point 4 with leakage_mean = 0.4, generative_loss_test = 338",
        ),
    ],
)
def test_find_refuses_and_says_why(front, which, error, message):
    with pytest.raises(error, match=message):
        front.find(which)


def test_find_on_fronts_that_lack_something(front):
    with pytest.raises(ValueError, match="no points yet"):
        Front(objectives=front.objectives).find(0)
    bare = Front(pd.DataFrame({"point": [0, 1]}), objectives=front.objectives)
    with pytest.raises(ValueError, match="validation losses"):
        bare.find("knee")
    with pytest.raises(ValueError, match="No point has a preference"):
        bare.resolve(preference=0.5)
    with pytest.raises(ValueError, match="no points yet"):
        Front(objectives=front.objectives).resolve(preference=0.5)
    # Extremes without a preference are not candidates for the nearest.
    front.update(0, {"preference_generative_loss": np.nan, "preference_mine": np.nan})
    front.states = {1: {}}
    assert front.resolve(preference=0.0).number == 1
    with pytest.raises(KeyError, match="Point 5 has no weights"):
        front.resolve(preference=1.0)


def test_three_objectives_take_whole_preferences():
    names = ["generative_loss", "mine", "cell_cycle"]
    grid = preference_vectors(12, 3)
    rows = [
        {"point": i, **{f"preference_{n}": v for n, v in zip(names, row, strict=True)}} for i, row in enumerate(grid)
    ]
    front = Front(pd.DataFrame(rows), objectives=names)
    front.states = {number: {} for number in front.numbers}
    assert [front.resolve(preference=row).number for row in grid] == list(range(12))
    with pytest.raises(ValueError, match="3 objectives.*3 numbers"):
        front.resolve(preference=0.5)


def test_three_objectives_work_like_two():
    names = ["generative_loss", "mine", "cell_cycle"]
    simplex = np.array([[i, j, 4 - i - j] for i in range(5) for j in range(5 - i)]) / 4
    losses = simplex**2 * [10, 1, 0.1] + [300, 0, 0]
    rows = [
        {"point": i} | {f"{n}_{split}": v for n, v in zip(names, row, strict=True) for split in ("validation", "test")}
        for i, row in enumerate(np.vstack([losses, [[310, 1, 0.1]]]))
    ]
    front = Front(pd.DataFrame(rows), objectives=names, n_expected=17)
    assert front.points().shape == (16, 3)
    assert front.missing == [16]
    assert front.non_dominated().tolist() == [True] * 15 + [False]
    # Scaled by the extent of the points, which the dominated one does not widen.
    np.testing.assert_allclose(front.points(scaled=True)[:15], simplex**2, atol=1e-12)
    assert front.hypervolume(np.ones(3), scaled=True) == pytest.approx(hypervolume(simplex**2, np.ones(3)))
    assert front.number_of_distinct_choices(0.01) == 15
    knee = knee_index(simplex**2)
    assert sorted(simplex[knee]) == [0.25, 0.25, 0.5]
    assert front.find("knee") == knee
    assert front.find({"mine_test": 0.1, "cell_cycle_test": 0.01}) == 10, "a half and two quarters"
    with pytest.raises(ValueError, match=r"3 objectives.*3 numbers.*0\.5"):
        front.resolve(preference=0.5)
    with pytest.raises(ValueError, match="3 numbers"):
        front.resolve(preference=[0.5, 0.5])
    pd.testing.assert_frame_equal(reload(front).table, front.table, check_exact=True)


def test_states_are_copies_on_cpu(front):
    weight = torch.nn.Parameter(torch.ones(2))
    front = Front(pd.DataFrame([make_row(0)]), {0: {"w": weight}}, ["generative_loss", "mine"])
    with torch.no_grad():
        weight += 1
    assert front.state(0)["w"].tolist() == [1, 1]
    assert not front.state(0)["w"].requires_grad
    front.add(make_row(3))
    with pytest.raises(KeyError, match=r"Point 3 has no weights.*\[0\]"):
        front.state(3)


def test_round_trip_is_bit_for_bit(front):
    rng = np.random.default_rng(0)
    front.update(1, {"retention": rng.normal(), "flag": True, "text": None, "count": 3})
    front.update(2, {"seed": None, "leakage_mean": -0.0, "retention": np.inf})
    front.states[1] = {"w": torch.tensor([np.nan, 0.1, -0.0], dtype=torch.float32), "i": torch.arange(3)}
    front.metadata = {
        "arguments": {"n_points": np.int64(4), "lr": np.float64(1e-3), "layers": (1, 2), "batch_key": None},
        "scaler": Scaler.payoff([[330.0, 1.5], [345.0, 0.02]]).to_plain(),
        "split": {"test": np.array([3, 1, 2]), "names": np.array(["a", "b"])},
        "versions": {"torch": str(torch.__version__)},
    }
    again = reload(front)
    pd.testing.assert_frame_equal(again.table, front.table, check_exact=True)
    for column in front.table.select_dtypes("float64"):
        assert again.table[column].to_numpy().tobytes() == front.table[column].to_numpy().tobytes(), column
    assert again.states.keys() == front.states.keys()
    for point, state in front.states.items():
        for name, tensor in state.items():
            assert again.states[point][name].dtype == tensor.dtype
            assert again.states[point][name].numpy().tobytes() == tensor.numpy().tobytes()
    assert (again.objectives, again.method, again.n_expected) == (front.objectives, "pareto_mtl", 6)
    assert again.metadata["arguments"] == {"n_points": 4, "lr": 1e-3, "layers": (1, 2), "batch_key": None}
    assert again.metadata["split"]["test"].tolist() == [3, 1, 2]
    assert again.metadata["split"]["names"] == ["a", "b"]
    assert again.find("knee") == front.find("knee")
    pd.testing.assert_frame_equal(reload(again).table, front.table, check_exact=True)


def test_empty_front_survives_the_round_trip():
    front = reload(Front(objectives=["generative_loss", "mine"], n_expected=4))
    assert front.missing == [0, 1, 2, 3]
    front.add(make_row(2))
    assert front.numbers == [2]


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ({"a": {"b": [1, object()]}}, r"metadata\['a'\]\['b'\]\[1\]"),
        ({"scaler": Scaler.identity(2)}, r"metadata\['scaler'\].*Scaler"),
        ({"a": {(1, 2): 3}}, r"\(1, 2\)"),
    ],
)
def test_metadata_without_plain_form_is_refused_by_name(front, metadata, where):
    front.metadata = metadata
    with pytest.raises(TypeError, match=where):
        front.to_plain()


@pytest.mark.parametrize(
    ("table", "objectives", "message"),
    [
        (pd.DataFrame({"point": [0]}), ["mine", "generative_loss"], "objectives.*mine"),
        (pd.DataFrame({"point": [0]}), ["generative_loss"], "at least one more"),
        (pd.DataFrame({"number": [0]}), ["generative_loss", "mine"], "column 'point'"),
        (pd.DataFrame({"point": [1, 1]}), ["generative_loss", "mine"], "Point 1 .*more than once"),
        (pd.DataFrame({"point": [-1]}), ["generative_loss", "mine"], "-1"),
        (pd.DataFrame({"point": [0], "kind": ["corner"]}), ["generative_loss", "mine"], "'corner'.*'extreme'"),
    ],
)
def test_bad_fronts_are_refused(table, objectives, message):
    with pytest.raises(ValueError, match=message):
        Front(table, objectives=objectives)


def test_the_point_nearest_to_what_may_be_left():
    table = pd.DataFrame({"point": [0, 1, 2], "batch_left": [40.0, 12.0, 3.0], "structure_kept": [99.0, 98.0, 97.0]})
    judged = Front(table, objectives=["generative_loss", "mine"])
    assert [judged.find(batch_left=left) for left in (39, 15, 3)] == [0, 1, 2]
    with pytest.raises(TypeError, match="Give either which=0 or batch_left=3, not both"):
        judged.find(0, batch_left=3)
    with pytest.raises(ValueError, match="batch_left=60 is not reached"):
        judged.find(batch_left=60)
