/* SPDX-License-Identifier: MIT */
/* Which hooks there are, what is wrong with them, and what follows. */
#include "model/registration_private.h"
#include "model/scope.h"
#include "wire/json.h"

/* ---- what was found ---- */

/* Whether the hook has the value that a test wants; an absent text wants
 * nothing. */
static enum status
meets(struct registration *r, const struct register_test *test,
      struct slice row, bool *ret_met, struct slice *ret_wanted)
{
    struct slice value;
    enum status status = request_register_text(
        r->plan->connector, test->value, &r->places, r->arena, ret_wanted);
    if (status != STATUS_OK) {
        *ret_met = true;
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    *ret_met = json_path_first(test->path, row, &value) &&
               json_means(value, *ret_wanted);
    return STATUS_OK;
}

static enum status
is_ours(struct registration *r, struct slice row, bool *ret_ours)
{
    const struct register_list *list = &r->spec->list;
    enum status status = STATUS_OK;
    *ret_ours = true;
    for (size_t i = 0; i < list->find_count && *ret_ours && status == STATUS_OK;
         i++) {
        struct slice wanted;
        status = meets(r, &list->find[i], row, ret_ours, &wanted);
    }
    return status;
}

static enum status
find_wrong_values(struct registration *r, struct slice row, struct buf *words)
{
    const struct register_list *list = &r->spec->list;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < list->want_count && status == STATUS_OK; i++) {
        struct slice wanted = { NULL, 0 };
        struct slice value;
        bool met = true;
        status = meets(r, &list->want[i], row, &met, &wanted);
        /* what is not shown is not wrong */
        if (!met && json_path_first(list->want[i].path, row, &value)) {
            buf_format(words, "%s'%.*s' is %.*s and should be %.*s",
                       words->len == 0 ? "" : "; ",
                       SLICE_ARG(json_path_source(list->want[i].path)),
                       SLICE_ARG(slice_first(slice_trim(value), 80)),
                       SLICE_ARG(wanted));
        }
    }
    return status;
}

/* The events of a hook: an array, or what a path finds one by one. */
static enum status
events_of(struct registration *r, struct slice row, struct slice **ret_events,
          size_t *ret_count)
{
    struct slice *values = NULL;
    size_t count = 0;
    enum status status =
        scope_rows(r->spec->list.events, row, r->arena, &values, &count);
    *ret_count = 0;
    if (status != STATUS_OK) {
        return status;
    }
    size_t most = count;
    struct slice element;
    size_t at = 0;
    bool is_array = count == 1 && json_type(values[0]) == JSON_ARRAY;
    while (is_array && json_next_element(values[0], &at, &element)) {
        most++;
    }
    struct slice *texts = arena_array(r->arena, most + 1, sizeof(*texts));
    if (texts == NULL) {
        return STATUS_NOMEM;
    }
    at = 0;
    for (size_t i = 0; i < most && status == STATUS_OK; i++) {
        if (is_array ? !json_next_element(values[0], &at, &element)
                     : i == count) {
            break;
        }
        status = json_text(is_array ? element : values[i], r->arena,
                           &texts[(*ret_count)++]);
    }
    *ret_events = texts;
    return status;
}

static bool
is_among(struct slice event, const struct slice *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(events[i], event)) {
            return true;
        }
    }
    return false;
}

static void
name_missing(const struct slice *want, size_t want_count,
             const struct slice *have, size_t have_count, const char *verb,
             struct buf *words)
{
    bool begun = false;
    for (size_t i = 0; i < want_count; i++) {
        if (!is_among(want[i], have, have_count)) {
            buf_format(words, "%s%s%.*s",
                       begun             ? ", "
                       : words->len == 0 ? ""
                                         : "; ",
                       begun ? "" : verb, SLICE_ARG(want[i]));
            begun = true;
        }
    }
}

static enum status
find_wrong_events(struct registration *r, struct slice row, struct buf *words)
{
    struct slice *have = NULL;
    size_t count = 0;
    if (r->spec->list.events == NULL || r->event_count == 0 ||
        r->spec->per_event) {
        return STATUS_OK;
    }
    enum status status = events_of(r, row, &have, &count);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK; /* it does not say */
    }
    if (status == STATUS_OK) {
        name_missing(r->events, r->event_count, have, count, "it is not for ",
                     words);
        name_missing(have, count, r->events, r->event_count, "it is also for ",
                     words);
    }
    return status;
}

static enum status
read_hook(struct registration *r, struct slice row,
          struct registration_hook *hook)
{
    const struct register_list *list = &r->spec->list;
    struct buf words = { 0 };
    struct slice value;
    enum status status = STATUS_OK;
    if (list->id != NULL && json_path_first(list->id, row, &value)) {
        status = json_text(value, r->arena, &hook->id);
    }
    if (status == STATUS_OK && r->spec->per_event && list->events != NULL &&
        json_path_first(list->events, row, &value)) {
        status = json_text(value, r->arena, &hook->event);
    }
    if (status == STATUS_OK) {
        status = find_wrong_values(r, row, &words);
    }
    if (status == STATUS_OK) {
        status = find_wrong_events(r, row, &words);
    }
    if (status == STATUS_OK) {
        status = buf_status(&words);
    }
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(&words), &hook->differs);
    }
    hook->is_right = words.len == 0;
    buf_fini(&words);
    return status;
}

/* Hooks of an earlier time, where the provider shows none. */
static enum status
recall_hooks(struct registration *r)
{
    struct slice entry;
    struct slice value;
    size_t at = 0;
    enum status status = STATUS_OK;
    const bool is_same = slice_equal(r->note.url, r->places.hook_url);
    while (is_same && r->note.hooks.len > 0 && status == STATUS_OK &&
           json_next_element(r->note.hooks, &at, &entry)) {
        struct registration_hook *hook = &r->hooks[r->hook_count++];
        hook->is_right = true;
        if (json_type(entry) == JSON_OBJECT &&
            json_member(entry, slice_of("id"), &value)) {
            status = json_text(value, r->arena, &hook->id);
        }
        if (status == STATUS_OK && json_type(entry) == JSON_OBJECT &&
            json_member(entry, slice_of("event"), &value)) {
            status = json_text(value, r->arena, &hook->event);
        }
    }
    return status;
}

static size_t
count_elements(struct slice array)
{
    struct slice element;
    size_t at = 0;
    size_t count = 0;
    while (array.len > 0 && json_next_element(array, &at, &element)) {
        count++;
    }
    return count;
}

enum status
registration_find_hooks(struct registration *r, struct slice body,
                        struct error *err)
{
    struct slice *rows = NULL;
    size_t count = count_elements(r->note.hooks);
    enum status status = STATUS_OK;
    if (body.len > 0) {
        rows = &body;
        count = 1;
    }
    if (body.len > 0 && r->spec->list.items != NULL) {
        status = scope_rows(r->spec->list.items, body, r->arena, &rows, &count);
        if (status == STATUS_NOT_FOUND) {
            return error_set(err, STATUS_PROTOCOL,
                             "the answer has no hooks at '%.*s'",
                             SLICE_ARG(json_path_source(r->spec->list.items)));
        }
    }
    /* Those of the pages before stay. */
    struct registration_hook *hooks =
        arena_array(r->arena, r->hook_count + count + 1, sizeof(*hooks));
    if (status != STATUS_OK || hooks == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < r->hook_count; i++) {
        hooks[i] = r->hooks[i];
    }
    r->hooks = hooks;
    r->listed = count;
    if (body.len == 0) {
        status = recall_hooks(r);
    }
    for (size_t i = 0; body.len > 0 && i < count && status == STATUS_OK; i++) {
        bool ours = false;
        status = is_ours(r, rows[i], &ours);
        if (status == STATUS_OK && ours) {
            status = read_hook(r, rows[i], &r->hooks[r->hook_count++]);
        }
    }
    r->outcome.hooks = r->hooks;
    r->outcome.hook_count = r->hook_count;
    r->outcome.is_known = body.len > 0;
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%s", status_text(status));
}

/* ---- what follows ---- */

static void
add(struct registration *r, enum registration_action_kind kind, struct slice id,
    size_t event)
{
    struct registration_action *action = &r->actions[r->action_count++];
    *action = (struct registration_action){ .id = id, .event = event };
    action->kind = kind;
}

static const struct slice no_id = { NULL, 0 };

static bool
is_given(const struct register_request *request)
{
    return request->request.url != NULL;
}

/* Makes a hook, with whatever has to be kept around it. */
static void
add_create(struct registration *r, size_t event)
{
    const enum register_secret_by by = r->spec->secret.by;
    if (by == SECRET_OURS && !r->has_secret) {
        add(r, ACTION_KEEP_OURS, no_id, event);
        r->has_secret = true;
    }
    add(r, ACTION_NOTE_PENDING, no_id, event);
    add(r, ACTION_CREATE, no_id, event);
    if (r->spec->id_as.len > 0) {
        add(r, ACTION_KEEP_ID, no_id, event);
    }
    if (by == SECRET_ASKED) {
        add(r, ACTION_ASK_SECRET, no_id, event);
    }
    if (by == SECRET_ASKED || by == SECRET_ANSWERED) {
        add(r, ACTION_KEEP_ANSWERED, no_id, event);
    }
}

/* The hooks of one event, or all of them. */
static bool
is_of(const struct registration *r, const struct registration_hook *hook,
      size_t event)
{
    return !r->spec->per_event || slice_equal(hook->event, r->events[event]);
}

/* Sets a hook right by way of a new one. */
static enum status
add_replace(struct registration *r, size_t event, bool is_lost,
            struct error *err)
{
    const char *why = is_lost ? "the secret of the hook that is there was lost"
                              : "the hook that is there is not as it should be";
    if (!is_given(&r->spec->remove)) {
        return error_set(err, STATUS_INVALID,
                         "%s, and the connector has no request that deletes "
                         "it: delete it at the provider, then run this again",
                         why);
    }
    if (r->secret_is_given && r->spec->secret.by == SECRET_ANSWERED) {
        return error_set(err, STATUS_INVALID,
                         "%s; a new one would have another secret than "
                         "'webhook_secret' in the configuration: take that "
                         "out, then run this again",
                         why);
    }
    for (size_t i = 0; i < r->hook_count; i++) {
        if (is_of(r, &r->hooks[i], event)) {
            add(r, ACTION_DELETE, r->hooks[i].id, event);
        }
    }
    add_create(r, event);
    return STATUS_OK;
}

/* One hook that is there: to be left, set right, or replaced. */
static enum status
add_for_hook(struct registration *r, const struct registration_hook *hook,
             size_t event, struct error *err)
{
    const enum register_secret_by by = r->spec->secret.by;
    const bool is_lost =
        !r->has_secret && (by == SECRET_ANSWERED || by == SECRET_OURS);
    const bool sends_secret =
        by == SECRET_OURS && is_given(&r->spec->update) &&
        connector_request_names(&r->spec->update.request, "generated");
    if ((is_lost && !sends_secret) ||
        (!hook->is_right && !is_given(&r->spec->update))) {
        return add_replace(r, event, is_lost, err);
    }
    if (is_lost) {
        add(r, ACTION_KEEP_OURS, no_id, event);
        r->has_secret = true;
    }
    if (is_lost || !hook->is_right) {
        add(r, ACTION_UPDATE, hook->id, event);
    }
    if (by == SECRET_ASKED && !r->has_secret) {
        add(r, ACTION_ASK_SECRET, hook->id, event);
        add(r, ACTION_KEEP_ANSWERED, hook->id, event);
    }
    if (r->spec->id_as.len > 0) {
        add(r, ACTION_KEEP_ID, hook->id, event);
    }
    return registration_note_hook(r, hook->id, hook->event);
}

static enum status
decide_make(struct registration *r, struct error *err)
{
    const size_t units = r->spec->per_event ? r->event_count : 1;
    enum status status = STATUS_OK;
    for (size_t event = 0; event < units && status == STATUS_OK; event++) {
        const struct registration_hook *found = NULL;
        for (size_t i = 0; i < r->hook_count && found == NULL; i++) {
            found = is_of(r, &r->hooks[i], event) ? &r->hooks[i] : NULL;
        }
        if (found == NULL) {
            add_create(r, event);
        } else {
            status = add_for_hook(r, found, event, err);
        }
    }
    add(r, ACTION_NOTE_DONE, no_id, 0);
    return status;
}

/* Does something to a hook that is there, with its own event. */
static void
add_of_hook(struct registration *r, enum registration_action_kind kind,
            const struct registration_hook *hook)
{
    add(r, kind, hook->id, 0);
    r->actions[r->action_count - 1].only = hook->event;
}

/* The provider asks whether we mean it: before it answers, or a while later.
 * What is to go stays in the note until it has gone. */
static enum status
note_leaving(struct registration *r)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < r->hook_count && status == STATUS_OK; i++) {
        status = registration_note_hook(r, r->hooks[i].id, r->hooks[i].event);
    }
    add(r, ACTION_NOTE_LEAVING, no_id, 0);
    return status;
}

static enum status
decide_remove(struct registration *r, struct error *err)
{
    const bool names_id =
        connector_request_names(&r->spec->remove.request, "id");
    const bool is_unknown = !r->outcome.is_known && r->hook_count == 0;
    const bool asks = connector_is_asked_to_leave(r->plan->connector);
    if (!is_given(&r->spec->remove)) {
        return error_set(err, STATUS_INVALID,
                         "the connector has no request that deletes a hook: "
                         "delete it at the provider");
    }
    if (names_id && is_unknown) {
        return error_set(err, STATUS_NOT_FOUND,
                         "which hook is ours is not known here, and the "
                         "provider does not show it: delete it there");
    }
    enum status status = asks ? note_leaving(r) : STATUS_OK;
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    for (size_t i = 0; i < r->hook_count; i++) {
        add_of_hook(r, ACTION_DELETE, &r->hooks[i]);
    }
    const size_t blind = names_id || !is_unknown ? 0
                         : r->spec->per_event    ? r->event_count
                                                 : 1;
    for (size_t event = 0; event < blind; event++) {
        add(r, ACTION_DELETE, no_id, event);
    }
    add(r, asks ? ACTION_NOTE_LEFT : ACTION_FORGET_NOTE, no_id, 0);
    add(r, ACTION_FORGET_SECRET, no_id, 0);
    if (r->spec->id_as.len > 0) {
        add(r, ACTION_FORGET_ID, no_id, 0);
    }
    return STATUS_OK;
}

static enum status
decide_renew(struct registration *r, struct error *err)
{
    if (r->hook_count == 0) {
        return error_set(err, STATUS_NOT_FOUND,
                         "there is no hook to renew; 'longstop subscribe' "
                         "makes one");
    }
    if (r->spec->renew.request.url == NULL &&
        connector_awaits_handshake(r->plan->connector)) {
        add(r, ACTION_NOTE_PENDING, no_id, 0); /* it asks again */
    }
    for (size_t i = 0; i < r->hook_count; i++) {
        const struct registration_hook *hook = &r->hooks[i];
        add_of_hook(r, ACTION_RENEW, hook);
        enum status status = registration_note_hook(r, hook->id, hook->event);
        if (status != STATUS_OK) {
            return error_set(err, status, "%s", status_text(status));
        }
    }
    add(r, ACTION_NOTE_DONE, no_id, 0);
    return STATUS_OK;
}

enum status
registration_decide(struct registration *r, struct error *err)
{
    /* the longest row of actions: all hooks deleted, one made for each event */
    const size_t most =
        r->action_count + r->hook_count * 6 + (r->event_count + 1) * 7 + 6;
    struct registration_action *actions =
        arena_array(r->arena, most, sizeof(*actions));
    if (actions == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    r->actions = actions;
    r->action_count = 0;
    r->at = 0;
    switch (r->plan->act) {
    case REGISTRATION_MAKE: return decide_make(r, err);
    case REGISTRATION_REMOVE: return decide_remove(r, err);
    case REGISTRATION_RENEW: return decide_renew(r, err);
    case REGISTRATION_LOOK: break;
    }
    return STATUS_OK;
}
