"""Annotate charts: say what happened on a day, and whether limits begin anew there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.admin.known_names import KnownNames
from bridge.errors import UsageError
from bridge.model.annotation import MAX_TEXT, AnnotationScope
from bridge.model.history import HistoryChange
from bridge.store import annotations as table
from bridge.store.history import record_change

if TYPE_CHECKING:
    from typing import Any

    from bridge.admin.commands import RemoveAnnotations, SetAnnotation
    from bridge.model.annotation import Annotation
    from bridge.store import Store


def set_annotation(store: Store, command: SetAnnotation) -> dict[str, Any]:
    """Annotate a day, inside the transaction; the same text of the same day and scope only gets its `new_range`.

    Returns the number of the annotation, and whether it is `new` or `changed`. Raises UsageError.
    """
    text = " ".join(command.text.split())
    if not 0 < len(text) <= MAX_TEXT:
        raise UsageError(f"An annotation needs a text of 1 to {MAX_TEXT} characters.")
    scope = AnnotationScope(*(getattr(command, name) for name in AnnotationScope._fields))
    _check(KnownNames(store), scope)
    before, after = table.keep_annotation(store, command.on_day.isoformat(), scope, text, new_range=command.new_range)
    record_change(store, _change(before, after))
    return {"annotation_id": after.annotation_id, "new": before is None, "changed": before != after}


def remove_annotations(store: Store, command: RemoveAnnotations) -> dict[str, Any]:
    """Remove annotations, inside the transaction; the history keeps them. Raises UsageError if one is unknown."""
    for annotation_id in dict.fromkeys(command.annotation_ids):
        known = table.find_annotation(store, annotation_id)
        if known is None:
            raise UsageError(f"There is no annotation {annotation_id}: see `trivox annotation list`.")
        table.delete_annotation(store, annotation_id)
        record_change(store, _change(known, None))
    return {}


def _check(names: KnownNames, scope: AnnotationScope) -> None:
    if scope.checkout_point_id:
        names.check_checkout_point(scope.site_id, scope.checkout_point_id)
    names.check_scope(scope.site_id, scope.console_id)
    if scope.seller_id:
        names.check_seller(scope.seller_id)
    if scope.question_id:
        names.check_question(scope.question_id)


def _change(before: Annotation | None, after: Annotation | None) -> HistoryChange:
    """Return the change for the history; it corrects nothing that was known, as it moves no survey."""
    known = before or after
    if known is None:
        raise RuntimeError("nothing was there before or after")
    site_id, name = known.scope.site_id, str(known.annotation_id)
    return HistoryChange("annotation", site_id, name, _state(before), _state(after), corrects=False)


def _state(annotation: Annotation | None) -> dict[str, Any] | None:
    if annotation is None:
        return None
    limited = {name: value for name, value in annotation.scope._asdict().items() if value and name != "site_id"}
    return {"on": annotation.on_day, "text": annotation.text, "new_range": annotation.new_range, **limited}
