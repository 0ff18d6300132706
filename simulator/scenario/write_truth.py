"""Write what a run truly was: the expected KPIs, and who cheated."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from simulator.oracle.cheats import CheatTally
from simulator.oracle.facts import ForceMajeure
from simulator.oracle.kpis import Totals
from simulator.scenario.drawn_seller import drawn_seller
from simulator.scenario.site_day import GROUPINGS, RunTruth, ScenarioPlan
from simulator.scenario.sites import PlannedSite

FORCE_MAJEURE_CHOICES: tuple[ForceMajeure, ...] = ("with", "without", "only")
BY_CONSOLE = ("console",)


def write_truth_files(folder: Path, title: str, plan: ScenarioPlan, truth: RunTruth, events: int) -> None:
    """Write the KPIs that any honest bridge must report, report by report, and each seller's cheats."""
    _write_expected(folder / "expected.json", title, plan, truth.totals, events)
    sellers = [seller for site in plan.sites for seller in _sellers(site, plan.seed, truth.cheats)]
    (folder / "truth.json").write_text(json.dumps({"sellers": sellers}, indent=1) + "\n", encoding="utf-8")


def _sellers(site: PlannedSite, seed: int, tally: CheatTally) -> Iterator[dict[str, Any]]:
    """Yield each seller of a site once, as drawn, with his cheats; honest ones have none."""
    sellers = {seller.seller_id: seller for post in site.posts for seller in post.sellers}
    for seller_id, seller in sellers.items():
        drawn = drawn_seller(seed, site.site_id, site.customers, seller)
        cheats = [
            {"cheat": cheat, "share": share, **tally.of(site.site_id, seller_id, cheat)}
            for cheat, share in seller.habits.cheats.items()
        ]
        where = {"site_id": site.site_id, "seller_id": seller_id, "temperament": seller.temperament}
        yield where | {"asks_by_hour": drawn.asks, "no_factor": drawn.no_factor, "cheats": cheats}


def _write_expected(file: Path, title: str, plan: ScenarioPlan, totals: Totals, events: int) -> None:
    reports: list[dict[str, Any]] = [_report(totals, grouping, "default") for grouping in GROUPINGS]
    reports += [_report(totals, BY_CONSOLE, choice) for choice in FORCE_MAJEURE_CHOICES]
    last = plan.first_day + timedelta(days=plan.days)
    contents = {
        "title": title,
        "seed": plan.seed,
        "events": events,
        "from": str(plan.first_day - timedelta(days=1)),
        "to": str(last + timedelta(days=1)),
        "reports": reports,
    }
    file.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


def _report(totals: Totals, grouping: Sequence[str], force_majeure: ForceMajeure) -> dict[str, Any]:
    rows = totals.rows(grouping, force_majeure)
    return {"by": ",".join(grouping), "force_majeure": force_majeure, "rows": rows}
