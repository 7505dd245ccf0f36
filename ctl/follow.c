/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/follow.h"

#include <string.h>

#define ADDRESS_SIZE 6

/* Of one direction: its frames by their bytes. Copies of one frame are one. */
typedef struct {
    GHashTable *in;  /* GBytes -> guint64: when it came in, since the epoch */
    GHashTable *out; /* set of GBytes */
} Direction;

struct NrFollow {
    Direction from[2];
    guint64 begun_ns[2]; /* of each port's records; 0: they have not */
    gboolean blind;      /* there was more than is known here: nothing is lost for certain */
};

NrFollow *nr_follow_new(void)
{
    NrFollow *follow = g_new0(NrFollow, 1);

    for (guint i = 0; i < G_N_ELEMENTS(follow->from); i++) {
        follow->from[i].in = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                                   (GDestroyNotify)g_bytes_unref, g_free);
        follow->from[i].out =
            g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    }
    return follow;
}

void nr_follow_free(NrFollow *follow)
{
    for (guint i = 0; follow && i < G_N_ELEMENTS(follow->from); i++) {
        g_hash_table_unref(follow->from[i].in);
        g_hash_table_unref(follow->from[i].out);
    }
    g_free(follow);
}

/* A relay's forwarder says it once, and its successor again. */
static void take_begun(NrFollow *follow, guint port, guint64 time_ns)
{
    follow->blind = follow->blind || follow->begun_ns[port];
    follow->begun_ns[port] = time_ns;
}

/* What came in before the other port was watched may have left by it unseen. */
static gboolean is_early(const NrFollow *follow, guint64 time_ns)
{
    return !follow->begun_ns[0] || !follow->begun_ns[1] ||
           time_ns < MAX(follow->begun_ns[0], follow->begun_ns[1]);
}

static void take_frame(NrFollow *follow, guint port, const struct capture_record *record,
                       const guint8 *bytes)
{
    gboolean in = record->kind == CAPTURE_IN;
    Direction *direction = &follow->from[in ? port : !port]; /* one's end is the other's begin */
    GHashTable *frames = in ? direction->in : direction->out;
    GBytes *frame;

    if (record->captured < ADDRESS_SIZE || (in && is_early(follow, record->time_ns)))
        return;
    if (g_hash_table_size(frames) >= NR_FOLLOW_MAX) {
        follow->blind = TRUE;
        return;
    }
    frame = g_bytes_new(bytes, MIN(record->captured, NR_FOLLOW_BYTES));
    if (!in)
        g_hash_table_add(frames, frame);
    else if (!g_hash_table_contains(frames, frame))
        g_hash_table_insert(frames, frame, g_memdup2(&record->time_ns, sizeof(record->time_ns)));
    else
        g_bytes_unref(frame);
}

void nr_follow_take(NrFollow *follow, guint port, const struct capture_record *record,
                    const guint8 *bytes)
{
    if (record->kind == CAPTURE_IN || record->kind == CAPTURE_OUT)
        take_frame(follow, port, record, bytes);
    else if (record->kind == CAPTURE_BEGUN)
        take_begun(follow, port, record->time_ns);
    else
        follow->blind = TRUE;
}

static gboolean is_for_everybody(GBytes *frame)
{
    static const guint8 everybody[ADDRESS_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    return memcmp(g_bytes_get_data(frame, NULL), everybody, ADDRESS_SIZE) == 0;
}

NrFollowed nr_follow_result(const NrFollow *follow, guint from, guint64 until_ns)
{
    const Direction *direction = &follow->from[from];
    NrFollowed followed = { 0 };
    GHashTableIter iter;
    gpointer frame, time_ns;

    g_hash_table_iter_init(&iter, direction->in);
    while (g_hash_table_iter_next(&iter, &frame, &time_ns)) {
        followed.sent++;
        if (g_hash_table_contains(direction->out, frame))
            followed.arrived++;
        else if (!follow->blind && is_for_everybody(frame) && *(guint64 *)time_ns <= until_ns)
            followed.lost++;
    }
    return followed;
}
