"""What a virtual world raises when something is wrong; neither firmware nor bridge can swallow it."""


class Failed(BaseException):
    """The world, the firmware or the bridge did what must not happen; `str()` says what."""
