"""Who is told of alarms, against strict servers: what is sent, what is tried again, and that no secret gets out."""

from __future__ import annotations

import queue
import socket
import sys
import threading
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import pytest
from msgspec import structs

from bridge.admin.commands import CloseAlarm, RemoveAlarmRecipient, SetAlarmRecipient, SetSite
from bridge.errors import TrivoxError
from bridge.model.alarm_recipient import AlarmRecipient
from bridge.service.notifications import mail, notifier, web
from bridge.service.notifications.notice import trial_notice
from bridge.service.notifications.notifier import GIVE_UP_MS, Notifier
from bridge.service.notifications.recipient_login import RecipientLogin
from bridge.service.notifications.send import SENDERS, send
from bridge.service.writer import ReceivedMessage, Writer
from bridge.store import alarm_recipients
from bridge.store.alarm_recipients import recipients
from tests.bridge.alarm_site import NOON, AlarmSite, payloads
from tests.bridge.office import MINUTE_MS
from tests.support import alarm_servers, facts
from tests.support.alarm_servers import SmtpServer
from tests.support.certificates import make_certificates
from tests.support.dripping_server import DrippingServer
from tests.support.programs import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.service.notifications.notice import Notice
    from bridge.store import Store
    from bridge.store.alarm_recipients import AlarmDelivery
    from tests.bridge.office import Office

PASSWORD, TOKEN, SECRET = "p4ss-w0rd", "tk_t0ken", "s3cret"
SECRETS = (PASSWORD, TOKEN, SECRET)
LINK = "https://shop.com/alarms/{alarm_id}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def private(path: Path, **content: str) -> Path:
    """Write a file of secrets."""
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in content.items()), "utf-8")
    path.chmod(0o600)
    return path


def login(folder: Path, certificates: Path, **content: str) -> Path:
    return private(folder / "login.toml", ca_file=str(certificates / "ca.pem"), **content)


# What each way sends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_a_mail_goes_out_encrypted_to_a_server_with_a_login(
    office: Office, tmp_path: Path, certificates: Path, scheme: str
) -> None:
    file = login(tmp_path, certificates, user="me@shop.com", password=PASSWORD)
    account = ("me@shop.com", PASSWORD)
    with SmtpServer(certificates, account, tls_at_once=scheme == "smtps") as server:
        where = f"{scheme}://127.0.0.1:{server.port}"
        set_recipient(
            office, "boss", "mail", "--to", "boss@shop.com", "--server", where, "--login", file, "--link", LINK
        )
        assert office.do("alarm-recipient", "test", "boss") == "boss has taken the test.\n"
    (mail,) = server.taken
    assert server.refused == []
    assert mail.headers["To"] == mail.headers["From"] == "boss@shop.com"
    assert mail.headers["Subject"] == "Test of an alarm: a-site, a-till: 4 of 4 answers were no"
    assert mail.content.splitlines()[0] == "This is a test; nothing has happened."
    assert mail.content.splitlines()[-1] == "https://shop.com/alarms/0"


def test_a_webhook_gets_a_signed_alarm(office: Office, tmp_path: Path, certificates: Path) -> None:
    file = login(tmp_path, certificates, secret=SECRET)
    with alarm_servers.webhook(SECRET, certificates) as server:
        url = f"https://127.0.0.1:{server.port}/hook"
        set_recipient(office, "till", "webhook", "--to", url, "--login", file)
        office.do("alarm-recipient", "test", "till")
        office.do("alarm-recipient", "test", "till")
    assert [taken.content["test"] for taken in server.taken] == [True, True]
    assert server.refused == []


def test_ntfy_gets_title_priority_tags_and_a_button(office: Office, tmp_path: Path) -> None:
    file = private(tmp_path / "ntfy.toml", token=TOKEN)
    with alarm_servers.ntfy(TOKEN) as server:
        url = f"http://127.0.0.1:{server.port}/our_topic"
        set_recipient(office, "sofia", "ntfy", "--to", url, "--login", file, "--link", LINK)
        office.do("alarm-recipient", "test", "sofia")
    (taken,) = server.taken
    assert taken.name == "/our_topic"
    assert taken.headers["priority"] == "high"
    assert taken.headers["tags"] == "rotating_light,trivox"
    assert taken.headers["actions"] == 'view, Open, "https://shop.com/alarms/0"'
    assert "4 of 4 answers were no, usually 12 %" in taken.content


class AppriseStandIn(ModuleType):
    """The part of Apprise's interface that is used; it knows the service `known://` alone."""

    def __init__(self) -> None:
        super().__init__("apprise")
        self.sent: list[dict[str, str]] = []
        standin = self

        class Apprise:
            def __init__(self) -> None:
                self.urls: list[str] = []

            def add(self, url: str) -> bool:
                self.urls.append(url)
                return url.startswith("known://")

            def notify(self, body: str, title: str, notify_type: str) -> bool:
                standin.sent.append({"body": body, "title": title, "type": notify_type})
                return not self.urls[0].endswith("/fails")

        self.Apprise = Apprise
        self.NotifyType = type("NotifyType", (), {"WARNING": "warning", "SUCCESS": "success"})


def test_apprise_is_used_where_it_is_installed_and_said_to_be_missing_where_not(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = private(tmp_path / "chat.toml", url=f"known://{TOKEN}")
    monkeypatch.setitem(sys.modules, "apprise", None)
    words = ("alarm-recipient", "set", "chat", "--by", "apprise", "--login", file)
    missing = office.run(*words)
    assert (missing.status, missing.err) == (
        1,
        "trivox: Apprise is not installed: install `trivox[apprise]`, or use mail, a webhook or ntfy.\n",
    )
    apprise = AppriseStandIn()
    monkeypatch.setitem(sys.modules, "apprise", apprise)
    office.do("site", "set", "demo", "--timezone", "UTC")
    office.do(*words)
    office.do("alarm-recipient", "test", "chat")
    assert [sent["type"] for sent in apprise.sent] == ["warning"]
    for url, sentence in (("other://x", "does not know the service"), ("known://x/fails", "could not send it")):
        private(file, url=url)
        failed = office.run("alarm-recipient", "test", "chat")
        assert failed.status == 1
        assert sentence in failed.err


# What goes wrong --------------------------------------------------------------------------------------------------


def set_recipient(office: Office, name: str, way: str, *options: object) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    office.do("alarm-recipient", "set", name, "--by", way, *options)


def failure(office: Office, name: str) -> str:
    """Return what a test of a recipient says that fails."""
    result = office.run("alarm-recipient", "test", name)
    assert result.status == 1
    assert not [secret for secret in SECRETS if secret in result.out + result.err]
    return result.err


def test_a_server_that_refuses_is_quoted_and_no_secret_is(office: Office, tmp_path: Path, certificates: Path) -> None:
    file = login(tmp_path, certificates, user="me", password=PASSWORD)
    with SmtpServer(certificates, ("me", "another")) as server:
        where = f"smtp://127.0.0.1:{server.port}"
        set_recipient(office, "boss", "mail", "--to", "boss@shop.com", "--server", where, "--login", file)
        assert "refuses the login (535 wrong user or password)" in failure(office, "boss")
    with SmtpServer(certificates, ("me", PASSWORD)) as server:
        where = f"smtp://127.0.0.1:{server.port}"
        set_recipient(office, "boss", "mail", "--to", "nobody@shop.com", "--server", where, "--login", file)
        assert "refuses the address (550 there is nobody of that name)" in failure(office, "boss")
        server.failures.append("451 come back later")
        assert "refuses the message (451 come back later)" in failure(office, "boss")


@pytest.mark.parametrize("point", ["Лифт 7", "Kasse für Gäste", "a, b; c"])
def test_places_of_any_script_are_told(point: str, certificates: Path) -> None:
    said = f"Test of an alarm: a-site, {point}: 4 of 4 answers were no"
    login_file = RecipientLogin(secret=SECRET, ca_file=str(certificates / "ca.pem"))
    with alarm_servers.ntfy() as ntfy, alarm_servers.webhook(SECRET) as hook, SmtpServer(certificates) as smtp:
        servers = {"ntfy": ntfy, "webhook": hook, "mail": smtp}
        for way, server in servers.items():
            where = "boss@shop.com" if way == "mail" else f"http://127.0.0.1:{server.port}/topic"
            recipient = AlarmRecipient("r", "", way, where, f"smtp://127.0.0.1:{server.port}", "", "", "")
            notice = trial_notice(recipient, "2026-11-22T14:25:00+02:00")
            alarm = {**notice.alarm, "checkout_point_id": point}
            SENDERS[way](structs.replace(notice, alarm=alarm), login_file)
    (by_ntfy,), (by_hook,), (by_mail,) = ntfy.taken, hook.taken, smtp.taken
    assert (by_ntfy.headers["title"], by_mail.headers["Subject"]) == (said, said)
    assert by_hook.content["checkout_point_id"] == point
    assert point in by_ntfy.content


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (("--to", "https://u:ge/heim@h/x"), "do not belong into --to"),
        (("--to", "https://h/x?token=geheim"), "has a query"),
        (("--to", "nowhere?token=geheim"), "not a web address"),
        (("--to", "https://h/x", "--link", "https://h/{alarm_id}?access_key=geheim"), "holds a secret (access_key)"),
        (("--to", "https://h/x", "--link", "https://u:1234/geheim@h/"), "do not belong into --link"),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(
    office: Office, options: tuple[str, ...], refusal: str
) -> None:
    result = office.run("alarm-recipient", "set", "till", "--by", "webhook", *options)
    assert (result.status, refusal in result.err, "heim" in result.err) == (2, True, False)


def test_a_login_is_not_sent_without_encryption(office: Office, tmp_path: Path) -> None:
    file = private(tmp_path / "login.toml", user="me", password=PASSWORD)
    with SmtpServer() as server:
        where = f"smtp://127.0.0.1:{server.port}"
        set_recipient(office, "boss", "mail", "--to", "boss@shop.com", "--server", where, "--login", file)
        assert "offers no encryption (STARTTLS)" in failure(office, "boss")
        set_recipient(office, "boss", "mail", "--to", "boss@shop.com", "--server", where)
        office.do("alarm-recipient", "test", "boss")
    assert len(server.taken) == 1, "without a login this very machine may do without"


def test_a_certificate_of_an_unknown_authority_is_refused(office: Office, tmp_path: Path, certificates: Path) -> None:
    file = private(tmp_path / "hook.toml", secret=SECRET)
    with alarm_servers.webhook(SECRET, certificates) as server:
        set_recipient(office, "till", "webhook", "--to", f"https://127.0.0.1:{server.port}/", "--login", file)
        assert "The certificate of https://127.0.0.1 is not trusted" in failure(office, "till")
    assert server.taken == []


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("500 out of order", "has answered 500 Internal Server Error: out of order."),
        ("302 elsewhere", "has answered 302, which leads elsewhere: give the address itself."),
    ],
)
def test_a_web_server_that_does_not_take_it_is_quoted(
    office: Office, tmp_path: Path, answer: str, sentence: str
) -> None:
    file = private(tmp_path / "hook.toml", secret=SECRET)
    with alarm_servers.webhook(SECRET) as server:
        server.failures.append(answer)
        set_recipient(office, "till", "webhook", "--to", f"http://127.0.0.1:{server.port}/", "--login", file)
        assert sentence in failure(office, "till")
    assert "cannot be reached (Connection refused)" in failure(office, "till")


class SlowServer:
    """A server that greets line by line without an end, or says nothing at all."""

    def __init__(self, *, greets: bool) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, args=(greets,))
        self._thread.start()

    def _serve(self, greets: bool) -> None:  # noqa: FBT001
        client, _ = self._listener.accept()
        with client, suppress(OSError):
            while greets:
                client.sendall(b"220-and another line\r\n")
                self._left.wait(0.05)
            client.recv(1)

    _left = threading.Event()  # never set: a pause

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()


@pytest.mark.parametrize("greets", [False, True])
def test_a_server_that_does_not_come_to_an_end_is_left(
    office: Office, monkeypatch: pytest.MonkeyPatch, *, greets: bool
) -> None:
    monkeypatch.setattr(mail, "WAIT_S", 0.2)
    monkeypatch.setattr(web, "LIMIT_S", 0.4)
    with SlowServer(greets=greets) as server:
        set_recipient(office, "boss", "mail", "--to", "boss@shop.com", "--server", f"smtp://127.0.0.1:{server.port}")
        assert "smtp://127.0.0.1 cannot be reached (it does not answer in time)" in failure(office, "boss")


def test_an_answer_that_drips_is_not_waited_for(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(web, "LIMIT_S", 0.2)
    file = private(tmp_path / "hook.toml", secret=SECRET)
    with DrippingServer(b"HTTP/1.1 500 Oh\r\n\r\n", b"x") as server:
        set_recipient(office, "till", "webhook", "--to", server.url, "--login", file)
        assert "has answered 500 Oh: xx" in failure(office, "till")


def test_secrets_come_from_the_environment_where_there_is_no_file(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alarm_servers.webhook(SECRET) as server:
        set_recipient(office, "till", "webhook", "--to", f"http://127.0.0.1:{server.port}/")
        assert "has no secret to sign with" in failure(office, "till")
        monkeypatch.setenv("TRIVOX_ALARM_SECRET", SECRET)
        office.do("alarm-recipient", "test", "till")
    assert len(server.taken) == 1


def test_a_url_with_a_secret_is_in_the_file_alone(office: Office, tmp_path: Path) -> None:
    with alarm_servers.ntfy() as server:
        file = private(tmp_path / "ntfy.toml", url=f"http://127.0.0.1:{server.port}/{TOKEN}")
        set_recipient(office, "sofia", "ntfy", "--login", file)
        office.do("alarm-recipient", "test", "sofia")
    assert TOKEN not in office.do("alarm-recipient", "list") + office.do("history")
    assert server.taken[0].name == f"/{TOKEN}"
    assert "127.0.0.1 cannot be reached" in failure(office, "sofia")
    private(file, url=TOKEN)
    assert "is not a web address" in failure(office, "sofia")


def test_whatever_a_library_raises_ends_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", ModuleType("apprise"))  # which lacks everything
    AlarmSite(store).do(SetAlarmRecipient(recipient_id="chat", way="apprise", login_file="chat.toml"))
    monkeypatch.setattr("bridge.service.notifications.send.read_login", lambda *_: None)
    with pytest.raises(TrivoxError, match=r"could not be sent \(AttributeError\)"):
        send(trial_notice(recipients(store)["chat"], "now"))


# In the running bridge --------------------------------------------------------------------------------------------

SECOND_MS = 1_000


class TellingBridge:
    """A writer with a clock of the test's; what it sends goes to `sent`, or fails as `failures` say."""

    def __init__(self, site: AlarmSite) -> None:
        self.site = site
        self.now_ms = site.now_ms
        self.sent: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self.failures: list[str] = []
        self.hanging = ""  # whose server hangs until `may_send`; "": all of them
        self.may_send = threading.Event()
        self.may_send.set()
        self.start()

    def start(self) -> None:
        """Start it, anew if it was stopped."""
        told = Notifier(self._send)
        self.writer = Writer(self.site.store, lambda _: None, notifier=told, **self._clocks())
        self.writer.start()

    def _clocks(self) -> dict[str, Any]:
        return {"now_ms": lambda: self.now_ms, "elapsed_ms": lambda: self.now_ms}

    def _send(self, notice: Notice) -> None:
        if self.hanging in {"", notice.recipient.recipient_id}:
            self.may_send.wait()
        if self.failures:
            raise TrivoxError(self.failures.pop(0))
        self.sent.put(notice)

    def answer(self, *outcomes: str) -> None:
        """Have answers come, the last of them now."""
        till = self.site.tills["c1"]
        till.surveys(self.now_ms - len(outcomes) * MINUTE_MS // 2, no=outcomes.count("no"), yes=outcomes.count("yes"))
        messages = [ReceivedMessage(topic, data, at_ms, 0, 1) for topic, data, at_ms in payloads(till)]
        self.writer.enqueue(messages)

    def wait(self, **where: Any) -> None:
        """Wait until the database holds a delivery like this."""

        def found() -> bool:
            self.writer.enqueue([])  # takes its next turn
            return bool(facts.alarm_deliveries(self.site.store.path, **where))

        wait_until(f"a delivery is {where}", found)

    def deliveries(self, *names: str) -> list[Any]:
        """Return the deliveries so far."""
        return facts.alarm_deliveries(self.site.store.path, *names)

    def stop(self) -> None:
        """End it."""
        self.writer.stop()
        assert self.writer.failure is None


@pytest.fixture
def site(store: Store) -> AlarmSite:
    """A site at half past twelve, with one recipient."""
    site = AlarmSite(store)
    site.history()
    site.do(SetAlarmRecipient(recipient_id="boss", way="ntfy", address="https://ntfy.sh/topic"))
    site.now_ms = NOON + 30 * MINUTE_MS
    return site


def test_the_bridge_tells_each_recipient_of_a_site_once(site: AlarmSite) -> None:
    site.do(SetSite(site_id="s2", timezone="UTC"))
    for name, of_site in (("here", "s1"), ("elsewhere", "s2")):
        site.do(SetAlarmRecipient(recipient_id=name, way="ntfy", address="https://ntfy.sh/topic", site_id=of_site))
    bridge = TellingBridge(site)
    bridge.answer("no", "no", "no", "no")
    bridge.wait(recipient_id="boss", state="sent", attempts=1)
    bridge.wait(recipient_id="here", state="sent", attempts=1)
    bridge.stop()
    told = [bridge.sent.get_nowait() for _ in range(2)]
    assert sorted(notice.recipient.recipient_id for notice in told) == ["boss", "here"]
    assert {notice.alarm["alarm_id"] for notice in told} == {1}
    assert len({notice.name for notice in told}) == 2
    bridge.start()
    bridge.answer("yes")
    bridge.stop()
    assert bridge.sent.empty(), "a restart sends nothing again"


def test_it_tries_again_after_a_pause_also_after_a_restart(site: AlarmSite) -> None:
    bridge = TellingBridge(site)
    bridge.failures += ["a is down", "b is down"]
    bridge.answer("no", "no", "no", "no")
    bridge.wait(state="waiting", attempts=1, reason="a is down", due_at_ms=bridge.now_ms + 10 * SECOND_MS)
    bridge.now_ms += 10 * SECOND_MS
    bridge.wait(state="waiting", attempts=2, reason="b is down", due_at_ms=bridge.now_ms + 30 * SECOND_MS)
    bridge.stop()
    bridge.now_ms += 30 * SECOND_MS
    bridge.start()
    bridge.wait(state="sent", attempts=3, reason="")
    bridge.stop()


def test_it_reads_no_database_while_nothing_is_due(site: AlarmSite, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    due = alarm_recipients.due

    def look(store: Store, now_ms: int, limit: int) -> list[AlarmDelivery]:
        looked.append(now_ms)
        return due(store, now_ms, limit)

    monkeypatch.setattr(alarm_recipients, "due", look)
    bridge = TellingBridge(site)
    begun_ms = bridge.now_ms
    wait_until("it has looked once", lambda: bridge.writer.enqueue([]) or looked)
    for outcome in ("yes", "cant_say"):
        bridge.now_ms += 10 * MINUTE_MS
        bridge.answer(outcome)
        wait_until("the answer is stored", lambda: bridge.writer.backlog() == 0)
    bridge.answer("no", "no", "no", "no")
    bridge.wait(state="sent", attempts=1)
    bridge.stop()
    assert set(looked) == {begun_ms, bridge.now_ms}


def test_after_four_hours_it_gives_up(site: AlarmSite) -> None:
    bridge = TellingBridge(site)
    bridge.failures += ["it is down"] * 2
    bridge.answer("no", "no", "no", "no")
    bridge.wait(attempts=1)
    bridge.now_ms += GIVE_UP_MS - 20 * SECOND_MS
    bridge.wait(state="failed", attempts=2, reason="it is down")
    bridge.stop()


def test_an_alarm_of_yesterday_is_not_told_of_any_more(site: AlarmSite) -> None:
    site.answer("no", "no", "no", "no")
    site.now_ms += GIVE_UP_MS + 1
    bridge = TellingBridge(site)
    bridge.wait(state="failed", reason="it was too old when the bridge could tell of it")
    bridge.stop()
    assert bridge.sent.empty()


def test_a_server_that_hangs_holds_no_messages_up(site: AlarmSite) -> None:
    bridge = TellingBridge(site)
    bridge.may_send.clear()
    bridge.answer("no", "no", "no", "no")
    wait_until("an alarm is raised", lambda: facts.alarms(site.store.path))
    bridge.answer("yes")
    wait_until("further answers are stored", lambda: bridge.writer.backlog() == 0)
    assert bridge.deliveries("state") == ["waiting"]
    bridge.may_send.set()
    bridge.wait(state="sent")
    bridge.stop()


def test_a_server_that_hangs_keeps_no_other_recipient_waiting(site: AlarmSite) -> None:
    site.do(SetAlarmRecipient(recipient_id="aaa", way="ntfy", address="https://ntfy.sh/topic"))
    bridge = TellingBridge(site)
    bridge.hanging = "aaa"
    bridge.may_send.clear()
    bridge.answer("no", "no", "no", "no")
    bridge.wait(recipient_id="boss", state="sent")
    assert facts.alarm_deliveries(site.store.path, "state", recipient_id="aaa") == ["waiting"]
    bridge.may_send.set()
    bridge.wait(recipient_id="aaa", state="sent")
    bridge.stop()


def test_more_alarms_than_fit_wait_in_the_database(site: AlarmSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "MAX_WAITING", 1)
    site.answer("no", "no", "no", "no")
    site.do(CloseAlarm(alarm_id=1))
    site.now_ms += 16 * MINUTE_MS
    site.answer("no", "no", "no", "no")
    bridge = TellingBridge(site)
    wait_until("all are told", lambda: bridge.writer.enqueue([]) or set(bridge.deliveries("state")) == {"sent"})
    bridge.stop()
    assert bridge.sent.qsize() == 2


def test_a_recipient_that_is_removed_gets_nothing_more(site: AlarmSite) -> None:
    site.answer("no", "no", "no", "no")
    site.do(RemoveAlarmRecipient(recipient_id="boss"))
    bridge = TellingBridge(site)
    bridge.stop()
    assert bridge.sent.empty()
    assert bridge.deliveries("state", "reason") == [("failed", "the recipient was removed")]
