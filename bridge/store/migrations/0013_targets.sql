-- Targets of sites, checkout points, sellers and key questions, each from a local day on until the next of the same kind.

CREATE TABLE target (
  question_id TEXT NOT NULL,
  figure TEXT NOT NULL CHECK (figure IN ('dissatisfaction_index', 'emotional_loyalty_index', 'response_rate')),
  site_id TEXT NOT NULL,                -- '': all sites
  checkout_point_id TEXT NOT NULL,      -- '': all
  seller_id TEXT NOT NULL,              -- '': all
  from_day TEXT NOT NULL,               -- local, as 2026-12-01
  value REAL,                           -- null: from this day on there is none
  set_at_ms INTEGER NOT NULL,
  set_by TEXT NOT NULL,                 -- a user of the operating system
  PRIMARY KEY (question_id, figure, site_id, checkout_point_id, seller_id, from_day)
) STRICT, WITHOUT ROWID;
