/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/follow.h"

#include <string.h>

#define EVERYBODY 0xff
#define SOMEBODY  0x52

static void begin(NrFollow *follow, guint port, guint64 time_ns)
{
    const struct capture_record record = { .kind = CAPTURE_BEGUN, .time_ns = time_ns };

    nr_follow_take(follow, port, &record, NULL);
}

/* A frame to this address, told from others by its number. */
static void take(NrFollow *follow, guint port, enum capture_kind kind, guint64 time_ns, guint8 to,
                 guint32 number)
{
    guint8 bytes[64];
    const struct capture_record record = {
        .kind = kind, .time_ns = time_ns, .length = sizeof(bytes), .captured = sizeof(bytes)
    };

    memset(bytes, to, sizeof(bytes));
    memcpy(bytes + 6, &number, sizeof(number));
    nr_follow_take(follow, port, &record, bytes);
}

static void expect(const NrFollow *follow, guint from, guint sent, guint arrived, guint lost)
{
    NrFollowed followed = nr_follow_result(follow, from, 100);

    g_assert_cmpuint(followed.sent, ==, sent);
    g_assert_cmpuint(followed.arrived, ==, arrived);
    g_assert_cmpuint(followed.lost, ==, lost);
}

static NrFollow *begun(void)
{
    NrFollow *follow = nr_follow_new();

    begin(follow, 0, 10);
    begin(follow, 1, 20);
    return follow;
}

static void test_both_directions(void)
{
    g_autoptr(NrFollow) follow = begun();

    take(follow, 0, CAPTURE_IN, 30, EVERYBODY, 1);
    take(follow, 1, CAPTURE_OUT, 31, EVERYBODY, 1);
    take(follow, 0, CAPTURE_OUT, 41, SOMEBODY, 2); /* of another relay: its record may come first */
    take(follow, 1, CAPTURE_IN, 40, SOMEBODY, 2);
    take(follow, 1, CAPTURE_OUT, 50, SOMEBODY, 3); /* somebody else's */
    expect(follow, 0, 1, 1, 0);
    expect(follow, 1, 1, 1, 0);
}

static void test_lost(void)
{
    g_autoptr(NrFollow) follow = begun();

    take(follow, 0, CAPTURE_IN, 19, EVERYBODY, 1); /* before both were watched */
    take(follow, 0, CAPTURE_IN, 30, EVERYBODY, 2);
    take(follow, 0, CAPTURE_IN, 30, SOMEBODY, 3);
    take(follow, 0, CAPTURE_IN, 101, EVERYBODY, 4); /* still under way */
    take(follow, 0, CAPTURE_IN, 30, EVERYBODY, 2);  /* once more the same */
    expect(follow, 0, 3, 0, 1);
    expect(follow, 1, 0, 0, 0);
}

/* Where not all was seen nothing is lost for certain. */
static void test_blind(void)
{
    for (guint how = 0; how < 3; how++) {
        const struct capture_record missed = { .kind = CAPTURE_MISSED, .length = 1 };
        g_autoptr(NrFollow) follow = begun();

        take(follow, 0, CAPTURE_IN, 30, EVERYBODY, 0);
        expect(follow, 0, 1, 0, 1);
        if (how == 0)
            nr_follow_take(follow, 1, &missed, NULL);
        else if (how == 1)
            begin(follow, 1, 60); /* another forwarder */
        for (guint32 i = 1; how == 2 && i <= NR_FOLLOW_MAX; i++)
            take(follow, 0, CAPTURE_IN, 30, EVERYBODY, i);
        expect(follow, 0, how == 2 ? NR_FOLLOW_MAX : 1, 0, 0);
    }
}

static void test_runts(void)
{
    g_autoptr(NrFollow) follow = begun();
    const guint8 bytes[5] = { 0xff, 0xff, 0xff, 0xff, 0xff };
    const struct capture_record record = { .kind = CAPTURE_IN, .time_ns = 30, .captured = 5 };

    nr_follow_take(follow, 0, &record, bytes);
    expect(follow, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/follow/both-directions", test_both_directions);
    g_test_add_func("/follow/lost", test_lost);
    g_test_add_func("/follow/blind", test_blind);
    g_test_add_func("/follow/runts", test_runts);
    return g_test_run();
}
