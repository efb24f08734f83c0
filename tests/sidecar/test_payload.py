"""An edit replaces the fields it names and leaves the bytes of all others alone."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.payload import edited

BODY = b'{"model": "a", "seed":123456789012345678901234567890, "t":1.0, "odd":"\\u00e9\\/", "list":[1, 2] ,"null":null}'


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        (
            {},
            b'{"model":"a","seed":123456789012345678901234567890,"t":1.0,"odd":"\\u00e9\\/","list":[1, 2],"null":null}',
        ),
        (
            {"model": "b"},
            b'{"model":"b","seed":123456789012345678901234567890,"t":1.0,"odd":"\\u00e9\\/","list":[1, 2],"null":null}',
        ),
        (
            {"seed": None, "odd": None, "null": None, "absent": None},
            b'{"model":"a","t":1.0,"list":[1, 2]}',
        ),
        (
            {"model": None, "seed": None, "t": 0.5, "odd": None, "list": {"x": [True]}, "null": None, "new": "é"},
            '{"t":0.5,"list":{"x":[true]},"new":"é"}'.encode(),
        ),
    ],
)
def test_named_fields_change_and_no_byte_of_the_others(changes: dict[str, Any], after: bytes) -> None:
    assert edited(BODY, changes) == after


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":', b'{"a":1}}', b"\xff", b'"text"'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        edited(body, {"a": 1})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(before=st.dictionaries(st.text(max_size=5), JSON), changes=st.dictionaries(st.text(max_size=5), JSON))
def test_an_edit_is_what_it_is_on_the_object(before: dict[str, Any], changes: dict[str, Any]) -> None:
    after = {name: value for name, value in (before | changes).items() if not (name in changes and value is None)}
    assert msgspec.json.decode(edited(msgspec.json.encode(before), changes)) == after
