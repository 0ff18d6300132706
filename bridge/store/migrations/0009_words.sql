-- What is proved of consoles' words about themselves (`health`, `status` and `reply`), and which consoles are gone.

CREATE TABLE word_mac (                 -- how many words of a console came with which MAC; none before its first one
  console_key INTEGER NOT NULL REFERENCES console,
  mac INTEGER NOT NULL,                 -- as in `console_mac`, and 4: right, but not above what was proved before
  words INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  PRIMARY KEY (console_key, mac)
) STRICT, WITHOUT ROWID;

CREATE TABLE proved_word (              -- the last word proved in each epoch: what is not above it proves nothing
  console_key INTEGER NOT NULL REFERENCES console,
  epoch TEXT NOT NULL,
  boot INTEGER NOT NULL,
  up_ms INTEGER NOT NULL,
  proved_at_ms INTEGER NOT NULL,
  PRIMARY KEY (console_key, epoch)
) STRICT, WITHOUT ROWID;

-- 1: it has proved a word since it last proved that it has started, so that its firmware signs them.
ALTER TABLE console ADD COLUMN proves_words INTEGER NOT NULL DEFAULT 0;

-- The last settings revision that was too far above those sent to be counted on from.
ALTER TABLE console ADD COLUMN ignored_revision INTEGER;
ALTER TABLE console ADD COLUMN ignored_revision_at_ms INTEGER;
UPDATE console SET settings_revision_reported = (SELECT coalesce(max(revision), 0) FROM settings_sent
    WHERE settings_sent.site_id = console.site_id AND settings_sent.console_id = console.console_id)
  WHERE settings_revision_reported - 1000 > (SELECT coalesce(max(revision), 0) FROM settings_sent
    WHERE settings_sent.site_id = console.site_id AND settings_sent.console_id = console.console_id);

-- 1: the console's key has proved that it fell back to its old version.
ALTER TABLE update_order ADD COLUMN return_is_proved INTEGER NOT NULL DEFAULT 0;

CREATE TABLE gone_console (             -- revoked, retired or removed: the broker is to retain nothing of it
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  is_cleared INTEGER NOT NULL DEFAULT 0,  -- 1: its retained messages were cleared since
  PRIMARY KEY (site_id, console_id)
) STRICT, WITHOUT ROWID;
