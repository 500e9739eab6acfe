/* SPDX-License-Identifier: MIT */
/* Power losses: one life of the store is noted; then the power goes behind each
 * of its changes, and what the disk may show then is opened and looked at. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prng.h"
#include "faults/life.h"
#include "faults/tape.h"
#include "store/store_migrate.h"
#include "store/store_sqlite_private.h"

enum { MOMENTS_MAX = 128, SHM_BYTES = 32768, TOLD_MOST = 10, PATH_BYTES = 160 };

/* The store behind an acknowledged step. */
struct moment {
    size_t tape;
    struct life life;
    uint64_t state;
};

static struct moment moments[MOMENTS_MAX];
static int moment_count;

static char in_memory[] = "/dev/shm/longstop-power-XXXXXX";
static char on_disk[] = "/tmp/longstop-power-XXXXXX";
static const char *base;
static long tried;
static long failed;

static struct options {
    long every; /* changes between two losses */
    long seeds; /* disks by seed at each */
    long again; /* every so many losses the power goes again at the start */
    long only;  /* at this change alone; 0: at all */
    long seed;  /* with this seed first */
    bool quiet; /* what fails is meant to */
    const char *plant;
} options = { .every = 1, .seeds = 3, .again = 0, .seed = 1 };

static const char *
path_of(const char *folder, const char *name)
{
    static char paths[4][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, PATH_BYTES, "%s/%s%s%s", base, folder,
                   name[0] == '\0' ? "" : "/", name);
    return path;
}

/* A store whose syncs do less than it thinks; for tests of the tests. */
static void
plant(struct life *life)
{
    tape_syncs_are_lies(strcmp(options.plant, "lies") == 0);
    if (strcmp(options.plant, "normal") == 0 && life->store != NULL) {
        (void)sqlite3_exec(life->store->link.db, "PRAGMA synchronous=NORMAL",
                           NULL, NULL, NULL);
    }
}

static void
keep_moment(struct life *life)
{
    moments[moment_count++] =
        (struct moment){ tape_length(), *life, life_state(life) };
}

/* Lives once, so many steps, on the tape; false when a step fails. */
static bool
live(int steps)
{
    static struct life life;
    struct error err = { 0 };
    const char *path = path_of("life", "db");
    char copy[PATH_BYTES];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    memset(&life, 0, sizeof(life));
    moment_count = 0;
    tape_begin(path_of("life", ""));
    bool good = life_open(&life, copy, &err) == STATUS_OK;
    for (int i = 0; good; i++) {
        plant(&life);
        keep_moment(&life);
        if (i == steps || i + 1 == MOMENTS_MAX) {
            break;
        }
        good = life_step(&life, copy, i, &err) == STATUS_OK;
        if (!good) {
            printf("%s: %s\n", life_step_name(i), err.text);
        }
    }
    tape_end();
    life_close(&life);
    return good;
}

/* ---- what the disk shows ---- */

static void
put(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len) {
        perror(path);
        abort();
    }
    (void)close(fd);
}

/* What is no file of SQLite's, or worth nothing after a power loss. */
static void
put_beside(const char *folder, enum tape_loss loss, uint64_t seed)
{
    static unsigned char rubbish[SHM_BYTES];
    struct prng prng = { seed };
    uint64_t chance = prng_below(&prng, 6);
    if (loss != TAPE_SOME_KEPT || chance % 3 != 0) {
        const char *how = loss == TAPE_NONE_KEPT || chance % 3 == 1
                              ? "pid 1\nclean\n"
                              : "pid 1\nrunning\n";
        put(path_of(folder, "db.lock"), how, strlen(how));
    }
    if (loss == TAPE_SOME_KEPT && chance < 3) {
        for (size_t i = 0; i < sizeof(rubbish); i++) {
            rubbish[i] = (unsigned char)prng_next(&prng);
        }
        put(path_of(folder, "db-shm"), rubbish, sizeof(rubbish));
    }
}

static bool
is_whole(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool whole = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt,
                                    NULL) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    (void)sqlite3_finalize(stmt);
    return whole;
}

/* Which moment this is: the last one that was acknowledged, or the next one,
 * which nobody was told of. -1: neither. */
static int
moment_of(uint64_t state, size_t tape)
{
    int last = 0;
    while (last + 1 < moment_count && moments[last + 1].tape <= tape) {
        last++;
    }
    for (int i = last; i < moment_count && i <= last + 1; i++) {
        if (moments[i].state == state) {
            return i;
        }
    }
    return -1;
}

static void
fail(size_t tape, enum tape_loss loss, uint64_t seed, const char *words)
{
    failed++;
    if (!options.quiet && failed <= TOLD_MOST) {
        printf("change %zu, loss %d, seed %llu: %s\n", tape, (int)loss,
               (unsigned long long)seed, words);
    }
}

/* Starts on what the folder shows; NULL when all is as it must be. */
static const char *
look(const char *folder, size_t tape, bool goes_on)
{
    static struct error err;
    struct life life = { 0 };
    if (life_open(&life, path_of(folder, "db"), &err) != STATUS_OK) {
        return err.text;
    }
    const char *wrong = NULL;
    int at = moment_of(life_state(&life), tape);
    if (at < 0) {
        wrong = "what was acknowledged is not what is there";
    } else if (!is_whole(life.store->link.db)) {
        wrong = "the file is not whole";
    } else if (goes_on) {
        struct store_sqlite *store = life.store;
        life = moments[at].life;
        life.store = store;
        life.held_count = 0;
        wrong = life_goes_on(&life, true);
    }
    life_close(&life);
    return wrong;
}

static void
lose(size_t tape, enum tape_loss loss, uint64_t seed, bool goes_on)
{
    tried++;
    if (!tape_replay(path_of("seen", ""), tape, loss, seed)) {
        fail(tape, loss, seed, "no such change");
        return;
    }
    put_beside("seen", loss, seed);
    const char *wrong = look("seen", tape, goes_on);
    if (wrong != NULL) {
        fail(tape, loss, seed, wrong);
    }
}

/* The power goes again while the store starts: in a process of its own, whose
 * tape is of that start. */
static void
lose_again(size_t tape, uint64_t seed)
{
    int fds[2];
    if (pipe(fds) != 0) {
        abort();
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)tape_replay(path_of("first", ""), tape, TAPE_SOME_KEPT, seed);
        put_beside("first", TAPE_SOME_KEPT, seed);
        struct life life = { 0 };
        failed = tried = 0;
        tape_begin(path_of("first", ""));
        if (life_open(&life, path_of("first", "db"), NULL) == STATUS_OK) {
            life_close(&life);
        }
        tape_end();
        for (size_t i = 1; i <= tape_length(); i++) {
            (void)tape_replay(path_of("seen", ""), i, TAPE_SOME_KEPT, seed);
            const char *wrong = look("seen", tape, false);
            tried++;
            if (wrong != NULL) {
                printf("again at change %zu: ", i);
                fail(tape, TAPE_SOME_KEPT, seed, wrong);
            }
        }
        (void)fflush(stdout);
        long told[2] = { tried, failed };
        (void)!write(fds[1], told, sizeof(told));
        _exit(0);
    }
    (void)close(fds[1]);
    long told[2] = { 0, 1 };
    (void)!read(fds[0], told, sizeof(told));
    (void)close(fds[0]);
    (void)waitpid(child, NULL, 0);
    tried += told[0];
    failed += told[1];
}

static void
lose_everywhere(size_t most)
{
    long losses = 0;
    size_t last = tape_length() < most ? tape_length() : most;
    for (size_t tape = 0; tape <= last; tape++) {
        if (options.only != 0 ? tape != (size_t)options.only
                              : tape % (size_t)options.every != 0) {
            continue;
        }
        lose(tape, TAPE_NONE_KEPT, 0, tape % 7 == 0);
        lose(tape, TAPE_ALL_KEPT, 0, false);
        for (long i = 0; i < options.seeds; i++) {
            lose(tape, TAPE_SOME_KEPT, (uint64_t)(options.seed + i), i == 0);
        }
        if (options.again > 0 && losses % options.again == 0) {
            lose_again(tape, (uint64_t)options.seed);
        }
        losses++;
    }
}

/* A store that the first release made, with a row to be kept. */
static bool
make_old(void)
{
    sqlite3 *db = NULL;
    bool good = sqlite3_open(path_of("life", "db"), &db) == SQLITE_OK &&
                sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) ==
                    SQLITE_OK &&
                sqlite3_exec(db, store_migrate_sqlite[0].sql, NULL, NULL,
                             NULL) == SQLITE_OK &&
                sqlite3_exec(db,
                             "PRAGMA user_version=1;"
                             "INSERT INTO gap VALUES(1,9,1,5,6,7,NULL);"
                             "INSERT INTO account VALUES(9,1,2,3,4,5)",
                             NULL, NULL, NULL) == SQLITE_OK;
    return sqlite3_close(db) == SQLITE_OK && good;
}

static const char *const folders[] = { "life", "seen", "first" };

static void
each_folder(bool make)
{
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *path = path_of(folders[i], "");
        if (make) {
            (void)mkdir(path, 0700);
            tape_wipe(path);
        } else {
            tape_wipe(path);
            (void)rmdir(path);
        }
    }
}

/* One sentence, and whether it held. */
static int
told(bool holds, const char *what, long before)
{
    printf("%s: %s, %ld power losses\n", what,
           holds ? "holds" : "DOES NOT HOLD", tried - before);
    (void)fflush(stdout);
    return holds ? 0 : 1;
}

static int
run_lives(void)
{
    int wrong = 0;
    options.plant = "";
    bool lived = live(life_steps());
    lose_everywhere(tape_length());
    printf("changes of one life: %zu\n", tape_length());
    wrong += told(lived && failed == 0 && tape_length() > 400,
                  "nothing acknowledged is lost", 0);
    long before = tried;
    each_folder(true);
    lived = make_old() && live(3);
    failed = 0;
    lose_everywhere(moments[1].tape);
    return wrong +
           told(lived && failed == 0, "a store of the first release", before);
}

/* A disk, or a store, that does less is seen by the same look. */
static int
run_plants(void)
{
    static const char *const plants[] = { "lies", "normal" };
    int wrong = 0;
    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
        long before = tried;
        each_folder(true);
        options.plant = plants[i];
        options.quiet = true;
        options.again = 0;
        failed = 0;
        options.every = options.every < 20 ? 20 : options.every;
        bool lived = live(20);
        lose_everywhere(tape_length());
        printf("%s: %ld looks fail\n", plants[i], failed);
        wrong += told(lived && failed > 0,
                      i == 0 ? "syncs that are lies are seen"
                             : "synchronous=NORMAL is seen",
                      before);
    }
    return wrong;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        long *at;
    } words[] = {
        { "--every", &options.every }, { "--seeds", &options.seeds },
        { "--again", &options.again }, { "--at", &options.only },
        { "--seed", &options.seed },
    };
    for (int i = 1; i + 1 < argc; i += 2) {
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
            if (strcmp(argv[i], words[k].name) == 0) {
                *words[k].at = strtol(argv[i + 1], NULL, 10);
            }
        }
    }
    base = mkdtemp(in_memory);
    base = base == NULL ? mkdtemp(on_disk) : base;
    if (base == NULL || !tape_install() || options.every < 1) {
        perror(on_disk);
        return 2;
    }
    each_folder(true);
    int wrong = run_lives();
    int total = 2;
    if (options.only == 0) {
        wrong += run_plants();
        total += 2;
    }
    each_folder(false);
    (void)rmdir(base);
    printf("%d passed, %d failed\n", total - wrong, wrong);
    return wrong == 0 ? 0 : 1;
}
