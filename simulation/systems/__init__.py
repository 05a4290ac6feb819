"""The four systems of the demo city, each exposed the way its owner exposes it: SQL servers, an HTTP API, files."""


class SystemsError(RuntimeError):
    """A demo system cannot be started or filled; the message is one sentence that names the system and the mend."""
