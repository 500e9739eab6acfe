/* SPDX-License-Identifier: MIT */
/*
 * file: the store's file as anybody can read it, told to the oracle and to the
 * books.
 */
#ifndef SIM_FILE_H
#define SIM_FILE_H

#include <stdbool.h>

/* Reads the store in `folder`: what a process that died left there. */
void file_reload(const char *folder);

/* Whether anything is still owed. */
bool file_owes(const char *folder);

/* Takes what is dead for done. */
void file_dead(const char *folder);

#endif
