/* SPDX-License-Identifier: MIT */
#include "app/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void
take_note(int number)
{
    (void)number;
    seen = 1;
}

void
interrupt_begin(void)
{
    /* The second has its default again, which ends the process. */
    const struct sigaction action = { .sa_handler = take_note,
                                      .sa_flags = (int)SA_RESETHAND };
    (void)sigaction(SIGINT, &action, NULL);
}

bool
interrupt_seen(void)
{
    return seen != 0;
}
