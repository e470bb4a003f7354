-- Instants are integer microseconds UTC. Bodies, labels and data are JSON text.

CREATE TABLE streams (
  name TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  hash TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE facts (
  stream TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  type TEXT NOT NULL,
  v INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  data TEXT NOT NULL,
  text TEXT,
  salt BLOB,
  text_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (stream, version)
) WITHOUT ROWID;

-- free_at is when the row may be taken: its due time, or a later end of its lease.
CREATE TABLE work (
  key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  due_at INTEGER,
  free_at INTEGER,
  attempt INTEGER NOT NULL,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  lease_until_at INTEGER,
  incidents TEXT NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX work_free ON work (kind, free_at, key) WHERE free_at IS NOT NULL;

CREATE TABLE work_incidents (
  incident TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (incident, key)
) WITHOUT ROWID;
CREATE INDEX work_incidents_key ON work_incidents (key);

CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  place INTEGER NOT NULL,
  kind TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX inbox_order ON inbox (place, received_at, seq);

CREATE TABLE alerts (
  fingerprint TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  labels TEXT NOT NULL,
  severity INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ends_at INTEGER,
  incident TEXT NOT NULL,
  muted_by TEXT NOT NULL,
  probe TEXT NOT NULL,
  reason TEXT NOT NULL,
  summary TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE incidents (
  incident TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  severity INTEGER NOT NULL,
  title TEXT NOT NULL,
  labels TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  resolved_at INTEGER,
  holder TEXT NOT NULL,
  version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_opened ON incidents (opened_at, incident);
CREATE INDEX incidents_status ON incidents (status, opened_at, incident);

CREATE TABLE probe_states (
  probe TEXT NOT NULL,
  location TEXT NOT NULL,
  slot_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  kept_at INTEGER,
  PRIMARY KEY (probe, location)
) WITHOUT ROWID;

-- Apart from the states, so that a state written every second does not rewrite 64 KiB.
CREATE TABLE probe_kept (
  probe TEXT NOT NULL,
  location TEXT NOT NULL,
  kept_at INTEGER NOT NULL,
  kept BLOB NOT NULL,
  PRIMARY KEY (probe, location)
) WITHOUT ROWID;

CREATE TABLE documents (
  digest TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE activations (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  digest TEXT,
  PRIMARY KEY (kind, id, at)
) WITHOUT ROWID;

CREATE TABLE evidence (
  digest TEXT PRIMARY KEY,
  kept_at INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX evidence_kept ON evidence (kept_at);

-- Evidence that a fact names is kept as long as the fact: for ever.
CREATE TABLE evidence_pins (
  digest TEXT PRIMARY KEY
) WITHOUT ROWID;

-- A probe at a location; the id is a hash of both.
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  probe TEXT NOT NULL,
  location TEXT NOT NULL
);
CREATE INDEX series_probe ON series (probe);

-- What results repeat: expectations' sources, names of phases and samples; the id is a hash.
CREATE TABLE shapes (
  id INTEGER PRIMARY KEY,
  body TEXT NOT NULL
);

-- window_at is due_at rounded down to 10 s: one second's results land on few pages, and one
-- probe's results are found by a seek per window.
CREATE TABLE results (
  window_at INTEGER NOT NULL,
  series INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (window_at, series, due_at)
) WITHOUT ROWID;

CREATE TABLE rollups (
  series INTEGER NOT NULL,
  bucket_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (series, bucket_at)
) WITHOUT ROWID;

-- Buckets with results not yet rolled up; stamp grows with each batch that adds to one.
CREATE TABLE rollup_due (
  bucket_at INTEGER PRIMARY KEY,
  stamp INTEGER NOT NULL
);

-- results_from: results due before it have been pruned, and late ones are dropped.
CREATE TABLE marks (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
