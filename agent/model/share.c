/* SPDX-License-Identifier: MIT */
/* share: rendezvous hashing, and what follows from it for one connector. */
#include "model/share.h"

#include "base/prng.h"

uint64_t
share_weight(uint64_t epoch, uint32_t connector)
{
    struct prng of_epoch = { epoch };
    struct prng both = { prng_next(&of_epoch) ^ connector };
    return prng_next(&both);
}

/* Equal weights are as good as impossible, but all must agree. */
static bool
outweighs(uint64_t epoch, uint64_t other, uint32_t connector)
{
    uint64_t weight = share_weight(epoch, connector);
    uint64_t against = share_weight(other, connector);
    return weight != against ? weight > against : epoch > other;
}

uint64_t
share_first(const uint64_t *living, size_t count, uint32_t connector)
{
    uint64_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (first == 0 || outweighs(living[i], first, connector)) {
            first = living[i];
        }
    }
    return first;
}

static bool
lives(const struct share_view *view, uint64_t epoch)
{
    for (size_t i = 0; i < view->count; i++) {
        if (view->living[i] == epoch) {
            return true;
        }
    }
    return false;
}

static bool
is_ours(const struct share_view *view, uint32_t connector)
{
    return share_first(view->living, view->count, connector) == view->self;
}

enum share_act
share_decide(const struct share_view *view, const struct share_row *row)
{
    if (row->holder == view->self) {
        bool gives = row->asked != 0 && lives(view, row->asked) &&
                     outweighs(row->asked, view->self, row->connector);
        return gives ? SHARE_GIVE : SHARE_LEAVE;
    }
    if (row->holder == 0) {
        bool is_orphan = view->now_ms - row->freed_ms >= view->orphan_ms;
        return is_orphan || is_ours(view, row->connector) ? SHARE_TAKE
                                                          : SHARE_LEAVE;
    }
    bool asks = view->is_settled && row->asked != view->self &&
                is_ours(view, row->connector);
    return asks ? SHARE_ASK : SHARE_LEAVE;
}
