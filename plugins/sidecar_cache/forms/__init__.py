"""A kept answer in the other form: as a stream or whole, with identifiers and times of its own. No I/O.

What cannot be said in a form without making something up is not given in it, and the reason is told.
"""

from sidecar_cache.forms.asking import Wanted, given_as, is_accepted, plainly, stamps_in, wanted_of
from sidecar_cache.forms.pieces import Unconvertible
from sidecar_cache.forms.renewal import Renewal, Stamps, renewal_of

__all__ = [
    "Renewal",
    "Stamps",
    "Unconvertible",
    "Wanted",
    "given_as",
    "is_accepted",
    "plainly",
    "renewal_of",
    "stamps_in",
    "wanted_of",
]
