/* SPDX-License-Identifier: MIT */
/*
 * advice: what a whole configuration still lacks, beyond what each key says:
 * places left to fill in, routes nobody can reach, programs that are not there.
 */
#ifndef APP_ADVICE_H
#define APP_ADVICE_H

#include "app/configuration.h"

/* What `init` prints where only a person knows the value. */
#define ADVICE_FILL_IN "FILL_IN"

/* Adds errors for what was left to fill in, warnings for what will not work. */
void advice_give(struct configuration *configuration);

#endif
