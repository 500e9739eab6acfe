/* SPDX-License-Identifier: MIT */
/*
 * config_report: the mistakes of a configuration, all of them, each with its
 * place; printed as a compiler would, or as JSON.
 */
#ifndef CONFIG_CONFIG_REPORT_H
#define CONFIG_CONFIG_REPORT_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct config_source; /* one file: its name and text; see config_yaml.h */

/* A place in a file, both 1-based; source NULL means no file at all. */
struct config_mark {
    const struct config_source *source;
    unsigned line;
    unsigned column;
    unsigned width; /* of the offending word, for the caret; at least 1 */
};

enum config_severity { CONFIG_ERROR, CONFIG_WARNING, CONFIG_NOTE };

struct config_finding {
    enum config_severity severity;
    struct config_mark mark;
    struct slice message;
    struct config_finding *next;
};

/* A secret in a file's text: the place of its value. */
struct config_hidden {
    struct config_mark mark;
    struct config_hidden *next;
};

/* Findings in the order they were made; keeps at most 100. Start zeroed. */
struct config_report {
    struct arena arena;
    struct config_finding *first;
    struct config_finding **last; /* NULL while empty */
    struct config_hidden *hidden; /* what is never shown */
    size_t errors;
    size_t warnings;
    bool failed_memory;
};

void config_report_fini(struct config_report *report);

/* Adds a finding. */
void config_report_add(struct config_report *report,
                       enum config_severity severity, struct config_mark mark,
                       const char *format, ...) PRINTF_LIKE(4, 5);

/*
 * Shows asterisks for the text at `mark` in every line that is printed, now or
 * later. Values of keys that are called like a secret are hidden without being
 * asked, since the file may be broken before anybody knows what they are.
 */
void config_report_hide(struct config_report *report, struct config_mark mark);

/* Whether a key's name says that its value is a secret itself. */
bool config_report_sounds_secret(struct slice name);

/* STATUS_OK, STATUS_CONFIG when there is an error, STATUS_NOMEM. */
NODISCARD
enum status config_report_status(const struct config_report *report);

/*
 * Appends "file:line:column: error: words", the line itself and a caret for
 * each finding, then the totals.
 */
void config_report_text(const struct config_report *report, bool color,
                        struct buf *into);

/* Appends a JSON array of {file,line,column,severity,message}. */
void config_report_json(const struct config_report *report, struct buf *into);

#endif
