/* SPDX-License-Identifier: MIT */
/* The keys of `outbound:`: who may register to be sent events as webhooks. */
#include "app/settings.h"

#include "model/address.h"

static const struct config_key outbound_keys[] = {
    { .name = "allow",
      .type = CONFIG_TEXTS,
      .offset = offsetof(struct outbound_settings, allow),
      .doc =
          "Networks of ours that receivers may lie in, and what requests and "
          "answers name at other hosts, such as 10.20.0.0/16; all others "
          "that are not of the Internet are refused." },
    { .name = "http",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct outbound_settings, rules.http),
      .fallback = "false",
      .doc = "Receivers may be registered without TLS." },
    { .name = "receivers",
      .type = CONFIG_INT,
      .offset = offsetof(struct outbound_settings, rules.most),
      .fallback = "100",
      .min = "0",
      .max = "1000",
      .doc = "How many may be registered at a time." },
    { .name = "concurrency",
      .type = CONFIG_INT,
      .offset = offsetof(struct outbound_settings, rules.concurrency),
      .fallback = "4",
      .min = "1",
      .max = "256",
      .doc = "Attempts at one receiver at a time." },
    { .name = "timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct outbound_settings, rules.timeout_ms),
      .fallback = "15s",
      .min = "100ms",
      .max = "10m",
      .doc = "Longest time of one attempt." },
    { .name = "disable_after",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct outbound_settings, rules.disable_after_ms),
      .fallback = "5d",
      .min = "1s",
      .max = "365d",
      .doc = "A receiver that has done nothing but fail for so long is sent "
             "nothing more until it is enabled." },
};

static void
check_outbound(struct config_binding *binding, const struct config_node *node,
               void *bound)
{
    struct outbound_settings *outbound = bound;
    (void)node;
    struct cidr *allowed =
        arena_array(binding->arena, outbound->allow.count, sizeof(*allowed));
    outbound->rules.allowed = allowed;
    for (size_t i = 0; allowed != NULL && i < outbound->allow.count; i++) {
        if (address_parse_cidr(outbound->allow.at[i],
                               &allowed[outbound->rules.allowed_count]) ==
            STATUS_OK) {
            outbound->rules.allowed_count++;
        } else {
            config_report_add(binding->report, CONFIG_ERROR,
                              outbound->allow.marks[i],
                              "'%.*s' is no network; write it as "
                              "192.0.2.0/24 or 2001:db8::/32",
                              SLICE_ARG(outbound->allow.at[i]));
        }
    }
}

const struct config_table outbound_table = {
    .name = "outbound",
    .keys = outbound_keys,
    .count = sizeof(outbound_keys) / sizeof(outbound_keys[0]),
    .size = sizeof(struct outbound_settings),
    .doc = "Receivers that register themselves to be sent events as webhooks.",
    .check = check_outbound,
};
