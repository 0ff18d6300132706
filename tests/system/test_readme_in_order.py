"""Run the commands of the pages for shops one after the other, on a new database, as a reader would type them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.bridge.office import OfficeTill, at
from tests.support.command import trivox

ROOT = Path(__file__).parents[2]
FILES = {
    "sites.csv": "site_id,timezone\nsofia-1,Europe/Sofia\n",
    "points.csv": "site_id,checkout_point_id,console_id\nsofia-1,counter-1,till-1\n",
    "shifts.csv": "site_id,console_id,seller_id,seller_name,started_at,ended_at\n"
    "sofia-1,till-1,elena,Елена,2026-11-02T09:00,2026-11-02T17:00\n",
    "counts.csv": "site_id,source_id,kind,from,to,count\nsofia-1,door,visitors,2026-11-02T09:00,2026-11-02T10:00,40\n",
}


WEIGHT_DRAW = shlex.split(
    "question weight draw --question staff --sample 100 --from 2026-11-01 --to 2026-12-01 --out ask.csv"
)


def commands(page: str) -> list[list[str]]:
    """Return the words of each `trivox` command in the blocks of a page, in order, without where its output goes."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^(?:\.venv/bin/)?trivox (.*)$", "\n".join(blocks), re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0], comments=True) for line in lines]


def test_each_command_works_after_those_before_it(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    words_of_all = [*commands("bridge/admin/README.md"), *commands("bridge/reports/README.md")]
    assert len(words_of_all) > len(FILES)
    # What a reader may do between two pages.
    words_of_all.insert(5, ["question", "set", "staff", "--text", "en=Are you satisfied with the work of Elena?"])
    words_of_all.insert(words_of_all.index(WEIGHT_DRAW), ["ingest", "recorded.ndjson"])
    tills = [OfficeTill("sofia-1"), OfficeTill("sofia-2")]
    for till in tills:
        till.surveys(at("2026-11-02T10:00+02:00"), yes=20, no=5, silent=120)
    lines = [json.dumps(message) + "\n" for till in tills for message in till.messages()]
    (tmp_path / "recorded.ndjson").write_text("".join(lines), "utf-8")
    for words in words_of_all:
        if words[:3] == ["question", "weight", "estimate"]:
            asked = tmp_path / "ask.csv"
            asked.write_text(asked.read_text("utf-8").replace(",\n", ",no\n"), "utf-8")
        done = trivox(*words, folder=tmp_path, environment={"TRIVOX_DATABASE": "shop.db"})
        assert done.returncode == 0, (words, done.stderr)
    assert (tmp_path / "staff-customer-ru.pdf").exists()
