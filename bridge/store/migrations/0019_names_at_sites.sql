-- One seller_id may stand for two people at two sites: their names are kept by site, and by those that imports change.

CREATE TABLE seller_at_site (
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  seller_name TEXT NOT NULL,
  PRIMARY KEY (seller_id, site_id)
) STRICT, WITHOUT ROWID;
INSERT INTO seller_at_site SELECT DISTINCT site_id, seller_id, seller_name
  FROM shift JOIN console USING (console_key) JOIN seller USING (seller_id) WHERE seller_name <> seller_id;

CREATE TABLE seller_at_site_change (
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  seller_name TEXT NOT NULL,
  PRIMARY KEY (seller_id, site_id)
) STRICT, WITHOUT ROWID;
