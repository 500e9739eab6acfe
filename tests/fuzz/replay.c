/* SPDX-License-Identifier: MIT */
/* Gives a target the files it is named, one after the other: how every seed is
 * tried in builds that have no libFuzzer. */
#include <stdio.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"

#define INPUT_LIMIT ((size_t)4 * 1024 * 1024)

static int
replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    /* exactly as long as the input, so that a byte beyond it is seen */
    uint8_t *whole = malloc(INPUT_LIMIT);
    size_t count = whole == NULL ? 0 : fread(whole, 1, INPUT_LIMIT, file);
    uint8_t *input = whole == NULL ? NULL : realloc(whole, count + 1);
    (void)fclose(file);
    if (input == NULL) {
        free(whole);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(input, count);
    free(input);
    return 0;
}

int
main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed += replay(argv[i]);
    }
    return failed > 0 ? 1 : 0;
}
