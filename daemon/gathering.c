/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/gathering.h"

#include <errno.h>

struct NrGathering {
    guint open;
    void (*done)(gpointer data); /* NULL: nobody waits for it any more */
    gpointer data;
};

NrGathering *nr_gathering_new(void (*done)(gpointer data), gpointer data)
{
    NrGathering *gathering = g_new(NrGathering, 1);

    *gathering = (NrGathering){ .open = 1, .done = done, .data = data };
    return gathering;
}

void nr_gathering_join(NrGathering *gathering)
{
    gathering->open++;
}

void nr_gathering_leave(NrGathering *gathering)
{
    if (--gathering->open > 0)
        return;
    if (gathering->done)
        gathering->done(gathering->data);
    g_free(gathering);
}

void nr_gathering_reply(int error, const char *text, gpointer data)
{
    NrGathering *gathering = data;

    if (error == -ECANCELED)
        gathering->done = NULL;
    nr_gathering_leave(gathering);
}
