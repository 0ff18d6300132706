-- Every change that people make, with what was before. Nothing is ever deleted from it.

CREATE TABLE history (
  change_key INTEGER PRIMARY KEY,
  changed_at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,                    -- a user of the operating system; '-': the bridge by itself
  command TEXT NOT NULL,                -- the words after `trivox`, such as 'shift import'
  kind TEXT NOT NULL,                   -- of thing: 'site', 'shift', 'placement', 'count', 'question', 'setting' …
  site_id TEXT NOT NULL,                -- '': all sites
  name TEXT NOT NULL,                   -- of the thing within its site; '': the site itself
  from_ms INTEGER NOT NULL,             -- the time that the change concerns, from …
  to_ms INTEGER NOT NULL,               -- … up to, not including
  before TEXT,                          -- a JSON object; null: there was none
  after TEXT,                           -- a JSON object; null: there is none any more
  corrects INTEGER NOT NULL CHECK (corrects IN (0, 1))  -- 1: what was known of time already past is another now
) STRICT;
CREATE INDEX history_when ON history (changed_at_ms);
CREATE INDEX history_corrections ON history (from_ms) WHERE corrects = 1;
