-- What people wrote at a day for charts to show: 'new shift plan'. One with new_range begins a new range of limits.

CREATE TABLE annotation (
  annotation_id INTEGER PRIMARY KEY AUTOINCREMENT,  -- no number comes again: the history names annotations by it
  on_day TEXT NOT NULL,                  -- a local date
  site_id TEXT NOT NULL,                 -- '' here and below: all
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  text TEXT NOT NULL,
  new_range INTEGER NOT NULL CHECK (new_range IN (0, 1)),
  set_at_ms INTEGER NOT NULL,
  set_by TEXT NOT NULL,                  -- a user of the operating system
  UNIQUE (on_day, site_id, console_id, checkout_point_id, seller_id, question_id, text)
) STRICT;
