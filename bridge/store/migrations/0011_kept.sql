-- How much is kept of what consoles and sources send beyond valid events and counts: rejected events, conflicts, and
-- fields that this version does not know.

CREATE TABLE kept (
  topic TEXT NOT NULL,
  kind TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  beyond INTEGER NOT NULL,               -- how many were not kept, as there was no room left for them
  PRIMARY KEY (topic, kind)
) STRICT, WITHOUT ROWID;
