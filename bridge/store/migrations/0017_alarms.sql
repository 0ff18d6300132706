-- Operational alarms: what rang, what people did about it, who is told, and whether they were. None of it names a seller.

CREATE TABLE alarm (                    -- nothing is ever deleted here
  alarm_id INTEGER PRIMARY KEY,
  answer TEXT NOT NULL CHECK (answer IN ('no', 'yes')),   -- that came so often: yes is good news
  site_id TEXT NOT NULL REFERENCES site,
  checkout_point_id TEXT,               -- null: the site as a whole
  question_id TEXT NOT NULL,
  question_revision INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'closed')),
  raised_at_ms INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,             -- the quarter of an hour, as it was when the alarm was raised
  to_ms INTEGER NOT NULL,
  answers INTEGER NOT NULL,             -- that came in it
  counted INTEGER NOT NULL,             -- … of which so many were `answer`
  usual_answers INTEGER NOT NULL,       -- the base: answers of the last 8 weeks
  usual_counted INTEGER NOT NULL,
  usual_of TEXT NOT NULL CHECK (usual_of IN ('hour', 'site_hour', 'all_hours')),   -- what the base was counted of
  chance REAL NOT NULL,                 -- of so many or more, in one such quarter of an hour
  met_at_ms INTEGER NOT NULL,           -- when the rule was last met
  closed_at_ms INTEGER,
  closed_because TEXT CHECK (closed_because IN ('recovered', 'quiet', 'by_hand'))
) STRICT;
CREATE UNIQUE INDEX alarm_not_closed
  ON alarm (site_id, ifnull(checkout_point_id, ''), question_id, question_revision, answer) WHERE state <> 'closed';
CREATE INDEX alarm_raised ON alarm (raised_at_ms);
CREATE INDEX alarm_closed ON alarm (site_id, closed_at_ms) WHERE state = 'closed';

CREATE TABLE alarm_note (               -- what people did and said, in order
  alarm_note_key INTEGER PRIMARY KEY,
  alarm_id INTEGER NOT NULL REFERENCES alarm,
  noted_at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('acknowledged', 'closed', 'commented')),
  comment TEXT
) STRICT;
CREATE INDEX alarm_note_of ON alarm_note (alarm_id);

CREATE TABLE alarm_recipient (          -- who is told; logins are in files that only their owner may read, never here
  recipient_id TEXT PRIMARY KEY,
  site_id TEXT NOT NULL,                -- '': of alarms at all sites
  way TEXT NOT NULL CHECK (way IN ('mail', 'webhook', 'ntfy', 'apprise')),
  address TEXT NOT NULL,
  server TEXT NOT NULL,                 -- of mail
  sender TEXT NOT NULL,                 -- of mail
  login_file TEXT NOT NULL,
  link TEXT NOT NULL                    -- where more is to be seen
) STRICT, WITHOUT ROWID;

CREATE TABLE alarm_delivery (           -- one for each alarm and recipient
  alarm_id INTEGER NOT NULL REFERENCES alarm,
  recipient_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,           -- of the next attempt
  changed_at_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,                 -- why the last attempt failed; empty if it did not, or there was none
  PRIMARY KEY (alarm_id, recipient_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_delivery_waiting ON alarm_delivery (due_at_ms) WHERE state = 'waiting';
