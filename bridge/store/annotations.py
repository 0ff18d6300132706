"""Read and store annotations of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model.annotation import Annotation, AnnotationScope

if TYPE_CHECKING:
    from bridge.store.connection import Row, Store

_SCOPE = ", ".join(AnnotationScope._fields)
_COLUMNS = f"annotation_id, on_day, {_SCOPE}, text, new_range, set_at_ms, set_by"


def every_annotation(store: Store) -> list[Annotation]:
    """Return all annotations, by day."""
    return [_read(row) for row in store.all(f"SELECT {_COLUMNS} FROM annotation ORDER BY on_day, annotation_id")]  # noqa: S608 - this module's own words


def find_annotation(store: Store, annotation_id: int) -> Annotation | None:
    """Return an annotation; None if there is none of this number."""
    row = store.one(f"SELECT {_COLUMNS} FROM annotation WHERE annotation_id = ?", (annotation_id,))  # noqa: S608
    return _read(row) if row else None


def keep_annotation(
    store: Store, on_day: str, scope: AnnotationScope, text: str, *, new_range: bool
) -> tuple[Annotation | None, Annotation]:
    """Store an annotation; return it as it was before, if the same text stood there, and as it is now."""
    known = store.one(
        f"SELECT {_COLUMNS} FROM annotation WHERE on_day = ? AND ({_SCOPE}, text) = (?, ?, ?, ?, ?, ?)",  # noqa: S608
        (on_day, *scope, text),
    )
    before = _read(known) if known else None
    if before and before.new_range == new_range:
        return before, before
    if before:
        store.run(
            "UPDATE annotation SET new_range = ?, set_at_ms = ?, set_by = ? WHERE annotation_id = ?",
            (int(new_range), store.now_ms, store.origin.who, before.annotation_id),
        )
        annotation_id = before.annotation_id
    else:
        store.run(
            f"INSERT INTO annotation (on_day, {_SCOPE}, text, new_range, set_at_ms, set_by)"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (on_day, *scope, text, int(new_range), store.now_ms, store.origin.who),
        )
        annotation_id = store.connection.last_insert_rowid()
    after = Annotation(annotation_id, on_day, scope, text, new_range, store.now_ms, store.origin.who)
    return before, after


def delete_annotation(store: Store, annotation_id: int) -> None:
    """Delete an annotation."""
    store.run("DELETE FROM annotation WHERE annotation_id = ?", (annotation_id,))


def _read(row: Row) -> Annotation:
    annotation_id, on_day, *scope, text, new_range, set_at_ms, set_by = row
    return Annotation(annotation_id, on_day, AnnotationScope(*scope), text, bool(new_range), set_at_ms, set_by)
