/* SPDX-License-Identifier: MIT */
/* address: a range holds the address it is written with; who sends a request
 * does not depend on what stands left of the first that no proxy vouches for.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "model/address.h"

enum { FIELDS = 3 };

static const struct slice forwarded = SLICE("X-Forwarded-For");

static void
read_range(struct slice text)
{
    struct cidr range;
    if (address_parse_cidr(text, &range) != STATUS_OK) {
        return;
    }
    const struct slice address = fuzz_take(&text, '/');
    FUZZ_HOLDS(range.bits <= 128);
    FUZZ_HOLDS(address_lies_in(&range, 1, range.address));
    FUZZ_HOLDS(address_allowed(&range, 1, address));
    (void)address_is_public(range.address);
}

/* Looks at a request that came through two proxies, and at the same one from a
 * sender who claims something. */
static void
find_sender(struct slice lines)
{
    static const char claim[] = "10.0.0.9, 203.0.113.77, ";
    struct http_field fields[FIELDS + 1] = { { .name = forwarded,
                                               .value = slice_of(claim) } };
    struct cidr trusted[2];
    FUZZ_HOLDS(address_parse_cidr(slice_of("10.0.0.0/8"), &trusted[0]) ==
               STATUS_OK);
    FUZZ_HOLDS(address_parse_cidr(slice_of("fd00::/8"), &trusted[1]) ==
               STATUS_OK);
    for (size_t i = 1; i <= FIELDS; i++) {
        fields[i].name = forwarded;
        fields[i].value = fuzz_take(&lines, '\n');
    }
    const struct http_fields all = { fields + 1, FIELDS };
    const struct http_fields claimed = { fields, FIELDS + 1 };
    const struct slice peer = slice_of("10.1.2.3");
    const struct slice nobody = slice_of("192.0.2.1");
    const struct slice sender = address_of_sender(peer, all, trusted, 2);
    if (!address_allowed(trusted, 2, sender)) {
        FUZZ_HOLDS(
            slice_equal(sender, address_of_sender(peer, claimed, trusted, 2)));
    }
    FUZZ_HOLDS(
        slice_equal(nobody, address_of_sender(nobody, claimed, trusted, 2)));
    FUZZ_HOLDS(slice_equal(peer, address_of_sender(peer, claimed, NULL, 0)));
}

/* What is taken for an address of this machine names it and nothing else. */
static void
look_at_host(struct slice host)
{
    if (address_host_is_local(host)) {
        static const struct slice name = SLICE("localhost");
        FUZZ_HOLDS(
            slice_equal_nocase(
                slice_first(host, host.len < name.len ? 0 : name.len), name) ||
            slice_starts(host, slice_of("127.")) ||
            slice_starts(host, slice_of("[")));
        FUZZ_HOLDS(slice_find(host, '/') == SIZE_MAX &&
                   slice_find(host, '@') == SIZE_MAX);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const struct slice input = fuzz_input(bytes, count);
    read_range(input);
    find_sender(input);
    look_at_host(input);
    return 0;
}
