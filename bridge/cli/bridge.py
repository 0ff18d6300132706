"""`trivox bridge` and `trivox broker`: run the bridge, or the embedded broker, until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import apsw
import typer

from bridge import log
from bridge.admin.known_names import KnownNames
from bridge.broker_login import read_broker
from bridge.cli.options import DATABASE, DEFAULT_BROKER, BrokerConfig, BrokerUrl, CaFile, Database
from bridge.errors import NoRoomError, UsageError
from bridge.service.control import take_lock_to_serve
from bridge.service.control_server import serve_commands
from bridge.store import open_store
from bridge.store.consoles import site_ids
from bridge.store.integrity import IntegrityCheck
from bridge.wire.bridge_claim import fits_a_claim
from bridge.wire.contract import MAX_MESSAGE_BYTES
from bridge.wire.identifiers import check_id

if TYPE_CHECKING:
    from bridge.broker_login import BrokerLogin
    from bridge.service.mqtt_session import MqttSession
    from bridge.store import Store

BROKER_PORT = 1883
SWITCH_S = 0.0005  # receiving and writing take turns often, so that neither delays the other
METRICS_PORT = 9883
METRICS_CONSOLES = 1_000
BUSY_MS = 500  # waits for another program's lock are this short, so that SIGTERM is obeyed soon
RETRY_S = 1.0  # how often opening on a full disk is tried again


class Admission(NamedTuple):
    """The consoles and events that the bridge accepts; no `sites` means all."""

    enrolled_only: bool
    signed_only: bool
    sites: tuple[str, ...] = ()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("bridge")(bridge)
    app.command("broker")(broker)


def bridge(
    broker: BrokerUrl = DEFAULT_BROKER,
    database: Database = DATABASE,
    config: BrokerConfig = None,
    ca_file: CaFile = None,
    enrolled_only: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--enrolled-only", help="Accept messages from enrolled consoles only.")
    ] = False,
    signed_only: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--signed-only", help="Accept only events that are signed with their console's key.")
    ] = False,
    site: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SITE", help="Serve only this site, repeatable: another bridge may serve others. [default: all]"
        ),
    ] = None,
    new: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--new", help="A --site may be one that the database does not know yet.")
    ] = False,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port on loopback where Prometheus finds metrics; 0: none.")
    ] = METRICS_PORT,
    metrics_consoles: Annotated[
        int, typer.Option(min=0, help="How many consoles have metrics of their own; sums count all of them.")
    ] = METRICS_CONSOLES,
) -> None:
    """Run the bridge, which stores what consoles send."""
    log.set_up()
    login = read_broker(broker, os.environ, config, ca_file)
    admission = Admission(enrolled_only, signed_only, _check_sites(site or []))
    run_bridge(login, database, admission, (metrics_port, metrics_consoles), new=new)


def _check_sites(names: list[str]) -> tuple[str, ...]:
    """Return the sites, each once and in order. Raises UsageError."""
    sites = tuple(sorted({check_id("site", name) for name in names}))
    if sites and not fits_a_claim(sites):
        raise UsageError(
            f"{len(sites)} times --site is too much: all names must fit into a message of {MAX_MESSAGE_BYTES // 1024} "
            "KiB; run several bridges with fewer sites each, or one without --site, which serves all."
        )
    return sites


def run_bridge(
    broker: BrokerLogin, database: Path, admission: Admission, metrics: tuple[int, int], *, new: bool = False
) -> None:
    """Run until SIGTERM or Ctrl-C, as the only process that writes this database. Raises TrivoxError.

    `metrics` are the port, and the number of consoles that have metrics of their own. The sites may be `new`.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # nothing was received yet
    lock = take_lock_to_serve(database)
    sys.setswitchinterval(SWITCH_S)
    store = _open(database)
    check = IntegrityCheck(database)
    try:
        check.wait()
        _make_sites(store, admission.sites, new=new)
        facts = admission._asdict() | {"sites": ",".join(admission.sites) or None}
        log.info("the bridge starts", version=version("trivox"), database=database, **facts)
        _serve(_make_session(broker, store, admission), store, check, *metrics)
    finally:
        check.close()
        store.close()
        lock.release()


def _open(database: Path) -> Store:
    """Open the database; wait as long as another program locks it or its disk is full."""
    logged = ""
    while True:
        try:
            return open_store(database, writing=True, busy_ms=BUSY_MS)
        except apsw.BusyError:
            sentence = "another program has locked the database: waiting for it"
        except NoRoomError as error:
            sentence = str(error)
            time.sleep(RETRY_S)
        if logged != sentence:
            log.warning(sentence, database=database)
        logged = sentence


def _make_sites(store: Store, sites: tuple[str, ...], *, new: bool) -> None:
    """Make the sites to be served, if they may be new, as where the database knows none yet. Raises UsageError."""
    names = KnownNames(store, new=new or not site_ids(store))
    for site_id in sites:
        names.check_site(site_id)
    with store.transaction(time.time_ns() // 1_000_000):
        made = names.make_new()
    for name in made:
        log.info(f"made {name}")


def _make_session(broker: BrokerLogin, store: Store, admission: Admission) -> MqttSession:
    from bridge.service.claim import Claim, file_name, session_name  # noqa: PLC0415 - other commands start faster without it
    from bridge.service.mqtt_session import MqttSession  # noqa: PLC0415 - see above; it loads paho

    name = session_name(store)
    claim = Claim(name, file_name(name, store.path), admission.sites)
    return MqttSession(
        broker, store, name, claim, enrolled_only=admission.enrolled_only, signed_only=admission.signed_only
    )


def _serve(session: MqttSession, store: Store, check: IntegrityCheck, port: int, consoles: int) -> None:
    from bridge.service.metrics import BridgeCollector  # noqa: PLC0415 - other commands start faster without it
    from bridge.service.metrics_server import MetricsServer  # noqa: PLC0415 - see above

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: session.stop())
    server = serve_commands(store.path, session.perform, lambda: session.vitals.snapshot(time.time_ns() // 1_000_000))
    metrics = MetricsServer(port, BridgeCollector(session.vitals, store.path, version("trivox"), consoles))
    check.on_damage(session.fail)
    try:
        session.run()
    finally:
        metrics.close()
        if server is not None:
            server.close()
        log.info("the bridge ends", waiting_messages=session.vitals.backlog())


def broker(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port on loopback to listen on.")] = BROKER_PORT,
) -> None:
    """Run the embedded broker, for trials on this machine. Production needs mosquitto."""
    from bridge.service.embedded_broker import run_broker  # noqa: PLC0415 - other commands start faster without it

    logging.basicConfig(level="CRITICAL")  # amqtt logs every client that disconnects, with a traceback
    run_broker(port)
