export const schema = `
  CREATE TABLE IF NOT EXISTS airport (
    iata TEXT PRIMARY KEY,
    city TEXT NOT NULL,
    state TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS flight (
    id INTEGER PRIMARY KEY, -- place in the file, so that an import can be repeated
    departure TEXT NOT NULL, -- local, as '2001-01-13 14:56'
    origin TEXT NOT NULL REFERENCES airport,
    destination TEXT NOT NULL REFERENCES airport,
    miles INTEGER NOT NULL,
    delay INTEGER NOT NULL -- minutes late on arrival, negative when early
  );
  CREATE TABLE IF NOT EXISTS saved (
    id INTEGER PRIMARY KEY,
    flight INTEGER NOT NULL UNIQUE REFERENCES flight
  );`;
