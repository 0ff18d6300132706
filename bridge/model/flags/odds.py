"""The log odds of *no* of a seller against his peers, over strata such as hours of the day. Pure."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.robust_z import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable


class Stratum(NamedTuple):
    """The answers *no* and *yes* of a seller and of his peers in one stratum."""

    own_no: float
    own_yes: float
    peers_no: float
    peers_yes: float


CORRECTION = 0.5
"""Added to each of the four cells in all, spread over the strata by their size: there is an estimate without a *no*."""


def mantel_haenszel(strata: Iterable[Stratum]) -> Effect | None:
    """Return the log of the Mantel-Haenszel odds ratio, with its variance; None where nobody can be compared.

    N. Mantel and W. Haenszel, JNCI 22, 1959; variance: J. Robins, N. Breslow and S. Greenland, Biometrics 42, 1986.
    """
    usable = [stratum for stratum in strata if _compares(stratum)]
    total = sum(map(sum, usable))
    r = s = pr = ps_qr = qs = 0.0
    for stratum in usable:
        share = sum(stratum) / total
        own_no, own_yes, peers_no, peers_yes = (cell + CORRECTION * share for cell in stratum)
        size = own_no + own_yes + peers_no + peers_yes
        p, q = (own_no + peers_yes) / size, (own_yes + peers_no) / size
        part_r, part_s = own_no * peers_yes / size, own_yes * peers_no / size
        r, s = r + part_r, s + part_s
        pr, ps_qr, qs = pr + p * part_r, ps_qr + p * part_s + q * part_r, qs + q * part_s
    if not r or not s:
        return None
    return Effect(log(r / s), pr / (2 * r * r) + ps_qr / (2 * r * s) + qs / (2 * s * s))


def _compares(stratum: Stratum) -> bool:
    """Return whether both the seller and his peers have answers in a stratum."""
    return stratum.own_no + stratum.own_yes > 0 and stratum.peers_no + stratum.peers_yes > 0
