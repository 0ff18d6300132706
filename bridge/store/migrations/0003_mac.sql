-- Whether what consoles sent is proved to come from who knows their keys.
--
-- `mac` of an event, from the batch that it came in first (or from a later one that said the same, if that one's held):
--   null  none was sent
--   1     held
--   0     did not hold
--   2     there was no key to check it by
--   3     none was sent, though the console had signed before

ALTER TABLE event ADD COLUMN mac INTEGER;   -- a byte or two a row
ALTER TABLE reject ADD COLUMN mac INTEGER;  -- … kept for `trivox rebuild`
CREATE INDEX event_unproved ON event (epoch_key, seq) WHERE mac IN (0, 3);

CREATE TABLE console_mac (              -- how many events of a console came how; none of those before its first mac
  console_key INTEGER NOT NULL REFERENCES console,
  mac INTEGER NOT NULL,
  events INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  PRIMARY KEY (console_key, mac)
) STRICT, WITHOUT ROWID;
