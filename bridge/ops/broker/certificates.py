"""Make a private authority and the broker's certificate signed by it: ECDSA on P-256, which every board can check."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridge.errors import TrivoxError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY_DAYS = 20 * 365  # to renew it, somebody has to visit every console
SERVER_DAYS = 397
_BACKDATED = timedelta(days=1)  # so that a clock that is a little behind accepts it
_NAME_MAX = 253
_LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ENDS_IN_DIGITS = re.compile(r"(.*\.)?[0-9]+")  # as no name does: it is a mistyped address


@dataclass(frozen=True)
class KeyedCertificate:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Return the certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the private key in PEM, to be kept secret."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_authority(now: datetime) -> KeyedCertificate:
    """Make a new authority, which may only sign certificates of brokers."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Trivox authority")
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return KeyedCertificate(builder.sign(key, hashes.SHA256()), key)


def make_server(
    authority: KeyedCertificate, hosts: list[str], now: datetime, days: int = SERVER_DAYS
) -> KeyedCertificate:
    """Make a certificate for a broker that is reached at `hosts`, names or addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject
    builder = (
        _builder(_name(hosts[0][:64]), issuer, key.public_key(), now, days)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    return KeyedCertificate(builder.sign(authority.key, hashes.SHA256()), key)


def read(certificate: Path, key: Path) -> KeyedCertificate:
    """Read a certificate with its key from their files. Raises TrivoxError."""
    try:
        private_key = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise TrivoxError(f"{key} cannot be read ({error.strerror}): put it back, or run this as root.") from error
    except (ValueError, TypeError) as error:
        raise TrivoxError(f"{key} is not a key in PEM: put it back from a copy.") from error
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise TrivoxError(f"{key} is not a key made by this program: put it back from a copy.")
    if not fits(read_certificate(certificate), key):
        raise TrivoxError(f"{key} is not the key of {certificate}: put the right one there.")
    return KeyedCertificate(read_certificate(certificate), private_key)


def read_certificate(path: Path) -> x509.Certificate:
    """Read a certificate from its file. Raises TrivoxError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise TrivoxError(f"{path} cannot be read ({error.strerror}): put it back, or run this as root.") from error
    except ValueError as error:
        raise TrivoxError(f"{path} is not a certificate in PEM: put it back from a copy.") from error


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate in DER, as consoles need it."""
    return certificate.public_bytes(Encoding.DER)


def fits(certificate: x509.Certificate, key: Path) -> bool:
    """Return whether the file holds the key of a certificate."""
    try:
        return load_pem_private_key(key.read_bytes(), password=None).public_key() == certificate.public_key()
    except (OSError, ValueError, TypeError):
        return False


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses that a broker's certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Return whether the authority signed a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Return for how many whole days a certificate is still valid; negative once it has expired."""
    return (certificate.not_valid_after_utc - now).days


def check_host(host: str) -> str:
    """Return a host name or an address in the form that certificates use. Raises UsageError."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        name = host.removesuffix(".")
        is_name = _HOST.fullmatch(name) and not _ENDS_IN_DIGITS.fullmatch(name) and len(host) <= _NAME_MAX
    if not is_name:
        raise UsageError(f"{host!r} is not a host: give a name such as broker.shop.example, or an address.")
    return host.removesuffix(".").lower()


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
