"""What ends an action over Tor. There is no other way than Tor, so each of these stops it."""


class NotTor(Exception):
    """The proxy is not Tor."""


class NotAnonymous(Exception):
    """A request would leave Tor. It was not sent."""


class OnionError(Exception):
    """A tor process does not do what it should."""
