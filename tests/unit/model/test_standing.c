/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/standing.h"

#define GRACE 100

static void
a_second_sighting_is_judged_by_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        struct standing_view view;
        enum standing standing;
    } rows[] = {
        { "a row follows its webhook in time",
          { CHANNEL_POLL, false, true, 0, GRACE, GRACE, COUNT_NONE },
          STANDING_CONFIRMED },
        { "a row follows its webhook too late to mean anything",
          { CHANNEL_POLL, false, true, 0, GRACE + 1, GRACE, COUNT_NONE },
          STANDING_SAME },
        { "a second tier shows what the first has shown",
          { CHANNEL_POLL, true, false, 0, 1, GRACE, COUNT_WAITS },
          STANDING_SAME },
        { "a relay hands on a webhook in time",
          { CHANNEL_STREAM, true, false, 0, 1, GRACE, COUNT_WAITS },
          STANDING_CONFIRMED },
        { "a relay hands on what was counted recovered",
          { CHANNEL_STREAM, true, false, 0, 1, GRACE, COUNT_RECOVERED },
          STANDING_LATE },
        { "a webhook follows what a stream brought",
          { CHANNEL_WEBHOOK, false, false, 0, 1, GRACE, COUNT_NONE },
          STANDING_SAME },
        { "a webhook follows its row before that is counted",
          { CHANNEL_WEBHOOK, true, false, 0, 9 * GRACE, GRACE, COUNT_WAITS },
          STANDING_CONFIRMED },
        { "a webhook of what was counted recovered",
          { CHANNEL_WEBHOOK, true, false, 0, 1, GRACE, COUNT_RECOVERED },
          STANDING_LATE },
        { "a webhook of what was there before anybody counted",
          { CHANNEL_WEBHOOK, true, false, 0, 1, GRACE, COUNT_BEFORE },
          STANDING_SAME },
        { "a webhook of what nobody counts, in time",
          { CHANNEL_WEBHOOK, true, false, 0, GRACE, GRACE, COUNT_NONE },
          STANDING_CONFIRMED },
        { "a webhook of what nobody counts, behind its time",
          { CHANNEL_WEBHOOK, true, false, 0, GRACE + 1, GRACE, COUNT_NONE },
          STANDING_SAME },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (standing_judge(&rows[i].view) != rows[i].standing) {
            fail_msg("%s", rows[i].says);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_sighting_is_judged_by_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
