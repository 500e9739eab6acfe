/* SPDX-License-Identifier: MIT */
#include "store/store_migrate.h"

static enum status
apply_all(const struct store_migrate_target *target, int have,
          const struct store_migration *migrations, size_t count,
          struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (migrations[i].version <= have) {
            continue;
        }
        enum status status = target->exec(target->arg, migrations[i].sql, err);
        if (status != STATUS_OK) {
            return error_wrap(err, status, "migration %d",
                              migrations[i].version);
        }
    }
    return target->set_version(target->arg, migrations[count - 1].version, err);
}

enum status
store_migrate_run(const struct store_migrate_target *target, int have,
                  const struct store_migration *migrations, size_t count,
                  struct error *err)
{
    int newest = count == 0 ? 0 : migrations[count - 1].version;
    if (have > newest) {
        return error_set(err, STATUS_CONFIG,
                         "it was written by a newer longstop (schema %d, this "
                         "one knows up to %d): run that version, or restore a "
                         "backup from before it",
                         have, newest);
    }
    if (have == newest) {
        return STATUS_OK;
    }
    if (target->is_open) {
        return apply_all(target, have, migrations, count, err);
    }
    enum status status = target->exec(target->arg, "BEGIN IMMEDIATE", err);
    if (status != STATUS_OK) {
        return status;
    }
    status = apply_all(target, have, migrations, count, err);
    if (status == STATUS_OK) {
        status = target->exec(target->arg, "COMMIT", err);
    }
    if (status != STATUS_OK) {
        /* The first failure is the one to tell; there may be nothing open. */
        (void)target->exec(target->arg, "ROLLBACK", NULL);
    }
    return status;
}
