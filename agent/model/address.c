/* SPDX-License-Identifier: MIT */
#include "model/address.h"

#include <arpa/inet.h>
#include <string.h>

/* Room for the longest IPv6 text and its NUL. */
#define ADDRESS_TEXT_BYTES 64

/* Reads an address as 16 bytes, IPv4 as ::ffff:a.b.c.d. */
static enum status
parse(struct slice text, unsigned char into[16], bool *ret_is_ipv4)
{
    char copy[ADDRESS_TEXT_BYTES];
    if (text.len == 0 || text.len >= sizeof(copy) ||
        slice_find(text, '\0') != SIZE_MAX) {
        return STATUS_INVALID;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(into, mapped, sizeof(mapped));
    *ret_is_ipv4 = inet_pton(AF_INET, copy, into + 12) == 1;
    if (!*ret_is_ipv4 && inet_pton(AF_INET6, copy, into) != 1) {
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

static bool
bit_at(const unsigned char bytes[16], unsigned index)
{
    return (bytes[index / 8] >> (7 - index % 8)) & 1;
}

enum status
address_parse_cidr(struct slice text, struct cidr *ret_cidr)
{
    struct cidr cidr;
    bool is_ipv4;
    size_t slash = slice_find(text, '/');
    if (parse(slice_first(text, slash), cidr.address, &is_ipv4) != STATUS_OK) {
        return STATUS_INVALID;
    }
    uint64_t bits = is_ipv4 ? 32 : 128;
    if (slash != SIZE_MAX) {
        uint64_t most = bits;
        if (slice_to_u64(slice_from(text, slash + 1), &bits) != STATUS_OK ||
            bits > most) {
            return STATUS_INVALID;
        }
    }
    cidr.bits = (unsigned)bits + (is_ipv4 ? 96 : 0);
    for (unsigned i = cidr.bits; i < 128; i++) {
        if (bit_at(cidr.address, i)) {
            return STATUS_INVALID;
        }
    }
    *ret_cidr = cidr;
    return STATUS_OK;
}

static bool
contains(const struct cidr *range, const unsigned char address[16])
{
    size_t whole = range->bits / 8;
    if (memcmp(range->address, address, whole) != 0) {
        return false;
    }
    unsigned rest = range->bits % 8;
    if (rest == 0) {
        return true;
    }
    unsigned char mask = (unsigned char)(0xff << (8 - rest));
    return ((range->address[whole] ^ address[whole]) & mask) == 0;
}

bool
address_lies_in(const struct cidr *ranges, size_t count,
                const unsigned char address[16])
{
    for (size_t i = 0; i < count; i++) {
        if (contains(&ranges[i], address)) {
            return true;
        }
    }
    return false;
}

/* Where nobody but this machine or its neighbours is, or nobody at all. */
static const char *const set_apart[] = {
    "0.0.0.0/8",       /* this network */
    "10.0.0.0/8",      /* private */
    "100.64.0.0/10",   /* shared by carriers */
    "127.0.0.0/8",     /* loopback */
    "169.254.0.0/16",  /* link-local, and where clouds keep credentials */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocols */
    "192.0.2.0/24",    /* documentation */
    "192.88.99.0/24",  /* 6to4 relays */
    "192.168.0.0/16",  /* private */
    "198.18.0.0/15",   /* benchmarks */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/3",     /* multicast, reserved, broadcast */
};

/* Of IPv6 only this is given out (RFC 4291 §2.4), less what is set apart. */
static const char *const ipv6_given_out = "2000::/3";
static const char *const ipv6_set_apart[] = {
    "2001::/23",     /* protocols, Teredo among them */
    "2001:db8::/32", /* documentation */
    "3fff::/20",     /* documentation */
};

/* Prefixes behind which an IPv4 address stands, and where. */
static const struct {
    const char *range;
    size_t at;
} wrappers[] = {
    { "::ffff:0:0/96", 12 }, /* mapped */
    { "64:ff9b::/96", 12 },  /* NAT64, RFC 6052 */
    { "2002::/16", 2 },      /* 6to4, RFC 3056 */
};

static bool
lies_in(const char *range, const unsigned char address[16])
{
    struct cidr cidr;
    return address_parse_cidr(slice_of(range), &cidr) == STATUS_OK &&
           contains(&cidr, address);
}

static bool
lies_in_any(const char *const *ranges, size_t count,
            const unsigned char address[16])
{
    bool lies = false;
    for (size_t i = 0; i < count; i++) {
        lies |= lies_in(ranges[i], address);
    }
    return lies;
}

bool
address_is_public(const unsigned char address[16])
{
    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        if (lies_in(wrappers[i].range, address)) {
            unsigned char inner[16] = { [10] = 0xff, [11] = 0xff };
            memcpy(inner + 12, address + wrappers[i].at, 4);
            return !lies_in_any(
                set_apart, sizeof(set_apart) / sizeof(set_apart[0]), inner);
        }
    }
    return lies_in(ipv6_given_out, address) &&
           !lies_in_any(ipv6_set_apart,
                        sizeof(ipv6_set_apart) / sizeof(ipv6_set_apart[0]),
                        address);
}

bool
address_allowed(const struct cidr *ranges, size_t count, struct slice address)
{
    unsigned char bytes[16];
    bool is_ipv4;
    if (parse(address, bytes, &is_ipv4) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (contains(&ranges[i], bytes)) {
            return true;
        }
    }
    return false;
}

struct slice
address_of_sender(struct slice peer, struct http_fields fields,
                  const struct cidr *trusted, size_t count)
{
    struct slice sender = peer;
    bool vouches = (count > 0 && slice_equal_text(peer, "unix")) ||
                   address_allowed(trusted, count, peer);
    /* Several fields read as one list (RFC 9110 §5.3), right to left. */
    for (size_t i = fields.count; i > 0 && vouches; i--) {
        if (!slice_equal_nocase(fields.at[i - 1].name,
                                slice_of("X-Forwarded-For"))) {
            continue;
        }
        struct slice list = fields.at[i - 1].value;
        while (list.len > 0 && vouches) {
            size_t start = list.len;
            while (start > 0 && list.ptr[start - 1] != ',') {
                start--;
            }
            sender = slice_trim(slice_from(list, start));
            vouches = address_allowed(trusted, count, sender);
            list = slice_first(list, start > 0 ? start - 1 : 0);
        }
    }
    return sender;
}

/* Cuts ":80" off; false when what stands there is no port. */
static bool
cut_port(struct slice *host)
{
    size_t colon = host->len;
    while (colon > 0 && host->ptr[colon - 1] >= '0' &&
           host->ptr[colon - 1] <= '9') {
        colon--;
    }
    if (colon == 0 || host->ptr[colon - 1] != ':') {
        return false;
    }
    *host = slice_first(*host, colon - 1);
    return true;
}

bool
address_host_is_local(struct slice host)
{
    static const struct cidr loopback[] = {
        { { [10] = 0xff, [11] = 0xff, [12] = 127 }, 104 },
        { { [15] = 1 }, 128 },
    };
    bool is_six = host.len > 0 && host.ptr[0] == '[';
    if (!is_six || host.ptr[host.len - 1] != ']') {
        bool cut = cut_port(&host);
        if (is_six && (!cut || host.ptr[host.len - 1] != ']')) {
            return false;
        }
    }
    if (is_six) {
        host = slice_first(slice_from(host, 1), host.len - 2);
    } else if (slice_equal_nocase(host, slice_of("localhost"))) {
        return true;
    } else if (slice_find(host, ':') < host.len) {
        return false; /* RFC 3986 §3.2.2: IPv6 stands in brackets */
    }
    return address_allowed(loopback, sizeof(loopback) / sizeof(loopback[0]),
                           host);
}
