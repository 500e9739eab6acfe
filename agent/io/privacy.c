/* SPDX-License-Identifier: MIT */
#include "io/privacy.h"

#include <sys/prctl.h>

void
privacy_begin(void)
{
    /* It cannot fail: the argument is one of the two there are. */
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}
