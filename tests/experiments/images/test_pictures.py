import numpy as np

from experiments.images.pictures import of_text, sheet, to_text


def test_images_come_back_from_their_text_to_8_bits() -> None:
    images = np.random.default_rng(0).random((3, 3, 8, 8))
    text = to_text(images)
    assert text.startswith("3x3x8x8:")
    np.testing.assert_allclose(of_text(text) / 255, images, atol=0.5 / 255)


def test_a_sheet_has_its_images_in_rows_and_clear_gaps() -> None:
    images = np.zeros((3, 2, 2), dtype=np.uint8)
    images[1], images[2] = 255, 51
    found = sheet(images, columns=2, gap=1)
    assert found.shape == (5, 5, 4)
    assert (found[:2, 3:] == 1.0).all()  # the second image is white
    np.testing.assert_allclose(found[3:, :2], [[[0.2, 0.2, 0.2, 1.0]] * 2] * 2)
    assert (found[2] == 0).all() and (found[:, 2] == 0).all() and (found[3:, 3:] == 0).all()


def test_three_channels_are_red_green_and_blue() -> None:
    image = np.zeros((1, 3, 2, 2), dtype=np.uint8)
    image[0, 1] = 255
    assert (sheet(image, columns=1) == [0.0, 1.0, 0.0, 1.0]).all()
