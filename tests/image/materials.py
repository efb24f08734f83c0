"""The bill of materials of an image, CycloneDX 1.6 as JSON: what it has of Python's packages and of Debian's."""

import re
import uuid
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from tests.image.contents import of_debian, of_python, resolved

#: What older packages write instead of SPDX's names.
_NAMES: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
#: Those that have it in a file alone.
_BY_HAND: Final = {"aiocache": "BSD-3-Clause"}
_OF_COPYRIGHT = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)
_COPYLEFT = re.compile(r"(?i)\b[AL]?GPL|general public licen")


def bill(root: Path, version: str) -> str:
    """The bill, as JSON that fits its schema.

    Raises:
        ValueError: it does not.
    """
    made = Bom()
    made.metadata.component = image = Component(
        name="agent-sidecar", version=version, type=ComponentType.CONTAINER, bom_ref="image"
    )
    image.licenses.add(LicenseFactory().make_from_string("Apache-2.0"))
    python = {_plain(each.name): (_of_python(each), each) for each in of_python(root)}
    debian = {name: _of_debian(root, name, fields) for name, fields in of_debian(root).items()}
    for component in (*(component for component, _ in python.values()), *debian.values()):
        made.components.add(component)
    # a bill of the same image has the same number
    named = sorted(str(component.purl) for component in made.components)
    made.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(named))
    made.register_dependency(image, [python["agent-sidecar"][0], *debian.values()])
    for component, each in python.values():
        needed = {_plain(Requirement(line).name) for line in each.requires or () if "extra ==" not in line}
        made.register_dependency(component, [python[name][0] for name in sorted(needed & python.keys())])
    text: str = JsonV1Dot6(made).output_as_string(indent=2)
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise ValueError(f"the bill of materials does not fit its schema: {wrong}")
    return text


def by_licence(root: Path) -> dict[str, list[str]]:
    """Python's packages, by what they say of their licences."""
    found: dict[str, list[str]] = {}
    for each in of_python(root):
        found.setdefault(licence(each), []).append(each.name)
    return found


def copyleft(root: Path) -> Iterator[str]:
    """Python's packages that want all that is loaded with them to be as free as they are, or that say nothing.

    Debian's that are under the GPL are programs of their own, or libraries of those: nft, and what it stands on.
    """
    for each in of_python(root):
        if not (said := licence(each)):
            yield f"Python package {each.name} does not say under which licence it is"
        elif _COPYLEFT.search(said):
            yield f"Python package {each.name} is under {said}"


def licence(package: Distribution) -> str:
    """By SPDX's names where these can be known; "" for none."""
    told = package.metadata
    if "License-Expression" in told:
        return told["License-Expression"]
    named = told["License"].strip() if "License" in told else ""
    classified = [
        value.rpartition(" :: ")[2]
        for value in told.get_all("Classifier") or ()
        if value.startswith("License :: ") and not value.endswith("OSI Approved")
    ]
    if not named or "\n" in named:  # some have the whole text there
        named = " OR ".join(_NAMES.get(each, each) for each in classified) or _BY_HAND.get(_plain(package.name), "")
    return _NAMES.get(named, named)


def _of_python(package: Distribution) -> Component:
    name = _plain(package.name)
    made = Component(
        name=name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("pypi", None, name, package.version),
        bom_ref=f"pypi:{name}",
    )
    made.licenses.add(LicenseFactory().make_from_string(licence(package)))
    return made


def _of_debian(root: Path, name: str, fields: Mapping[str, str]) -> Component:
    version, source = fields["Version"], fields.get("Source", name).partition(" ")[0]
    made = Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=PackageURL("deb", "debian", name, version, {"arch": fields["Architecture"], "distro": "debian-13"}),
        bom_ref=f"deb:{name}",
        properties=[Property(name="debian:source", value=source)],
    )
    text = resolved(root, root / "usr/share/doc" / name / "copyright").read_text(errors="replace")
    # Debian's copyright files name all licences of the source, its build and tests included
    for each in sorted(set(_OF_COPYRIGHT.findall(text))) or ["see the package's copyright file"]:
        made.licenses.add(DisjunctiveLicense(name=each.strip()))
    return made


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
