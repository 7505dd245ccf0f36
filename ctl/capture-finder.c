/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-finder.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "common/scope.h"
#include "ctl/capture-target.h"
#include "ctl/manager.h"

#define STATUS_TIMEOUT_MS 5000
#define LOOK_MS           2000 /* for what nobody tells of */
#define LOOK_SOON_MS      200  /* while something is missing, or has changed */

struct NrCaptureFinder {
    NrCall call; /* its own: it outlives its caller's */
    char *word;
    guint32 snaplen;
    NrCaptureNews news; /* fd: an eventfd */
    GMutex lock;        /* of all that follows */
    GCond poked;
    gboolean hurry;    /* do not wait long for the next look */
    GHashTable *open;  /* names of networks whose relays are captured */
    GPtrArray *found;  /* NrCaptureSource: not yet taken */
    GHashTable *names; /* label -> "GUEST/NIC", the newest; never changed, only replaced */
};

/* In the thread; and once before there is one */

static gboolean is_open(NrCaptureFinder *finder, const char *network)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&finder->lock);

    return g_hash_table_contains(finder->open, network);
}

/* NULL: another time; *ret_code then, and it has been said why where that is a person's first
 * question. */
static NrCaptureSource *open_source(const NrCaptureFinder *finder, const NrCaptureTarget *target,
                                    const char *network, gboolean quiet, NrExit *ret_code)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(NrCaptureSource) source = NULL;
    int sock = nr_manager_open_relay(&finder->call, network, &silence);
    NrRelayClient *client;

    if (sock < 0) {
        *ret_code = silence.code;
        if (!quiet)
            nr_silence_say(&silence);
        return NULL;
    }
    client = nr_relay_client_new_over(sock, quiet ? NULL : network, ret_code);
    source = client ? nr_capture_source_new(client, network, ret_code) : NULL;
    if (!source)
        return NULL;
    source->label = g_strdup(target->label);
    source->names = g_hash_table_ref(target->names);
    *ret_code = nr_capture_source_begin(source, finder->snaplen);
    return *ret_code == NR_EXIT_DONE ? g_steal_pointer(&source) : NULL;
}

static void publish(NrCaptureFinder *finder, const NrCaptureTarget *target, NrCaptureSource *source)
{
    const guint64 one = 1;

    g_mutex_lock(&finder->lock);
    if (source) {
        g_hash_table_add(finder->open, g_strdup(source->place));
        g_ptr_array_add(finder->found, source);
    }
    g_clear_pointer(&finder->names, g_hash_table_unref);
    finder->names = g_hash_table_ref(target->names);
    g_mutex_unlock(&finder->lock);
    (void)!write(finder->news.fd, &one, sizeof(one));
}

static NrCaptureTarget *ask_target(const NrCaptureFinder *finder, gboolean quiet, NrExit *ret_code)
{
    g_autoptr(GVariant) reply = nr_manager_call(&finder->call, "Status", "(aa{sv}a{sv})",
                                                STATUS_TIMEOUT_MS, quiet, ret_code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    g_autofree char *fault = NULL;
    NrCaptureTarget *target = rows ? nr_capture_target_new(rows, finder->word, &fault) : NULL;

    if (fault && !quiet)
        nr_complain("%s", fault);
    if (fault)
        *ret_code = NR_EXIT_FAILED;
    return target;
}

/* One look; quiet: nothing is said, as the next one may find more. */
static NrExit look(NrCaptureFinder *finder, gboolean quiet)
{
    NrExit code = NR_EXIT_DONE;
    g_autoptr(NrCaptureTarget) target = ask_target(finder, quiet, &code);

    if (!target)
        return code;
    publish(finder, target, NULL);
    for (guint i = 0; i < target->networks->len; i++) {
        const char *network = target->networks->pdata[i];
        NrCaptureSource *source =
            is_open(finder, network) ? NULL : open_source(finder, target, network, quiet, &code);

        if (source)
            publish(finder, target, source);
        else if (code != NR_EXIT_DONE && !quiet)
            return code;
    }
    return NR_EXIT_DONE;
}

static void wait_for_time(NrCaptureFinder *finder)
{
    gint64 now_us = g_get_monotonic_time();
    gint64 soon_us = now_us + LOOK_SOON_MS * G_TIME_SPAN_MILLISECOND;
    gint64 late_us = now_us + LOOK_MS * G_TIME_SPAN_MILLISECOND;

    g_mutex_lock(&finder->lock);
    while (g_cond_wait_until(&finder->poked, &finder->lock, finder->hurry ? soon_us : late_us))
        ; /* the time counts, not how often */
    finder->hurry = FALSE;
    g_mutex_unlock(&finder->lock);
}

static gpointer run(gpointer data)
{
    NrCaptureFinder *finder = data;

    for (;;) {
        wait_for_time(finder);
        look(finder, TRUE);
    }
    return NULL;
}

/* In the capture */

static void on_take(NrCapture *capture, gpointer data)
{
    NrCaptureFinder *finder = data;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&finder->lock);
    guint64 count;

    (void)!read(finder->news.fd, &count, sizeof(count));
    for (guint i = 0; i < finder->found->len; i++) {
        NrCaptureSource *source = finder->found->pdata[i];

        if (capture->begun)
            nr_complain("%s: captured, too, from now on", source->place);
        nr_capture_add(capture, source);
    }
    g_ptr_array_set_size(finder->found, 0);
    for (guint i = 0; i < capture->sources->len; i++) {
        NrCaptureSource *source = capture->sources->pdata[i];

        g_clear_pointer(&source->names, g_hash_table_unref);
        source->names = g_hash_table_ref(finder->names);
    }
}

static void on_changed(gpointer data)
{
    NrCaptureFinder *finder = data;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&finder->lock);

    finder->hurry = TRUE;
    g_cond_signal(&finder->poked);
}

static void on_lost(const char *place, gpointer data)
{
    NrCaptureFinder *finder = data;

    g_mutex_lock(&finder->lock);
    g_hash_table_remove(finder->open, place);
    g_mutex_unlock(&finder->lock);
    on_changed(finder);
}

/* Of one that was not started: its thread would go on with all of it. */
static void finder_free(NrCaptureFinder *finder)
{
    g_ptr_array_set_free_func(finder->found, (GDestroyNotify)nr_capture_source_free);
    g_ptr_array_unref(finder->found);
    g_clear_pointer(&finder->names, g_hash_table_unref);
    g_hash_table_unref(finder->open);
    g_cond_clear(&finder->poked);
    g_mutex_clear(&finder->lock);
    closep(&finder->news.fd);
    g_free(finder->word);
    g_free((char *)finder->call.runtime_dir);
    g_free(finder);
}

NrCaptureFinder *nr_capture_finder_new(const NrCall *call, const char *word, guint32 snaplen,
                                       NrExit *ret_code)
{
    NrCaptureFinder *finder = g_new0(NrCaptureFinder, 1);

    finder->call = *call;
    finder->call.runtime_dir = g_strdup(call->runtime_dir);
    finder->word = g_strdup(word);
    finder->snaplen = snaplen;
    finder->news = (NrCaptureNews){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                    .take = on_take,
                                    .lost = on_lost,
                                    .changed = on_changed,
                                    .data = finder };
    g_mutex_init(&finder->lock);
    g_cond_init(&finder->poked);
    finder->open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    finder->found = g_ptr_array_new();
    *ret_code = look(finder, FALSE);
    if (*ret_code == NR_EXIT_DONE)
        return finder;
    finder_free(finder);
    return NULL;
}

void nr_capture_finder_start(NrCaptureFinder *finder, NrCapture *capture)
{
    capture->news = &finder->news;
    on_take(capture, finder);
    g_thread_unref(g_thread_new("finder", run, finder));
}
