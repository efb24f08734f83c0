"""16-bit samples made into 32-bit floats and back, as they flow. No I/O.

Sample by sample in plain Python, for the few pairs of providers that have no width in common.
"""

import sys
from array import array
from typing import Final

_FULL_SCALE: Final = 32768.0
_HIGHEST, _LOWEST = 32767, -32768
#: From here on a float is rounded to more than there is.
_TOP: Final = (_HIGHEST + 0.5) / _FULL_SCALE
_SWAPPED: Final = sys.byteorder == "big"


def _array(kind: str, data: bytes) -> "array[float]":
    values: array[float] = array(kind)
    values.frombytes(data)
    if _SWAPPED:
        values.byteswap()
    return values


def _bytes(values: "array[float] | array[int]") -> bytes:
    if _SWAPPED:
        values.byteswap()
    return values.tobytes()


def to_float(data: bytes) -> bytes:
    """Exact: a float has more bits than a sample. *data* is whole samples."""
    return _bytes(array("f", [value / _FULL_SCALE for value in _array("h", data)]))


def to_sixteen_bits(data: bytes) -> bytes:
    """Rounded, and cut off at full scale; what is no number is silence. *data* is whole samples."""
    return _bytes(
        array(
            "h",
            [
                round(value * _FULL_SCALE)
                if -1.0 <= value < _TOP
                else _HIGHEST
                if value >= _TOP
                else _LOWEST
                if value < -1.0
                else 0
                for value in _array("f", data)
            ],
        )
    )
