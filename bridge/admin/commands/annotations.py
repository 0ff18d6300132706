"""Commands that annotate charts."""

from __future__ import annotations

from datetime import date

from bridge.admin.commands.base import BridgeCommand


class SetAnnotation(BridgeCommand, frozen=True):
    """Annotate a local day, of all or of what is named; ids that are empty are not limited."""

    words = "annotation set"
    on_day: date
    text: str
    new_range: bool = False
    site_id: str = ""
    console_id: str = ""
    checkout_point_id: str = ""
    seller_id: str = ""
    question_id: str = ""


class RemoveAnnotations(BridgeCommand, frozen=True):
    """Remove annotations by their numbers: all or none."""

    words = "annotation remove"
    annotation_ids: list[int]


Commands = SetAnnotation | RemoveAnnotations
