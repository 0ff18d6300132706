"""A bench made up for tests of the page's look: no console behind it, but entries of any length and number."""

import json
import time
from typing import Any

from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

ID = "w" * 32
FIRST_SEQ = 123_456_789
TEXTS = {
    "en": "Are you satisfied with the work of Anastasia-Maximiliana Konstantinopolskaya-Rozhdestvenskaya today?",
    "de": "Sind Sie mit der Rechtsschutzversicherungsgesellschaftsangestelltenfreundlichkeit zufrieden?",
    "ru": "Затрудняюсь" * 8,
    "ar": "هل أنت راض؟",
}


def entries(now_ms: float) -> list[dict[str, Any]]:
    """Return a journal that is as long and as wide as it gets."""
    question = {"id": "q" * 32, "revision": 999_999, "text": TEXTS}
    settings = {"revision": 999_999, "question": question, "survey_window_ms": 600_000, "heartbeat_ms": 1000}
    health = {"faults": ["flash", "settings", "stuck:cant_say", "clock"], "loop_lag_max_ms": 1_234_567}
    health |= {"settings_revision": 999_998, "outbox": {"first": FIRST_SEQ, "next": FIRST_SEQ + 60}}
    closed = {"type": "survey_closed", "outcome": "cant_say", "cause": "superseded"}
    everything: list[dict[str, Any]] = [
        {"kind": "power", "on": True, "reset": "power_on"},
        {"kind": "switches", "powered": True, "wifi": True, "link": True, "filled": False, "stuck": ["no"]}
        | {"cut": "1 0.5", "recording": True},
        *({"kind": "kept", "epoch": "e", "seq": FIRST_SEQ + n, "event": closed, "old": False} for n in range(60)),
        {"kind": "outbox", "epoch": "e", "first": FIRST_SEQ + 9, "next": FIRST_SEQ + 60, "lowest": FIRST_SEQ},
        wire("settings", settings),
        wire("status", {"state": "online"}),
        wire("events", {"first": FIRST_SEQ, "base": FIRST_SEQ, "events": [closed] * 32}),
        wire("ack", {"epoch": "e", "through": FIRST_SEQ + 8}),
        wire("health", health),
        *({"kind": "lamp", "name": "cant_say", "on": on} for on in (True, False) * 20),
        {"kind": "figures", "heap": 987_654_321, "erases": 123_456_789},
        {"kind": "serial", "text": "x" * 500 + "\n"},
        {"kind": "typed", "line": "y" * 500},
        {"kind": "failed", "sentence": "z" * 500},
        {"kind": "recorded", "file": "/" + "long-folder-name/" * 9 + "2026-11-22-101744.bench", "script": "at 0\n"},
        {"kind": "fault", "sentence": "pin" * 60},
    ]
    for survey in range(9):
        row = {"epoch": "e", "survey": FIRST_SEQ + survey, "outcome": "cant_say", "cause": "superseded"}
        everything.append({"kind": "row", **row, "response_ms": 599_999, "affected": True, "old": False})
    return [{"number": number, "at_ms": now_ms, **entry} for number, entry in enumerate(everything)]


def wire(leaf: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return an entry for a message on the wire."""
    way = "down" if leaf in {"ack", "settings"} else "up"
    return {"kind": "wire", "leaf": leaf, "way": way, "payload": payload, "bytes": 65_536, "retained": False}


def open_made_up(context: BrowserContext, address: str) -> Page:
    """Open the page with a made-up bench; the server at `address` brings the page's files only."""

    def serve(socket: WebSocketRoute) -> None:
        now_ms = time.time() * 1000
        lamps = dict.fromkeys(("yes", "no", "cant_say", "seller"), False)
        about = {"kind": "hello", "board": "unix", "site_id": ID, "console_id": ID, "now_ms": now_ms, "lamps": lamps}
        socket.send(json.dumps({**about, "entries": entries(now_ms)}))
        refused = {"kind": "refused", "line": "step 7d", "sentence": "The console is not powered: " + "w" * 200}
        socket.send(json.dumps(refused))

    context.route_web_socket("**/bench", serve)
    tab = context.new_page()
    tab.goto(address)
    expect(tab.locator("body")).to_have_attribute("data-ready", "true")
    return tab
