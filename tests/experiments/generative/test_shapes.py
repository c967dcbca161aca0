"""Mixtures in the plane: their anchors, their samples, and what measures say of known samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.generative.shapes import (
    SPIRAL_ANCHORS,
    Shape,
    check_count,
    null_quality,
    quality_of,
)

RING = Shape("ring", 8, 2.0, 0.05)
GRID = Shape("grid", 25, 2.0, 0.05)
WIDE = Shape("grid", 25, 2.0, 0.1)
SPIRAL = Shape("spiral", 50, 2.0, 0.05)
ALL = pytest.mark.parametrize("shape", [RING, GRID, WIDE, SPIRAL], ids=str)
N = 2500


def test_the_grid_is_that_of_veegan_and_pacgan() -> None:
    expected = {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    assert {(round(x), round(y)) for x, y in GRID.anchors} == expected
    assert np.abs(GRID.anchors - np.round(GRID.anchors)).max() == 0.0


def test_the_ring_is_eight_points_at_radius_two() -> None:
    assert np.linalg.norm(RING.anchors, axis=1) == pytest.approx(np.full(8, 2.0))
    gaps = np.linalg.norm(RING.anchors - np.roll(RING.anchors, 1, axis=0), axis=1)
    assert gaps == pytest.approx(np.full(8, 4.0 * math.sin(math.pi / 8)))


def test_the_spiral_runs_from_the_middle_to_its_radius() -> None:
    radius = np.linalg.norm(SPIRAL.anchors, axis=1)
    assert (np.diff(radius) > 0).all()
    assert radius[-1] == pytest.approx(2.0, rel=1e-3)
    angle = np.unwrap(np.arctan2(SPIRAL.anchors[:, 1], SPIRAL.anchors[:, 0]))
    assert angle[-1] - angle[0] == pytest.approx(4 * math.pi, rel=0.02)


@ALL
def test_modes_have_equal_numbers_of_anchors(shape: Shape) -> None:
    of_anchor = shape.mode_of(np.arange(len(shape.anchors)))
    assert (np.bincount(of_anchor) == len(shape.anchors) // shape.modes).all()


@ALL
def test_the_data_have_all_modes_and_the_quality_of_three_sigma(shape: Shape) -> None:
    found = quality_of(shape.sample(N, np.random.default_rng(1)), shape)
    assert found.modes == found.touched == shape.modes
    # a normal pair is within 3 sigma with probability 1 - exp(-4.5), and nearer to a curve
    within = 1 - math.exp(-4.5)
    assert within - 0.008 < found.quality <= 1.0
    assert found.kl < 2 * (shape.modes - 1) / (2 * N)


def test_one_point_is_one_mode_of_full_quality() -> None:
    found = quality_of(np.repeat(GRID.anchors[7:8], N, axis=0), GRID)
    assert (found.modes, found.touched, found.quality) == (1, 1, 1.0)
    assert found.kl == pytest.approx(math.log(25))


def test_three_sigma_is_the_edge_of_high_quality() -> None:
    edge = GRID.anchors[0] + np.array([[0.1499, 0.0], [0.1501, 0.0]])
    assert quality_of(np.repeat(edge, 20, axis=0), GRID).quality == 0.5


def test_samples_that_are_not_finite_are_of_no_quality() -> None:
    points = GRID.sample(N, np.random.default_rng(1))
    points[: N // 2] = np.nan
    assert quality_of(points, GRID).quality == pytest.approx(0.5 * (1 - math.exp(-4.5)), abs=0.01)


def test_a_uniform_cloud_touches_nearly_all_modes_at_two_percent_quality() -> None:
    """The null line: many modes by the usual count, none with a fifth of its fair part."""
    found = null_quality(GRID, N)
    assert 22 <= found.touched <= 24
    assert found.modes == 0
    assert found.quality == pytest.approx(25 * math.pi * 0.15**2 / 9.0**2, abs=0.002)
    assert 0.18 < found.kl < 0.30  # of some 55 samples; one cloud in ten has .16 or less


def test_a_uniform_cloud_on_the_wider_grid_has_nine_percent_quality() -> None:
    found = null_quality(WIDE, N)
    assert (found.touched, found.modes) == (25, 0)
    assert found.quality == pytest.approx(25 * math.pi * 0.3**2 / 9.0**2, abs=0.004)
    assert found.kl == pytest.approx(0.055, abs=0.015)


def test_fewer_samples_than_modes_are_refused() -> None:
    check_count(25, GRID)
    with pytest.raises(ValueError, match="at least as many samples as modes, got 24 samples"):
        check_count(24, GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "torus"}, "kind must be one of"),
        ({"kind": "grid", "modes": 8}, "square number, got 8"),
        ({"kind": "spiral", "modes": SPIRAL_ANCHORS + 1}, "at most 2000"),
        ({"modes": 1}, "above 1, got 1"),
        ({"modes": 8.0}, "whole number"),
        ({"sigma": 0.0}, "sigma must be a finite number above 0"),
        ({"size": math.inf}, "size must be a finite number above 0"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"kind": "ring", "modes": 8, "size": 2.0, "sigma": 0.05}
    with pytest.raises(ValueError, match=message):
        Shape(**(fields | change))  # type: ignore[arg-type]
