-- Whether what consoles sent is proved to come from the holder of their keys.
--
-- `mac` of an event: the result for the batch in which it came first, or for a later one if that one's MAC was right:
--   null  no MAC was sent
--   1     right
--   0     wrong
--   2     there was no key to check it with
--   3     no MAC was sent, although the console had signed before

ALTER TABLE event ADD COLUMN mac INTEGER;
ALTER TABLE reject ADD COLUMN mac INTEGER;  -- for `trivox rebuild`
CREATE INDEX event_unproved ON event (epoch_key, seq) WHERE mac IN (0, 3);

CREATE TABLE console_mac (              -- how many events of a console came how; none of those before its first mac
  console_key INTEGER NOT NULL REFERENCES console,
  mac INTEGER NOT NULL,
  events INTEGER NOT NULL,
  last_at_ms INTEGER NOT NULL,
  PRIMARY KEY (console_key, mac)
) STRICT, WITHOUT ROWID;
