/* SPDX-License-Identifier: MIT */
/*
 * longstop-append FILE: the handler of the demo: appends what stands on
 * stdin to FILE as one line, in one write.
 *
 * A program of its own, linked with nothing, because it is started once an
 * event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENVELOPE_MAX ((size_t)2 * 1024 * 1024)

/* sysexits.h: input or output error; the agent tries again later */
#define EXIT_IO 74

static char envelope[ENVELOPE_MAX + 1];

static int
fail(const char *what)
{
    (void)fprintf(stderr, "longstop-append: %s: %s\n", what, strerror(errno));
    return EXIT_IO;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: longstop-append FILE\n");
        return 2;
    }
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < ENVELOPE_MAX) {
        got = read(STDIN_FILENO, envelope + len, ENVELOPE_MAX - len);
        if (got < 0) {
            return fail("stdin");
        }
        len += (size_t)got;
    }
    if (len == 0 || envelope[len - 1] != '\n') {
        envelope[len++] = '\n';
    }
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(argv[1]);
    }
    if (write(fd, envelope, len) != (ssize_t)len || close(fd) != 0) {
        return fail(argv[1]);
    }
    return 0;
}
