"""Send an alarm through Apprise (https://github.com/caronc/apprise), which knows some hundred services."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bridge.errors import TrivoxError

if TYPE_CHECKING:
    from bridge.service.notifications.notice import Notice
    from bridge.service.notifications.recipient_login import RecipientLogin

MISSING = "Apprise is not installed: install `trivox[apprise]`, or use mail, a webhook or ntfy."


def send(notice: Notice, login: RecipientLogin) -> None:
    """Hand the alarm to Apprise. Raises TrivoxError; Apprise itself does not say why it could not send."""
    check_installed()
    apprise = import_module("apprise")
    sender = apprise.Apprise()
    if not login.url or not sender.add(login.url):
        raise TrivoxError("Apprise does not know the service: check url in the file of --login.")
    kind = apprise.NotifyType.SUCCESS if notice.alarm["answer"] == "yes" else apprise.NotifyType.WARNING
    if not sender.notify(body=notice.text(), title=notice.title(), notify_type=kind):
        raise TrivoxError("Apprise could not send it: check url in the file of --login, and the network.")


def check_installed() -> None:
    """Raise TrivoxError unless Apprise is installed."""
    try:
        import_module("apprise")
    except ImportError as error:
        raise TrivoxError(MISSING) from error
