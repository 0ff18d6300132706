"""Tell names that are known from mistyped ones: refuse those, with the nearest known name, or make what is new."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bridge.errors import UsageError
from bridge.store import consoles, names, places
from bridge.store.settings import newest_revision, questions
from bridge.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.store import Store


LIKELY = 0.75  # of two words, so near that one of them may be the other one mistyped
_WORD = re.compile(r"[^\W\d_]{3,}")
NEAREST_SOUGHT = 20  # for so many names, as many as an import shows errors: each takes a look at all known ones


class UnknownNameError(UsageError):
    """A command names something that is not known."""


class KnownNames:
    """The names that a database knows: `check_site` and the like raise UnknownNameError for all others.

    With `new` true they accept the others too, and `make_new` makes them; None: the command makes nothing, as it only
    reads. Each name is looked up once, so a file of many lines may check each of them.
    """

    def __init__(self, store: Store, *, new: bool | None = None) -> None:
        self._store = store
        self._new = new
        self._accepted: set[tuple[str, ...]] = set()
        self._refused: dict[tuple[str, ...], str] = {}
        self._unknown: dict[tuple[str, ...], None] = {}  # … yet accepted; in the order in which they were named

    def check_site(self, site_id: str) -> None:
        """Check a site's id."""
        self._check(
            ("site", site_id),
            lambda: names.has_site(self._store, site_id),
            lambda: self._nearest_site(site_id),
            "`trivox site list`",
        )

    def check_console(self, site_id: str, console_id: str) -> None:
        """Check a console's id, and its site's."""
        self._check(
            ("console", site_id, console_id),
            lambda: consoles.find_console(self._store, site_id, console_id) is not None,
            lambda: self._nearest_in_site(site_id, console_id, consoles.console_ids),
            "`trivox console list --all`",
        )

    def check_checkout_point(self, site_id: str, checkout_point_id: str) -> None:
        """Check a checkout point's id, and its site's."""
        self._check(
            ("checkout point", site_id, checkout_point_id),
            lambda: places.has_checkout_point(self._store, site_id, checkout_point_id),
            lambda: self._nearest_in_site(site_id, checkout_point_id, places.checkout_points),
            "`trivox checkout-point list`",
        )

    def check_scope(self, site_id: str, console_id: str) -> None:
        """Check what a scope names: a site, one of its consoles, or nothing if both are empty."""
        if console_id:
            self.check_console(site_id, console_id)
        elif site_id:
            self.check_site(site_id)

    def check_question(self, question_id: str) -> None:
        """Check the id of a key question: one that was defined, or that consoles have asked."""
        self._check(
            ("key question", question_id),
            lambda: names.has_question(self._store, question_id),
            lambda: find_nearest(question_id, names.question_ids(self._store)),
            "`trivox question list`",
        )

    def check_defined_question(self, question_id: str) -> None:
        """Check the id of a key question that consoles are to ask."""
        if newest_revision(self._store, question_id) is None:
            raise UnknownNameError(
                f"There is no key question {printable(question_id)}: {self.hint_of_question(question_id)}define it "
                "with `trivox question set`."
            )

    def hint_of_question(self, question_id: str) -> str:
        """Return a question that asks whether the nearest defined question was meant; empty if there is none."""
        nearest = find_nearest(question_id, questions(self._store))
        return f"did you mean {nearest}? Else " if nearest else ""

    def check_seller(self, seller_id: str) -> None:
        """Check a seller's id."""
        self._check(
            ("seller", seller_id),
            lambda: names.has_seller(self._store, seller_id),
            lambda: find_nearest(seller_id, names.seller_ids(self._store)),
            "`trivox seller list`",
        )

    def hint_of_seller(self, seller_id: str) -> str | None:
        """Return the nearest seller of a shift; None if the seller has shifts himself, or there is none that near."""
        known = names.sellers_with_names(self._store)
        return None if seller_id in known else find_nearest(seller_id, known)

    def check_console_anywhere(self, console_id: str) -> None:
        """Check a console's id, at whatever site."""
        known = places.consoles(self._store)
        self._check(
            ("console", console_id),
            lambda: any(console_id == id_ for _, id_ in known),
            lambda: _nearest_anywhere(console_id, known),
            "`trivox console list --all`",
        )

    def check_source(self, source_id: str) -> None:
        """Check the id of a till or people counter, at whatever site."""
        known = names.source_ids(self._store)
        self._check(
            ("source", source_id),
            lambda: source_id in known,
            lambda: find_nearest(source_id, known),
            "`trivox counts list`",
        )

    def near_console(self, site_id: str, console_id: str) -> str | None:
        """Return the SITE/CONSOLE that an unknown name may be a mistyped form of; another number is no mistake."""
        known = consoles.console_ids(self._store, site_id)
        nearest = None if console_id in known else _mistyped(console_id, known)
        return f"{site_id}/{nearest}" if nearest else None

    def new_names(self) -> list[str]:
        """Return the sites, consoles and checkout points that are new, as `site sofia-1`.

        One that looks like a mistyped known name is followed by that one, and by how to remove it.
        """
        found: dict[tuple[str, ...], None] = {}
        for kind, site_id, *rest in self._unknown:
            if not names.has_site(self._store, site_id):
                found["site", site_id] = None
            found[kind, site_id, *rest] = None
        sought = list(found)[:NEAREST_SOUGHT]
        return [self._described(*name, is_sought=name in sought) for name in found]

    def _described(self, kind: str, site_id: str, *rest: str, is_sought: bool) -> str:
        name = printable("/".join((site_id, *rest)))
        mistyped = self._mistyped(kind, site_id, *rest) if is_sought else None
        if mistyped is None:
            return f"{kind} {name}"
        words = ("checkout-point", "remove", site_id, *rest) if kind == "checkout point" else (kind, "remove", name)
        remove = printable(shlex.join(words))
        return f"{kind} {name} (did you mean {printable(mistyped)}? If so, run `trivox {remove}`)"

    def _mistyped(self, kind: str, site_id: str, *rest: str) -> str | None:
        """Return the known name that a new one may have been meant for: of nearly the same words, numbers aside."""
        if not rest:
            return _mistyped(site_id, consoles.site_ids(self._store))
        ids_of = consoles.console_ids if kind == "console" else places.checkout_points
        nearest = _mistyped(rest[0], ids_of(self._store, site_id))
        return None if nearest is None else f"{site_id}/{nearest}"

    def make_new(self) -> list[str]:
        """Make the sites, consoles and checkout points that are new; return what was made."""
        made = self.new_names()
        for kind, site_id, *rest in self._unknown:
            places.ensure_site(self._store, site_id)
            if kind == "console":
                places.ensure_console(self._store, site_id, *rest)
            elif kind == "checkout point":
                places.ensure_checkout_point(self._store, site_id, *rest)
        self._unknown.clear()
        return made

    def _check(
        self, name: tuple[str, ...], is_known: Callable[[], bool], nearest: Callable[[], str | None], where: str
    ) -> None:
        if name in self._accepted:
            return
        if name not in self._refused:
            if is_known():
                self._accepted.add(name)
                return
            if self._new:
                self._accepted.add(name)
                self._unknown[name] = None
                return
            is_sought = len(self._refused) < NEAREST_SOUGHT
            self._refused[name] = self._sentence(name, nearest() if is_sought else None, where)
        raise UnknownNameError(self._refused[name])

    def _sentence(self, name: tuple[str, ...], nearest: str | None, where: str) -> str:
        kind, *ids = name
        advice = f"did you mean {printable(nearest)}?" if nearest else f"see {where}."
        make = "" if self._new is None else " If it is new, give --new."
        return f"There is no {kind} {printable('/'.join(ids))}: {advice}{make}"

    def _nearest_site(self, site_id: str) -> str | None:
        return find_nearest(site_id, consoles.site_ids(self._store))

    def _nearest_in_site(self, site_id: str, id_: str, ids_of: Callable[[Store, str], list[str]]) -> str | None:
        """Return the nearest SITE/ID: of that site, or of the nearest one if it is unknown; then at least that one."""
        is_known = names.has_site(self._store, site_id)
        known_site = site_id if is_known else self._nearest_site(site_id)
        nearest = find_nearest(id_, ids_of(self._store, known_site)) if known_site else None
        if nearest is not None:
            return f"{known_site}/{nearest}"
        return None if is_known or known_site is None else f"site {known_site}"


def _nearest_anywhere(console_id: str, known: list[tuple[str, str]]) -> str | None:
    """Return the first SITE/CONSOLE with the nearest id."""
    near = find_nearest(console_id, [id_ for _, id_ in known])
    return next((f"{site_id}/{id_}" for site_id, id_ in known if id_ == near), None)


def find_nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the nearest known name; capitals make no difference."""
    by_folded = {other.casefold(): other for other in known}
    near = get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


def _mistyped(name: str, known: Iterable[str]) -> str | None:
    """Return a known name of nearly the same words; none if one has the same: till-7 is not till-6 mistyped."""
    by_words = {_words(other): other for other in reversed(list(known))}
    if _words(name) in by_words:
        return None
    nearest = find_nearest(_words(name), by_words, LIKELY)
    return None if nearest is None else by_words[nearest]


def _words(name: str) -> str:
    return "-".join(_WORD.findall(name))
