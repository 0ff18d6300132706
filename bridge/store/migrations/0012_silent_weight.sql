-- The silent weight can be estimated: silents are drawn at random, asked the same question again, and what they answered
-- is kept. In loyalty it may be negative, so `question` is made anew with a wider range; everything in it is kept.

CREATE TABLE silent_draw (
  draw INTEGER PRIMARY KEY,             -- its number
  question_id TEXT NOT NULL,
  kind TEXT NOT NULL,                   -- of the question, when it was drawn
  from_day TEXT NOT NULL,               -- local days of each site, from …
  to_day TEXT NOT NULL,                 -- … up to, not including
  population INTEGER NOT NULL,          -- how many silents there were to draw from
  sample INTEGER NOT NULL,              -- how many were drawn
  seed INTEGER NOT NULL,
  drawn_at_ms INTEGER NOT NULL,
  who TEXT NOT NULL
) STRICT;

CREATE TABLE silent_drawn (             -- the silents of a draw
  draw INTEGER NOT NULL REFERENCES silent_draw,
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  survey INTEGER NOT NULL,
  PRIMARY KEY (draw, epoch_key, survey)
) STRICT, WITHOUT ROWID;

CREATE TABLE weight_estimate (
  estimate INTEGER PRIMARY KEY,         -- its number
  draw INTEGER NOT NULL REFERENCES silent_draw,
  yes INTEGER NOT NULL,                 -- what the drawn silents answered, asked again
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  unanswered INTEGER NOT NULL,
  between_sellers REAL NOT NULL,        -- upper 90 % limit of the variance of k between sellers
  estimated_at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  file TEXT NOT NULL                    -- the name of the file that told it
) STRICT;

CREATE TABLE weight_answer (            -- what each of them answered; who is not here did not
  estimate INTEGER NOT NULL REFERENCES weight_estimate,
  epoch_key INTEGER NOT NULL REFERENCES epoch,
  survey INTEGER NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('yes', 'no', 'cant_say')),
  PRIMARY KEY (estimate, epoch_key, survey)
) STRICT, WITHOUT ROWID;

CREATE TABLE question_with_estimate (
  question_id TEXT PRIMARY KEY,
  silent_weight REAL NOT NULL DEFAULT 0.5 CHECK (silent_weight BETWEEN -1 AND 1),  -- below 0 only in loyalty
  silent_weight_origin TEXT NOT NULL DEFAULT 'not estimated',
  silent_weight_on TEXT,                -- the date of the value
  estimate INTEGER REFERENCES weight_estimate  -- what it comes from; null: it was not estimated
) STRICT;
INSERT INTO question_with_estimate SELECT question_id, silent_weight, silent_weight_origin, silent_weight_on, NULL
  FROM question;
DROP TABLE question;
ALTER TABLE question_with_estimate RENAME TO question;
