/* SPDX-License-Identifier: MIT */
/*
 * address: IP addresses and ranges as values: parse, contain, and who really
 * sent a request that came through trusted proxies. Pure.
 */
#ifndef MODEL_ADDRESS_H
#define MODEL_ADDRESS_H

#include "base/bytes.h"
#include "base/status.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stddef.h>

struct cidr {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;             /* of 128 */
};

/* Reads "192.0.2.0/24", "2001:db8::/32" or a single address; bits behind the
 * prefix must be zero, so that a slip of the pen is seen. */
NODISCARD
enum status address_parse_cidr(struct slice text, struct cidr *ret_cidr);

/* Whether `address` (text) lies in any of the ranges; text that is no address
 * lies in none. IPv4 and its IPv6-mapped form are the same. */
bool address_allowed(const struct cidr *ranges, size_t count,
                     struct slice address);

/*
 * Whether an address is one of the Internet at large: none of this machine, of
 * a private network or a link, none set apart (IANA's special-purpose
 * registries, RFC 6890), and no way around to one of those (IPv4 inside IPv6).
 * IPv4 is written as ::ffff:a.b.c.d.
 */
bool address_is_public(const unsigned char address[16]);

/* Whether the 16 bytes of an address, IPv4 as ::ffff:a.b.c.d, lie in any of the
 * ranges. */
bool address_lies_in(const struct cidr *ranges, size_t count,
                     const unsigned char address[16]);

/* Whether the field Host (RFC 9110 §7.2), with or without a port, is
 * `localhost` or a literal loopback address: what no name of a web page's own
 * can be. */
bool address_host_is_local(struct slice host);

/*
 * Returns the sender's address: the peer, or, when the peer is a trusted proxy,
 * the right-most address of X-Forwarded-For that is not trusted itself. What
 * stands further left was written by the sender and is never believed. A unix
 * socket counts as trusted when any proxy is.
 */
struct slice address_of_sender(struct slice peer, struct http_fields fields,
                               const struct cidr *trusted, size_t count);

#endif
