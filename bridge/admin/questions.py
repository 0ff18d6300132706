"""Define key questions: their texts in several languages, their kinds and their silent weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin import settings
from bridge.admin.known_names import KnownNames
from bridge.errors import UsageError
from bridge.model.cell_values import read_day
from bridge.model.history import HistoryChange
from bridge.model.local_time import utc_date
from bridge.model.periods import EVER
from bridge.model.silent_weight import ASKED_MIN, estimate_weight, lowest_weight
from bridge.store import settings as table
from bridge.store.history import record_change
from bridge.store.silent_weight import estimates
from bridge.wire.contract import REVISION_MAX
from bridge.wire.identifiers import check_id
from bridge.wire.settings import MAX_REVISIONS_AHEAD

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import SetQuestion
    from bridge.store import Store
    from bridge.store.silent_weight import WeightEstimate

KINDS = ("personnel", "office", "loyalty")
MAX_LANGUAGES = 16
MAX_LANGUAGE_TAG = 35
MAX_TEXT = 300
MAX_BYTES = 6000  # keeps settings below the 8 KiB that a console reads
ORIGIN_NOT_STATED = "origin not stated"
ESTIMATED = "estimated"


def set_question(store: Store, command: SetQuestion) -> dict[str, Any]:
    """Define or change a key question, inside the transaction; consoles that use it get new settings.

    A changed text or kind makes a new revision, above those that consoles reported; surveys keep the kind and text that
    they were asked with. Returns the revision, as `renewed` how many consoles get settings, what was `made`, and
    whether it `corrects` past reports. Raises UsageError.
    """
    names = KnownNames(store, new=command.new)
    question_id = check_id("question", command.question_id)
    before = table.questions(store).get(question_id)
    revision = table.newest_revision(store, question_id)
    kind, texts = command.kind or (revision and revision.kind), _texts(revision.texts if revision else {}, command)
    if not (kind and (revision or texts)):
        raise UsageError(
            f"There is no key question {question_id} yet: {names.hint_of_question(question_id)}give --kind and --text "
            "to define it."
        )
    if kind not in KINDS:
        raise UsageError(f"A question's kind must be one of {', '.join(KINDS)}, not {kind!r}.")
    known = before or table.KeyQuestion(question_id, 0.5, "not estimated", None)
    after = _with_weight(known, command, _lowest_weight(store, question_id, kind), store.now_ms)
    corrects = False
    if after != before:
        corrects = _record_weight(store, before, after)
        table.keep_question(store, after)
    _check_texts(texts)
    if revision is None or (kind, texts) != (revision.kind, revision.texts) or _is_unusable(revision):
        new = table.Revision(_next_number(store, question_id, revision), kind, texts)
        _record_revision(store, question_id, revision, new)
        revision = new
        table.keep_revision(store, question_id, revision)
    if command.assign is not None:
        site_id, console_id = settings.scope_of(command.assign, names)
        settings.choose(store, site_id, console_id, "question_id", question_id)
    made = names.make_new()
    renewed = settings.refresh_all(store)
    return {"question_revision": revision.question_revision, "renewed": renewed, "made": made, "corrects": corrects}


def _is_unusable(revision: table.Revision) -> bool:
    """Return whether consoles refuse the revision: older bridges counted on from any that was heard."""
    return revision.question_revision > REVISION_MAX


def _next_number(store: Store, question_id: str, newest: table.Revision | None) -> int:
    """Return the number of a new revision.

    One that was heard and lies far above those made here does not count: it would leave no room for new ones.
    """
    made = 0 if newest is None or _is_unusable(newest) else newest.question_revision
    heard = table.highest_revision_heard(store, question_id, made + MAX_REVISIONS_AHEAD)
    return min(max(made, heard) + 1, REVISION_MAX)


def _texts(before: dict[str, str], command: SetQuestion) -> dict[str, str]:
    """Return the texts of the revision before with the changes of the command. Raises UsageError."""
    tags = {language.lower(): language for language in before}  # in language tags, capitals mean nothing
    changed = {tags.get(language.lower(), language): text for language, text in (command.texts or {}).items()}
    dropped = {tags.get(language.lower(), language) for language in command.drop_languages or []}
    for language in sorted(dropped):
        if language in changed:
            raise UsageError(f"{language!r} gets a text and is dropped at once: give --text or --drop-language for it.")
        if language not in before:
            known = ", ".join(before) or "no language"
            raise UsageError(f"There is no text in {language!r} to drop: the question has {known}.")
    texts = {language: text for language, text in {**before, **changed}.items() if language not in dropped}
    if before and not texts:
        raise UsageError("A key question needs a text in at least one language: give another one by --text first.")
    return texts


def _lowest_weight(store: Store, question_id: str, kind: str) -> float:
    """Return the lowest silent weight that is one for all revisions of a question, and for a kind it gets."""
    return max(map(lowest_weight, {kind, *table.kinds(store).get(question_id, {}).values()}))


def _with_weight(question: table.KeyQuestion, command: SetQuestion, lowest: float, now_ms: int) -> table.KeyQuestion:
    """Apply the silent weight of the command; a new weight does not keep the origin and date of the old one."""
    weight, origin, on = command.silent_weight, command.silent_weight_origin, command.silent_weight_on
    if weight is not None:
        if not lowest <= weight <= 1:
            raise UsageError(f"The silent weight must be a number from {lowest:g} to 1, not {weight}.")
        question = question._replace(
            silent_weight=weight,
            silent_weight_origin=ORIGIN_NOT_STATED,
            silent_weight_on=utc_date(now_ms),
            estimate=None,
        )
    elif question.silent_weight < lowest:
        raise UsageError(
            f"The silent weight of {question.question_id} is {question.silent_weight:g}, below 0, which only questions "
            "of kind loyalty can have: give another one by --silent-weight too."
        )
    if origin is not None or on is not None:
        _check_origin(question, origin)
    if origin is not None:
        question = question._replace(silent_weight_origin=origin)
    if on is not None:
        question = question._replace(silent_weight_on=_date(on))
    return question


def _check_origin(question: table.KeyQuestion, origin: str | None) -> None:
    """Refuse to have a weight look estimated, or an estimate look like something else. Raises UsageError."""
    if question.estimate is not None:
        raise UsageError(
            f"The silent weight of {question.question_id} was estimated, and keeps the origin and date of its "
            "estimate: give another weight by --silent-weight too."
        )
    if origin is not None and origin.strip().casefold() == ESTIMATED:
        raise UsageError(
            f"Only `trivox question weight estimate` makes a silent weight {ESTIMATED}, from at least {ASKED_MIN} "
            "silents: say where this one comes from."
        )


def set_estimate(store: Store, estimate: WeightEstimate) -> bool:
    """Have a question use an estimated silent weight; return whether that corrects past reports."""
    draw = estimate.draw
    before = table.questions(store)[draw.question_id]
    value = estimate_weight(draw.kind, estimate.found).value
    if value < (lowest := _lowest_weight(store, draw.question_id, draw.kind)):
        raise UsageError(
            f"The silent weight would be {value:.2f}, below {lowest:g}, but {draw.question_id} has revisions that are "
            "not of kind loyalty: define a question of its own for loyalty."
        )
    after = table.KeyQuestion(draw.question_id, value, ESTIMATED, utc_date(estimate.estimated_at_ms), estimate.estimate)
    corrects = _record_weight(store, before, after)
    table.keep_question(store, after)
    return corrects


def _record_weight(store: Store, before: table.KeyQuestion | None, after: table.KeyQuestion) -> bool:
    """Record a silent weight: reports of all time use the one in force. Return whether that corrects past ones."""
    is_other = before is not None and before.silent_weight != after.silent_weight
    corrects = is_other and _was_asked(store, after.question_id)
    known = _weight(store, before) if before else None
    change = HistoryChange(
        "silent_weight", "", after.question_id, known, _weight(store, after), -EVER, corrects=corrects
    )
    return record_change(store, change) and corrects


def _weight(store: Store, question: table.KeyQuestion) -> dict[str, Any]:
    """Return a silent weight as the history keeps it."""
    state = {name: value for name, value in question._asdict().items() if name.startswith("silent_weight")}
    if question.estimate is None:
        return state
    found = next(known for known in estimates(store, question.question_id) if known.estimate == question.estimate)
    return state | {"estimate": found.estimate, "draw": found.draw.draw, **found.found._asdict()}


def _record_revision(store: Store, question_id: str, before: table.Revision | None, after: table.Revision) -> None:
    """Record a new revision; it corrects nothing, as surveys keep the kind and text that they were asked with."""
    known = before._asdict() if before else None
    record_change(store, HistoryChange("question", "", question_id, known, after._asdict(), corrects=False))


def _was_asked(store: Store, question_id: str) -> bool:
    return table.highest_revision_heard(store, question_id) > 0


def _date(text: str) -> str:
    try:
        return read_day(text).isoformat()
    except ValueError as error:
        raise UsageError(f"{error}.") from error


def _check_texts(texts: dict[str, str]) -> None:
    if len(texts) > MAX_LANGUAGES:
        raise UsageError(f"A key question can have at most {MAX_LANGUAGES} languages: drop some by --drop-language.")
    size = sum(len(language.encode()) + len(text.encode()) for language, text in texts.items())
    if size > MAX_BYTES:
        raise UsageError(
            f"The texts have {size} bytes together, but consoles take at most {MAX_BYTES}: shorten "
            "them, or drop one by --drop-language."
        )
    for language, text in texts.items():
        if not 0 < len(language) <= MAX_LANGUAGE_TAG:
            raise UsageError(f"{language!r} is not a language tag: give one such as en.")
        if not 0 < len(text) <= MAX_TEXT:
            raise UsageError(f"The text in {language!r} must have 1 to {MAX_TEXT} characters.")
