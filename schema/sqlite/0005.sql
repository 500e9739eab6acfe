-- SPDX-License-Identifier: MIT

-- The name of a receiver goes with it, and its number is never given again: what
-- is left of its attempts is nobody else's.
CREATE TABLE name_kept(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,              -- 1 connector, 2 handler
    name TEXT NOT NULL,
    UNIQUE(kind, name)
) STRICT;
INSERT INTO name_kept(id,kind,name) SELECT id,kind,name FROM name;
DROP TABLE name;
ALTER TABLE name_kept RENAME TO name;

-- Of those that went before: no handler of a configuration is called so.
DELETE FROM name WHERE kind=2 AND length(name)=28
    AND name GLOB 'rcv_[0-9a-f]*' AND NOT name GLOB 'rcv_*[^0-9a-f]*'
    AND NOT EXISTS(SELECT 1 FROM receiver WHERE handler=name.id)
    AND NOT EXISTS(SELECT 1 FROM delivery WHERE handler=name.id)
    AND NOT EXISTS(SELECT 1 FROM dead WHERE handler=name.id);
