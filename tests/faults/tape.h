/* SPDX-License-Identifier: MIT */
/*
 * tape: a SQLite VFS over the default one that notes each change of a file, and
 * what a disk may show of them after a power loss.
 *
 * A disk owes what was synced, and nothing else. Of what was written since, any
 * sectors may be there and any may not, in whatever order they were written; a
 * sector may be torn; a length may be the old or the new one. A name that was
 * made or taken away since its folder was synced is there or not.
 */
#ifndef FAULTS_TAPE_H
#define FAULTS_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the recorder the default of all connections opened from now on. */
bool tape_install(void);

/* Starts anew: what lies in `folder` now is on the disk, and all that is done
 * to files there from now on is noted. */
void tape_begin(const char *folder);
/* Notes nothing more. */
void tape_end(void);

/* Changes noted so far. */
size_t tape_length(void);

/* What the disk made of that which was not synced. */
enum tape_loss {
    TAPE_NONE_KEPT, /* all of it is gone */
    TAPE_ALL_KEPT,  /* all of it is there, as after the end of a process */
    TAPE_SOME_KEPT  /* by seed: sectors, torn ones, lengths, names */
};

/* Writes into `folder`, which is emptied before, what a disk shows whose power
 * went behind the first `length` changes. False for a length that is shorter
 * than the last one, or longer than the tape. */
bool tape_replay(const char *folder, size_t length, enum tape_loss loss,
                 uint64_t seed);

/* For tests of the tests: the disk says that it synced and did not. */
void tape_syncs_are_lies(bool lies);

/* Takes away all files of a folder. */
void tape_wipe(const char *folder);

#endif
