/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/notices.h"

#include <string.h>

bool notices_put(struct notices *notices, struct notice notice)
{
    bool is_state = notice.what == NOTICE_BLOCKED || notice.what == NOTICE_OPENED;

    if (notices->n >= (is_state ? NOTICES_MAX : NOTICES_MAX / 4))
        return false;
    notices->list[notices->n++] = notice;
    return true;
}

int notices_tell(struct notices *notices, int sock)
{
    unsigned done = 0;
    int r = 0;

    for (; done < notices->n; ++done) {
        const struct notice *notice = &notices->list[done];
        struct handover message = {
            .type = HANDOVER_NOTICE,
            .slot = notice->slot,
            .id = notice->id,
            .notice = notice->what,
            .source = notice->source,
            .other = notice->other,
        };

        r = handover_send(sock, &message, NULL, 0);
        if (r < 0)
            break;
    }
    notices->n -= done;
    memmove(notices->list, notices->list + done, notices->n * sizeof(notices->list[0]));
    return r;
}
