/* SPDX-License-Identifier: MIT */
/*
 * kit_url: where a broker is: SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/REST], or
 * unix:PATH (RFC 3986, userinfo percent-decoded).
 */
#ifndef PLUGIN_KIT_URL_H
#define PLUGIN_KIT_URL_H

#include <stdbool.h>

/* All parts are NUL-terminated, in memory of the URL's own; what is not there
 * is "". */
struct kit_url {
    char *text;
    const char *scheme;
    const char *user;
    const char *password;
    const char *host; /* without the brackets of IPv6 */
    int port;         /* 0: none given */
    const char *rest; /* behind the slash; of unix: the path */
};

/* False when it cannot be read so, or for want of memory. */
bool kit_url_parse(struct kit_url *url, const char *text);

void kit_url_free(struct kit_url *url);

#endif
