/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With systemd a thing is called "relay-HASH-register", "-memory" or "-ID" of its port. It is
 * stored there when it comes and removed when it goes, so that what a manager gets back at its
 * start is what the one before had.
 */
#include "daemon/store.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/log.h"
#include "daemon/service.h"

#define PORTS_MAX 4096 /* of one relay, which has no more */

typedef struct {
    int fd; /* -1: not there */
    dev_t device;
    ino_t inode;
} Thing;

typedef struct {
    char *relay;
    Thing files[2];    /* by enum ctl_deposit */
    GHashTable *ports; /* id -> Thing */
    gboolean guarded, refused;
} Deposit;

struct NrStore {
    GHashTable *by_relay; /* Deposit */
};

static const char *const file_names[] = {
    [CTL_DEPOSIT_REGISTER] = "register",
    [CTL_DEPOSIT_MEMORY] = "memory",
};

/* Things */

static void thing_set(Thing *thing, int fd)
{
    struct stat status;

    *thing = (Thing){ .fd = fd };
    if (fstat(fd, &status) < 0)
        return;
    thing->device = status.st_dev;
    thing->inode = status.st_ino;
}

static gboolean thing_is(const Thing *thing, int fd)
{
    struct stat status;

    return thing->fd >= 0 && fstat(fd, &status) == 0 && thing->device == status.st_dev &&
           thing->inode == status.st_ino;
}

static void thing_free(gpointer data)
{
    Thing *thing = data;

    closep(&thing->fd);
    g_free(thing);
}

static char *thing_name(const char *relay, enum ctl_deposit what, guint32 port_id)
{
    int length = (int)strcspn(relay, ".");

    if (what != CTL_DEPOSIT_PORT)
        return g_strdup_printf("relay-%.*s-%s", length, relay, file_names[what]);
    return g_strdup_printf("relay-%.*s-%u", length, relay, port_id);
}

/* Deposits */

static void deposit_free(gpointer data)
{
    Deposit *deposit = data;

    for (guint i = 0; i < G_N_ELEMENTS(deposit->files); i++)
        closep(&deposit->files[i].fd);
    g_hash_table_unref(deposit->ports);
    g_free(deposit->relay);
    g_free(deposit);
}

static Deposit *deposit_of(NrStore *store, const char *relay)
{
    Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    if (deposit)
        return deposit;
    deposit = g_new0(Deposit, 1);
    deposit->relay = g_strdup(relay);
    deposit->files[0].fd = deposit->files[1].fd = -1;
    deposit->ports = g_hash_table_new_full(NULL, NULL, NULL, thing_free);
    g_hash_table_insert(store->by_relay, deposit->relay, deposit);
    return deposit;
}

/* A thing of this place, or NULL. */
static Thing *find(const Deposit *deposit, enum ctl_deposit what, guint32 port_id)
{
    const Thing *file = what == CTL_DEPOSIT_PORT ? NULL : &deposit->files[what];

    if (file)
        return file->fd >= 0 ? (Thing *)file : NULL;
    return g_hash_table_lookup(deposit->ports, GUINT_TO_POINTER(port_id));
}

static void put(Deposit *deposit, enum ctl_deposit what, guint32 port_id, int fd)
{
    Thing *thing = what == CTL_DEPOSIT_PORT ? g_new0(Thing, 1) : &deposit->files[what];

    thing_set(thing, fd);
    if (what == CTL_DEPOSIT_PORT)
        g_hash_table_insert(deposit->ports, GUINT_TO_POINTER(port_id), thing);
}

static void drop(Deposit *deposit, enum ctl_deposit what, guint32 port_id)
{
    g_autofree char *name = NULL;

    if (!find(deposit, what, port_id))
        return;
    name = thing_name(deposit->relay, what, port_id);
    nr_service_unstore(name);
    if (what == CTL_DEPOSIT_PORT) {
        g_hash_table_remove(deposit->ports, GUINT_TO_POINTER(port_id));
        return;
    }
    closep(&deposit->files[what].fd);
    deposit->files[what].fd = -1;
}

/* The ports that are not in `stay`, a set of ids; NULL is empty. */
static void drop_ports(Deposit *deposit, GHashTable *stay)
{
    g_autoptr(GList) ids = g_hash_table_get_keys(deposit->ports);

    for (GList *node = ids; node; node = node->next)
        if (!stay || !g_hash_table_contains(stay, node->data))
            drop(deposit, CTL_DEPOSIT_PORT, GPOINTER_TO_UINT(node->data));
}

static void drop_all(Deposit *deposit)
{
    drop_ports(deposit, NULL);
    drop(deposit, CTL_DEPOSIT_MEMORY, 0);
    drop(deposit, CTL_DEPOSIT_REGISTER, 0);
}

/* What comes and goes */

void nr_store_keep(NrStore *store, const char *relay, enum ctl_deposit what, guint32 port_id,
                   int passed_fd)
{
    _cleanup_(closep) int fd = passed_fd;
    Deposit *deposit = deposit_of(store, relay);
    const Thing *had = find(deposit, what, port_id);
    g_autofree char *name = NULL;

    if (had && thing_is(had, fd))
        return;
    deposit->refused |= deposit->guarded && what == CTL_DEPOSIT_REGISTER;
    if (deposit->refused)
        return;
    if (what == CTL_DEPOSIT_REGISTER)
        drop_all(deposit);
    else
        drop(deposit, what, port_id);
    if (g_hash_table_size(deposit->ports) >= PORTS_MAX)
        return;
    name = thing_name(deposit->relay, what, port_id);
    nr_service_store(name, fd);
    put(deposit, what, port_id, steal_fd(&fd));
}

void nr_store_let_go(NrStore *store, const char *relay, guint32 port_id)
{
    Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    if (deposit && !deposit->guarded)
        drop(deposit, CTL_DEPOSIT_PORT, port_id);
}

void nr_store_compare(NrStore *store, const char *relay, const NrActualNetwork *have)
{
    Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);
    g_autoptr(GHashTable) stay = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < have->ports->len; i++) {
        const NrActualPort *port = have->ports->pdata[i];

        g_hash_table_add(stay, GUINT_TO_POINTER(port->id));
    }
    if (deposit && !deposit->guarded)
        drop_ports(deposit, stay);
}

void nr_store_forget(NrStore *store, const char *relay)
{
    Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    if (!deposit || deposit->guarded)
        return;
    drop_all(deposit);
    g_hash_table_remove(store->by_relay, relay);
}

/* Else a relay that is started with it begins anew. */
static gboolean is_whole(const Deposit *deposit)
{
    return deposit && deposit->files[CTL_DEPOSIT_REGISTER].fd >= 0 &&
           deposit->files[CTL_DEPOSIT_MEMORY].fd >= 0 && g_hash_table_size(deposit->ports) > 0;
}

void nr_store_set_guarded(NrStore *store, const char *relay, gboolean guarded)
{
    Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    if (!deposit)
        return;
    deposit->guarded = guarded && is_whole(deposit);
    deposit->refused = FALSE;
}

gboolean nr_store_was_refused(const NrStore *store, const char *relay)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    return deposit && deposit->refused;
}

gboolean nr_store_has(const NrStore *store, const char *relay, guint32 port_id)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);

    return deposit && find(deposit, CTL_DEPOSIT_PORT, port_id);
}

gboolean nr_store_is_alive(const NrStore *store, const char *relay, guint32 port_id)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);
    const Thing *port = deposit ? find(deposit, CTL_DEPOSIT_PORT, port_id) : NULL;
    struct pollfd ends = { .fd = port ? port->fd : -1, .events = POLLRDHUP };

    return port && poll(&ends, 1, 0) == 0;
}

GArray *nr_store_ports(const NrStore *store, const char *relay)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    GHashTableIter iter;
    gpointer key;

    if (!deposit)
        return ids;
    g_hash_table_iter_init(&iter, deposit->ports);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        guint32 id = GPOINTER_TO_UINT(key);

        g_array_append_val(ids, id);
    }
    return ids;
}

/* "relay-HASH-WHAT", in just the form that we write: it is to be removed by that name one day. */
static gboolean read_name(const char *name, char **ret_relay, enum ctl_deposit *ret_what,
                          guint32 *ret_id)
{
    g_auto(GStrv) words = g_strsplit(name, "-", 3);
    g_autofree char *again = NULL;
    guint64 id = 0;

    if (g_strv_length(words) != 3 || !g_str_equal(words[0], "relay"))
        return FALSE;
    *ret_what = g_str_equal(words[2], file_names[CTL_DEPOSIT_REGISTER]) ? CTL_DEPOSIT_REGISTER
                : g_str_equal(words[2], file_names[CTL_DEPOSIT_MEMORY]) ? CTL_DEPOSIT_MEMORY
                                                                        : CTL_DEPOSIT_PORT;
    if (*ret_what == CTL_DEPOSIT_PORT &&
        !g_ascii_string_to_unsigned(words[2], 10, 1, G_MAXUINT32, &id, NULL))
        return FALSE;
    *ret_id = (guint32)id;
    *ret_relay = g_strconcat(words[1], ".sock", NULL);
    again = thing_name(*ret_relay, *ret_what, *ret_id);
    return g_str_equal(again, name) && strlen(*ret_relay) < NR_ACTUAL_SOCKET_MAX;
}

void nr_store_take_back(const char *name, int passed_fd, gpointer data)
{
    _cleanup_(closep) int fd = passed_fd;
    g_autofree char *relay = NULL;
    enum ctl_deposit what;
    guint32 id;
    Deposit *deposit;

    if (!read_name(name, &relay, &what, &id)) {
        nr_service_unstore(name);
        return;
    }
    deposit = deposit_of(data, relay);
    if (!find(deposit, what, id))
        put(deposit, what, id, steal_fd(&fd));
}

/* What there is */

GPtrArray *nr_store_relays(const NrStore *store)
{
    GPtrArray *relays = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer relay;

    g_hash_table_iter_init(&iter, store->by_relay);
    while (g_hash_table_iter_next(&iter, &relay, NULL))
        g_ptr_array_add(relays, g_strdup(relay));
    return relays;
}

/* The relay wrote it, so it is believed only where the socket's name follows from it. */
char *nr_store_network(const NrStore *store, const char *relay)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);
    char name[CTL_MSG_MAX], socket_name[NR_ACTUAL_SOCKET_MAX];
    struct ctl_msg msg;

    if (!is_whole(deposit) || pread(deposit->files[CTL_DEPOSIT_REGISTER].fd, msg.buf,
                                    sizeof(msg.buf), 0) != sizeof(msg.buf))
        return NULL;
    if (ctl_msg_check_page(&msg) < 0 || !ctl_get_str(&msg, CTL_A_NETWORK, name, sizeof(name)))
        return NULL;
    nr_actual_socket_name(name, socket_name);
    return g_str_equal(socket_name, relay) ? g_strdup(name) : NULL;
}

GArray *nr_store_descriptors(const NrStore *store, const char *relay)
{
    const Deposit *deposit = g_hash_table_lookup(store->by_relay, relay);
    GHashTableIter iter;
    gpointer thing;
    GArray *fds;

    if (!is_whole(deposit))
        return NULL;
    fds = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_append_val(fds, deposit->files[CTL_DEPOSIT_REGISTER].fd);
    g_array_append_val(fds, deposit->files[CTL_DEPOSIT_MEMORY].fd);
    g_hash_table_iter_init(&iter, deposit->ports);
    while (g_hash_table_iter_next(&iter, NULL, &thing))
        g_array_append_val(fds, ((Thing *)thing)->fd);
    return fds;
}

/* Life */

NrStore *nr_store_new(void)
{
    NrStore *store = g_new0(NrStore, 1);

    store->by_relay = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, deposit_free);
    return store;
}

/* What systemd has stays there: the relays go on, and we come again. */
void nr_store_free(NrStore *store)
{
    if (!store)
        return;
    g_hash_table_unref(store->by_relay);
    g_free(store);
}
