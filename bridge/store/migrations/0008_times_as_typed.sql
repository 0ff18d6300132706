-- Times that people gave without an offset are kept as typed: they are local times of the site, and resolved anew when its
-- time zone is set, or the zone's rules change. Null: an offset was given, or an older version has kept only the instant.

ALTER TABLE shift ADD COLUMN started_as TEXT;
ALTER TABLE shift ADD COLUMN ended_as TEXT;
ALTER TABLE shift_change ADD COLUMN started_as TEXT;
ALTER TABLE shift_change ADD COLUMN ended_as TEXT;
CREATE TABLE shifts_replaced (         -- shift_change has all shifts of these consoles, not only those that are new
  console_key INTEGER PRIMARY KEY
) STRICT;
ALTER TABLE counts ADD COLUMN from_as TEXT;
ALTER TABLE counts ADD COLUMN to_as TEXT;
ALTER TABLE counts_change ADD COLUMN from_as TEXT;
ALTER TABLE counts_change ADD COLUMN to_as TEXT;
ALTER TABLE placement ADD COLUMN from_day TEXT;    -- null: from_ms stands

-- Whether anybody has set the site's time zone; until then it is UTC, which may be wrong.
ALTER TABLE site ADD COLUMN timezone_is_set INTEGER NOT NULL DEFAULT 0;
UPDATE site SET timezone_is_set = 1 WHERE timezone <> 'UTC';

CREATE TABLE zone_rules (              -- by which days and hours were derived, and times resolved
  timezone TEXT PRIMARY KEY,
  rules TEXT NOT NULL                  -- JSON: [[from_s, offset_s], …]
) STRICT, WITHOUT ROWID;

-- A change that is made in portions enters the history with each of them, and shows when reports show it.
ALTER TABLE history ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
CREATE INDEX history_pending ON history (pending) WHERE pending = 1;
