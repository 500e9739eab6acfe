/* SPDX-License-Identifier: MIT */
#include "io/http_client.h"

#include <string.h>

#include "io/http_client_private.h"
#include "io/loop.h"
#include "io/shortage.h"
#include "model/address.h"

/*
 * The happy path: http_client_start gives a handle to curl's multi interface,
 * which tells through watch_socket and set_timer what it waits for; the loop
 * calls it back when that happens (curl_multi_socket_action); collect() takes
 * what has ended and calls back.
 *
 * What can go wrong: curl reports it, or the deadline of the call fires first
 * (curl does not count the time a call waits for a connection), or the write
 * callback finds a limit passed and says so in `failure` before curl does.
 */

/* A socket curl waits for. */
struct watch {
    struct http_client *client;
    struct loop_io *io;
    curl_socket_t fd;
};

/* Between curl and the loop */

/*
 * Takes what curl has finished and calls back. All of it leaves the multi
 * handle before the first callback, which may start and cancel others.
 */
static void
collect(struct http_client *client)
{
    struct list ended;
    list_init(&ended);
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result;
        struct http_call *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        (void)curl_multi_remove_handle(client->multi, message->easy_handle);
        call->code = code;
        list_remove(&call->link);
        list_append(&ended, &call->link);
        loop_timer_disarm(call->deadline);
    }
    struct list *link = NULL;
    while ((link = list_take(&ended)) != NULL) {
        http_call_deliver(list_entry(link, struct http_call, link));
    }
}

static void
socket_ready(void *arg, int ready)
{
    struct watch *watch = arg;
    struct http_client *client = watch->client;
    int bits = ((ready & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((ready & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running = 0;
    /* `watch` may be gone behind this call. */
    (void)curl_multi_socket_action(client->multi, watch->fd, bits, &running);
    collect(client);
}

static void
timer_fired(void *arg)
{
    struct http_client *client = arg;
    int running = 0;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0,
                                   &running);
    collect(client);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *client = arg;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_disarm(client->timer);
    } else {
        loop_timer_arm(client->timer, timeout_ms);
    }
    return 0;
}

static struct watch *
watch_create(struct http_client *client, curl_socket_t fd)
{
    struct watch *watch = mem_zero(sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->client = client;
    watch->fd = fd;
    if (loop_io_create(client->loop, fd, socket_ready, watch, &watch->io) !=
        STATUS_OK) {
        mem_free(watch);
        return NULL;
    }
    return watch;
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_client *client = arg;
    struct watch *watch = known;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            loop_io_destroy(watch->io);
            mem_free(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_create(client, fd);
        if (watch == NULL) {
            /* An error returned from here would end every call of the multi
             * handle; so only this one ends, by its deadline, at once. */
            struct http_call *call = NULL;
            (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
            if (call != NULL) {
                call->failure = STATUS_NOMEM;
                loop_timer_arm(call->deadline, 0);
            }
            return 0;
        }
        (void)curl_multi_assign(client->multi, fd, watch);
    }
    loop_io_want(watch->io, ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0) |
                                ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0));
    return 0;
}

static void
detach(struct http_call *call)
{
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    list_remove(&call->link);
}

static void
arm_deadline(struct http_call *call, int64_t now_ms)
{
    int64_t stall_ms = call->moved_ms + call->stall_ms - now_ms;
    int64_t left_ms = call->ends_ms - now_ms;
    loop_timer_arm(call->deadline, left_ms < stall_ms ? left_ms : stall_ms);
}

static void
deadline_passed(void *arg)
{
    struct http_call *call = arg;
    int64_t now_ms = loop_now_ms(call->client->loop);
    if (call->failure == STATUS_OK && now_ms < call->ends_ms) {
        call->is_stalled = http_call_stalls(call, now_ms);
        if (!call->is_stalled) {
            arm_deadline(call, now_ms);
            return;
        }
    }
    if (call->failure == STATUS_OK) {
        call->failure = STATUS_TIMEOUT;
    }
    detach(call);
    http_call_deliver(call);
}

/* The client */

static void *
zeroed(size_t count, size_t size)
{
    return mem_array(count, size);
}

static void *
resized(void *old, size_t size)
{
    return mem_resize(old, 1, size);
}

static char *
doubled(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static CURLcode
init_curl(void)
{
    return shortage_is_on()
               ? curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, mem_free,
                                      resized, doubled, zeroed)
               : curl_global_init(CURL_GLOBAL_DEFAULT);
}

static enum status
open_multi(struct http_client *client, struct error *err)
{
    if (client->multi != NULL) {
        return STATUS_OK;
    }
    enum status status = STATUS_NOMEM;
    if (init_curl() != CURLE_OK) {
        return error_set(err, status, "libcurl could not be set up");
    }
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        goto cleanup_curl;
    }
    long all = (long)client->settings.connections;
    long each = (long)client->settings.connections_per_host;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) ||
        curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, all) ||
        curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, each) ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, all)) {
        goto cleanup_multi;
    }
    client->multi = multi;
    return STATUS_OK;

cleanup_multi:
    (void)curl_multi_cleanup(multi);
cleanup_curl:
    curl_global_cleanup();
    return error_set(err, status, "libcurl could not be set up");
}

static bool
copy_networks(struct http_client *client)
{
    struct http_client_settings *settings = &client->settings;
    const size_t count = settings->allowed_count;
    struct cidr *copy = arena_array(&client->texts, count, sizeof(*copy));
    if (copy != NULL && count > 0) {
        memcpy(copy, settings->allowed, count * sizeof(*copy));
    }
    settings->allowed = copy;
    return copy != NULL;
}

/* The settings are a copy already, but their texts are borrowed. */
static bool
copy_texts(struct http_client *client)
{
    const char **texts[] = {
        &client->settings.ca_file,
        &client->settings.user_agent,
        &client->settings.proxy,
        &client->settings.key_file,
        &client->settings.certificate_file,
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (*texts[i] != NULL) {
            *texts[i] = arena_text(&client->texts, slice_of(*texts[i]));
            if (*texts[i] == NULL) {
                return false;
            }
        }
    }
    return copy_networks(client);
}

enum status
http_client_create(struct loop *loop, const struct http_client_settings *s,
                   struct http_client **ret, struct error *err)
{
    struct http_client *client = mem_zero(sizeof(*client));
    if (client == NULL) {
        return error_set(err, STATUS_NOMEM, "http client: out of memory");
    }
    client->loop = loop;
    client->settings = *s;
    list_init(&client->running);

    enum status status =
        loop_timer_create(loop, timer_fired, client, &client->timer);
    if (status == STATUS_OK && !copy_texts(client)) {
        status = STATUS_NOMEM;
    }
    if (status != STATUS_OK) {
        http_client_destroy(client);
        return error_set(err, status, "http client: %s", status_text(status));
    }
    *ret = client;
    return STATUS_OK;
}

static void
end_client(struct http_client *client)
{
    list_for_each_safe(link, &client->running) {
        http_client_cancel(list_entry(link, struct http_call, link));
    }
    while (client->spare_count > 0) {
        curl_easy_cleanup(client->spare[--client->spare_count].easy);
    }
    if (client->multi != NULL) {
        (void)curl_multi_cleanup(client->multi);
        curl_global_cleanup();
    }
    loop_timer_destroy(client->timer);
    arena_fini(&client->texts);
    mem_free(client);
}

void
http_client_destroy(struct http_client *client)
{
    if (client != NULL && client->held != NULL) {
        end_client(client->held);
    }
    if (client != NULL) {
        end_client(client);
    }
}

/*
 * Returns the client that runs the held calls. Requests that a server keeps
 * open for a minute would leave a host none of its connections for those that
 * are answered at once, and each other none either. They are as many as who
 * starts them, one walk of a list at most, so nothing else bounds them.
 */
static enum status
open_held(struct http_client *client, struct http_client **ret,
          struct error *err)
{
    struct http_client_settings settings = client->settings;
    settings.connections = settings.connections_per_host = 0;
    enum status status = STATUS_OK;
    if (client->held == NULL) {
        status =
            http_client_create(client->loop, &settings, &client->held, err);
    }
    *ret = client->held;
    return status;
}

enum status
http_client_start(struct http_client *client, const struct http_call_spec *spec,
                  http_reply_fn *done, void *arg, struct http_call **ret_call,
                  struct error *err)
{
    enum status status = http_call_check(spec, err);
    if (status == STATUS_OK && spec->is_held) {
        status = open_held(client, &client, err);
    }
    if (status == STATUS_OK) {
        status = open_multi(client, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct http_call *call = http_call_create(client, spec, done, arg);
    if (call == NULL ||
        loop_timer_create(client->loop, deadline_passed, call,
                          &call->deadline) != STATUS_OK ||
        curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        http_call_destroy(call);
        return error_set(err, STATUS_NOMEM, "http call: out of memory");
    }
    arm_deadline(call, call->moved_ms);
    list_append(&client->running, &call->link);
    *ret_call = call;
    return STATUS_OK;
}

void
http_client_cancel(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    if (call->easy != NULL) {
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
    }
    list_remove(&call->link);
    http_call_destroy(call);
}

void
http_client_resume(struct http_call *call)
{
    if (!call->is_paused) {
        return;
    }
    call->is_paused = false;
    call->moved_ms = loop_now_ms(call->client->loop);
    arm_deadline(call, call->moved_ms);
    (void)curl_easy_pause(call->easy, CURLPAUSE_CONT);
}
