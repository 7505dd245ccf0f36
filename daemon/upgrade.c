/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/log.h"

#define COME_UP_MS 4000 /* for the installed program, to be as good as the one before */
#define GO_BACK_MS 8000 /* for the one before */
#define LOOK_MS    30

typedef enum {
    STAGE_OLD,  /* the relay of before is being killed */
    STAGE_NEW,  /* the installed program is to come up */
    STAGE_BACK, /* the one of before is, again */
} Stage;

struct NrUpgrade {
    const NrRelaySettings *settings;
    NrReply done;
    gpointer data;
    char *network;
    char socket_name[NR_ACTUAL_SOCKET_MAX];
    int image;     /* of before */
    GArray *ports; /* guint32: what is deposited has to be there again */
    Stage stage;
    NrRelay *relay; /* NULL: none lives */
    char *fault;    /* why the installed program is none */
    guint deadline, look_timer;
};

/* Programs */

/* What that process runs, also where its file has been replaced: a descriptor or negative errno. */
static int open_image(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int)pid);
    int fd = open(path, O_PATH | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

gboolean nr_upgrade_is_due(const NrRelaySettings *settings, const NrRelay *relay)
{
    _cleanup_(closep) int image = nr_relay_pid(relay) > 0 ? open_image(nr_relay_pid(relay)) : -1;
    struct stat runs, installed;

    return image >= 0 && fstat(image, &runs) == 0 && stat(settings->program, &installed) == 0 &&
           (runs.st_dev != installed.st_dev || runs.st_ino != installed.st_ino);
}

/* What would be lost */

/* Its endpoint makes it again. */
static gboolean is_made_again(const NrActualNetwork *network, const NrActualPort *port)
{
    static const char *const last[] = { "listen:", "tcp:", "unix" };

    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (endpoint->id != port->endpoint)
            continue;
        for (guint k = 0; k < G_N_ELEMENTS(last); k++)
            if (g_str_has_prefix(endpoint->text, last[k]))
                return FALSE;
        return TRUE;
    }
    return FALSE;
}

/* A connection that comes and goes just now is in nobody's hands but the relay's. */
static gboolean all_is_kept(const NrRelaySettings *settings, NrRelay *relay)
{
    const NrActualNetwork *network = nr_relay_link_network(nr_relay_link(relay));

    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];

        if (!nr_store_has(settings->store, nr_relay_socket(relay), port->id) &&
            !is_made_again(network, port))
            return FALSE;
    }
    return TRUE;
}

/* The end */

static void clear_timers(NrUpgrade *upgrade)
{
    if (upgrade->deadline)
        g_source_remove(upgrade->deadline);
    if (upgrade->look_timer)
        g_source_remove(upgrade->look_timer);
    upgrade->deadline = upgrade->look_timer = 0;
}

static void finish(NrUpgrade *upgrade, int error, const char *text)
{
    clear_timers(upgrade);
    nr_store_set_guarded(upgrade->settings->store, upgrade->socket_name, FALSE);
    upgrade->done(error, text, upgrade->data); /* frees it */
}

/* The program of before runs again, or nobody does. */
static void finish_back(NrUpgrade *upgrade, const char *how)
{
    g_autofree char *text =
        g_strdup_printf("the installed program does not take over: %s; %s", upgrade->fault, how);

    finish(upgrade, -ECHILD, text);
}

/* Looking whether all is there again */

static gboolean has_port(const NrActualNetwork *network, guint32 id)
{
    for (guint i = 0; i < network->ports->len; i++)
        if (((const NrActualPort *)network->ports->pdata[i])->id == id)
            return TRUE;
    return FALSE;
}

/* Ports, but for those whose guests have ended meanwhile, and somebody who moves their frames. The
 * program of before may not tell of the latter. */
static gboolean is_as_before(const NrUpgrade *upgrade, const NrActualNetwork *network)
{
    for (guint i = 0; i < upgrade->ports->len; i++) {
        guint32 id = g_array_index(upgrade->ports, guint32, i);

        if (!has_port(network, id) &&
            nr_store_is_alive(upgrade->settings->store, upgrade->socket_name, id))
            return FALSE;
    }
    return upgrade->ports->len == 0 || network->forwarder > 0 || upgrade->stage == STAGE_BACK;
}

/* It has begun anew: nothing of what was there is in its hands. */
static gboolean gives_up_refused(NrUpgrade *upgrade)
{
    if (!nr_store_was_refused(upgrade->settings->store, upgrade->socket_name))
        return FALSE;
    if (!upgrade->fault)
        upgrade->fault = g_strdup("it does not know the memory of the one before");
    nr_relay_kill(upgrade->relay);
    return TRUE;
}

static void look(NrUpgrade *upgrade);

static gboolean on_look_due(gpointer data)
{
    NrUpgrade *upgrade = data;

    upgrade->look_timer = 0;
    look(upgrade);
    return G_SOURCE_REMOVE;
}

static void on_looked(int error, const char *text, gpointer data)
{
    NrUpgrade *upgrade = data;

    if (error < 0 || !upgrade->relay)
        return; /* its end, or the deadline, says more */
    if (gives_up_refused(upgrade))
        return;
    if (!is_as_before(upgrade, nr_relay_link_network(nr_relay_link(upgrade->relay)))) {
        upgrade->look_timer = g_timeout_add(LOOK_MS, on_look_due, upgrade);
        return;
    }
    nr_store_set_guarded(upgrade->settings->store, upgrade->socket_name, FALSE);
    nr_store_compare(upgrade->settings->store, upgrade->socket_name,
                     nr_relay_link_network(nr_relay_link(upgrade->relay)));
    if (upgrade->stage == STAGE_BACK)
        finish_back(upgrade, "the one before goes on");
    else
        finish(upgrade, 0, NULL);
}

static void look(NrUpgrade *upgrade)
{
    NrRelay *relay = upgrade->relay;

    if (relay && nr_relay_state(relay) == NR_RELAY_READY)
        nr_relay_link_refresh(nr_relay_link(relay), on_looked, upgrade);
}

/* From stage to stage */

static gboolean on_late(gpointer data)
{
    NrUpgrade *upgrade = data;

    upgrade->deadline = 0;
    if (upgrade->stage == STAGE_OLD) {
        finish(upgrade, -ETIMEDOUT, "its relay does not end");
    } else if (upgrade->stage == STAGE_BACK) {
        finish_back(upgrade, "the one before does not come up either");
    } else {
        if (!upgrade->fault)
            upgrade->fault = g_strdup("it is not ready in time");
        if (upgrade->relay)
            nr_relay_kill(upgrade->relay);
    }
    return G_SOURCE_REMOVE;
}

static void set_stage(NrUpgrade *upgrade, Stage stage)
{
    clear_timers(upgrade);
    upgrade->stage = stage;
    upgrade->relay = NULL;
    upgrade->deadline =
        g_timeout_add(stage == STAGE_BACK ? GO_BACK_MS : COME_UP_MS, on_late, upgrade);
    nr_store_set_guarded(upgrade->settings->store, upgrade->socket_name, TRUE);
}

gboolean nr_upgrade_next(NrUpgrade *upgrade, const char *text, int *ret_image)
{
    if (upgrade->relay && upgrade->stage == STAGE_NEW)
        nr_relay_kill(upgrade->relay); /* it may live, and speak another protocol */
    switch (upgrade->stage) {
    case STAGE_OLD:
        set_stage(upgrade, STAGE_NEW);
        *ret_image = -1;
        return TRUE;
    case STAGE_NEW:
        if (!upgrade->fault)
            upgrade->fault = g_strdup(text);
        nr_log(NR_LOG_WARNING, "network %s: %s does not take over from its relay: %s",
               upgrade->network, upgrade->settings->program, upgrade->fault);
        set_stage(upgrade, STAGE_BACK);
        *ret_image = upgrade->image;
        return TRUE;
    default:
        upgrade->relay = NULL;
        finish_back(upgrade, "the one before does not come up either");
        return FALSE;
    }
}

void nr_upgrade_started(NrUpgrade *upgrade, NrRelay *relay)
{
    upgrade->relay = relay;
}

void nr_upgrade_relay_ready(NrUpgrade *upgrade)
{
    if (upgrade->stage == STAGE_OLD || !upgrade->relay)
        return;
    if (!upgrade->look_timer)
        look(upgrade);
}

gboolean nr_upgrade_is_of(const NrUpgrade *upgrade, const NrRelay *relay)
{
    return upgrade && g_str_equal(upgrade->socket_name, nr_relay_socket(relay));
}

const char *nr_upgrade_network(const NrUpgrade *upgrade)
{
    return upgrade->network;
}

NrUpgrade *nr_upgrade_new(const NrRelaySettings *settings, NrRelay *relay, NrReply done,
                          gpointer data, char **ret_text)
{
    NrUpgrade *upgrade;
    int image;

    if (!all_is_kept(settings, relay)) {
        *ret_text = g_strdup("a connection to it is just coming or going; try it again");
        return NULL;
    }
    image = open_image(nr_relay_pid(relay));
    if (image < 0) {
        *ret_text = g_strdup_printf("the program that it runs cannot be kept for going back: %s",
                                    g_strerror(-image));
        return NULL;
    }
    upgrade = g_new0(NrUpgrade, 1);
    upgrade->settings = settings;
    upgrade->done = done;
    upgrade->data = data;
    upgrade->network = g_strdup(nr_relay_name(relay));
    g_strlcpy(upgrade->socket_name, nr_relay_socket(relay), sizeof(upgrade->socket_name));
    upgrade->image = image;
    upgrade->ports = nr_store_ports(settings->store, upgrade->socket_name);
    set_stage(upgrade, STAGE_OLD);
    upgrade->relay = relay;
    nr_relay_kill(relay);
    return upgrade;
}

void nr_upgrade_free(NrUpgrade *upgrade)
{
    if (!upgrade)
        return;
    clear_timers(upgrade);
    closep(&upgrade->image);
    g_array_unref(upgrade->ports);
    g_free(upgrade->network);
    g_free(upgrade->fault);
    g_free(upgrade);
}
