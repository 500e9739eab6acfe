/* SPDX-License-Identifier: MIT */
/*
 * registration_private: what the files of registration share: one registration
 * on its way, and the acts that it consists of.
 */
#ifndef MODEL_REGISTRATION_PRIVATE_H
#define MODEL_REGISTRATION_PRIVATE_H

#include "model/registration.h"

/* One thing to do; what follows from the list's answer is a row of them. */
struct registration_action {
    enum registration_action_kind {
        ACTION_LIST,
        ACTION_KEEP_OURS, /* the secret that we made up */
        ACTION_NOTE_PENDING,
        ACTION_DELETE,
        ACTION_CREATE,
        ACTION_UPDATE,
        ACTION_ASK_SECRET,
        ACTION_KEEP_ANSWERED, /* the secret that an answer had */
        ACTION_KEEP_ID,       /* as a parameter */
        ACTION_RENEW,
        ACTION_NOTE_DONE,
        ACTION_FORGET_SECRET,
        ACTION_FORGET_ID,
        ACTION_FORGET_NOTE,
        ACTION_NOTE_LEAVING, /* the provider asks whether we mean it, */
        ACTION_NOTE_LEFT     /* and may do so later */
    } kind;
    struct slice id;   /* of the hook */
    size_t event;      /* with `per_event`: which one, */
    struct slice only; /* or, of a hook that is there, its own */
};

struct registration {
    const struct registration_plan *plan;
    const struct register_spec *spec;
    struct arena *arena;
    struct register_places places;
    const struct slice *events; /* what to be told of */
    size_t event_count;
    bool events_are_said;
    struct registration_note note;
    bool has_secret;       /* of this hook, given or kept */
    bool secret_is_given;  /* by the configuration */
    struct slice secret;   /* the first one there is, or the one made up */
    struct slice answered; /* the one that an answer had */
    struct registration_hook *hooks;
    size_t hook_count;
    struct registration_action *actions;
    size_t action_count;
    size_t at;              /* the action that is next */
    bool is_asked;          /* its request is out */
    struct slice asked_url; /* … to this */
    struct slice next_url;  /* the next page of the list; empty: none */
    unsigned pages;         /* of the list, so far */
    size_t listed;          /* rows of the last one */
    struct slice made_text; /* JSON of the hooks that there are now */
    struct slice last_id;   /* of the one made last */
    struct registration_outcome outcome;
};

/* Reads the list's answer, or the note, into hooks. */
NODISCARD
enum status registration_find_hooks(struct registration *r, struct slice body,
                                    struct error *err);

/* Says what follows from the hooks that were found: fills `actions`. */
NODISCARD
enum status registration_decide(struct registration *r, struct error *err);

/* Writes the note into the arena. */
enum registration_note_kind { NOTE_PENDING, NOTE_DONE, NOTE_LEAVING };
NODISCARD
enum status registration_note_text(const struct registration *r,
                                   enum registration_note_kind kind,
                                   struct slice *ret_text);

/* Says of the hook `id` that it is there now; `event` counts with `per_event`,
 * where it is known. */
NODISCARD
enum status registration_note_hook(struct registration *r, struct slice id,
                                   struct slice event);

#endif
