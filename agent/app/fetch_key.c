/* SPDX-License-Identifier: MIT */
#include "app/fetch_key.h"

#include "io/fs.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "wire/public_key.h"

#define KEY_FILE_BYTES ((size_t)64 * 1024)

/* What came, copied out of the callback. */
struct answer {
    struct loop *loop;
    struct buf *into;
    struct error *err;
    enum status status;
};

enum status
fetch_key_links(struct loop *loop, struct http_client *client,
                const struct configuration *configuration, struct links **ret)
{
    const struct limit_settings *limits = &configuration->settings.limits;
    const struct links_settings settings = {
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .keys = limits->keys,
        .key_age_ms = limits->key_age_ms,
        .failure_ms = limits->key_failure_ms,
        .waiting = limits->key_waiting,
        .per_minute = limits->key_fetches,
        .timeout_ms = limits->key_timeout_ms,
        .max_bytes = limits->key_bytes,
    };
    return links_create(loop, client, &settings, ret);
}

static void
take(void *arg, enum status status, struct slice key, const struct error *err)
{
    struct answer *answer = arg;
    answer->status = status;
    if (status == STATUS_OK) {
        buf_append(answer->into, key);
        answer->status = buf_status(answer->into);
    } else {
        (void)error_set(answer->err, status, "%s", err->text);
    }
    loop_stop(answer->loop);
}

enum status
fetch_key(const struct configuration *configuration,
          const struct connector *connector, const struct verify_want *want,
          struct buf *into, struct error *err)
{
    static const struct http_client_settings client_settings = {
        .connections = 1,
        .connections_per_host = 1,
        .user_agent = "longstop",
    };
    struct http_client *client = NULL;
    struct links *links = NULL;
    struct answer answer = { .into = into, .err = err };
    struct link_wait wait = { .done = take, .arg = &answer };
    enum status status = loop_create(&answer.loop);
    if (status != STATUS_OK) {
        return status;
    }
    status = http_client_create(answer.loop, &client_settings, &client, err);
    if (status == STATUS_OK) {
        status = fetch_key_links(answer.loop, client, configuration, &links);
    }
    if (status == STATUS_OK) {
        status = links_bring(links, connector, want, &wait, err);
    }
    if (status == STATUS_OK) {
        loop_run(answer.loop);
        status = answer.status;
    }
    links_destroy(links);
    http_client_destroy(client);
    loop_destroy(answer.loop);
    return status;
}

enum status
fetch_key_file(const char *path, const struct verify_want *want,
               struct buf *into, struct error *err)
{
    struct buf text = { 0 };
    enum status status = fs_read(path, KEY_FILE_BYTES, &text, err);
    if (status == STATUS_OK) {
        status = public_key_read(buf_slice(&text), want->kid, into, err);
        status =
            status == STATUS_OK ? status : error_wrap(err, status, "%s", path);
    }
    buf_fini(&text);
    return status;
}
