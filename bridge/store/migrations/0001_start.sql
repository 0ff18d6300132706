-- The bridge's database. Times ending in _ms are milliseconds since 1970-01-01 UTC; `day` and `hour` are local to the
-- site. Nothing is ever deleted from `event`, `reject`, `counts_received` and the histories of questions and settings.
-- A comment inside a CREATE statement is part of every database's schema, so it stays as it was first written.

CREATE TABLE identity (                -- one row: what this database is known by at the broker
  identity TEXT NOT NULL
) STRICT;
INSERT INTO identity VALUES (lower(hex(randomblob(8))));

-- Who ------------------------------------------------------------------------------------------------------------

CREATE TABLE site (
  site_id TEXT PRIMARY KEY,
  timezone TEXT NOT NULL DEFAULT 'UTC',
  first_seen_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE console (
  console_key INTEGER PRIMARY KEY,
  site_id TEXT NOT NULL REFERENCES site,
  console_id TEXT NOT NULL,
  enrolled INTEGER NOT NULL DEFAULT 0,
  first_seen_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER NOT NULL,
  online INTEGER,                      -- from `status`: 1, 0, or null when never heard
  health TEXT,                         -- the latest health message, as sent
  health_at_ms INTEGER,
  settings_revision_reported INTEGER NOT NULL DEFAULT 0,  -- the highest ever seen in its health
  UNIQUE (site_id, console_id)
) STRICT;

CREATE TABLE seller (                  -- names for reports; ids come from shifts
  seller_id TEXT PRIMARY KEY,
  seller_name TEXT NOT NULL
) STRICT;

CREATE TABLE shift (
  console_key INTEGER NOT NULL REFERENCES console,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL CHECK (ended_at_ms > started_at_ms),
  seller_id TEXT NOT NULL REFERENCES seller,
  PRIMARY KEY (console_key, started_at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE placement (               -- the console stands at the checkout point from this instant on
  console_key INTEGER NOT NULL REFERENCES console,
  from_ms INTEGER NOT NULL,
  checkout_point_id TEXT NOT NULL,
  PRIMARY KEY (console_key, from_ms)
) STRICT, WITHOUT ROWID;

-- What was received ----------------------------------------------------------------------------------------------

CREATE TABLE epoch (
  epoch_key INTEGER PRIMARY KEY,
  console_key INTEGER NOT NULL REFERENCES console,
  epoch TEXT NOT NULL,
  hardware_id TEXT,
  seen_at_ms INTEGER NOT NULL,
  first INTEGER NOT NULL DEFAULT 1,    -- the highest `first` seen
  through INTEGER NOT NULL DEFAULT 0,  -- as acknowledged
  UNIQUE (console_key, epoch)
) STRICT;

CREATE TABLE received (                -- which numbers of an epoch were received (events and rejects), as closed ranges
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL CHECK (high >= low),
  PRIMARY KEY (epoch_key, low)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  event_key INTEGER PRIMARY KEY,
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  boot INTEGER NOT NULL,
  up_ms INTEGER NOT NULL,
  at_ms INTEGER,                       -- as the console dated it, or null
  dated_at_ms INTEGER NOT NULL,
  dated_by TEXT NOT NULL CHECK (dated_by IN ('console', 'clock_set', 'arrival')),
  arrived_at_ms INTEGER NOT NULL,
  survey INTEGER,                      -- of a survey_closed: the survey that it closes
  raw TEXT NOT NULL,                   -- the event's JSON as sent
  UNIQUE (epoch_key, seq)
) STRICT;
CREATE INDEX event_close ON event (epoch_key, survey, seq) WHERE survey IS NOT NULL;
CREATE INDEX event_undated ON event (epoch_key, boot) WHERE at_ms IS NULL;
CREATE INDEX event_settings ON event (epoch_key, seq) WHERE type = 'settings_applied';

CREATE TABLE envelope_extra (          -- `mac` and unknown fields of a batch, kept as sent
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  base INTEGER NOT NULL,
  arrived_at_ms INTEGER NOT NULL,
  raw TEXT NOT NULL,
  PRIMARY KEY (epoch_key, base, raw)
) STRICT, WITHOUT ROWID;

CREATE TABLE reject (
  reject_key INTEGER PRIMARY KEY,
  epoch_key INTEGER REFERENCES epoch,  -- null: the message's envelope could not be read
  seq INTEGER,
  topic TEXT NOT NULL,
  reason TEXT NOT NULL,                -- one word or two, then a colon and the details
  raw BLOB NOT NULL,
  hash TEXT NOT NULL,
  count INTEGER NOT NULL DEFAULT 1,
  first_at_ms INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  UNIQUE (epoch_key, seq, hash)
) STRICT;
CREATE UNIQUE INDEX reject_message ON reject (topic, hash) WHERE epoch_key IS NULL;

-- What is made of it (all of this is computed anew by `trivox rebuild`) ---------------------------------------------

CREATE TABLE boot (                    -- what a boot's events without a date are dated by
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  boot INTEGER NOT NULL,
  clock_seq INTEGER,                   -- number of its first clock_set, or null
  clock_offset_ms INTEGER,             -- at_ms - up_ms of that
  arrival_offset_ms INTEGER NOT NULL,  -- the smallest arrived_at_ms - up_ms of all its events
  PRIMARY KEY (epoch_key, boot)
) STRICT, WITHOUT ROWID;

CREATE TABLE force_majeure (           -- one a force_majeure_declared event, as the rollups count it
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  seq INTEGER NOT NULL,
  console_key INTEGER NOT NULL REFERENCES console,
  boot INTEGER NOT NULL,
  up_ms INTEGER NOT NULL,
  dated_at_ms INTEGER NOT NULL,
  survey INTEGER,                      -- the open one, or null
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  seller_id TEXT,
  checkout_point_id TEXT,
  hour TEXT NOT NULL,
  PRIMARY KEY (epoch_key, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX force_majeure_when ON force_majeure (console_key, dated_at_ms);
CREATE INDEX force_majeure_boot ON force_majeure (epoch_key, boot, up_ms);
CREATE INDEX force_majeure_survey ON force_majeure (epoch_key, survey) WHERE survey IS NOT NULL;

CREATE TABLE survey (
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  survey INTEGER NOT NULL,             -- the number of its survey_opened event
  console_key INTEGER NOT NULL REFERENCES console,
  boot INTEGER NOT NULL,
  opened_up_ms INTEGER NOT NULL,
  opened_at_ms INTEGER NOT NULL,
  closed_at_ms INTEGER,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('open', 'yes', 'no', 'cant_say', 'silent', 'error')),
  cause TEXT,                          -- as sent, or 'lost'
  response_ms INTEGER,
  affected INTEGER NOT NULL CHECK (affected IN (0, 1)),   -- by force majeure
  ask_every INTEGER,                   -- null: not known
  seller_id TEXT,
  checkout_point_id TEXT,
  hour TEXT NOT NULL,                  -- 2026-11-22T13:00+02:00; its first ten characters are the day
  long INTEGER NOT NULL,               -- 1: over an hour by either clock, or closed in another boot
  PRIMARY KEY (epoch_key, survey)
) STRICT, WITHOUT ROWID;
CREATE INDEX survey_when ON survey (console_key, opened_at_ms);
CREATE INDEX survey_boot ON survey (epoch_key, boot, opened_up_ms);
CREATE INDEX survey_long ON survey (console_key) WHERE long = 1;
CREATE INDEX survey_open ON survey (epoch_key, survey, opened_at_ms) WHERE outcome = 'open';

-- In rollups '' stands for no seller and no checkout point, so that the key is whole.
CREATE TABLE rollup_hour (
  hour TEXT NOT NULL,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,           -- force majeures themselves are counted under 0
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,              -- the sum of ask_every over yes, no, cant_say and silent (1 where not known)
  ask_every_unknown INTEGER NOT NULL,  -- how many of those surveys had no known ask_every
  PRIMARY KEY (hour, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_day (
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

-- Transactions and visitors ----------------------------------------------------------------------------------------

CREATE TABLE counts (                  -- the figure in force of each (site, source, id)
  site_id TEXT NOT NULL,
  source_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('transactions', 'visitors')),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  checkout_point_id TEXT,              -- as sent
  seller_id TEXT,                      -- as sent
  at_console_id TEXT,                  -- the one console that stands at the checkout point at from_ms, or null
  of_seller_id TEXT,                   -- as sent, else who was on shift there, or null
  hour TEXT NOT NULL,                  -- local hour of from_ms
  PRIMARY KEY (site_id, source_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX counts_when ON counts (site_id, from_ms);

CREATE TABLE counts_received (         -- every figure ever sent, corrections included
  counts_received_key INTEGER PRIMARY KEY,
  site_id TEXT NOT NULL,
  source_id TEXT NOT NULL,
  id TEXT NOT NULL,
  arrived_at_ms INTEGER NOT NULL,
  raw TEXT NOT NULL
) STRICT;

-- Key questions and settings ---------------------------------------------------------------------------------------

CREATE TABLE question (
  question_id TEXT PRIMARY KEY,
  silent_weight REAL NOT NULL DEFAULT 0.5 CHECK (silent_weight BETWEEN 0 AND 1),
  silent_weight_origin TEXT NOT NULL DEFAULT 'not estimated',
  silent_weight_on TEXT                -- the date of the value
) STRICT;

CREATE TABLE question_history (        -- every change of silent weight
  question_id TEXT NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  silent_weight REAL NOT NULL,
  silent_weight_origin TEXT NOT NULL,
  silent_weight_on TEXT
) STRICT;

CREATE TABLE question_revision (
  question_id TEXT NOT NULL REFERENCES question,
  question_revision INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('personnel', 'office', 'loyalty')),
  text TEXT NOT NULL,                  -- {"en": "…", "ru": "…"}
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (question_id, question_revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (                 -- what was chosen, for all ('', ''), a site (site, '') or a console (site, console)
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  name TEXT NOT NULL,                  -- a console setting, question_id, force_majeure_scope_s or force_majeure_level_max
  value TEXT NOT NULL,                 -- JSON
  PRIMARY KEY (site_id, console_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings_sent (           -- every settings message made for a console
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  payload TEXT NOT NULL,               -- JSON, as published
  created_at_ms INTEGER NOT NULL,
  published INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (site_id, console_id, revision)
) STRICT, WITHOUT ROWID;

INSERT INTO question (question_id) VALUES ('staff'), ('office'), ('loyalty');
INSERT INTO question_revision (question_id, question_revision, kind, text, created_at_ms) VALUES
  ('staff', 1, 'personnel', '{"en":"Are you satisfied with how you were served?","ru":"Вы довольны тем, как вас обслужили?","bg":"Доволни ли сте от обслужването?"}', 0),
  ('office', 1, 'office', '{"en":"Did you like the atmosphere and organisation of our office?","ru":"Понравились ли вам атмосфера и организация нашего офиса?","bg":"Харесаха ли ви атмосферата и организацията в нашия офис?"}', 0),
  ('loyalty', 1, 'loyalty', '{"en":"Would you recommend our company to your friends?","ru":"Порекомендуете ли вы нашу компанию друзьям?","bg":"Бихте ли препоръчали нашата компания на приятели?"}', 0);
