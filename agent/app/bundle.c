/* SPDX-License-Identifier: MIT */
#include "app/bundle.h"

#include "app/admin_client.h"
#include "app/redact.h"
#include "io/clock.h"
#include "io/fs.h"
#include "io/fs_look.h"
#include "wire/gzip.h"
#include "wire/tar.h"

#define ASK_MS    (5 * INSTANT_SECOND_MS)
#define LOG_BYTES ((size_t)262144)

struct bundle {
    const struct doctor *doctor;
    const char *log_path;
};

/* Appends the text of one file; nothing where there is none. */
typedef enum status part_fn(const struct bundle *bundle, struct buf *into,
                            struct error *err);

static enum status
part_readme(const struct bundle *bundle, struct buf *into, struct error *err)
{
    (void)bundle;
    (void)err;
    buf_text(
        into,
        "Written by 'longstop doctor --bundle' of longstop " LONGSTOP_VERSION
        ".\n\n"
        "doctor.txt, .json  what it found\n"
        "configuration.yaml all files as one; *** for what is not shown\n"
        "check.json         mistakes and warnings in it\n"
        "status.json        how the running agent stands\n"
        "metrics.txt        its metrics\n"
        "log.txt            the end of the file that --log named\n\n"
        "No body of an event is here, and no secret that the "
        "configuration names.\n");
    return buf_status(into);
}

static enum status
part_text(const struct bundle *bundle, struct buf *into, struct error *err)
{
    (void)err;
    doctor_text(bundle->doctor, into);
    return buf_status(into);
}

static enum status
part_json(const struct bundle *bundle, struct buf *into, struct error *err)
{
    (void)err;
    return doctor_json(bundle->doctor, into);
}

static enum status
part_configuration(const struct bundle *bundle, struct buf *into,
                   struct error *err)
{
    (void)err;
    redact_configuration(&bundle->doctor->configuration, into);
    return buf_status(into);
}

static enum status
part_check(const struct bundle *bundle, struct buf *into, struct error *err)
{
    (void)err;
    config_report_json(&bundle->doctor->configuration.report, into);
    return buf_status(into);
}

static enum status
part_status(const struct bundle *bundle, struct buf *into, struct error *err)
{
    (void)err;
    buf_append(into, buf_slice(&bundle->doctor->status));
    return buf_status(into);
}

static enum status
part_metrics(const struct bundle *bundle, struct buf *into, struct error *err)
{
    const struct configuration *configuration = &bundle->doctor->configuration;
    const struct admin_client to = {
        .address = configuration->places.admin_address,
        .token = configuration->admin_token,
        .tls = configuration->settings.admin.tls,
        .timeout_ms = ASK_MS,
        .body = SLICE(""),
    };
    unsigned http_status = 0;
    if (bundle->doctor->status.len == 0) {
        return STATUS_OK;
    }
    return admin_client_ask(&to, "GET", "/metrics", &http_status, into, err);
}

/* Its end, from a whole line on. */
static enum status
part_log(const struct bundle *bundle, struct buf *into, struct error *err)
{
    struct buf log = { 0 };
    if (bundle->log_path == NULL) {
        return STATUS_OK;
    }
    enum status status =
        fs_look_end(bundle->log_path, LOG_BYTES + 1, &log, err);
    if (status == STATUS_OK) {
        struct slice text = buf_slice(&log);
        if (text.len > LOG_BYTES) {
            text = slice_from(text, slice_find(text, '\n') + 1);
        }
        buf_append(into, text);
        status = buf_status(into);
    }
    buf_fini(&log);
    return status;
}

static const struct {
    const char *name;
    part_fn *write;
} parts[] = {
    { "README.txt", part_readme },
    { "doctor.txt", part_text },
    { "doctor.json", part_json },
    { "configuration.yaml", part_configuration },
    { "check.json", part_check },
    { "status.json", part_status },
    { "metrics.txt", part_metrics },
    { "log.txt", part_log },
};

static enum status
add(const struct bundle *bundle, size_t which, struct buf *tar,
    struct error *err)
{
    struct buf text = { 0 }, safe = { 0 }, name = { 0 };
    enum status status = parts[which].write(bundle, &text, err);
    if (status == STATUS_OK && text.len > 0) {
        status = redact_text(&bundle->doctor->configuration, buf_slice(&text),
                             &safe);
        buf_format(&name, "longstop-doctor/%s", parts[which].name);
        tar_file(buf_slice(&name), buf_slice(&safe), clock_unix_ms(), tar);
    }
    buf_fini(&text);
    buf_fini(&safe);
    buf_fini(&name);
    return status;
}

enum status
bundle_write(const struct doctor *doctor, const char *path,
             const char *log_path, struct error *err)
{
    const struct bundle bundle = { doctor, log_path };
    struct buf tar = { 0 }, packed = { 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0;
         i < sizeof(parts) / sizeof(parts[0]) && status == STATUS_OK; i++) {
        status = add(&bundle, i, &tar, err);
    }
    tar_end(&tar);
    status = status == STATUS_OK ? buf_status(&tar) : status;
    if (status == STATUS_OK) {
        status = gzip_deflate(buf_slice(&tar), &packed);
    }
    if (status == STATUS_OK) {
        status = fs_replace(path, buf_slice(&packed), err);
    }
    buf_fini(&tar);
    buf_fini(&packed);
    return status;
}
