/* SPDX-License-Identifier: MIT */
/*
 * indirect: an answer that shows no rows but says where a file with them is:
 * which file, whether it may be fetched, and the request that does. Pure.
 */
#ifndef MODEL_INDIRECT_H
#define MODEL_INDIRECT_H

#include "model/answer.h"
#include "model/request.h"

struct indirect_file {
    struct rendered_request request; /* in the arena */
    struct slice host;               /* for words; the URL may be a secret */
    bool is_own;     /* at the list's origin: its limits are the list's */
    bool is_foreign; /* elsewhere, by https: it must not be in a private
                        network, since data chose its host */
};

/*
 * Renders the request for the file that `answer` names, relative to `list_url`,
 * which was asked. The file is at the list's origin, or at a host that
 * `indirect.allow` knows, and by https unless the list itself is not;
 * STATUS_DENIED says what is wrong. No other origin is sent a credential or a
 * field of the list. STATUS_NOT_FOUND, without words: the answer names no file.
 */
NODISCARD
enum status indirect_request(const struct connector *connector,
                             struct slice list_url,
                             const struct answer_view *answer,
                             struct arena *arena,
                             struct indirect_file *ret_file, struct error *err);

#endif
