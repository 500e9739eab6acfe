/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/address.h"

static const struct {
    const char *text;
    int bits; /* of 128; -1: refused */
} ranges[] = {
    { "192.0.2.0/24", 120 },
    { "192.0.2.1", 128 },
    { "192.0.2.1/32", 128 },
    { "0.0.0.0/0", 96 },
    { "2001:db8::/32", 32 },
    { "2001:db8::1", 128 },
    { "::/0", 0 },
    { "::ffff:10.0.0.0/104", 104 },
    { "192.0.2.1/24", -1 }, /* a slip of the pen */
    { "2001:db8::1/32", -1 },
    { "192.0.2.0/33", -1 },
    { "2001:db8::/129", -1 },
    { "192.0.2.0/", -1 },
    { "192.0.2.0/-1", -1 },
    { "192.0.2.0/24x", -1 },
    { "192.0.2.0/24/24", -1 },
    { "192.0.2", -1 },
    { "192.0.2.256", -1 },
    { "192.0.02.1", -1 },
    { "host.example", -1 },
    { " 192.0.2.1", -1 },
    { "fe80::1%eth0", -1 },
    { "", -1 },
    { "/24", -1 },
    { "1234567890123456789012345678901234567890123456789012345678901234", -1 },
};

static void
a_range_is_an_address_and_the_bits_that_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        struct cidr cidr = { .bits = 999 };
        enum status status =
            address_parse_cidr(slice_of(ranges[i].text), &cidr);
        int bits = status == STATUS_OK ? (int)cidr.bits : -1;
        if (bits != ranges[i].bits) {
            fail_msg("'%s': %d", ranges[i].text, bits);
        }
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_INVALID);
            assert_int_equal(cidr.bits, 999);
        }
    }
}

static const struct {
    const char *range;
    const char *address;
    bool inside;
} memberships[] = {
    { "192.0.2.0/24", "192.0.2.0", true },
    { "192.0.2.0/24", "192.0.2.255", true },
    { "192.0.2.0/24", "192.0.3.0", false },
    { "192.0.2.0/25", "192.0.2.127", true },
    { "192.0.2.0/25", "192.0.2.128", false },
    { "192.0.2.4/30", "192.0.2.7", true },
    { "192.0.2.4/30", "192.0.2.8", false },
    { "192.0.2.1", "192.0.2.1", true },
    { "192.0.2.1", "192.0.2.2", false },
    /* IPv4 and its mapped form are the same. */
    { "192.0.2.0/24", "::ffff:192.0.2.9", true },
    { "::ffff:192.0.2.0/120", "192.0.2.9", true },
    { "0.0.0.0/0", "255.255.255.255", true },
    { "0.0.0.0/0", "2001:db8::1", false },
    { "2001:db8::/33", "2001:db8:7fff::1", true },
    { "2001:db8::/33", "2001:db8:8000::1", false },
    { "2001:db8::/32", "2001:DB8:0:0:0:0:0:1", true },
    { "::/0", "2001:db8::1", true },
    /* What is no address lies nowhere. */
    { "0.0.0.0/0", "", false },
    { "0.0.0.0/0", "unix", false },
    { "0.0.0.0/0", "192.0.2.1:80", false },
    { "::/0", "[::1]", false },
};

static void
an_address_lies_in_a_range_or_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(memberships) / sizeof(memberships[0]); i++) {
        struct cidr cidr;
        assert_int_equal(
            address_parse_cidr(slice_of(memberships[i].range), &cidr),
            STATUS_OK);
        if (address_allowed(&cidr, 1, slice_of(memberships[i].address)) !=
            memberships[i].inside) {
            fail_msg("%s in %s", memberships[i].address, memberships[i].range);
        }
    }
}

static void
any_of_several_ranges_will_do_and_none_allows_nobody(void **state)
{
    (void)state;
    struct cidr two[2];
    assert_int_equal(address_parse_cidr(slice_of("10.0.0.0/8"), &two[0]),
                     STATUS_OK);
    assert_int_equal(address_parse_cidr(slice_of("192.0.2.0/24"), &two[1]),
                     STATUS_OK);
    assert_true(address_allowed(two, 2, slice_of("10.1.2.3")));
    assert_true(address_allowed(two, 2, slice_of("192.0.2.3")));
    assert_false(address_allowed(two, 1, slice_of("192.0.2.3")));
    assert_false(address_allowed(two, 0, slice_of("10.1.2.3")));
}

static void
a_nul_ends_no_address(void **state)
{
    (void)state;
    static const char text[] = "10.1.2.3\0.evil";
    const struct slice whole = { text, sizeof(text) - 1 };
    struct cidr cidr;
    assert_int_equal(address_parse_cidr(whole, &cidr), STATUS_INVALID);
    assert_int_equal(address_parse_cidr(slice_of("0.0.0.0/0"), &cidr),
                     STATUS_OK);
    assert_false(address_allowed(&cidr, 1, whole));
}

struct sending {
    const char *peer;
    const char *fields[3]; /* values of X-Forwarded-For, NULL: another field */
    size_t trusted;
    const char *sender;
};

/* Trusted are 10.0.0.0/8 and 127.0.0.1. */
static const struct sending sendings[] = {
    { "203.0.113.9", { "1.1.1.1", NULL, NULL }, 2, "203.0.113.9" },
    { "127.0.0.1", { NULL, NULL, NULL }, 2, "127.0.0.1" },
    { "127.0.0.1", { "203.0.113.9", NULL, NULL }, 2, "203.0.113.9" },
    /* The right-most that is not trusted; what stands left of it is hearsay. */
    { "127.0.0.1", { "1.1.1.1, 203.0.113.9", NULL, NULL }, 2, "203.0.113.9" },
    { "127.0.0.1", { "203.0.113.9, 10.0.0.3", NULL, NULL }, 2, "203.0.113.9" },
    { "127.0.0.1",
      { "203.0.113.9,10.0.0.3 ,10.0.0.4", NULL, NULL },
      2,
      "203.0.113.9" },
    { "127.0.0.1", { "10.0.0.5, 10.0.0.3", NULL, NULL }, 2, "10.0.0.5" },
    /* Several fields are one list. */
    { "127.0.0.1", { "1.1.1.1", NULL, "203.0.113.9" }, 2, "203.0.113.9" },
    { "127.0.0.1", { "203.0.113.9", NULL, "10.0.0.3" }, 2, "203.0.113.9" },
    { "127.0.0.1", { "203.0.113.9", "", "10.0.0.3" }, 2, "203.0.113.9" },
    /* What is no address is nobody who could be trusted. */
    { "127.0.0.1", { "203.0.113.9, unknown", NULL, NULL }, 2, "unknown" },
    { "127.0.0.1", { "203.0.113.9, ", NULL, NULL }, 2, "" },
    { "unix", { "203.0.113.9", NULL, NULL }, 2, "203.0.113.9" },
    /* A word in the field is no socket of ours. */
    { "127.0.0.1", { "203.0.113.9, unix", NULL, NULL }, 2, "unix" },
    { "unix", { "203.0.113.9", NULL, NULL }, 0, "unix" },
    { "127.0.0.1", { "203.0.113.9", NULL, NULL }, 0, "127.0.0.1" },
};

static void
the_sender_is_the_last_one_no_trusted_proxy_vouches_for(void **state)
{
    (void)state;
    struct cidr trusted[2];
    assert_int_equal(address_parse_cidr(slice_of("10.0.0.0/8"), &trusted[0]),
                     STATUS_OK);
    assert_int_equal(address_parse_cidr(slice_of("127.0.0.1"), &trusted[1]),
                     STATUS_OK);
    for (size_t i = 0; i < sizeof(sendings) / sizeof(sendings[0]); i++) {
        struct http_field fields[3];
        for (size_t j = 0; j < 3; j++) {
            const char *value = sendings[i].fields[j];
            fields[j].name =
                slice_of(value == NULL ? "X-Real-IP" : "x-forwarded-for");
            fields[j].value = slice_of(value == NULL ? "6.6.6.6" : value);
        }
        const struct slice sender = address_of_sender(
            slice_of(sendings[i].peer), (struct http_fields){ fields, 3 },
            trusted, sendings[i].trusted);
        if (!slice_equal_text(sender, sendings[i].sender)) {
            fail_msg("%zu: '%.*s'", i, SLICE_ARG(sender));
        }
    }
}

static void
only_what_is_given_out_to_the_world_is_public(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_public;
    } rows[] = {
        { "8.8.8.8", true },
        { "52.46.128.1", true },
        { "172.15.255.255", true },
        { "172.32.0.0", true },
        { "192.0.1.1", true },
        { "2600:1f18::1", true },
        { "2a00:1450::1", true },
        { "64:ff9b::8.8.8.8", true },
        { "2002:808:808::1", true },
        { "0.0.0.0", false },
        { "10.1.2.3", false },
        { "100.64.0.1", false },
        { "127.0.0.1", false },
        { "127.255.255.255", false },
        { "169.254.169.254", false },
        { "172.16.0.1", false },
        { "172.31.255.255", false },
        { "192.0.0.1", false },
        { "192.168.1.1", false },
        { "198.19.0.1", false },
        { "203.0.113.5", false },
        { "224.0.0.1", false },
        { "255.255.255.255", false },
        { "::", false },
        { "::1", false },
        { "::127.0.0.1", false },
        { "::ffff:127.0.0.1", false },
        { "::ffff:10.0.0.1", false },
        { "64:ff9b::10.0.0.1", false },
        { "64:ff9b:1::1", false },
        { "2002:7f00:1::1", false },
        { "2001::1", false },
        { "2001:db8::1", false },
        { "fc00::1", false },
        { "fd12:3456::1", false },
        { "fe80::1", false },
        { "ff02::1", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cidr cidr;
        assert_int_equal(address_parse_cidr(slice_of(rows[i].address), &cidr),
                         STATUS_OK);
        if (address_is_public(cidr.address) != rows[i].is_public) {
            fail_msg("%s", rows[i].address);
        }
    }
}

static void
only_localhost_and_loopback_literals_are_local_hosts(void **state)
{
    static const struct {
        const char *host;
        bool is_local;
    } rows[] = {
        { "localhost", true },
        { "LocalHost:8080", true },
        { "127.0.0.1", true },
        { "127.0.0.1:80", true },
        { "127.8.9.10:80", true },
        { "[::1]", true },
        { "[::1]:8080", true },
        { "[0:0:0:0:0:0:0:1]:1", true },
        { "", false },
        { ":80", false },
        { "localhost.", false },
        { "localhost:80.evil.example", false },
        { "localhost:", true },
        { "127.0.0.1.evil.example", false },
        { "127.evil.example:80", false },
        { "127.1", false },
        { "126.0.0.1", false },
        { "128.0.0.1", false },
        { "::1", false },
        { "[::1", false },
        { "[::1]x", false },
        { "[::2]:80", false },
        { "[localhost]", false },
        { "[", false },
        { "0.0.0.0", false },
        { "evil.example", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_local = address_host_is_local(slice_of(rows[i].host));
        if (is_local != rows[i].is_local) {
            fail_msg("%s", rows[i].host);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_localhost_and_loopback_literals_are_local_hosts),
        cmocka_unit_test(a_range_is_an_address_and_the_bits_that_count),
        cmocka_unit_test(an_address_lies_in_a_range_or_does_not),
        cmocka_unit_test(any_of_several_ranges_will_do_and_none_allows_nobody),
        cmocka_unit_test(a_nul_ends_no_address),
        cmocka_unit_test(
            the_sender_is_the_last_one_no_trusted_proxy_vouches_for),
        cmocka_unit_test(only_what_is_given_out_to_the_world_is_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
