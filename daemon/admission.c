/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `unknown` has every port of a listener that has no label, since when it is looked at, and what
 * its socket is. A look goes over all of them; while some are unknown it is repeated, for a while:
 * the pid file comes some time after the process, and a guest's connections one after another.
 * What is still unknown then is looked at again when something changes.
 */
#include "daemon/admission.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/barrier.h"
#include "daemon/holder.h"
#include "daemon/log.h"
#include "daemon/qemu-pid.h"
#include "daemon/status.h"
#include "net/sockdiag.h"

#define LOOK_MS      100
#define PATIENCE_MS  10000
#define GATHER_MS    1    /* many events make one look */
#define HELD_LOOK_MS 20   /* while somebody waits to be admitted */
#define HELD_MS      1000 /* so long; the pid file comes before the connection, mostly */
#define SOCKETS_MAX  4096 /* of one QEMU */
#define QEMU_USER    "libvirt-qemu"
#define NO_USER      ((uid_t)-1)

typedef struct {
    char *network;
    guint32 port;
    char *endpoint; /* the listener's canonical text */
    char *peer;
    gint64 since_ms;
    guint64 inode; /* 0 while not known */
    uid_t uid;
    gboolean held; /* and to be admitted by us */
} Unknown;

/* The sockets of one guest's QEMU, read once a look. */
typedef struct {
    pid_t pid;
    uid_t uid;
    guint count;
    guint64 inodes[SOCKETS_MAX];
} Sockets;

struct NrAdmission {
    const NrWorld *world;
    NrReconcile *reconcile;
    GHashTable *unknown; /* "network\nport" -> Unknown */
    const NrRelaySettings *settings;
    GHashTable *sockets; /* UUID -> Sockets; of one look */
    GHashTable *refused; /* "network\nendpoint's id" -> how many, as far as they are told */
    guint soon;          /* a look that was asked for */
    guint timer;
    gboolean hurried; /* the timer is for one that is held */
    gint64 news_ms;   /* when something may have become known */
};

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void unknown_free(gpointer p)
{
    Unknown *unknown = p;

    g_free(unknown->network);
    g_free(unknown->endpoint);
    g_free(unknown->peer);
    g_free(unknown);
}

/* Which ports are unknown */

static char *listener_text(const NrActualNetwork *network, const NrActualPort *port)
{
    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (endpoint->id == port->endpoint)
            return g_str_has_prefix(endpoint->text, "listen:") ? g_strdup(endpoint->text) : NULL;
    }
    /* Detached since: the address it was accepted on is still the port's. */
    return port->local ? g_strdup_printf("listen:%s", port->local) : NULL;
}

static void note_port(NrAdmission *admission, GHashTable *before, const NrActualNetwork *network,
                      const NrActualPort *port)
{
    g_autofree char *key = g_strdup_printf("%s\n%u", network->name, port->id);
    g_autofree char *text = NULL;
    gpointer old_key = NULL, old = NULL;
    Unknown *unknown;

    if (g_hash_table_steal_extended(before, key, &old_key, &old)) {
        g_hash_table_insert(admission->unknown, old_key, old);
        return;
    }
    text = listener_text(network, port);
    if (!text)
        return;
    unknown = g_new0(Unknown, 1);
    unknown->network = g_strdup(network->name);
    unknown->port = port->id;
    unknown->endpoint = g_steal_pointer(&text);
    unknown->peer = g_strdup(port->peer);
    unknown->since_ms = now_ms();
    unknown->uid = NO_USER;
    unknown->held = port->state == CTL_PORT_HELD;
    g_hash_table_insert(admission->unknown, g_steal_pointer(&key), unknown);
}

static GHashTable *unknown_table(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unknown_free);
}

static void note_ports(NrAdmission *admission, const NrDesired *desired)
{
    g_autoptr(GHashTable) before = g_steal_pointer(&admission->unknown);

    admission->unknown = unknown_table();
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *wanted = desired->networks->pdata[i];
        const NrActualNetwork *network = nr_relays_network(admission->world->relays, wanted->name);

        for (guint j = 0; network && j < network->ports->len; j++) {
            const NrActualPort *port = network->ports->pdata[j];

            if (!port->label && port->state != CTL_PORT_CLOSING && port->peer && port->local)
                note_port(admission, before, network, port);
        }
    }
}

static const NrActualPort *port_find(const NrActualNetwork *network, guint32 id)
{
    for (guint i = 0; network && i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];

        if (port->id == id)
            return port;
    }
    return NULL;
}

/* Whose sockets they are */

static void ask_kernel(NrAdmission *admission, Unknown *unknown)
{
    const NrActualNetwork *network = nr_relays_network(admission->world->relays, unknown->network);
    const NrActualPort *port = port_find(network, unknown->port);
    struct sockaddr_storage theirs, ours;
    struct sockdiag_owner owner;
    int r;

    if (unknown->inode || !port || !nr_sockaddr_parse(port->peer, &theirs) ||
        !nr_sockaddr_parse(port->local, &ours))
        return;
    r = sockdiag_tcp((struct sockaddr *)&theirs, (struct sockaddr *)&ours, &owner);
    if (r < 0 || !owner.inode) /* nobody has it any more */
        return;
    unknown->inode = owner.inode;
    unknown->uid = owner.uid;
}

static uid_t owner_of_process(pid_t pid)
{
    char path[32];
    struct stat st;

    g_snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return stat(path, &st) == 0 ? st.st_uid : NO_USER;
}

static const Sockets *sockets_of(NrAdmission *admission, const NrGuest *guest)
{
    Sockets *sockets = g_hash_table_lookup(admission->sockets, guest->uuid);
    int count;

    if (sockets)
        return sockets;
    sockets = g_new0(Sockets, 1);
    g_hash_table_insert(admission->sockets, g_strdup(guest->uuid), sockets);
    sockets->uid = NO_USER;
    sockets->pid = nr_qemu_pid(guest->name, admission->world->policy->system);
    if (!sockets->pid)
        return sockets;
    sockets->uid = owner_of_process(sockets->pid);
    count = sockdiag_process_sockets(sockets->pid, sockets->inodes, SOCKETS_MAX);
    if (count == -EACCES || count == -EPERM)
        nr_log(NR_LOG_WARNING, "cannot see which guest a connection belongs to: the manager lacks "
                               "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
    sockets->count = (guint)CLAMP(count, 0, SOCKETS_MAX);
    return sockets;
}

/* The place of the socket among those of the process, from 1; 0 where it is not there. */
static guint place_of(const Sockets *sockets, guint64 inode)
{
    for (guint i = 0; i < sockets->count; i++)
        if (inode && sockets->inodes[i] == inode)
            return i + 1;
    return 0;
}

/* One guest at one listener */

typedef struct {
    Unknown *unknown;
    guint place;
} Found;

static gint by_place(gconstpointer a, gconstpointer b)
{
    const Found *x = a, *y = b;

    return x->place < y->place ? -1 : x->place > y->place;
}

/* Ports of this guest at this listener, in the order of its descriptors. */
static GArray *ports_found(NrAdmission *admission, const NrBinding *binding)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(Found));
    const Sockets *sockets = NULL;
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, admission->unknown);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        Found one = { .unknown = p };

        if (g_strcmp0(one.unknown->network, binding->network) != 0 ||
            g_strcmp0(one.unknown->endpoint, binding->endpoint) != 0)
            continue;
        ask_kernel(admission, one.unknown);
        if (!sockets)
            sockets = sockets_of(admission, binding->guest);
        one.place = place_of(sockets, one.unknown->inode);
        if (one.place)
            g_array_append_val(found, one);
    }
    g_array_sort(found, by_place);
    return found;
}

static void give_label(NrAdmission *admission, const Unknown *unknown, const NrBinding *binding)
{
    NrRelays *relays = admission->world->relays;
    const NrActualNetwork *network = nr_relays_network(relays, unknown->network);
    g_autofree char *label = nr_port_label(binding->guest, binding->nic);
    g_autofree char *nic = nr_nic_label(binding->nic);
    const NrActualPort *old = nr_actual_port_labelled(network, label);
    g_autofree char *key = g_strdup_printf("%s\n%u", unknown->network, unknown->port);

    nr_log(NR_LOG_INFO, "network %s: port %u is guest %s, NIC %s", unknown->network, unknown->port,
           binding->guest->name, nic);
    if (old) /* a new connection of the same NIC replaces the old one */
        nr_relays_close_port(relays, unknown->network, old->id);
    if (unknown->held)
        nr_relays_admit_port(relays, unknown->network, unknown->port, label, binding->options);
    else
        nr_relays_label_port(relays, unknown->network, unknown->port, label);
    g_hash_table_remove(admission->unknown, key);
}

/* The first binding of a guest at a listener speaks for all of them. */
static gboolean is_first(const NrDesired *desired, guint index)
{
    const NrBinding *binding = desired->bindings->pdata[index];

    for (guint i = index; i-- > 0;) {
        const NrBinding *other = desired->bindings->pdata[i];

        if (other->guest != binding->guest)
            return TRUE; /* bindings are ordered by guest */
        if (nr_binding_is_beside(binding, other))
            return FALSE;
    }
    return TRUE;
}

/* NICs of this guest at this listener: those without a port, or all where each has one. */
static GPtrArray *nics_open(NrAdmission *admission, const NrDesired *desired, guint index)
{
    const NrBinding *binding = desired->bindings->pdata[index];
    const NrActualNetwork *network = nr_relays_network(admission->world->relays, binding->network);
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_autoptr(GPtrArray) open = g_ptr_array_new();

    for (guint i = index; i < desired->bindings->len; i++) {
        NrBinding *other = desired->bindings->pdata[i];
        g_autofree char *label = NULL;

        if (other->guest != binding->guest)
            break;
        if (!nr_binding_is_beside(binding, other))
            continue;
        label = nr_port_label(other->guest, other->nic);
        g_ptr_array_add(all, other);
        if (!nr_actual_port_labelled(network, label))
            g_ptr_array_add(open, other);
    }
    return open->len > 0 ? g_steal_pointer(&open) : g_steal_pointer(&all);
}

static void identify(NrAdmission *admission, const NrDesired *desired, guint index)
{
    const NrBinding *binding = desired->bindings->pdata[index];
    g_autoptr(GArray) found = NULL;
    g_autoptr(GPtrArray) nics = NULL;

    if (binding->kind != NR_BINDING_SERVED || binding->nic->kind != NR_NIC_DIALS ||
        !nr_guest_is_active(binding->guest) || !is_first(desired, index))
        return;
    found = ports_found(admission, binding);
    if (found->len == 0)
        return;
    nics = nics_open(admission, desired, index);
    if (found->len != nics->len)
        return; /* some are still to come; a wrong order is worse than none */
    for (guint i = 0; i < found->len; i++)
        give_label(admission, g_array_index(found, Found, i).unknown, nics->pdata[i]);
}

/* Strangers, and those of whom we know no more */

guint nr_admission_users(gboolean system, uid_t ret[NR_RELAY_USERS])
{
    const struct passwd *qemu = system ? getpwnam(QEMU_USER) : NULL;
    guint n = 0;

    ret[n++] = 0;
    if (geteuid() != 0)
        ret[n++] = geteuid();
    if (qemu && qemu->pw_uid != 0)
        ret[n++] = qemu->pw_uid;
    return n;
}

/* A guest may have a user of its own (<seclabel model='dac'>). */
static gboolean uid_is_known(const NrAdmission *admission, uid_t uid)
{
    GHashTableIter iter;
    gpointer p;

    if (uid == NO_USER)
        return TRUE;
    for (guint i = 0; i < admission->settings->n_users; i++)
        if (admission->settings->users[i] == uid)
            return TRUE;
    g_hash_table_iter_init(&iter, admission->sockets);
    while (g_hash_table_iter_next(&iter, NULL, &p))
        if (((Sockets *)p)->uid == uid)
            return TRUE;
    return FALSE;
}

/* Is there a guest that is being started, and that might yet turn out to have it? */
static gboolean may_be_known_later(const NrAdmission *admission)
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, admission->sockets);
    while (g_hash_table_iter_next(&iter, NULL, &p))
        if (!((Sockets *)p)->pid)
            return TRUE;
    return FALSE;
}

static void close_stranger(NrAdmission *admission, const Unknown *unknown)
{
    const struct passwd *user = getpwuid(unknown->uid);

    nr_log(NR_LOG_WARNING,
           "network %s: connections to %s from processes of user %u (%s) are closed: they are no "
           "guest's; admitted are guests, root%s",
           unknown->network, strchr(unknown->endpoint, ':') + 1, (unsigned)unknown->uid,
           user ? user->pw_name : "no name",
           admission->world->policy->system ? " and " QEMU_USER : " and yourself");
    nr_news_tell(admission->world->news, "stranger", unknown->network, NULL,
                 "network %s: a connection to %s from a process of user %u (%s), which is no "
                 "guest's, is closed",
                 unknown->network, strchr(unknown->endpoint, ':') + 1, (unsigned)unknown->uid,
                 user ? user->pw_name : "no name");
    nr_relays_close_port(admission->world->relays, unknown->network, unknown->port);
}

/* A QEMU dials once only, so it is never turned away for what we do not know: it has no label then,
 * until something is heard of its guest. */
static void admit_unknown(NrAdmission *admission, Unknown *unknown)
{
    if (!unknown->held)
        return;
    nr_log(NR_LOG_DEBUG, "network %s: port %u is admitted, and whose it is not known",
           unknown->network, unknown->port);
    nr_relays_admit_port(admission->world->relays, unknown->network, unknown->port, NULL, NULL);
    unknown->held = FALSE;
}

/* TRUE: it is closed. */
static gboolean decide(gpointer key, gpointer value, gpointer data)
{
    NrAdmission *admission = data;
    Unknown *unknown = value;
    gboolean late = now_ms() - unknown->since_ms >= HELD_MS;

    ask_kernel(admission, unknown);
    if (uid_is_known(admission, unknown->uid)) {
        if (late)
            admit_unknown(admission, unknown);
        return FALSE;
    }
    if (!late && may_be_known_later(admission))
        return FALSE;
    close_stranger(admission, unknown);
    return TRUE;
}

/* What a relay refuses by itself: other hosts. What was before we looked first is not told. */
static void tell_refused(NrAdmission *admission, GHashTable *before, const NrActualNetwork *network,
                         const NrActualEndpoint *endpoint)
{
    char *key = g_strdup_printf("%s\n%u", network->name, endpoint->id);
    guint64 *now = g_memdup2(&endpoint->refused, sizeof(endpoint->refused));
    const guint64 *told = g_hash_table_lookup(before, key);

    if (told && *now > *told && endpoint->detail)
        nr_news_tell(admission->world->news, "stranger", network->name, NULL, "network %s, %s: %s",
                     network->name, endpoint->text, endpoint->detail);
    g_hash_table_insert(admission->refused, key, now);
}

static void look_at_listeners(NrAdmission *admission, const NrDesired *desired)
{
    g_autoptr(GHashTable) before = g_steal_pointer(&admission->refused);

    admission->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *wanted = desired->networks->pdata[i];
        const NrActualNetwork *network = nr_relays_network(admission->world->relays, wanted->name);

        for (guint j = 0; network && j < network->endpoints->len; j++) {
            const NrActualEndpoint *endpoint = network->endpoints->pdata[j];

            if (g_str_has_prefix(endpoint->text, "listen:"))
                tell_refused(admission, before, network, endpoint);
        }
    }
}

/* Looking */

static gboolean on_again(gpointer data)
{
    NrAdmission *admission = data;

    admission->timer = 0;
    nr_admission_look(admission, FALSE);
    return G_SOURCE_REMOVE;
}

static gboolean is_held(gpointer key, gpointer value, gpointer data)
{
    return ((Unknown *)value)->held;
}

static void look_again(NrAdmission *admission)
{
    gboolean held = g_hash_table_find(admission->unknown, is_held, NULL) != NULL;

    if (admission->timer && (!held || admission->hurried))
        return;
    g_clear_handle_id(&admission->timer, g_source_remove);
    admission->hurried = held;
    if (held ||
        (g_hash_table_size(admission->unknown) > 0 && now_ms() - admission->news_ms < PATIENCE_MS))
        admission->timer = g_timeout_add(held ? HELD_LOOK_MS : LOOK_MS, on_again, admission);
}

static gboolean on_look(gpointer data)
{
    NrAdmission *admission = data;
    const NrDesired *desired = nr_reconcile_desired(admission->reconcile);

    admission->soon = 0;
    if (!desired)
        return G_SOURCE_REMOVE;
    look_at_listeners(admission, desired);
    note_ports(admission, desired);
    for (guint i = 0; g_hash_table_size(admission->unknown) > 0 && i < desired->bindings->len; i++)
        identify(admission, desired, i);
    g_hash_table_foreach_remove(admission->unknown, decide, admission);
    g_hash_table_remove_all(admission->sockets);
    look_again(admission);
    return G_SOURCE_REMOVE;
}

void nr_admission_look(NrAdmission *admission, gboolean news)
{
    if (news)
        admission->news_ms = now_ms();
    if (!admission->soon)
        admission->soon = g_timeout_add(GATHER_MS, on_look, admission);
}

/* Life */

NrAdmission *nr_admission_new(const NrWorld *world, NrReconcile *reconcile,
                              const NrRelaySettings *settings)
{
    NrAdmission *admission = g_new0(NrAdmission, 1);

    admission->world = world;
    admission->reconcile = reconcile;
    admission->settings = settings;
    admission->unknown = unknown_table();
    admission->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    admission->sockets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return admission;
}

void nr_admission_free(NrAdmission *admission)
{
    if (!admission)
        return;
    g_clear_handle_id(&admission->soon, g_source_remove);
    g_clear_handle_id(&admission->timer, g_source_remove);
    g_hash_table_unref(admission->unknown);
    g_hash_table_unref(admission->refused);
    g_hash_table_unref(admission->sockets);
    g_free(admission);
}
