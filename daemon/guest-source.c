/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads share the mailbox, under its lock: the main thread (libvirt's event callbacks run
 * there, in the default main context) puts in what to look at; the worker takes it out, asks
 * libvirt and sends answers to the main context, in order. Everything else here is the worker's.
 *
 * After each connection all guests are listed, and again a little later: a new libvirtd accepts
 * connections before it has looked after guests that died while it was away, and sends no event
 * for them. Then a list a minute, for what events do not tell.
 *
 * qemu:///session: libvirt's client library starts that daemon if it is not there. It may do so
 * when we start, because guests may be defined or even running that we have to know. Later it may
 * not: a session daemon ends by itself when nobody needs it, or somebody ended it, and one that
 * dies at its start would be started for ever. We wait until it is there again.
 */
#include "daemon/guest-source.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/log.h"
#include "xml/domain-xml.h"

#define BACKOFF_FIRST_MS   200
#define BACKOFF_LAST_MS    5000
#define SECOND_LOOK_MS     3000
#define RESYNC_MS          60000
#define KEEPALIVE_INTERVAL 5 /* seconds; where another host is asked */
#define KEEPALIVE_COUNT    3
#define END_MS             500
#define FAULTS_REMEMBERED  1024

struct NrGuestSource {
    gatomicrefcount refs;
    char *uri;
    const NrGuestSourceEvents *events; /* main thread; NULL once it is over */
    gpointer data;
    /* the mailbox */
    GMutex lock;
    GCond wake;
    GHashTable *uuids;
    GQueue jobs; /* NrGuestSourceJob */
    gboolean all, lost, quit, ended;
    /* the worker's */
    virConnectPtr connection;
    gint64 next_list_ms;
    guint backoff_ms;
    GHashTable *faults; /* names of guests whose XML was complained about */
};

/* The library reads it at each connection; the string is part of the environment. */
static char autostart[] = "LIBVIRT_AUTOSTART=1";

static void source_unref(NrGuestSource *source)
{
    if (!g_atomic_ref_count_dec(&source->refs))
        return;
    g_mutex_clear(&source->lock);
    g_cond_clear(&source->wake);
    g_hash_table_unref(source->uuids);
    g_queue_clear_full(&source->jobs, g_free);
    g_hash_table_unref(source->faults);
    g_free(source->uri);
    g_free(source);
}

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

/* Answers: from the worker to the main loop */

typedef struct {
    NrGuestSource *source;
    GPtrArray *guests; /* of all */
    GPtrArray *unread; /* of all */
    char *uuid;        /* of one */
    NrGuest *running, *defined;
    char *state;
    NrGuestSourceJob *job; /* done */
} Answer;

static void answer_free(gpointer p)
{
    Answer *answer = p;

    g_clear_pointer(&answer->guests, g_ptr_array_unref);
    g_clear_pointer(&answer->unread, g_ptr_array_unref);
    g_clear_pointer(&answer->running, nr_guest_unref);
    g_clear_pointer(&answer->defined, nr_guest_unref);
    g_free(answer->uuid);
    g_free(answer->state);
    g_free(answer->job);
    source_unref(answer->source);
    g_free(answer);
}

static gboolean on_answer(gpointer data)
{
    Answer *answer = data;
    const NrGuestSourceEvents *events = answer->source->events;

    if (!events)
        return G_SOURCE_REMOVE;
    if (answer->job)
        answer->job->done(answer->job->data);
    else if (answer->state)
        events->state(answer->state, answer->source->data);
    else if (answer->guests)
        events->all(answer->guests, answer->unread, answer->source->data);
    else
        events->one(answer->uuid, answer->running, answer->defined, answer->source->data);
    return G_SOURCE_REMOVE;
}

static void answer_send(NrGuestSource *source, Answer fields)
{
    Answer *answer = g_new(Answer, 1);

    *answer = fields;
    answer->source = source;
    g_atomic_ref_count_inc(&source->refs);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_answer, answer, answer_free);
}

/* The mailbox */

void nr_guest_source_ask(NrGuestSource *source, const char *uuid)
{
    g_mutex_lock(&source->lock);
    g_hash_table_add(source->uuids, g_strdup(uuid));
    g_cond_signal(&source->wake);
    g_mutex_unlock(&source->lock);
}

void nr_guest_source_do(NrGuestSource *source, NrGuestSourceJob job)
{
    g_mutex_lock(&source->lock);
    g_queue_push_tail(&source->jobs, g_memdup2(&job, sizeof(job)));
    g_cond_signal(&source->wake);
    g_mutex_unlock(&source->lock);
}

static void mark(NrGuestSource *source, gboolean *flag)
{
    g_mutex_lock(&source->lock);
    *flag = TRUE;
    g_cond_signal(&source->wake);
    g_mutex_unlock(&source->lock);
}

void nr_guest_source_resync(NrGuestSource *source)
{
    mark(source, &source->all);
}

/* What was in it. */
typedef struct {
    GPtrArray *uuids;
    GQueue jobs;
    gboolean all, lost, quit;
} Mail;

static void mail_clear(Mail *mail)
{
    g_ptr_array_unref(mail->uuids);
    g_queue_clear_full(&mail->jobs, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Mail, mail_clear)

static gboolean mailbox_is_empty(NrGuestSource *source)
{
    return !source->all && !source->lost && !source->quit && g_queue_is_empty(&source->jobs) &&
           g_hash_table_size(source->uuids) == 0;
}

/* Waits for something to do until the deadline. */
static Mail mailbox_take(NrGuestSource *source, gint64 until_ms)
{
    Mail mail = { .uuids = g_ptr_array_new_with_free_func(g_free) };
    GHashTableIter iter;
    gpointer uuid;

    g_mutex_lock(&source->lock);
    while (mailbox_is_empty(source))
        if (!g_cond_wait_until(&source->wake, &source->lock, until_ms * 1000))
            break;
    g_hash_table_iter_init(&iter, source->uuids);
    while (g_hash_table_iter_next(&iter, &uuid, NULL)) {
        g_ptr_array_add(mail.uuids, uuid);
        g_hash_table_iter_steal(&iter);
    }
    mail.jobs = source->jobs;
    g_queue_init(&source->jobs);
    mail.all = source->all;
    mail.lost = source->lost;
    mail.quit = source->quit;
    source->all = source->lost = FALSE;
    g_mutex_unlock(&source->lock);
    return mail;
}

/* Events: main thread */

static void look_at(virDomainPtr domain, NrGuestSource *source)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (virDomainGetUUIDString(domain, uuid) == 0)
        nr_guest_source_ask(source, uuid);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *data)
{
    look_at(domain, data);
    return 0;
}

static void on_metadata(virConnectPtr connection, virDomainPtr domain, int type, const char *uri,
                        void *data)
{
    look_at(domain, data);
}

static void on_device(virConnectPtr connection, virDomainPtr domain, const char *alias, void *data)
{
    look_at(domain, data);
}

static void on_plain(virConnectPtr connection, virDomainPtr domain, void *data)
{
    look_at(domain, data);
}

static void on_close(virConnectPtr connection, int reason, void *data)
{
    NrGuestSource *source = data;

    mark(source, &source->lost);
}

static void release_source(void *data)
{
    source_unref(data);
}

/* Asking: the worker */

static NrGuest *guest_read(NrGuestSource *source, virDomainPtr domain, unsigned flags)
{
    g_autoptr(GError) error = NULL;
    char *xml = virDomainGetXMLDesc(domain, flags);
    NrGuest *guest;

    if (!xml)
        return NULL;
    guest = nr_domain_xml_parse(xml, strlen(xml), &error);
    free(xml);
    if (guest)
        return guest;
    if (g_hash_table_size(source->faults) < FAULTS_REMEMBERED &&
        g_hash_table_add(source->faults, g_strdup(virDomainGetName(domain))))
        nr_log(NR_LOG_WARNING, "guest %s is left out: its XML cannot be read: %s",
               virDomainGetName(domain), error->message);
    return NULL;
}

/* libvirt counts a guest as active long before its QEMU is there: from before its hook on. */
static gboolean is_starting(virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE, reason = 0;

    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return FALSE;
    return state == VIR_DOMAIN_SHUTOFF ||
           (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP);
}

/* Its live XML, if it is active: that of a guest which has just ended has no id. FALSE: it may well
 * run, and cannot be read. Its network must not go for that. */
static gboolean guest_running(NrGuestSource *source, virDomainPtr domain, NrGuest **ret)
{
    g_autoptr(NrGuest) guest = NULL;
    int active;

    virResetLastError();
    active = virDomainIsActive(domain);
    if (active == 1)
        guest = guest_read(source, domain, 0);
    if (active != 0 && !guest)
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN; /* it vanished meanwhile */
    if (guest && guest->id >= 0) /* its state after its XML: what runs by then has bound, dialled */
        *ret = nr_guest_copy(guest, is_starting(domain) ? NR_GUEST_ANNOUNCED : NR_GUEST_RUNNING);
    return TRUE;
}

static NrGuest *guest_defined(NrGuestSource *source, virDomainPtr domain)
{
    if (virDomainIsPersistent(domain) != 1)
        return NULL;
    return guest_read(source, domain, VIR_DOMAIN_XML_INACTIVE);
}

static void look_at_one(NrGuestSource *source, const char *uuid)
{
    virDomainPtr domain = virDomainLookupByUUIDString(source->connection, uuid);
    g_autoptr(NrGuest) running = NULL, defined = NULL;
    gboolean known = TRUE;

    if (domain) {
        defined = guest_defined(source, domain);
        known = guest_running(source, domain, &running); /* last: the one that ages */
        virDomainFree(domain);
    } else if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN) {
        return;
    }
    /* Without a connection "not there" means nothing: a guest must not be swept by that. */
    if (!known || virConnectIsAlive(source->connection) != 1)
        return;
    answer_send(source, (Answer){ .uuid = g_strdup(uuid),
                                  .running = g_steal_pointer(&running),
                                  .defined = g_steal_pointer(&defined) });
}

static void list_one(NrGuestSource *source, virDomainPtr domain, GPtrArray *guests,
                     GPtrArray *unread)
{
    NrGuest *defined = guest_defined(source, domain), *running = NULL;
    char uuid[VIR_UUID_STRING_BUFLEN];

    if (!guest_running(source, domain, &running) && virDomainGetUUIDString(domain, uuid) == 0)
        g_ptr_array_add(unread, g_strdup(uuid));
    if (running)
        g_ptr_array_add(guests, running);
    if (defined)
        g_ptr_array_add(guests, defined);
}

static void look_at_all(NrGuestSource *source)
{
    g_autoptr(GPtrArray) guests = NULL, unread = NULL;
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(source->connection, &domains, 0);

    if (count < 0) {
        nr_log(NR_LOG_WARNING, "libvirt does not list its guests: %s", virGetLastErrorMessage());
        return;
    }
    guests = g_ptr_array_new_with_free_func((GDestroyNotify)nr_guest_unref);
    unread = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < count; i++) {
        list_one(source, domains[i], guests, unread);
        virDomainFree(domains[i]);
    }
    free(domains);
    if (virConnectIsAlive(source->connection) == 1) /* else half a list, which is no list */
        answer_send(source, (Answer){ .guests = g_steal_pointer(&guests),
                                      .unread = g_steal_pointer(&unread) });
}

/* Each is followed by a look at its guest, so that what it changed is known when it is done. */
static void do_jobs(NrGuestSource *source, Mail *mail)
{
    NrGuestSourceJob *job;

    while ((job = g_queue_pop_head(&mail->jobs))) {
        job->work(source->connection, job->data);
        if (source->connection)
            look_at_one(source, job->uuid);
        answer_send(source, (Answer){ .job = job });
    }
}

/* The connection */

static void subscribe_one(NrGuestSource *source, int event,
                          virConnectDomainEventGenericCallback call)
{
    g_atomic_ref_count_inc(&source->refs);
    if (virConnectDomainEventRegisterAny(source->connection, NULL, event, call, source,
                                         release_source) >= 0)
        return;
    source_unref(source);
    nr_log(NR_LOG_DEBUG, "libvirt has no event %d here: %s", event, virGetLastErrorMessage());
}

static void subscribe(NrGuestSource *source)
{
    subscribe_one(source, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
    subscribe_one(source, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                  VIR_DOMAIN_EVENT_CALLBACK(on_metadata));
    subscribe_one(source, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
    subscribe_one(source, VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device));
    subscribe_one(source, VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, VIR_DOMAIN_EVENT_CALLBACK(on_plain));
    g_atomic_ref_count_inc(&source->refs);
    if (virConnectRegisterCloseCallback(source->connection, on_close, source, release_source) < 0)
        source_unref(source);
}

static void say_state(NrGuestSource *source, const char *text)
{
    answer_send(source, (Answer){ .state = g_strdup(text) });
}

/* Another host may vanish without a word; a libvirtd of this one ends with its socket. */
static gboolean is_far(const char *uri)
{
    g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);

    return parsed && g_uri_get_host(parsed) && *g_uri_get_host(parsed);
}

static gboolean connection_open(NrGuestSource *source)
{
    source->connection = virConnectOpen(source->uri);
    if (!source->connection) {
        nr_log(NR_LOG_NOTICE, "libvirt at %s: %s", source->uri, virGetLastErrorMessage());
        say_state(source, virGetLastErrorMessage());
        return FALSE;
    }
    autostart[sizeof(autostart) - 2] = '0';
    if (is_far(source->uri))
        (void)virConnectSetKeepAlive(source->connection, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT);
    subscribe(source);
    nr_log(NR_LOG_INFO, "connected to libvirt at %s", source->uri);
    say_state(source, "connected");
    return TRUE;
}

/* Its registrations go with it. */
static void connection_close(NrGuestSource *source)
{
    if (!source->connection)
        return;
    (void)virConnectUnregisterCloseCallback(source->connection, on_close);
    (void)virConnectClose(source->connection);
    source->connection = NULL;
}

/* Whether to go on. */
static gboolean try_connect(NrGuestSource *source)
{
    if (connection_open(source)) {
        source->backoff_ms = BACKOFF_FIRST_MS;
        look_at_all(source);
        source->next_list_ms = now_ms() + SECOND_LOOK_MS;
        return TRUE;
    }
    for (gint64 until = now_ms() + source->backoff_ms; now_ms() < until;) {
        g_auto(Mail) mail = mailbox_take(source, until);

        if (mail.quit)
            return FALSE;
        do_jobs(source, &mail);
    }
    source->backoff_ms = MIN(source->backoff_ms * 2, BACKOFF_LAST_MS);
    return TRUE;
}

static gboolean serve(NrGuestSource *source)
{
    g_auto(Mail) mail = mailbox_take(source, source->next_list_ms);

    if (mail.quit)
        return FALSE;
    if (mail.lost || virConnectIsAlive(source->connection) != 1) {
        nr_log(NR_LOG_NOTICE, "libvirt at %s is gone; what runs goes on", source->uri);
        say_state(source, "connecting");
        connection_close(source);
        do_jobs(source, &mail);
        return TRUE;
    }
    do_jobs(source, &mail);
    for (guint i = 0; i < mail.uuids->len; i++)
        look_at_one(source, mail.uuids->pdata[i]);
    if (mail.all || now_ms() >= source->next_list_ms) {
        look_at_all(source);
        source->next_list_ms = now_ms() + RESYNC_MS;
    }
    return TRUE;
}

static gpointer work(gpointer data)
{
    NrGuestSource *source = data;

    while (source->connection ? serve(source) : try_connect(source))
        ;
    connection_close(source);
    g_mutex_lock(&source->lock);
    source->ended = TRUE;
    g_cond_broadcast(&source->wake);
    g_mutex_unlock(&source->lock);
    source_unref(source);
    return NULL;
}

/* Life */

static void say_nothing(void *data, virErrorPtr error)
{
}

NrGuestSource *nr_guest_source_new(const char *uri, const NrGuestSourceEvents *events,
                                   gpointer data)
{
    NrGuestSource *source = g_new0(NrGuestSource, 1);

    g_atomic_ref_count_init(&source->refs);
    source->uri = g_strdup(uri);
    source->events = events;
    source->data = data;
    source->backoff_ms = BACKOFF_FIRST_MS;
    source->uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    source->faults = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_queue_init(&source->jobs);
    g_mutex_init(&source->lock);
    g_cond_init(&source->wake);

    if (!getenv("LIBVIRT_AUTOSTART")) /* else somebody has decided */
        putenv(autostart);
    virSetErrorFunc(NULL, say_nothing);
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
        nr_log(NR_LOG_ERROR, "libvirt cannot be used: %s", virGetLastErrorMessage());
    g_atomic_ref_count_inc(&source->refs);
    g_thread_unref(g_thread_new("guest-source", work, source));
    return source;
}

void nr_guest_source_free(NrGuestSource *source)
{
    gint64 until_us = g_get_monotonic_time() + END_MS * 1000;

    if (!source)
        return;
    source->events = NULL;
    g_mutex_lock(&source->lock);
    source->quit = TRUE;
    g_cond_broadcast(&source->wake);
    while (!source->ended && g_cond_wait_until(&source->wake, &source->lock, until_us))
        ;
    g_mutex_unlock(&source->lock);
    source_unref(source);
}
