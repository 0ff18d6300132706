-- Audits: surveys that experts check on video, the cameras that saw them, and commands sent to consoles. Surveys are
-- named as consoles name them, so that audits outlast a rebuild; strata and weights stay as they were drawn.

CREATE TABLE audit_draw (
  draw_key INTEGER PRIMARY KEY,
  site_id TEXT NOT NULL,                 -- '': several, which only a watch draws from
  day TEXT NOT NULL,                     -- the local day whose surveys were drawn; of a watch: when it was drawn
  watch TEXT NOT NULL,                   -- '': all surveys of the day; else what names the watch that drew
  seed INTEGER NOT NULL,
  population INTEGER NOT NULL,           -- the surveys that might have been drawn
  drawn_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_draw_of_day ON audit_draw (site_id, day) WHERE watch = '';
CREATE INDEX audit_draw_day ON audit_draw (site_id, day);

CREATE TABLE audit_stratum (
  stratum_key INTEGER PRIMARY KEY,
  draw_key INTEGER NOT NULL REFERENCES audit_draw,
  rule TEXT NOT NULL,                    -- of the flag or watch that concerns its surveys; '': none
  seller_id TEXT,
  outcome TEXT,                          -- null: any, as a rule makes the stratum
  population INTEGER NOT NULL,
  sample INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_stratum_draw ON audit_stratum (draw_key);

CREATE TABLE audit (
  audit_id INTEGER PRIMARY KEY,
  stratum_key INTEGER NOT NULL REFERENCES audit_stratum,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  epoch TEXT NOT NULL,
  survey INTEGER NOT NULL,
  day TEXT NOT NULL,                     -- the local day of its opening
  opened_at_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,                 -- as it was drawn
  twice INTEGER NOT NULL CHECK (twice IN (0, 1)),   -- 1: a second expert judges it, too
  presentation INTEGER NOT NULL,         -- random: lists show the lowest first
  kept_as TEXT,                          -- the archive's name for the clip that is kept there
  footage_checked_at_ms INTEGER,         -- when its archive was asked whether it has the clip; null: not yet
  UNIQUE (site_id, console_id, epoch, survey)
) STRICT;
CREATE INDEX audit_stratum_of ON audit (stratum_key);
CREATE INDEX audit_day ON audit (site_id, day);
CREATE INDEX audit_when ON audit (site_id, opened_at_ms);

CREATE TABLE audit_verdict (
  audit_id INTEGER NOT NULL REFERENCES audit,
  judging INTEGER NOT NULL CHECK (judging IN (1, 2)),
  verdict TEXT NOT NULL,
  expert TEXT NOT NULL,                  -- '-': the archive has no footage
  who TEXT NOT NULL,                     -- the user of the operating system
  comment TEXT,
  judged_at_ms INTEGER NOT NULL,
  changes INTEGER NOT NULL DEFAULT 0,    -- how often it was changed, after the outcome was shown
  PRIMARY KEY (audit_id, judging)
) STRICT, WITHOUT ROWID;

CREATE TABLE camera (                    -- holds no user and no password
  site_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  url TEXT NOT NULL,
  camera TEXT NOT NULL,
  time_format TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  PRIMARY KEY (site_id, checkout_point_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE camera_clock (              -- how far its clock was ahead on a local day
  site_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  day TEXT NOT NULL,
  offset_ms INTEGER NOT NULL,
  precision_ms INTEGER,                  -- null: not known
  origin TEXT NOT NULL CHECK (origin IN ('given', 'light')),
  PRIMARY KEY (site_id, checkout_point_id, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE camera_flash (              -- the last flash of lamps that the camera should have seen
  site_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  flashed_at_ms INTEGER NOT NULL,
  precision_ms INTEGER NOT NULL,
  PRIMARY KEY (site_id, checkout_point_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE console_command (           -- commands sent by people, and what consoles replied
  command_id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  command TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  replied_at_ms INTEGER,
  ok INTEGER,
  reason TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
