/* SPDX-License-Identifier: MIT */
/*
 * bench_child: the smallest handler: reads what it is given and is content.
 */
#include <unistd.h>

int
main(void)
{
    char bytes[4096];
    while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0) {
    }
    return 0;
}
