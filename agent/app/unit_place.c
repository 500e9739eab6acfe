/* SPDX-License-Identifier: MIT */
#include "app/unit_place.h"

#include "io/fs.h"

static bool
is_installed(void)
{
    static const char *const units[] = {
        "/etc/systemd/system/longstop.service",
        "/lib/systemd/system/longstop.service",
        "/usr/local/lib/systemd/system/longstop.service",
    };
    bool found = false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        found = found || fs_exists(units[i]);
    }
    return found;
}

bool
unit_place_is(struct slice folder)
{
    bool is_units = slice_equal_text(folder, UNIT_PLACE_STATE) ||
                    slice_equal_text(folder, UNIT_PLACE_RUNTIME);
    return fs_exists(folder.ptr) || (is_units && is_installed());
}
