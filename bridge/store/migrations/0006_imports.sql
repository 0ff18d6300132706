-- Imports, and other changes to many surveys, are written in portions, between messages, and yet count as a whole: see
-- store/imports.py. These tables are empty unless one is under way.

CREATE TABLE import_phase (             -- at most one row
  phase TEXT NOT NULL CHECK (phase IN ('filling', 'applying', 'merging'))
) STRICT;

CREATE TABLE staged_message (           -- recorded messages that are yet to be taken in
  position INTEGER PRIMARY KEY,
  line BLOB NOT NULL
) STRICT;

CREATE TABLE refold_due (               -- surveys and counts to derive again, by when they were opened or begin
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,             -- '': only counts
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  PRIMARY KEY (site_id, console_id)
) STRICT, WITHOUT ROWID;

-- What is to be added to the tables of the same name, or to replace rows in them.

CREATE TABLE shift_change (
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  seller_id TEXT NOT NULL,
  PRIMARY KEY (site_id, console_id, started_at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE seller_change (
  seller_id TEXT PRIMARY KEY,
  seller_name TEXT NOT NULL             -- '': the import does not say
) STRICT, WITHOUT ROWID;

CREATE TABLE counts_change (
  site_id TEXT NOT NULL,
  source_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  checkout_point_id TEXT,
  seller_id TEXT,
  at_console_id TEXT,
  of_seller_id TEXT,
  hour TEXT NOT NULL,
  raw TEXT,                             -- for counts_received; null: it is there already
  PRIMARY KEY (site_id, source_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_change_when ON counts_change (site_id, from_ms);

CREATE TABLE timezone_change (          -- for `site`
  site_id TEXT PRIMARY KEY,
  timezone TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- These are sums, to be added to those of the rollups.

CREATE TABLE rollup_hour_change (
  hour TEXT NOT NULL,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (hour, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_day_change (
  day TEXT NOT NULL,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (day, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;
