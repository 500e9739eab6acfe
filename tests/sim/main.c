/* SPDX-License-Identifier: MIT */
/* longstop-sim: worlds by seed, many or one with its trace; see README.md. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/rule.h"
#include "sim/disk.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "wire/digest.h"

enum rule rule_removed = RULE_COUNT;

enum { FORKS_MAX = 64 };

static const struct {
    const char *name;
    const char *doc;
} rules[] = {
#define ROW(rule, name, doc) { name, doc },
    RULES(ROW)
#undef ROW
};

struct options {
    uint64_t first;
    uint64_t last;
    bool one; /* with its trace */
    bool until_failure;
    double minutes; /* 0: the seeds decide */
    unsigned forks;
};

/* What one fork has to say, through a pipe. */
struct sum {
    uint64_t passed;
    uint64_t failed;
    uint64_t first_failed;
    double days;
    uint64_t walks;
    uint64_t crashes;
    uint64_t gaps;
    int64_t staleness_ms;
};

static double
seconds_now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void
usage(void)
{
    (void)fprintf(
        stderr,
        "usage: longstop-sim --seeds A..B | --seed N | --rules\n"
        "       [--without RULE] [--minutes M] [--until-failure] [-j N]\n");
    exit(2);
}

static void
list_rules(void)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        (void)printf("%-14s %s\n", rules[i].name, rules[i].doc);
    }
    exit(0);
}

static enum rule
rule_named(const char *name)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return (enum rule)i;
        }
    }
    (void)fprintf(stderr, "no rule '%s'; --rules lists them\n", name);
    exit(2);
}

static uint64_t
number_of(const char *text, const char **ret_end)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || errno != 0) {
        usage();
    }
    *ret_end = end;
    return number;
}

static void
take_option(struct options *options, const char *name, const char *value)
{
    const char *end = "";
    if (value == NULL) {
        usage();
    } else if (strcmp(name, "--seed") == 0) {
        options->first = number_of(value, &end);
        options->last = options->first;
        options->one = true;
    } else if (strcmp(name, "--seeds") == 0) {
        options->first = number_of(value, &end);
        options->last = options->first;
        if (strncmp(end, "..", 2) == 0) {
            options->last = number_of(end + 2, &end);
        }
    } else if (strcmp(name, "--without") == 0) {
        rule_removed = rule_named(value);
    } else if (strcmp(name, "--minutes") == 0) {
        options->minutes = strtod(value, NULL);
    } else if (strcmp(name, "-j") == 0) {
        options->forks = (unsigned)number_of(value, &end);
    } else {
        usage();
    }
    if (*end != '\0') {
        usage();
    }
}

static struct options
read_options(int argc, char **argv)
{
    struct options options = { .first = 1, .last = 100, .forks = 1 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rules") == 0) {
            list_rules();
        } else if (strcmp(argv[i], "--until-failure") == 0) {
            options.until_failure = true;
        } else {
            take_option(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        }
    }
    if (options.forks < 1 || options.forks > FORKS_MAX) {
        options.forks = 1;
    }
    return options;
}

/* A folder in memory where there is one. */
static void
make_folder(char *path, size_t size)
{
    const char *temporary = getenv("TMPDIR");
    if (access("/dev/shm", W_OK) == 0) {
        temporary = "/dev/shm";
    }
    (void)snprintf(path, size, "%s/longstop-sim-XXXXXX",
                   temporary == NULL ? "/tmp" : temporary);
    /* Worlds see it as ".", so that its name is in no trace. */
    if (mkdtemp(path) == NULL || chdir(path) != 0) {
        perror(path);
        exit(1);
    }
}

static void
add_world(struct sum *sum, uint64_t seed, bool passed)
{
    sum->days += (double)vtime_now_ms() / (double)INSTANT_DAY_MS;
    sum->walks += world.walks;
    sum->crashes += world.crashes;
    sum->gaps += world.gaps;
    if (world.staleness_ms > sum->staleness_ms) {
        sum->staleness_ms = world.staleness_ms;
    }
    if (passed) {
        sum->passed++;
        return;
    }
    if (sum->failed == 0) {
        sum->first_failed = seed;
    }
    sum->failed++;
    (void)printf("FAILED seed %" PRIu64 ": %s\n", seed, world.why);
    (void)fflush(stdout);
}

/* Runs every `forks`-th seed from its own on. */
static struct sum
run_share(const struct options *options, unsigned share)
{
    struct sum sum = { 0 };
    char folder[128];
    double end = seconds_now() + options->minutes * 60;
    make_folder(folder, sizeof(folder));
    for (uint64_t seed = options->first + share;
         options->minutes > 0 || seed <= options->last;
         seed += options->forks) {
        bool passed = world_run(seed, ".", options->one);
        add_world(&sum, seed, passed);
        if ((options->minutes > 0 && seconds_now() > end) ||
            (options->until_failure && !passed)) {
            break;
        }
    }
    (void)rmdir(folder);
    vtime_end();
    return sum;
}

static void
merge(struct sum *all, const struct sum *one)
{
    if (one->failed > 0 &&
        (all->failed == 0 || one->first_failed < all->first_failed)) {
        all->first_failed = one->first_failed;
    }
    all->passed += one->passed;
    all->failed += one->failed;
    all->days += one->days;
    all->walks += one->walks;
    all->crashes += one->crashes;
    all->gaps += one->gaps;
    if (one->staleness_ms > all->staleness_ms) {
        all->staleness_ms = one->staleness_ms;
    }
}

/* A fork that dies counts as one failure: its sum never comes. */
static void
run_forks(const struct options *options, struct sum *all)
{
    int pipes[FORKS_MAX];
    for (unsigned i = 0; i < options->forks; i++) {
        int ends[2];
        if (pipe(ends) != 0) {
            perror("pipe");
            exit(1);
        }
        (void)fflush(stdout);
        if (fork() == 0) {
            (void)close(ends[0]);
            struct sum sum = run_share(options, i);
            bool sent = write(ends[1], &sum, sizeof(sum)) == sizeof(sum);
            exit(sent ? 0 : 1);
        }
        (void)close(ends[1]);
        pipes[i] = ends[0];
    }
    for (unsigned i = 0; i < options->forks; i++) {
        struct sum sum = { 0 };
        if (read(pipes[i], &sum, sizeof(sum)) != sizeof(sum)) {
            (void)printf("FAILED one of the forks died\n");
            sum = (struct sum){ .failed = 1 };
        }
        (void)close(pipes[i]);
        merge(all, &sum);
    }
    while (wait(NULL) > 0) {
    }
}

int
main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct sum sum = { 0 };
    double began = seconds_now();
    if (digest_init(NULL) != STATUS_OK) {
        return 1;
    }
    disk_install();
    if (options.forks > 1 && !options.one) {
        run_forks(&options, &sum);
    } else {
        sum = run_share(&options, 0);
    }
    double minutes = (seconds_now() - began) / 60;
    if (options.one) {
        (void)printf("%s\n", sum.failed > 0 ? world.why : "passed");
        return sum.failed > 0;
    }
    (void)printf("%.0f provider-days, %.0f a minute; %" PRIu64
                 " walks, %" PRIu64 " crashes, %" PRIu64
                 " gaps; longest staleness %" PRId64 " s\n%" PRIu64
                 " passed, %" PRIu64 " failed\n",
                 sum.days, sum.days / minutes, sum.walks, sum.crashes, sum.gaps,
                 sum.staleness_ms / 1000, sum.passed, sum.failed);
    return sum.failed > 0;
}
