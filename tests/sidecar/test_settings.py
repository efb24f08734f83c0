"""The types of the configuration."""

from collections.abc import Iterator

import pytest
from msgspec import Struct

from sidecar.addresses import FilePath
from sidecar.configuration.shape import Form, Shape, fields_of
from sidecar.provider import Timeouts
from sidecar.settings import ProviderTimeouts, Settings, Tls, UpstreamTimeouts
from sidecar.units import Duration


def shapes(section: type[Struct], path: str = "") -> Iterator[tuple[str, Shape]]:
    for key, field in fields_of(section).items():
        here = f"{path}.{key}".lstrip(".")
        yield here, field.shape
        for shape in (field.shape, field.shape.inner):
            if shape is not None and shape.form is Form.SECTION:
                yield from shapes(shape.kind, here)


SHAPES = tuple(shapes(Settings))


@pytest.mark.parametrize(("path", "shape"), SHAPES)
def test_every_setting_says_what_it_is_for(path: str, shape: Shape) -> None:
    assert shape.description, path
    assert shape.description[0].isupper() or not shape.description[0].isalpha()
    assert shape.description.endswith("."), path


@pytest.mark.parametrize(("path", "shape"), SHAPES)
def test_every_setting_is_named_in_lower_case(path: str, shape: Shape) -> None:
    assert path == path.lower()
    assert "-" not in path


def test_the_defaults_are_those_of_the_nouns() -> None:
    assert ProviderTimeouts().over(UpstreamTimeouts()) == Timeouts()


def test_a_provider_may_wait_otherwise_than_the_others() -> None:
    timeouts = ProviderTimeouts(connect=Duration("1s"), total=Duration(0.0)).over(UpstreamTimeouts())
    assert timeouts == Timeouts(connect=1.0, total=0.0)


@pytest.mark.parametrize(
    ("directory", "environ", "expected"),
    [
        (None, {"HOME": "/home/me"}, "/home/me/.local/state/agent-sidecar/tls"),
        (None, {"HOME": "/home/me", "XDG_STATE_HOME": "/state"}, "/state/agent-sidecar/tls"),
        (None, {"HOME": "/home/me", "XDG_STATE_HOME": "relative"}, "/home/me/.local/state/agent-sidecar/tls"),
        (None, {}, "/.local/state/agent-sidecar/tls"),
        ("~/tls", {"HOME": "/home/me"}, "/home/me/tls"),
        ("/run/tls", {"HOME": "/home/me"}, "/run/tls"),
    ],
)
def test_the_directory_of_the_authority(directory: str | None, environ: dict[str, str], expected: str) -> None:
    tls = Tls(directory=None if directory is None else FilePath(directory))
    assert str(tls.directory_in(environ)) == expected
