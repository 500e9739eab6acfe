/* SPDX-License-Identifier: MIT */
/*
 * doctor: looks over a whole installation, with or without a running agent:
 * each check says what it found, how bad that is, and what to do about it.
 *
 * It changes nothing, and nothing that it says holds a secret.
 */
#ifndef APP_DOCTOR_H
#define APP_DOCTOR_H

#include "app/configuration.h"
#include "model/checkup.h"
#include "store/store_view.h"

#include <stdbool.h>

struct doctor_finding {
    const char *check;  /* its name */
    struct slice about; /* a connector, an origin, a file; empty: all */
    enum checkup_grade grade;
    struct slice words;
    struct slice fix; /* empty where nothing is to be done */
    struct doctor_finding *next;
};

struct doctor {
    struct configuration configuration;
    bool is_configured; /* it was read without a mistake */
    bool has_offline;   /* providers are not asked */
    struct buf status;  /* of the running agent, checked JSON; empty: none */
    struct store_view *view; /* NULL: it cannot be read */
    struct doctor_finding *first, **last;
    size_t counts[CHECKUP_FAIL + 1]; /* by grade */
    struct arena arena;              /* of the findings */
    const char *check;               /* the one that is under way */
    bool failed_memory;
};

/* Looks at everything, with the configuration at `path` (NULL: the usual
 * places). End with doctor_fini. STATUS_NOMEM only: a findings' list that is
 * not whole must not be shown. */
NODISCARD
enum status doctor_look(const char *path, bool offline, struct doctor *ret);
void doctor_fini(struct doctor *doctor);

/* Appends what was found, for people or as JSON. */
void doctor_text(const struct doctor *doctor, struct buf *into);
NODISCARD
enum status doctor_json(const struct doctor *doctor, struct buf *into);

/* ---- for the checks ---- */

/* Adds a finding; `fix` may be NULL. */
void doctor_say(struct doctor *doctor, enum checkup_grade grade,
                struct slice about, const char *fix, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* The checks; each is called once, in the order of doctor.c's table. */
void doctor_modes(struct doctor *doctor);
void doctor_room(struct doctor *doctor);
void doctor_agent(struct doctor *doctor);
void doctor_store(struct doctor *doctor);
void doctor_hooks(struct doctor *doctor);
void doctor_gaps(struct doctor *doctor);
void doctor_providers(struct doctor *doctor);
void doctor_unit(struct doctor *doctor);

#endif
