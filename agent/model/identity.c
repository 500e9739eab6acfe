/* SPDX-License-Identifier: MIT */
#include "model/identity.h"

#include <string.h>

#include "wire/digest.h"

static void
put_time(struct ledger_key *key, int64_t time_s)
{
    /* Four bytes reach from 1970 to 2106; a stamp outside is garbage, and
     * must still give the same key every time. */
    uint32_t t = 0;
    if (time_s > (int64_t)UINT32_MAX) {
        t = UINT32_MAX;
    } else if (time_s > 0) {
        t = (uint32_t)time_s;
    }
    key->bytes[0] = (unsigned char)(t >> 24);
    key->bytes[1] = (unsigned char)(t >> 16);
    key->bytes[2] = (unsigned char)(t >> 8);
    key->bytes[3] = (unsigned char)t;
}

static int64_t
get_time(const struct ledger_key *key)
{
    return (int64_t)(((uint32_t)key->bytes[0] << 24) |
                     ((uint32_t)key->bytes[1] << 16) |
                     ((uint32_t)key->bytes[2] << 8) | (uint32_t)key->bytes[3]);
}

static int64_t
seconds_of(int64_t at_ms)
{
    int64_t s = at_ms / 1000;
    return at_ms % 1000 < 0 ? s - 1 : s;
}

static int64_t
bucket_of(int64_t at_ms)
{
    int64_t s = seconds_of(at_ms);
    return s <= 0 ? 0 : s - s % IDENTITY_BUCKET_S;
}

/* Puts a key at the bucket of receipt, where a look-up must also try every
 * bucket the id may have come in before, and one ahead for a clock set back. */
static void
place_by_receipt(const struct connector *connector, int64_t received_ms,
                 struct sighting_key *key)
{
    const int64_t bucket_ms = IDENTITY_BUCKET_S * 1000;
    int64_t back = connector->keep_ids_ms / bucket_ms;
    if (connector->keep_ids_ms % bucket_ms != 0) {
        back++;
    }
    put_time(&key->key, bucket_of(received_ms));
    key->probes_back =
        (uint8_t)(back > IDENTITY_PROBES_MAX ? IDENTITY_PROBES_MAX : back);
    key->probes_ahead = 1;
}

enum status
identity_key(const struct connector *connector, enum key_role role,
             struct slice id, int64_t time_s, struct ledger_key *ret_key)
{
    /* The length in front keeps ("ab", "c") and ("a", "bc") apart. */
    const uint64_t len = connector->name.len;
    const char head[] = { (char)(len >> 8), (char)len, (char)role };
    const struct slice parts[] = { { head, sizeof(head) },
                                   connector->name,
                                   id };
    struct digest digest;
    enum status status = digest_hash(DIGEST_SHA256, parts,
                                     sizeof(parts) / sizeof(parts[0]), &digest);
    if (status != STATUS_OK) {
        return status;
    }
    put_time(ret_key, time_s);
    memcpy(ret_key->bytes + IDENTITY_TIME_BYTES, digest.bytes,
           LEDGER_KEY_BYTES - IDENTITY_TIME_BYTES);
    return STATUS_OK;
}

enum status
identity_add(const struct connector *connector, struct sighting *sighting,
             enum key_role role, struct slice id, int64_t key_time_ms)
{
    PRE(sighting->key_count < SIGHTING_KEYS_MAX);
    struct sighting_key key = { .role = role };
    enum status status =
        identity_key(connector, role, id, seconds_of(key_time_ms), &key.key);
    if (status != STATUS_OK) {
        return status;
    }
    if (key_time_ms < 0) {
        place_by_receipt(connector, sighting->received_ms, &key);
    }
    sighting->keys[sighting->key_count++] = key;
    return STATUS_OK;
}

struct ledger_key
identity_shift(const struct ledger_key *key, int buckets)
{
    struct ledger_key shifted = *key;
    put_time(&shifted, get_time(key) + buckets * IDENTITY_BUCKET_S);
    return shifted;
}

struct ledger_key
identity_floor_key(int64_t time_s)
{
    struct ledger_key key;
    memset(&key, 0, sizeof(key));
    put_time(&key, time_s);
    return key;
}

static size_t
find_role(const struct sighting *sighting, enum key_role role)
{
    for (size_t i = 0; i < sighting->key_count; i++) {
        if (sighting->keys[i].role == role) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool
found_at(const struct key_seen *seen, size_t i)
{
    return i != SIZE_MAX && seen[i].found;
}

static unsigned
bit_at(size_t i)
{
    return i == SIZE_MAX ? 0 : 1U << i;
}

/* Which key says what the sighting is; SIZE_MAX when none does. */
static size_t
deciding_key(const struct sighting *sighting, const struct key_seen *seen)
{
    if (channel_is_walk(sighting->via)) {
        for (size_t i = 0; i < sighting->key_count; i++) {
            if (seen[i].found) {
                return i;
            }
        }
        return SIZE_MAX;
    }
    /* The signed bytes first: an unsigned id may be somebody else's. */
    const size_t body = find_role(sighting, KEY_BODY);
    if (found_at(seen, body)) {
        return body;
    }
    const size_t id = find_role(sighting, KEY_ID);
    if (found_at(seen, id)) {
        return id;
    }
    /* Two webhooks about one version are two facts, unless a row that stands
     * for both was here before them. */
    const size_t state = find_role(sighting, KEY_STATE);
    if (found_at(seen, state) && seen[state].brought_by_walk &&
        sighting->covered_by_row) {
        return state;
    }
    return SIZE_MAX;
}

/* Which keys of a known sighting enter the ledger for the event it is. */
static unsigned
entering_keys(const struct sighting *sighting, const struct key_seen *seen,
              size_t by)
{
    if (!channel_is_hook(sighting->via)) {
        return 0;
    }
    const size_t body = find_role(sighting, KEY_BODY);
    unsigned enter = 0;
    switch (sighting->keys[by].role) {
    case KEY_BODY:
        /* Replayed bytes must not plant ids that other events will have. */
        break;
    case KEY_ID:
        /* The webhook of an event that a walk brought: from now on its bytes
         * are known. Where a webhook has shown the id before, other bytes
         * under it are nothing we can believe, so they enter nowhere. */
        if ((seen[by].channels & CHANNEL_HOOKS) == 0) {
            enter = bit_at(body);
        }
        break;
    case KEY_STATE:
        enter = bit_at(body) | bit_at(find_role(sighting, KEY_ID));
        break;
    }
    return enter;
}

struct identity_verdict
identity_judge(const struct sighting *sighting, const struct key_seen *seen)
{
    struct identity_verdict verdict = { .known = false };
    const size_t by = deciding_key(sighting, seen);
    if (by == SIZE_MAX) {
        for (size_t i = 0; i < sighting->key_count; i++) {
            if (!seen[i].found) {
                verdict.insert |= bit_at(i);
            }
        }
        return verdict;
    }
    verdict.known = true;
    verdict.event = seen[by].event;
    verdict.insert = entering_keys(sighting, seen, by);
    for (size_t i = 0; i < sighting->key_count; i++) {
        if (!seen[i].found || seen[i].event != verdict.event) {
            continue; /* another event's key: not confirmed by this */
        }
        verdict.mark |= bit_at(i);
        if ((seen[i].channels & (1U << (unsigned)sighting->via)) != 0) {
            verdict.seen_by_via = true;
        }
    }
    return verdict;
}

enum status
identity_below_floor(const struct connector *connector, int64_t floor_ms,
                     struct sighting *sighting)
{
    if (!channel_is_hook(sighting->via)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < sighting->key_count; i++) {
        struct sighting_key *key = &sighting->keys[i];
        const bool own_time = key->probes_back == 0 && key->probes_ahead == 0;
        if (own_time && get_time(&key->key) < seconds_of(floor_ms)) {
            place_by_receipt(connector, sighting->received_ms, key);
            sighting->beyond_horizon = true;
        }
    }
    return STATUS_OK;
}
