-- Results that are committed together lie together: a thousand a second touch some sixty rows and
-- not a thousand. A row holds one result (series and due_at say whose), or all those of one part of
-- the series in one commit (then series and due_at are null, and its body is a list of them).
CREATE TABLE results_together (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  window_at INTEGER NOT NULL,
  part INTEGER NOT NULL,
  series INTEGER,
  due_at INTEGER,
  body BLOB NOT NULL
);
INSERT INTO results_together (window_at, part, series, due_at, body)
  SELECT window_at, series % 64, series, due_at, body FROM results
  ORDER BY window_at, series, due_at;
DROP TABLE results;
ALTER TABLE results_together RENAME TO results;
CREATE INDEX results_window ON results (window_at, part);
