/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "plugin/kit_url.h"

#include <stdlib.h>
#include <string.h>

static int
hex(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit == '\0' ? NULL : strchr(digits, digit | 0x20);
    return at == NULL ? -1 : (int)(at - digits);
}

/* In place; false for a % without two digits, or for a NUL. */
static bool
decode(char *text)
{
    char *into = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *into++ = *at;
            continue;
        }
        int high = hex(at[1]);
        int low = high < 0 ? -1 : hex(at[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *into++ = (char)(high * 16 + low);
        at += 2;
    }
    *into = '\0';
    return true;
}

/* "user:password" in front of the last @. */
static bool
take_userinfo(struct kit_url *url, char **authority)
{
    char *at = strrchr(*authority, '@');
    if (at == NULL) {
        return true;
    }
    char *user = *authority;
    *at = '\0';
    *authority = at + 1;
    char *colon = strchr(user, ':');
    if (colon != NULL) {
        *colon = '\0';
        url->password = colon + 1;
    }
    url->user = user;
    return decode(user) && (colon == NULL || decode(colon + 1));
}

static bool
take_port(struct kit_url *url, const char *text)
{
    char *end = NULL;
    if (*text == '\0') {
        return true;
    }
    if (*text != ':' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    long port = strtol(text + 1, &end, 10);
    url->port = (int)port;
    return *end == '\0' && port > 0 && port < 65536;
}

static bool
take_host(struct kit_url *url, char *host)
{
    char *behind = NULL;
    char end = '\0';
    if (host[0] == '[') {
        behind = strchr(host, ']');
        if (behind == NULL) {
            return false;
        }
        *behind++ = '\0';
        url->host = host + 1;
        return url->host[0] != '\0' && take_port(url, behind);
    }
    behind = host + strcspn(host, ":");
    end = *behind;
    if (!take_port(url, behind)) {
        return false;
    }
    if (end != '\0') {
        *behind = '\0';
    }
    url->host = host;
    return host[0] != '\0';
}

static bool
parse(struct kit_url *url)
{
    char *colon = strchr(url->text, ':');
    if (colon == NULL || colon == url->text) {
        return false;
    }
    *colon = '\0';
    url->scheme = url->text;
    if (strcmp(url->scheme, "unix") == 0) {
        url->rest = strncmp(colon + 1, "//", 2) == 0 ? colon + 3 : colon + 1;
        return url->rest[0] != '\0';
    }
    if (strncmp(colon + 1, "//", 2) != 0) {
        return false;
    }
    char *authority = colon + 3;
    char *slash = strchr(authority, '/');
    if (slash != NULL) {
        *slash = '\0';
        url->rest = slash + 1;
    }
    return take_userinfo(url, &authority) && take_host(url, authority);
}

bool
kit_url_parse(struct kit_url *url, const char *text)
{
    *url = (struct kit_url){ .text = strdup(text),
                             .scheme = "",
                             .user = "",
                             .password = "",
                             .host = "",
                             .rest = "" };
    if (url->text == NULL || !parse(url)) {
        kit_url_free(url);
        return false;
    }
    return true;
}

void
kit_url_free(struct kit_url *url)
{
    free(url->text);
    *url = (struct kit_url){ 0 };
}
