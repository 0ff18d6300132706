"""The exception of a virtual world in which something is wrong; neither firmware nor bridge can swallow it."""


class Failed(BaseException):
    """Something that must not happen in the world, the firmware or the bridge; `str()` says what."""
