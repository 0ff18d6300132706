"""Make the text of systemd units that run broker and bridge with as few rights as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BROKER_UNIT, BRIDGE_UNIT = "trivox-broker.service", "trivox-bridge.service"
SIGNED_ONLY = "--signed-only"
HOMES = ("/home/", "/root/", "/run/user/")

_HARDENING = """\
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077
ProtectSystem=strict
PrivateTmp=true
PrivateDevices=true
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProcSubset=pid
LockPersonality=true
RemoveIPC=true
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""


@dataclass(frozen=True)
class BridgeService:
    """The facts that the bridge's unit needs: its `user`, the `url` of the broker, and where the files are."""

    user: str
    program: Path
    database: Path
    config: Path
    url: str


def broker_unit(program: str, user: str, settings: Path) -> str:
    """Return the broker's unit: mosquitto as `user`, with its state in /var/lib/trivox-broker."""
    return f"""\
[Unit]
Description=Trivox broker (mosquitto)
After=network-online.target
Wants=network-online.target
Conflicts=mosquitto.service

[Service]
User={user}
ExecStart={program} -c {settings}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
StateDirectory=trivox-broker
StateDirectoryMode=0700
WorkingDirectory=/var/lib/trivox-broker
LimitNOFILE=65536
LogRateLimitIntervalSec=0
{_HARDENING}\
ProtectHome={_protect_home(settings)}
PrivateUsers=true
MemoryDenyWriteExecute=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
"""


def bridge_unit(service: BridgeService) -> str:
    """Return the bridge's unit; it may write only to its database's folder, and save a lost database in its own."""
    command = f"{service.program} bridge --broker {service.url} --database {service.database}"
    return f"""\
[Unit]
Description=Trivox bridge
After=network-online.target {BROKER_UNIT}
Wants=network-online.target
RequiresMountsFor={service.database.parent}

[Service]
User={service.user}
ExecStart={command} --config {service.config} --enrolled-only {SIGNED_ONLY}
Restart=always
RestartSec=2
TimeoutStopSec=60
{_HARDENING}\
ProtectHome={_protect_home(service.program, service.database, service.config)}
ReadWritePaths={service.database.parent}
StateDirectory=trivox-bridge
StateDirectoryMode=0700
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
"""


def _protect_home(*paths: Path) -> str:
    """Return ProtectHome: homes may be read only if one of these paths is in one."""
    return "read-only" if any(str(path).startswith(HOMES) for path in paths) else "true"
