"""What keeps a call from having a key."""


class Unsuitable(Exception):
    """A call that is not to be answered from a cache; the message says why."""
