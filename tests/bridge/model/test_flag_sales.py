"""Surveys are compared with the sales of their checkout point, whoever sold by the till's word."""

import pytest

from bridge.model.flags.evidence import MonthEvidence, SellerMonth
from bridge.model.flags.site_feed import AskedSurvey, SalesOfHour, SiteFeed

TEN_MINUTES_MS = 600_000
SALES = 48  # from 9:00 to 17:00


def hour(number: int) -> str:
    return f"2026-11-02T{9 + number // 6:02d}"


def sale(number: int, **about: str | None) -> SalesOfHour:
    at_ms = number * TEN_MINUTES_MS
    return SalesOfHour(**about, hour=hour(number), sales=1, from_ms=[at_ms], last_to_ms=at_ms)


def survey(number: int, seller_id: str) -> AskedSurvey:
    return AskedSurvey(number * TEN_MINUTES_MS + 20_000, seller_id, "till-1", hour(number), 1, None, 1, number)


@pytest.mark.parametrize("sent_seller_id", ["ann", None])
def test_a_colleague_on_whom_hours_are_booked_has_no_surveys_without_a_sale(sent_seller_id: str | None) -> None:
    """Ann sold all day; by the shifts, as somebody rewrote them, Bob worked at her till from 12:00 to 13:00."""
    feed, evidence = SiteFeed("shop"), MonthEvidence()
    about = {"checkout_point_id": "till-1", "sent_seller_id": sent_seller_id, "seller_id": "ann"}
    others = {"checkout_point_id": "till-2", "sent_seller_id": "bob", "seller_id": "bob"}
    feed.add_sales([sale(number, **some) for number in range(SALES) for some in (about, others)])
    surveys = [survey(number, "bob" if hour(number).endswith("12") else "ann") for number in range(SALES)]
    evidence |= {"ann": SellerMonth(), "bob": SellerMonth()}
    units = {feed.unit_of(each.seller_id, each.checkout_point_id) for each in surveys}
    assert units == {("point", "till-1")}
    feed.compare(("point", "till-1"), surveys, evidence)
    assert {name: (month.left_over, month.matched) for name, month in evidence.items()} == {
        "ann": (0, 42),
        "bob": (0, 6),
    }
