/* SPDX-License-Identifier: MIT */
/*
 * registration: what has to be asked of a provider, one request after the
 * other, so that it sends its webhooks here; and what has to be kept before
 * and after each, so that a crash in between leaves nothing that the next try
 * does not put right. Pure: time and chance are arguments.
 *
 * The rules: a hook is looked for by its URL before one is made. A secret that
 * we make up is kept before it is sent. A hook whose secret only its own
 * creation has shown, and was lost, is deleted and made anew. Nothing is
 * changed at the provider but by REGISTRATION_MAKE, _REMOVE and _RENEW.
 */
#ifndef MODEL_REGISTRATION_H
#define MODEL_REGISTRATION_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/request.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names under which io/kept keeps what belongs to a registration. */
#define REGISTRATION_SECRET "webhook_secret"
#define REGISTRATION_NOTE   "registration"

enum registration_act {
    REGISTRATION_MAKE,   /* there is a hook, and it is as it should be */
    REGISTRATION_REMOVE, /* there is none */
    REGISTRATION_RENEW,  /* those there are go on */
    REGISTRATION_LOOK    /* only say how it stands */
};

enum { REGISTRATION_CHANCE_BYTES = 80 };

/* All of it is borrowed for as long as the registration lives. */
struct registration_plan {
    const struct connector *connector;
    enum registration_act act;
    const struct slice *events; /* what to be told of, unless the note has it */
    size_t event_count;
    bool events_are_said; /* on the command line: they go into the note */
    bool is_dry;          /* nothing is sent: what would be asked first */
    struct slice note;    /* as kept, or empty */
    int64_t now_ms;
    unsigned char chance[REGISTRATION_CHANCE_BYTES]; /* random bytes */
};

/* A hook of the provider's that leads here. */
struct registration_hook {
    struct slice id;    /* empty where the provider has none */
    struct slice event; /* with `per_event`; else empty */
    bool is_right;
    struct slice differs; /* words: what is not as it should be */
};

/* What to do next. */
struct registration_step {
    enum {
        REGISTRATION_ASK,    /* send `request`, give the answer back */
        REGISTRATION_KEEP,   /* keep `text` under `name`, durably */
        REGISTRATION_FORGET, /* take `name` away */
        REGISTRATION_END
    } what;
    const char *purpose; /* of a request: "list", "create", … */
    struct rendered_request request;
    struct slice name;
    struct slice text;
};

/* How it ended. */
struct registration_outcome {
    const struct registration_hook *hooks; /* as they were found */
    size_t hook_count;
    bool is_known; /* the hooks; a provider need not show them */
    size_t created, updated, deleted, renewed;
    bool has_new_secret; /* of which a running agent knows nothing */
    bool secret_is_moot; /* but the configuration gives another */
    struct slice words;  /* where people find the secret, or empty */
};

struct registration;

/*
 * Begins. STATUS_INVALID, with words, when it cannot be done at all: no
 * request for it, no public URL or one that the provider does not deliver to,
 * parameters or events missing. What it makes lives in `arena`.
 */
NODISCARD
enum status registration_begin(const struct registration_plan *plan,
                               struct arena *arena, struct registration **ret,
                               struct error *err);

/* Says what is next; a step to keep or forget counts as done when this is
 * called again. A failure, with words, ends it: what was kept stays. */
NODISCARD
enum status registration_next(struct registration *registration,
                              struct registration_step *ret_step,
                              struct error *err);

struct registration_reply {
    unsigned http_status;
    struct http_fields fields;
    struct slice body;
};

/* Takes the answer to the last request. STATUS_PROTOCOL, STATUS_DENIED (401,
 * 403), STATUS_BUSY (429, 503) and others end it, with the provider's words. */
NODISCARD
enum status registration_answer(struct registration *registration,
                                const struct registration_reply *reply,
                                struct error *err);

struct registration_outcome
registration_outcome(const struct registration *registration);

/* ---- what is kept of one ---- */

/* What the note says; nothing of it means that `subscribe` never ran. */
struct registration_note {
    bool is_there;
    bool is_pending; /* a hook is about to be made, or */
    bool is_leaving; /* to be taken away; the provider may ask about that */
    int64_t at_ms;   /* since when; else when it was made or renewed */
    struct slice url;
    struct slice hooks; /* JSON array of {id, event} */
    struct slice
        events; /* JSON array of what the command line said; or empty */
};

/* Reads a note; one that is none says nothing. Borrows from `text`, copies into
 * `arena`. STATUS_NOMEM only. */
NODISCARD
enum status registration_note_read(struct slice text, struct arena *arena,
                                   struct registration_note *ret);

/* When the hook has to be renewed; INSTANT_MAX_MS-like INT64_MAX: never. */
int64_t registration_renew_at_ms(const struct connector *connector,
                                 const struct registration_note *note);

#endif
