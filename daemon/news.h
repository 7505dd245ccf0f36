/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last events, each with a number that grows, for readers that go at their own pace: each has a
 * position, and who falls behind too far is told how much it missed. So a slow reader costs
 * nothing. While nobody reads nothing is kept.
 */
#ifndef NR_DAEMON_NEWS_H
#define NR_DAEMON_NEWS_H

#include <glib.h>

#define NR_NEWS_MAX     4096 /* events that are kept */
#define NR_NEWS_AT_ONCE 256  /* events in one message */
#define NR_NEWS_REST_MS 1000 /* what is told again and again is told so often, with a count */

typedef struct NrNews NrNews;

NrNews *nr_news_new(void);
void nr_news_free(NrNews *news);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrNews, nr_news_free)

/* added is called when there is something to be read; NULL: nobody reads. */
void nr_news_read_by(NrNews *news, void (*added)(gpointer data), gpointer data);
/* a{sv}, which gets its time here. */
void nr_news_add(NrNews *news, GVariant *event);
/* What no status shows. network and guest: NULL where there is none. */
void nr_news_tell(NrNews *news, const char *event, const char *network, const char *guest,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);

/* The position behind the last event. */
guint64 nr_news_end(const NrNews *news);
/* The events from there on, aa{sv}, floating, at most NR_NEWS_AT_ONCE; moves the position.
 * *ret_missed: those before them that are not kept any more. */
GVariant *nr_news_read(const NrNews *news, guint64 *position, guint64 *ret_missed);

#endif
