-- Which boards used a console's id. Two that do so in turn, again and again, were given one id by mistake.

CREATE TABLE board (
  console_key INTEGER NOT NULL REFERENCES console,
  hardware_id TEXT NOT NULL,
  last_heard_at_ms INTEGER NOT NULL,     -- by its health messages
  turns INTEGER NOT NULL,                -- how often it followed another board, or was the first
  PRIMARY KEY (console_key, hardware_id)
) STRICT, WITHOUT ROWID;
