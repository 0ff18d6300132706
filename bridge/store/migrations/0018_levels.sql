-- Rollups of fewer rows, so that a report over a year reads few: by the month, and by site. Each counts as `rollup_day`.

CREATE TABLE rollup_month (
  month TEXT NOT NULL,
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
  PRIMARY KEY (month, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_month_change (
  month TEXT NOT NULL,
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
  PRIMARY KEY (month, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_day (
  day TEXT NOT NULL,
  site_id TEXT NOT NULL,
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
  PRIMARY KEY (day, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_day_change (
  day TEXT NOT NULL,
  site_id TEXT NOT NULL,
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
  PRIMARY KEY (day, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_month (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
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
  PRIMARY KEY (month, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_month_change (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
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
  PRIMARY KEY (month, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_month SELECT substr(day, 1, 7), site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
INSERT INTO rollup_site_day SELECT day, site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_site_month SELECT substr(day, 1, 7), site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_site_day GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_month_change SELECT substr(day, 1, 7), site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day_change GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
INSERT INTO rollup_site_day_change SELECT day, site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day_change GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_site_month_change SELECT substr(day, 1, 7), site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_site_day_change GROUP BY 1, 2, 3, 4, 5, 6;

-- What transactions and visitors say of surveys, summed up by the local day in which a count begins or a survey was
-- opened, and by the month (bridge/reports/coverage): derived from counts, shifts, placements and surveys.
-- In keys '' stands for no console, checkout point or seller.

CREATE TABLE coverage_figure (
  site_id TEXT NOT NULL,
  day TEXT NOT NULL,
  console_id TEXT NOT NULL,              -- that stood at the checkout point
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,               -- whose part it is
  kind TEXT NOT NULL,
  figure INTEGER NOT NULL,
  unmanned INTEGER NOT NULL,             -- of intervals that he shares: what fell to time with nobody on shift
  end_ms INTEGER NOT NULL,               -- of the interval that reaches furthest
  PRIMARY KEY (site_id, day, console_id, checkout_point_id, seller_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_figure_month (
  site_id TEXT NOT NULL,
  month TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  figure INTEGER NOT NULL,
  unmanned INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  PRIMARY KEY (site_id, month, console_id, checkout_point_id, seller_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_known (            -- surveys opened in time that counts of a kind tell of
  site_id TEXT NOT NULL,
  day TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  kind TEXT NOT NULL,
  modes INTEGER NOT NULL,                -- bits: the ways to group (sites, checkout points, …) for which they do
  known_from TEXT NOT NULL,              -- in a report that begins on this day or before …
  known_until TEXT NOT NULL,             -- … or that holds this day, if not empty: counts of other days tell of them
  surveys INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  PRIMARY KEY (site_id, day, console_id, checkout_point_id, seller_id, question_id, question_revision, kind, modes,
    known_from, known_until)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_known_month (
  site_id TEXT NOT NULL,
  month TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  kind TEXT NOT NULL,
  modes INTEGER NOT NULL,
  known_from TEXT NOT NULL,
  known_until TEXT NOT NULL,
  surveys INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  PRIMARY KEY (site_id, month, console_id, checkout_point_id, seller_id, question_id, question_revision, kind, modes,
    known_from, known_until)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_source (           -- what a source's counts are like, to see where faults can be
  site_id TEXT NOT NULL,
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  source_id TEXT NOT NULL,
  is_whole INTEGER NOT NULL,             -- 1: some are of the whole site
  is_long INTEGER NOT NULL,              -- 1: some are of a quarter of an hour or more
  holds INTEGER NOT NULL,                -- 1: some hold others, which begin on this day
  PRIMARY KEY (site_id, day, kind, source_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_source_month (
  site_id TEXT NOT NULL,
  month TEXT NOT NULL,
  kind TEXT NOT NULL,
  source_id TEXT NOT NULL,
  is_whole INTEGER NOT NULL,
  is_long INTEGER NOT NULL,
  holds INTEGER NOT NULL,
  PRIMARY KEY (site_id, month, kind, source_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_stale (            -- days whose sums are yet to be made anew: their surveys, counts, shifts changed
  site_id TEXT NOT NULL,
  from_day TEXT NOT NULL,
  to_day TEXT NOT NULL,                  -- included
  reaches INTEGER NOT NULL,              -- 1: it changes the parts of counts that reach into these days, too
  PRIMARY KEY (site_id, from_day, to_day, reaches)
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage_stale_month (      -- months whose days were summed up since
  site_id TEXT NOT NULL,
  month TEXT NOT NULL,
  PRIMARY KEY (site_id, month)
) STRICT, WITHOUT ROWID;

INSERT INTO coverage_stale SELECT site_id, '', '~', 1 FROM site;

-- Long counts and shifts are found by these: all others begin on the day that they reach into, or on the one before.
CREATE INDEX counts_long ON counts (site_id, from_ms) WHERE to_ms - from_ms > 72000000;
CREATE INDEX shift_long ON shift (console_key, started_at_ms) WHERE ended_at_ms - started_at_ms > 72000000;
