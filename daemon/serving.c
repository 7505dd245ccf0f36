/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/serving.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "common/host-change.h"
#include "daemon/dnsmasq-conf.h"
#include "daemon/dnsmasq.h"
#include "daemon/log.h"
#include "net/address.h"
#include "net/link.h"

struct NrServing {
    void (*died)(const char *network, gint64 age_ms, const char *text, gpointer data);
    gpointer data;
    GHashTable *servers; /* network -> Server */
};

/* What was asked for, and has to be answered. */
typedef struct {
    char *conf;        /* NULL: nothing, that it ends */
    GPtrArray *ground; /* reference, or NULL */
    NrServed reply;
    gpointer data;
} Request;

typedef struct {
    NrServing *serving;
    char *network, *conf;
    char bridge[HOST_DEVICE_MAX];
    int ifindex;
    gboolean astray;  /* the bridge is another one now, or leads out */
    Request *request; /* what is to be done once it has ended; NULL: it is to go on */
    NrDnsmasq *dnsmasq;
} Server;

static void request_answer(Request *request, int error, const char *text)
{
    request->reply(error, text, request->data);
    request->reply = NULL;
}

static void request_free(Request *request)
{
    if (!request)
        return;
    if (request->reply)
        request_answer(request, -ECANCELED, NULL);
    g_free(request->conf);
    g_clear_pointer(&request->ground, g_ptr_array_unref);
    g_free(request);
}

static void server_free(gpointer data)
{
    Server *server = data;

    nr_dnsmasq_free(server->dnsmasq);
    request_free(server->request);
    g_free(server->network);
    g_free(server->conf);
    g_free(server);
}

/* The place */

static int look_at(const char *bridge, int *ret_ifindex, char way_out[LINK_NAME_MAX])
{
    struct link_state link;
    int r = link_get(bridge, &link);

    if (r < 0)
        return r;
    *ret_ifindex = link.ifindex;
    return link_way_out(link.ifindex, way_out);
}

/* The bridge is the first thing that was made, and its addresses are to be on it; what else there
 * is to make is no matter here. */
static gboolean is_complete(const GPtrArray *ground, const char *bridge, int ifindex)
{
    for (guint i = 0; i < ground->len; i++) {
        struct host_change change;
        bool set = false;

        if (!host_change_parse(&change, g_ptr_array_index(ground, i)))
            return FALSE;
        if (change.kind != HOST_ADDRESS || !g_str_equal(change.device, bridge))
            continue;
        if (address_is_set(ifindex, change.value, &set) < 0 || !set)
            return FALSE;
    }
    return TRUE;
}

/* The bridge that is to be served, once all is there. */
static int find_place(Server *server, const GPtrArray *ground, char **ret_text)
{
    char way_out[LINK_NAME_MAX];
    struct host_change bridge;
    int r;

    if (!host_change_parse(&bridge, g_ptr_array_index(ground, 0)))
        return -EINVAL;
    g_strlcpy(server->bridge, bridge.device, sizeof(server->bridge));
    r = look_at(server->bridge, &server->ifindex, way_out);
    if (r < 0)
        return r == -ENODEV ? -EAGAIN : r;
    if (!is_complete(ground, server->bridge, server->ifindex))
        return -EAGAIN;
    if (!*way_out)
        return 0;
    *ret_text = g_strdup_printf("%s is in the bridge %s and leads out of this host, where others "
                                "would be given addresses; take it out, or <dhcp> and <dns> out of "
                                "the network",
                                way_out, server->bridge);
    return -EXDEV;
}

/* Begin and end */

static void on_ended(const char *text, gpointer data);

static int start(Server *server, const GPtrArray *ground, char **ret_text)
{
    int r = find_place(server, ground, ret_text);

    if (r == 0)
        server->dnsmasq =
            nr_dnsmasq_start(server->network, server->conf, on_ended, server, &r, ret_text);
    return r;
}

static void begin(NrServing *serving, const char *network, Request *request)
{
    Server *server = g_new0(Server, 1);
    g_autofree char *text = NULL;
    int r;

    server->serving = serving;
    server->network = g_strdup(network);
    server->conf = g_strdup(request->conf);
    r = start(server, request->ground, &text);
    if (r == 0)
        g_hash_table_insert(serving->servers, server->network, server);
    else
        server_free(server);
    request_answer(request, r, text ? text : g_strerror(-r));
}

static void on_ended(const char *text, gpointer data)
{
    Server *server = data;
    NrServing *serving = server->serving;
    g_autofree char *network = g_strdup(server->network);
    gint64 age_ms = nr_dnsmasq_age_ms(server->dnsmasq);
    Request *request = g_steal_pointer(&server->request);

    g_hash_table_remove(serving->servers, network);
    if (!request)
        serving->died(network, age_ms, text, serving->data);
    else if (request->conf)
        begin(serving, network, request);
    else
        request_answer(request, 0, NULL);
    request_free(request);
}

/* Of one network there is one request at a time. */
static void ask(NrServing *serving, const char *network, Request *request)
{
    Server *server = g_hash_table_lookup(serving->servers, network);

    if (server) {
        server->request = request;
        nr_dnsmasq_end(server->dnsmasq);
        return;
    }
    if (request->conf)
        begin(serving, network, request);
    else
        request_answer(request, 0, NULL);
    request_free(request);
}

void nr_serving_begin(NrServing *serving, const char *network, const char *conf, GPtrArray *ground,
                      NrServed reply, gpointer data)
{
    const Request request = { g_strdup(conf), g_ptr_array_ref(ground), reply, data };

    ask(serving, network, g_memdup2(&request, sizeof(request)));
}

void nr_serving_end(NrServing *serving, const char *network, NrServed reply, gpointer data)
{
    const Request request = { .reply = reply, .data = data };

    ask(serving, network, g_memdup2(&request, sizeof(request)));
}

/* What there is */

void nr_serving_show(const NrServing *serving, NrActual *actual)
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, serving->servers);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        const Server *server = p;
        NrActualService *service = nr_actual_service_new(server->network, server->conf);

        service->astray = server->astray;
        g_ptr_array_add(actual->services, service);
    }
}

void nr_serving_look(NrServing *serving)
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, serving->servers);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        char way_out[LINK_NAME_MAX];
        Server *server = p;
        int ifindex;

        server->astray = look_at(server->bridge, &ifindex, way_out) < 0 ||
                         ifindex != server->ifindex || *way_out;
    }
}

static gboolean is_known(const NrNetworks *networks, const char *file)
{
    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(networks->networks, i);
        g_autofree char *name = nr_dnsmasq_leases_name(network->name);

        if (g_str_equal(name, file))
            return TRUE;
    }
    return FALSE;
}

/* Without networks all of them go. */
static void forget(const NrNetworks *networks)
{
    g_autoptr(GDir) dir = g_dir_open(NR_LEASES_DIR, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(NR_LEASES_DIR, name, NULL);

        if (!(networks && is_known(networks, name)) && unlink(path) < 0)
            nr_log(NR_LOG_WARNING, "the leases %s cannot be removed: %s", path, g_strerror(errno));
    }
}

/* While a file has a fault its network may not be known. */
void nr_serving_forget(const NrNetworks *networks)
{
    if (geteuid() == 0 && networks->faults->len == 0)
        forget(networks);
}

void nr_serving_forget_all(void)
{
    forget(NULL);
    (void)rmdir(NR_LEASES_DIR);
    (void)rmdir(NR_STATE_DIR); /* unless others put something there */
}

/* Life */

NrServing *nr_serving_new(void (*died)(const char *network, gint64 age_ms, const char *text,
                                       gpointer data),
                          gpointer data)
{
    NrServing *serving = g_new0(NrServing, 1);

    serving->died = died;
    serving->data = data;
    serving->servers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, server_free);
    return serving;
}

void nr_serving_free(NrServing *serving)
{
    if (!serving)
        return;
    g_hash_table_unref(serving->servers);
    g_free(serving);
}
