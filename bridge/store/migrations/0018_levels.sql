-- Rollups of fewer rows, so that a report over a year reads few: by the month, and by site. Each counts as `rollup_day`.

CREATE TABLE rollup_month (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (month, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_month_change (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
  console_id TEXT NOT NULL,
  checkout_point_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (month, site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_day (
  day TEXT NOT NULL,
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (day, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_day_change (
  day TEXT NOT NULL,
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (day, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_month (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (month, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_site_month_change (
  month TEXT NOT NULL,
  site_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  affected INTEGER NOT NULL,
  yes INTEGER NOT NULL,
  no INTEGER NOT NULL,
  cant_say INTEGER NOT NULL,
  silent INTEGER NOT NULL,
  error INTEGER NOT NULL,
  force_majeures INTEGER NOT NULL,
  asked INTEGER NOT NULL,
  ask_every_unknown INTEGER NOT NULL,
  PRIMARY KEY (month, site_id, seller_id, question_id, question_revision, affected)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_month SELECT substr(day, 1, 7), site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
INSERT INTO rollup_site_day SELECT day, site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_site_month SELECT substr(day, 1, 7), site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_site_day GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_month_change SELECT substr(day, 1, 7), site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day_change GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
INSERT INTO rollup_site_day_change SELECT day, site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_day_change GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO rollup_site_month_change SELECT substr(day, 1, 7), site_id, seller_id, question_id, question_revision, affected,
    sum(yes), sum(no), sum(cant_say), sum(silent), sum(error), sum(force_majeures), sum(asked), sum(ask_every_unknown)
  FROM rollup_site_day_change GROUP BY 1, 2, 3, 4, 5, 6;
