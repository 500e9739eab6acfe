/* SPDX-License-Identifier: MIT */
/*
 * exit_code: how the program ends, in the words of sysexits.h where others act
 * upon the number; longstop(1) lists them.
 */
#ifndef APP_EXIT_CODE_H
#define APP_EXIT_CODE_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNAVAILABLE = 69, /* the agent is not running */
    EXIT_STORE = 74,       /* input or output error of the store */
    EXIT_LATER = 75,       /* try again later */
    EXIT_DENIED = 77,
    EXIT_CONFIG = 78
};

#endif
