-- Which firmware version each console was last ordered to install, and how far the update is.

CREATE TABLE update_order (
  console_key INTEGER PRIMARY KEY REFERENCES console,
  order_id TEXT NOT NULL UNIQUE,         -- named in everything that console and bridge say about it
  version TEXT NOT NULL,
  state TEXT NOT NULL,                   -- waiting, fetching, trial, done, failed, returned, stopped
  reason TEXT NOT NULL,                  -- why it failed, returned or stopped; else empty
  fetched INTEGER NOT NULL,              -- how far into the bundle the console has asked
  size INTEGER NOT NULL,                 -- the bundle's
  older INTEGER NOT NULL,                -- 1: also where a newer version runs
  ordered_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL         -- when the console was last offered it or answered; 0: not since it came
) STRICT;
