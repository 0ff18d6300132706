"""An annotation: what happened on a day, for charts to show; it may begin a new range of limits."""

from __future__ import annotations

from typing import NamedTuple

MAX_TEXT = 300


class AnnotationScope(NamedTuple):
    """What an annotation is about; what is empty is not limited. Consoles and checkout points are those of the site."""

    site_id: str = ""
    console_id: str = ""
    checkout_point_id: str = ""
    seller_id: str = ""
    question_id: str = ""


class Annotation(NamedTuple):
    """An annotation of a local day; with `new_range`, centre and limits begin anew with the unit that holds the day."""

    annotation_id: int
    on_day: str
    scope: AnnotationScope
    text: str
    new_range: bool
    set_at_ms: int
    set_by: str
