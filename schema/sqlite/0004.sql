-- SPDX-License-Identifier: MIT

-- The lane that a dead letter had, so that it comes back into it, and whether
-- it holds that lane: nothing of it is tried until the letter has gone. Of one
-- lane at most one delivery is due or leased; the others are parked.
ALTER TABLE dead ADD COLUMN lane INTEGER;
ALTER TABLE dead ADD COLUMN holds INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dead_holds ON dead(handler, lane) WHERE holds=1;
