"""The console's settings: the ranges, a checker of what came, and their keeping in a file."""


class Settings:
    """The settings in use; a new object has the defaults of contract.md."""

    revision = 0
    question_id = "staff"
    question_revision = 1
    kind = "personnel"
    text = {"en": "Are you satisfied with our service?"}
    survey_window_ms = 20000
    long_press_ms = 1500
    reopen_guard_ms = 1000
    debounce_ms = 20
    stuck_ms = 30000
    heartbeat_ms = 60000
    ask_every = 1
    prompt = "tone"

    def payload(self):
        """The settings as they came, without fields that the console does not know."""
        raise NotImplementedError


def check(payload):
    """`Settings` made of a decoded `settings` message, or a str: why it was not taken."""
    raise NotImplementedError


def load(path):
    """The settings kept at `path`; the defaults if there are none or they do not check. OSError if it can't be read."""
    raise NotImplementedError


def keep(path, settings):
    """Keep `settings` at `path`: the old ones stay until the new ones are whole. OSError if that fails."""
    raise NotImplementedError
