import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from experiments.generative.structural_similarity import (
    WEIGHTS,
    ms_ssim,
    scales_of,
    similarity,
    window,
)


def images(n: int, side: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(n, side, side, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize(("side", "scales"), [(4, 1), (8, 2), (28, 3), (64, 5), (176, 5)])
def test_there_are_as_many_scales_as_the_side_has_halvings_to_4(side: int, scales: int) -> None:
    assert scales_of(side) == scales


@pytest.mark.parametrize("side", [8, 28])
def test_equal_images_have_a_similarity_of_1(side: int) -> None:
    x = images(3, side)
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(3, dtype=torch.float64))


def test_it_is_symmetric_and_falls_with_noise() -> None:
    x, noise = images(4, 28), images(4, 28, seed=1)
    near, far = (torch.lerp(x, noise, share) for share in (0.1, 0.5))
    torch.testing.assert_close(ms_ssim(x, near), ms_ssim(near, x))
    assert (ms_ssim(x, x) > ms_ssim(x, near)).all() and (ms_ssim(x, near) > ms_ssim(x, far)).all()


def test_the_parts_are_those_of_windows_taken_one_by_one() -> None:
    """Against scipy's correlation, with moments about the windows' means."""
    x, y = images(1, 9), images(1, 9, seed=1)
    weights = window(x[:, None]).flatten().numpy()
    flat, other = x[0].numpy(), y[0].numpy()
    kernel = np.outer(weights, weights)
    reach = len(weights) // 2

    def local(image: np.ndarray) -> np.ndarray:
        return correlate(image, kernel)[reach : 9 - reach, reach : 9 - reach]

    m, n = local(flat), local(other)
    v, w, c = local(flat**2) - m**2, local(other**2) - n**2, local(flat * other) - m * n
    luminance, structure = similarity(x[:, None], y[:, None])
    expected = ((2 * m * n + 1e-4) / (m**2 + n**2 + 1e-4)).mean()
    assert float(luminance) == pytest.approx(expected)
    assert float(structure) == pytest.approx(((2 * c + 9e-4) / (v + w + 9e-4)).mean())


def test_a_constant_shift_changes_the_luminance_of_the_last_scale_alone() -> None:
    x = 0.5 * images(2, 8)
    coarse = torch.nn.functional.avg_pool2d(x[:, None], 2)
    luminance, structure = similarity(coarse, coarse + 0.25)
    torch.testing.assert_close(structure, torch.ones(2, dtype=torch.float64))
    share = WEIGHTS[1] / (WEIGHTS[0] + WEIGHTS[1])
    torch.testing.assert_close(ms_ssim(x, x + 0.25), luminance**share)


def test_an_inverted_image_counts_as_0() -> None:
    x = (images(1, 28) > 0.5).double()
    assert float(ms_ssim(x, 1 - x)) == 0.0


@pytest.mark.parametrize(
    "shapes", [((2, 8, 8), (3, 8, 8)), ((2, 8, 9), (2, 8, 9)), ((1, 3, 3),) * 2]
)
def test_images_that_do_not_pair_up_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    x, y = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match="expected two stacks of square images"):
        ms_ssim(x, y)
