"""Bytes to features and back, with the starter code's constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt8m_audio.audio.quantize import dequantize, quantize

BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(("byte", "feature"), [(0, -1.9921875), (128, 0.0156556), (255, 2.0078125)])
def test_dequantize(byte, feature):
    result = dequantize(np.array([byte], np.uint8))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [feature], atol=1e-6)


def test_dequantize_is_the_starters_formula():
    np.testing.assert_allclose(dequantize(BYTES), BYTES.astype(float) * 4 / 255 + 4 / 512 - 2, atol=3e-7)


@pytest.mark.parametrize(
    ("feature", "byte"),
    [(-9.0, 0), (-2.0, 0), (-1.985, 0), (-1.984, 1), (0.0, 127), (1.999, 254), (2.0, 255), (9.0, 255)],
)
def test_quantize_clips_and_truncates(feature, byte):
    assert quantize([feature]).tolist() == [byte]
    assert quantize([feature]).dtype == np.uint8


def test_a_byte_comes_back_as_it_was():
    np.testing.assert_array_equal(quantize(dequantize(BYTES)), BYTES)


def test_a_feature_comes_back_within_half_a_step():
    features = np.linspace(-2, 2, 10_001)
    np.testing.assert_allclose(dequantize(quantize(features)), features, atol=0.008)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_any_feature_comes_back_within_a_step_of_its_clipped_value(features):
    back = dequantize(quantize(features))
    np.testing.assert_allclose(back, np.clip(features, -2, 2), rtol=0, atol=4 / 255)
    order = np.argsort(features)
    assert (np.diff(quantize(features)[order].astype(int)) >= 0).all()


def test_signed_bytes_are_refused():
    with pytest.raises(ValueError, match=r"unsigned bytes.*int8"):
        dequantize(BYTES.astype(np.int8))


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="1 NaN of 2"):
        quantize([0.0, np.nan])
