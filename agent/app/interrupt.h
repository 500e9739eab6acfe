/* SPDX-License-Identifier: MIT */
/*
 * interrupt: Ctrl-C in commands that wait for the agent: the first lets them
 * say how it goes on, the second ends them at once, whatever they wait for.
 */
#ifndef APP_INTERRUPT_H
#define APP_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT is taken note of, once. */
void interrupt_begin(void);

bool interrupt_seen(void);

#endif
