-- By which a write-ahead log is known to belong to this file: each transaction that changes anything names itself here,
-- and the one before it. The names lie at the end of the table's only page, where write_ahead_log.py reads them.

CREATE TABLE last_commit (             -- one row
  previous BLOB NOT NULL,
  current BLOB NOT NULL
) STRICT;
INSERT INTO last_commit VALUES (zeroblob(16), randomblob(16));
