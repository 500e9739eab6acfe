/* SPDX-License-Identifier: MIT */
#include "app/store_moving.h"

#include <stdio.h>

#include "app/interrupt.h"
#include "app/load.h"
#include "app/progress.h"
#include "app/told.h"
#include "store/store_copy.h"
#include "wire/json_tree.h"

static void
tell_progress(void *arg, const char *table, int64_t rows)
{
    progress_tell(arg, 0, 0, rows, table);
}

static bool
should_stop(void *arg)
{
    (void)arg;
    return interrupt_seen();
}

static enum status
open_both(const char *from_url, const char *into_url, struct store **ret_from,
          struct store **ret_into, struct error *err)
{
    const struct store_settings settings = { .is_copy = true };
    enum status status = store_open(from_url, &settings, ret_from, err);
    if (status != STATUS_OK) {
        (void)error_wrap(err, status, "from");
        return status;
    }
    status = store_open(into_url, &settings, ret_into, err);
    if (status != STATUS_OK) {
        (*ret_from)->ops->close(*ret_from);
        (void)error_wrap(err, status, "into");
    }
    return status;
}

static enum status
copy_all(const char *from_url, const char *into_url, struct store_copy *copy,
         struct error *err)
{
    struct store *from = NULL;
    struct store *into = NULL;
    enum status status = open_both(from_url, into_url, &from, &into, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_copy(from, into, copy, err);
    into->ops->close(into);
    from->ops->close(from);
    return status;
}

static enum status
print_json(const struct store_copy *copy, struct buf *into)
{
    struct json_tree *tree;
    enum status status = json_tree_create(&tree);
    if (status != STATUS_OK) {
        return status;
    }
    struct json_node *root = json_tree_root(tree);
    json_add_text(tree, root, "done", slice_of("copy"));
    struct json_node *tables = json_add_array(tree, root, "tables");
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        const struct store_copy_table *table = &copy->tables[i];
        struct json_node *one = json_add_object(tree, tables, NULL);
        char sum[17];
        (void)snprintf(sum, sizeof(sum), "%016llx",
                       (unsigned long long)table->sum);
        json_add_text(tree, one, "table", slice_of(table->name));
        json_add_i64(tree, one, "rows", table->rows);
        json_add_text(tree, one, "sum", slice_of(sum));
    }
    status = json_tree_print(tree, false, into);
    buf_byte(into, '\n');
    json_tree_destroy(tree);
    return status;
}

static void
print_text(const struct store_copy *copy, struct buf *into)
{
    buf_text(into, "copied, and read again from both: all rows are the same\n"
                   "TABLE            ROWS  SUM\n");
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        const struct store_copy_table *table = &copy->tables[i];
        buf_format(into, "%-10s %10lld  %016llx\n", table->name,
                   (long long)table->rows, (unsigned long long)table->sum);
    }
}

enum exit_code
store_moving(const char *from, const char *into, bool json)
{
    struct error err = { 0 };
    struct buf text = { 0 };
    struct progress progress = { 0 };
    struct store_copy copy = { .progress = tell_progress,
                               .should_stop = should_stop,
                               .arg = &progress };
    interrupt_begin();
    progress_begin(&progress);
    enum status status = copy_all(from, into, &copy, &err);
    progress_end(&progress);
    if (status == STATUS_OK && json) {
        status = print_json(&copy, &text);
    } else if (status == STATUS_OK) {
        print_text(&copy, &text);
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        (void)fwrite(text.ptr, 1, text.len, stdout);
    } else {
        (void)fprintf(stderr, "longstop store copy: %s\n",
                      error_text(&err, status));
    }
    buf_fini(&text);
    return load_exit_code(status);
}
