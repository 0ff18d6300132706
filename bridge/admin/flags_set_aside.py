"""Set flags aside, or the surveys that they concern, with a reason; and take that back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bridge.admin.known_names import KnownNames, find_nearest
from bridge.errors import UsageError
from bridge.model.flags.rules import RULE_OF
from bridge.model.history import HistoryChange
from bridge.store import flags
from bridge.store.flags import SetAside
from bridge.store.history import record_change
from bridge.text import is_visible, printable

if TYPE_CHECKING:
    from bridge.admin.commands.flags import (
        FlagChange,
        SetFlagAside,
        SetSurveysAside,
        TakeFlagBack,
        TakeSurveysBack,
    )
    from bridge.store import Store
    from bridge.store.flags import FlagResult

MAX_REASON = 500
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def set_flag_aside(store: Store, command: SetFlagAside) -> dict[str, Any]:
    """Set results aside; return in which `months`. Raises UsageError."""
    reason = _reason(command.reason)
    before = {_name(aside): aside for aside in flags.results_set_aside(store)}
    found = _results(store, command)
    for result in found:
        aside = SetAside(*_name(result), reason, store.origin.who, store.now_ms)
        old = before.get(_name(result))
        _record(store, "flag", aside, old and {"reason": old.reason}, {"reason": reason})
        flags.set_result_aside(store, aside)
    return {"months": [result.month for result in found]}


def take_flag_back(store: Store, command: TakeFlagBack) -> dict[str, Any]:
    """Take back that results were set aside; return in which `months`. Raises UsageError."""
    found = _set_aside(store, command, flags.results_set_aside(store), "No such flag is set aside")
    for aside in found:
        _record(store, "flag", aside, {"reason": aside.reason}, None)
        flags.take_result_back(store, *_name(aside))
    return {"months": [aside.month for aside in found]}


def set_surveys_aside(store: Store, command: SetSurveysAside) -> dict[str, Any]:
    """Take the surveys of results out of the figures; return how many `surveys`, of which `months`.

    Raises UsageError.
    """
    reason = _reason(command.reason)
    before = {_name(aside): aside for aside in flags.surveys_set_aside(store)}
    found = _results(store, command)
    count = sum(len(result.surveys) for result in found)
    if not count:
        raise UsageError(f"The flag concerns no surveys: there are none to set aside ({_in_words(command)}).")
    for result in found:
        aside = SetAside(*_name(result), reason, store.origin.who, store.now_ms, len(result.surveys))
        old = before.get(_name(result))
        _record(store, "flagged_surveys", aside, old and _surveys_state(old), _surveys_state(aside))
        flags.take_surveys_back(store, *_name(result))
        flags.set_surveys_aside(store, aside, result.surveys)
    return {"months": [result.month for result in found], "surveys": count}


def take_surveys_back(store: Store, command: TakeSurveysBack) -> dict[str, Any]:
    """Put surveys back into the figures; return how many `surveys`, of which `months`.

    Raises UsageError.
    """
    found = _set_aside(store, command, flags.surveys_set_aside(store), "No such surveys are set aside")
    for aside in found:
        _record(store, "flagged_surveys", aside, _surveys_state(aside), None)
        flags.take_surveys_back(store, *_name(aside))
    return {"months": [aside.month for aside in found], "surveys": sum(aside.surveys for aside in found)}


def check_rule(rule: str) -> None:
    """Check the id of a rule. Raises UsageError."""
    if rule not in RULE_OF:
        nearest = find_nearest(rule, RULE_OF)
        advice = f"did you mean {nearest}?" if nearest else f"give one of {', '.join(RULE_OF)}."
        raise UsageError(f"There is no rule {printable(rule)}: {advice}")


def check_month(option: str, month: str) -> None:
    """Check a month. Raises UsageError."""
    if not _MONTH.fullmatch(month):
        raise UsageError(f"{option} {printable(month)!r} is not a month: give one such as 2026-11.")


def _check(store: Store, command: FlagChange) -> None:
    check_rule(command.rule)
    KnownNames(store).check_seller(command.seller_id)
    if command.month is not None:
        check_month("--month", command.month)


def _results(store: Store, command: FlagChange) -> list[FlagResult]:
    """Return the results that a command is about: of its month, or those of the flag that stands, or the only one."""
    _check(store, command)
    found = [
        result
        for result in flags.results(store)
        if (result.rule, result.seller_id) == (command.rule, command.seller_id)
    ]
    if not found:
        raise UsageError(f"{_in_words(command)} is neither watched nor flagged: see `trivox flags --all`.")
    if command.month is not None:
        of_month = [result for result in found if result.month == command.month]
        if not of_month:
            months = ", ".join(result.month for result in found)
            raise UsageError(f"{_in_words(command)} is not watched or flagged in {command.month}, but in {months}.")
        return of_month
    standing = [
        result
        for flag in flags.all_standings(store)
        if flag.stands and (flag.rule, flag.seller_id) == (command.rule, command.seller_id)
        for result in found
        if flag.since <= result.month <= flag.last and result.level == "flag"
    ]
    if standing or len(found) == 1:
        return standing or found
    months = ", ".join(result.month for result in found)
    raise UsageError(f"{_in_words(command)} has no flag that stands: say which month with --month ({months}).")


def _set_aside(store: Store, command: FlagChange, aside: list[SetAside], nothing: str) -> list[SetAside]:
    _check(store, command)
    found = [
        each
        for each in aside
        if (each.rule, each.seller_id) == (command.rule, command.seller_id) and command.month in {None, each.month}
    ]
    if not found:
        raise UsageError(f"{nothing}: {_in_words(command)}; see `trivox flags --all`.")
    return found


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not any(char.isalnum() for char in reason):
        raise UsageError("Give a reason: --reason TEXT.")
    if not is_visible(reason):
        raise UsageError("The reason has characters that cannot be seen: type it anew.")
    if len(reason) > MAX_REASON:
        raise UsageError(f"The reason is too long: at most {MAX_REASON} characters.")
    return reason


def _name(thing: FlagResult | SetAside) -> tuple[str, str, str]:
    return thing.seller_id, thing.rule, thing.month


def _in_words(command: FlagChange) -> str:
    return f"seller {printable(command.seller_id)} by {command.rule}"


def _surveys_state(aside: SetAside) -> dict[str, Any]:
    return {"reason": aside.reason, "surveys": aside.surveys}


def _record(
    store: Store, kind: str, aside: SetAside, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    name = f"{aside.seller_id}/{aside.rule}/{aside.month}"
    record_change(store, HistoryChange(kind, "", name, before, after, corrects=False))
