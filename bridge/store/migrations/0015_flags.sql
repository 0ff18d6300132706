-- Flags: what the rules of model/flags/ find in sellers' months. Nothing is ever deleted from `flag_result`.

CREATE TABLE nightly_run (              -- for which night the bridge did each of its nightly jobs last
  name TEXT PRIMARY KEY,
  night TEXT NOT NULL,                  -- the local date on which it began
  ran_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE flag_due (                 -- local months in which surveys or counts have changed since they were computed
  month TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO flag_due SELECT DISTINCT substr(day, 1, 7) FROM rollup_day;

CREATE TABLE flag_month (               -- the months that were computed
  month TEXT PRIMARY KEY,
  computed_at_ms INTEGER NOT NULL,
  is_over INTEGER NOT NULL,             -- 0: it was not over yet, so that these are results so far
  assessed TEXT NOT NULL                -- JSON: {rule: {"version": …, "sellers": [seller_id, …]}}, who could be assessed
) STRICT, WITHOUT ROWID;

CREATE TABLE flag_result (              -- each watch and flag, and what became of it when its month was computed anew
  result_key INTEGER PRIMARY KEY,
  month TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  rule TEXT NOT NULL,
  version INTEGER NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('clean', 'watch', 'flag')),
  evidence TEXT NOT NULL,               -- JSON: statistic, x, n, share, peers, peers_share, indices
  surveys TEXT NOT NULL,                -- JSON: [[epoch_key, survey], …], the surveys that it concerns
  computed_at_ms INTEGER NOT NULL,
  replaced_at_ms INTEGER                -- null: the result in force
) STRICT;
CREATE UNIQUE INDEX flag_result_in_force ON flag_result (month, seller_id, rule) WHERE replaced_at_ms IS NULL;

CREATE TABLE flag_set_aside (           -- results that a manager set aside, until taken back
  seller_id TEXT NOT NULL,
  rule TEXT NOT NULL,
  month TEXT NOT NULL,
  reason TEXT NOT NULL,
  who TEXT NOT NULL,
  set_at_ms INTEGER NOT NULL,
  PRIMARY KEY (seller_id, rule, month)
) STRICT, WITHOUT ROWID;

CREATE TABLE survey_set_aside (         -- surveys that a manager took out of the figures, until taken back
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  survey INTEGER NOT NULL,
  seller_id TEXT NOT NULL,              -- these three: because of which result
  rule TEXT NOT NULL,
  month TEXT NOT NULL,
  reason TEXT NOT NULL,
  who TEXT NOT NULL,
  set_at_ms INTEGER NOT NULL,
  PRIMARY KEY (epoch_key, survey, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX survey_set_aside_result ON survey_set_aside (seller_id, rule, month);

CREATE INDEX event_stray ON event (dated_at_ms) WHERE type = 'stray_pressed';
