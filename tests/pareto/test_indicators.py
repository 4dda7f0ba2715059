from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scpareto.pareto import hypervolume, knee_index, non_dominated, number_of_distinct_choices

# Few distinct values, so that ties and duplicates occur.
point_sets = st.integers(2, 3).flatmap(
    lambda p: arrays(np.float64, st.tuples(st.integers(1, 12), st.just(p)), elements=st.integers(0, 4).map(float))
)


@given(point_sets)
def test_culling_follows_weak_dominance(points):
    keep = non_dominated(points)
    for i, point in enumerate(points):
        beaten = any(
            (other <= point).all() and ((other < point).any() or j < i) for j, other in enumerate(points) if j != i
        )
        assert keep[i] == (not beaten)


def test_known_culling():
    assert non_dominated([[0, 2], [1, 1], [2, 0], [2, 2], [1, 1], [0, 3]]).tolist() == [1, 1, 1, 0, 0, 0]
    assert non_dominated(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("points", "reference", "volume"),
    [
        ([[0, 1], [1, 0]], [2, 2], 3),
        ([[0, 1], [1, 0], [1, 1], [0, 1]], [2, 2], 3),
        ([[0, 0]], [2, 3], 6),
        ([[0, 1], [5, -5]], [2, 2], 2),
        ([[3, 3]], [2, 2], 0),
        ([[2, 0]], [2, 2], 0),
        ([[0, 0, 1], [1, 1, 0]], [2, 2, 2], 5),
        (np.empty((0, 2)), [2, 2], 0),
    ],
)
def test_known_hypervolumes(points, reference, volume):
    assert hypervolume(points, reference) == pytest.approx(volume)


@given(point_sets.filter(lambda points: points.shape[1] == 2))
def test_hypervolume_equals_the_sum_of_rectangles(points):
    reference = np.array([3.5, 4.5])
    front = points[non_dominated(points)]
    front = front[(front < reference).all(axis=1)]
    front = front[np.argsort(front[:, 0])]
    heights = np.append(reference[1], front[:, 1])
    expected = np.sum((reference[0] - front[:, 0]) * (heights[:-1] - heights[1:]))
    assert hypervolume(points, reference) == pytest.approx(expected)


@given(point_sets, st.randoms())
def test_order_of_points_and_objectives_does_not_matter(points, random):
    rows = random.sample(range(len(points)), len(points))
    columns = random.sample(range(points.shape[1]), points.shape[1])
    moved = points[rows][:, columns]
    reference = np.arange(5.0, 5.0 + points.shape[1])
    assert hypervolume(moved, reference[columns]) == pytest.approx(hypervolume(points, reference))
    assert number_of_distinct_choices(moved, 0.7) == number_of_distinct_choices(points, 0.7)
    assert non_dominated(moved).sum() == non_dominated(points).sum()


def test_distinct_choices():
    assert number_of_distinct_choices([[0.3, 0.3]] * 7, 0.05) == 1
    line = np.stack([np.arange(11) / 10, 1 - np.arange(11) / 10], axis=1)
    assert number_of_distinct_choices(line, 0.05) == 11
    assert number_of_distinct_choices(line, 5.0) == 1
    assert number_of_distinct_choices(np.vstack([line, line + 0.5]), 0.05) == 11, "dominated points do not count"
    assert number_of_distinct_choices(np.empty((0, 2)), 0.05) == 0


def test_distinct_choices_on_a_pooled_grid():
    points = np.array([[0.04, 0.06], [0.06, 0.04]])
    # A grid from the origin separates them at 0.05, their own grid does not.
    assert number_of_distinct_choices(points, 0.05, origin=[0, 0], upper=[1, 1]) == 2
    assert number_of_distinct_choices(points, 0.05) == 1
    # A point on the upper edge belongs to the last cell, not to one beyond it.
    edge = np.array([[0.96, 0.0], [1.0, -0.01]])
    assert number_of_distinct_choices(edge, 0.05, origin=[0, -0.02], upper=[1, 1]) == 1
    with pytest.raises(ValueError, match="between origin"):
        number_of_distinct_choices(points, 0.05, origin=[0.05, 0.05])
    with pytest.raises(ValueError, match="between origin"):
        number_of_distinct_choices(points, 0.05, upper=[0.05, 0.05])


def test_knee():
    convex = np.array([[0, 10], [1, 4], [2, 1], [6, 0.5], [10, 0]])
    assert knee_index(convex) == 2
    assert knee_index(convex * [1000, 0.01] + [5, -3]) == 2, "units do not matter"
    assert knee_index(np.vstack([[[11, 11]], convex])) == 3, "dominated points do not move it"
    # Bulging away from the ideal there is no knee: the point nearest to the ideal, which is balanced.
    assert knee_index([[0, 1], [0.2, 0.95], [0.62, 0.6], [0.95, 0.2], [1, 0]]) == 2
    assert knee_index([[0, 1], [1, 0]]) == 0, "of two the less corrected"
    assert knee_index([[4, 4], [3, 3]]) == 1
    assert knee_index([[0, 1, 1], [0.2, 0.2, 0.2], [1, 0, 1], [1, 1, 0]]) == 1
    with pytest.raises(ValueError, match="no points"):
        knee_index(np.empty((0, 2)))


def directions(n_steps):
    """Evenly spread points of the simplex of three objectives."""
    return np.array([[i, j, n_steps - i - j] for i in range(n_steps + 1) for j in range(n_steps + 1 - i)]) / n_steps


def test_knee_of_three_objectives():
    # Bulging towards the ideal symmetrically, the knee is in the middle, whatever the units.
    middle = (directions(6) == 1 / 3).all(axis=1).nonzero()[0][0]
    assert knee_index(directions(6) ** 2) == middle
    assert knee_index(directions(6) ** 2 * [1e3, 1, 1e-3] + [5, 0, -2]) == middle
    # Any inner point of a plane that is moved towards the ideal.
    for index in np.flatnonzero((directions(6) > 0).all(axis=1)):
        plane = directions(6)
        plane[index] *= 0.9
        assert knee_index(plane) == index
    # Bulging away from it there is none: all are equally far from the ideal, except for one.
    sphere = np.sqrt(directions(6))
    assert knee_index(sphere) == 0
    sphere[middle] *= 0.99
    assert knee_index(sphere) == middle
    # An objective that does not vary plays no part.
    convex = np.array([[0, 10], [1, 4], [2, 1], [6, 0.5], [10, 0]])
    assert knee_index(np.column_stack([convex, np.full(5, 7.0)])) == knee_index(convex) == 2


@given(arrays(np.float64, st.tuples(st.integers(1, 10), st.integers(2, 4)), elements=st.floats(0, 1, width=32)))
def test_moving_away_from_a_knee_loses_more_than_it_gains(points):
    index = knee_index(points)
    keep = non_dominated(points)
    assert keep[index]
    spread = np.ptp(points[keep], axis=0)
    scaled = (points[keep] - points[keep].min(axis=0)) / np.where(spread > 0, spread, 1)
    knee = (points[index] - points[keep].min(axis=0)) / np.where(spread > 0, spread, 1)
    exchange = scaled - knee
    gain, loss = np.maximum(-exchange, 0).sum(axis=1), np.maximum(exchange, 0).sum(axis=1)
    # Either no exchange pays, or none of the others is nearer to the ideal.
    nearest = np.linalg.norm(knee) <= np.linalg.norm(scaled, axis=1).min() + 1e-6
    assert (loss >= gain - 1e-6).all() or nearest


def test_indicators_of_three_objectives_have_known_values():
    # Three unit cubes from the corner (2, 2, 2), less their overlaps: a point (0, 1, 1) beats 2 x 1 x 1.
    corners = 1 - np.eye(3)
    assert hypervolume(corners, [2, 2, 2]) == pytest.approx(3 * 2 - 3 * 1 + 1)
    assert hypervolume(np.vstack([corners, [[1.5, 1.5, 1.5]]]), [2, 2, 2]) == pytest.approx(4)
    assert non_dominated(np.vstack([corners, [[1, 1, 1]], corners])).tolist() == [1, 1, 1, 0, 0, 0, 0]
    plane = directions(10)
    assert non_dominated(plane).all()
    assert number_of_distinct_choices(plane, 0.1) == len(plane) == 66
    assert number_of_distinct_choices(directions(9), 0.5, origin=[0, 0, 0], upper=[1, 1, 1]) == 4


@pytest.mark.parametrize("function", [non_dominated, lambda p: hypervolume(p, [2, 2]), knee_index])
@pytest.mark.parametrize("points", [[[0.0, np.nan]], [0.0, 1.0]])
def test_bad_points_are_refused(function, points):
    with pytest.raises(ValueError, match="points must"):
        function(points)


@pytest.mark.parametrize("width", [0, -1, np.nan])
def test_bad_width_is_refused(width):
    with pytest.raises(ValueError, match="width"):
        number_of_distinct_choices([[0, 1]], width)


def test_bad_reference_is_refused():
    with pytest.raises(ValueError, match="reference"):
        hypervolume([[0, 1]], [2, 2, 2])
