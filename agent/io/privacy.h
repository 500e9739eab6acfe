/* SPDX-License-Identifier: MIT */
/*
 * privacy: keeps what the process has in memory from others.
 */
#ifndef IO_PRIVACY_H
#define IO_PRIVACY_H

/* No image of the memory, which holds secrets, is left by a crash, whatever
 * core_pattern and limits say, and none of this user's other processes may
 * trace us (prctl(2), PR_SET_DUMPABLE). Programs that are started are not held
 * to it. */
void privacy_begin(void);

#endif
