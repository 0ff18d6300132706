"""Send a notice by its recipient's way, with the secrets that the recipient has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError
from bridge.service.notifications import apprise_library, mail, ntfy, webhook
from bridge.service.notifications.recipient_login import read_login

if TYPE_CHECKING:
    from bridge.service.notifications.notice import Notice

SENDERS = {"mail": mail.send, "webhook": webhook.send, "ntfy": ntfy.send, "apprise": apprise_library.send}


def send(notice: Notice) -> None:
    """Send it. Raises TrivoxError, with a sentence that holds no secret."""
    login = read_login(notice.recipient.login_file, os.environ)
    try:
        SENDERS[notice.recipient.way](notice, login)
    except TrivoxError:
        raise
    except Exception as error:  # whatever a library raises must not end the thread, and may quote what was sent
        raise TrivoxError(f"It could not be sent ({type(error).__name__}): report this.") from error
