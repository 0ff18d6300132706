-- Checkout points that people or tills have named, so that a mistyped one can be told from a new one.

CREATE TABLE checkout_point (
  site_id TEXT NOT NULL REFERENCES site,
  checkout_point_id TEXT NOT NULL,
  PRIMARY KEY (site_id, checkout_point_id)
) STRICT, WITHOUT ROWID;
INSERT INTO checkout_point SELECT DISTINCT site_id, checkout_point_id FROM placement JOIN console USING (console_key);
INSERT OR IGNORE INTO checkout_point
  SELECT DISTINCT site_id, checkout_point_id FROM counts WHERE checkout_point_id IS NOT NULL;

-- A retired console is expected to say nothing any more; null: it is in service.
ALTER TABLE console ADD COLUMN retired_at_ms INTEGER;
