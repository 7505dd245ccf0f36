/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files are judged one after the other, in the order of their names: the earlier has a name or an
 * address first. A file that cannot be used now stands for what it was, if that still fits.
 */
#include "daemon/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/scope.h"
#include "daemon/place.h"
#include "xml/network-xml.h"
#include "xml/value.h"

/* --- plain data */

static void network_free(gpointer network)
{
    nr_network_free(network);
}

static NrNetworks *networks_new(void)
{
    NrNetworks *networks = g_new0(NrNetworks, 1);

    networks->networks = g_ptr_array_new_with_free_func(network_free);
    networks->faults = g_ptr_array_new_with_free_func(g_free);
    return networks;
}

void nr_networks_free(NrNetworks *networks)
{
    if (!networks)
        return;
    g_ptr_array_unref(networks->networks);
    g_ptr_array_unref(networks->faults);
    g_free(networks->stamp);
    g_free(networks);
}

static void copy_addresses(GPtrArray *ret, const GPtrArray *addresses)
{
    for (guint i = 0; i < addresses->len; i++) {
        const NrAddress *address = g_ptr_array_index(addresses, i);
        NrAddress *copy = g_new0(NrAddress, 1);

        copy->host = g_strdup(address->host);
        copy->l4_port = address->l4_port;
        copy->admit = g_strdup(address->admit);
        g_ptr_array_add(ret, copy);
    }
}

static NrNetwork *network_copy(const NrNetwork *network)
{
    NrNetwork *copy = nr_network_new();

    copy->name = g_strdup(network->name);
    copy->file = g_strdup(network->file);
    copy->bridge = g_strdup(network->bridge);
    copy->forward = network->forward;
    copy->forward_dev = g_strdup(network->forward_dev);
    copy->nat_v6 = network->nat_v6;
    for (guint i = 0; i < network->routes->len; i++) {
        const NrRoute *route = g_ptr_array_index(network->routes, i);
        NrRoute *twin = g_new0(NrRoute, 1);

        twin->destination = g_strdup(route->destination);
        twin->gateway = g_strdup(route->gateway);
        twin->proxy = route->proxy;
        g_ptr_array_add(copy->routes, twin);
    }
    for (guint i = 0; i < network->ips->len; i++)
        g_ptr_array_add(copy->ips, g_strdup(network->ips->pdata[i]));
    copy->addressing = network->addressing ? nr_addressing_ref(network->addressing) : NULL;
    for (guint i = 0; i < network->port_forwards->len; i++)
        g_ptr_array_add(copy->port_forwards,
                        nr_port_forward_copy(network->port_forwards->pdata[i]));
    copy->pin = network->pin;
    copy->stopped = network->stopped;
    copy_addresses(copy->listens, network->listens);
    copy_addresses(copy->udps, network->udps);
    copy_addresses(copy->peers, network->peers);
    for (guint i = 0; i < network->groups->len; i++) {
        const NrGroup *group = g_ptr_array_index(network->groups, i);
        NrGroup *twin = g_new0(NrGroup, 1);

        *twin = *group;
        twin->address.host = g_strdup(group->address.host);
        twin->dev = g_strdup(group->dev);
        g_ptr_array_add(copy->groups, twin);
    }
    for (guint i = 0; i < network->matches->len; i++) {
        const NrMatch *match = g_ptr_array_index(network->matches, i);
        NrMatch *twin = g_new0(NrMatch, 1);

        *twin = *match;
        twin->domain = g_strdup(match->domain);
        twin->host = g_strdup(match->host);
        g_ptr_array_add(copy->matches, twin);
    }
    return copy;
}

static const NrNetwork *find_previous(const NrNetworks *previous, const char *path)
{
    for (guint i = 0; previous && i < previous->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(previous->networks, i);

        if (g_strcmp0(network->file, path) == 0)
            return network;
    }
    return NULL;
}

/* --- one file */

static gboolean set_errno(GError **error, const char *what)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", what,
                g_strerror(errno));
    return FALSE;
}

static gboolean refuse_file(GError **error, const char *cause)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_PERM, cause);
    return FALSE;
}

/* What it says may have root's manager bind ports and make TAPs: only its owner may say it. */
static gboolean check_file(const struct stat *st, uid_t owner_uid, GError **error)
{
    if (!S_ISREG(st->st_mode))
        return refuse_file(error, "it is not a regular file");
    if (st->st_uid != 0 && st->st_uid != owner_uid)
        return refuse_file(error, "it belongs to another user; chown it");
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return refuse_file(error, "others may write to it; chmod go-w it");
    if (st->st_size > NR_NETWORK_XML_MAX)
        return refuse_file(error, "it is larger than 1 MiB");
    return TRUE;
}

static gboolean read_all(int fd, GString *text, GError **error)
{
    char buf[16384];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return set_errno(error, "it cannot be read");
        g_string_append_len(text, buf, n);
        if (text->len > NR_NETWORK_XML_MAX)
            return refuse_file(error, "it is larger than 1 MiB");
    }
    return TRUE;
}

/* O_NONBLOCK: a FIFO of somebody's must not hold us. *ret_fd is the caller's in any case. */
static gboolean open_file(const char *path, uid_t owner_uid, int *ret_fd, GError **error)
{
    struct stat st;

    *ret_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*ret_fd < 0 && errno == ELOOP)
        return refuse_file(error, "it is a symbolic link, not a regular file");
    if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0)
        return set_errno(error, "it cannot be opened");
    return check_file(&st, owner_uid, error);
}

static NrNetwork *read_file(const char *path, const char *name, uid_t owner_uid, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(NrNetwork) network = NULL;
    _cleanup_(closep) int fd = -1;

    if (!open_file(path, owner_uid, &fd, error) || !read_all(fd, text, error)) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    network = nr_network_xml_parse(text->str, text->len, name, error);
    if (!network)
        return NULL;
    g_free(network->file);
    network->file = g_strdup(path);
    return g_steal_pointer(&network);
}

/* --- one beside the others */

typedef struct {
    NrNetworks *out;
    GHashTable *names;     /* name -> NrNetwork, borrowed */
    NrPlaceIndex *listens; /* NrNetwork by address */
    NrPlaceIndex *udps;
    NrPlaceIndex *groups;
    GHashTable *served;     /* bridge, borrowed -> NrNetwork with a dnsmasq on it, borrowed */
    GHashTable *unresolved; /* "udp NAME:PORT" of host names -> NrNetwork, borrowed */
} Loader;

static void loader_init(Loader *loader, NrNetworks *out)
{
    *loader = (Loader){
        .out = out,
        .names = g_hash_table_new(g_str_hash, g_str_equal),
        .listens = nr_place_index_new(),
        .udps = nr_place_index_new(),
        .groups = nr_place_index_new(),
        .served = g_hash_table_new(g_str_hash, g_str_equal),
        .unresolved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
}

static void loader_clear(Loader *loader)
{
    g_hash_table_unref(loader->names);
    nr_place_index_free(loader->listens);
    nr_place_index_free(loader->udps);
    nr_place_index_free(loader->groups);
    g_hash_table_unref(loader->served);
    g_hash_table_unref(loader->unresolved);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Loader, loader_clear)

static char *unresolved_key(const char *word, const NrAddress *address)
{
    return g_strdup_printf("%s %s:%u", word, address->host, address->l4_port);
}

/* The earlier network that has one of the addresses, or NULL. */
static const NrNetwork *find_clash(const Loader *loader, const char *word,
                                   const NrPlaceIndex *index, const GPtrArray *addresses,
                                   char **ret_address)
{
    for (guint i = 0; i < addresses->len; i++) {
        const NrAddress *address = g_ptr_array_index(addresses, i);
        const NrPlaceGroup *group = NULL;
        const NrNetwork *other;
        NrPlaceIter iter;
        NrPlace place;

        if (nr_place_find(&place, address->host, address->l4_port, NULL) == NR_PLACE_FOUND) {
            nr_place_iter_init(&iter, index, &place);
            group = nr_place_iter_next(&iter);
            other = group ? g_ptr_array_index(group->values, 0) : NULL;
        } else {
            g_autofree char *key = unresolved_key(word, address);

            other = g_hash_table_lookup(loader->unresolved, key);
        }
        if (other) {
            *ret_address = nr_address_format(address);
            return other;
        }
    }
    return NULL;
}

static gboolean refuse_clash(const NrNetwork *other, const char *what, GError **error)
{
    g_autofree char *file = other->file ? g_path_get_basename(other->file) : NULL;

    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "%s is in use by the network %s in %s",
                what, other->name, file ? file : "another file");
    return FALSE;
}

/* Two servers on one bridge would answer the same guests. */
static gboolean is_served(const NrNetwork *network)
{
    return network->bridge && nr_addressing_is_served(network->addressing);
}

static gboolean check_served(const Loader *loader, const NrNetwork *network, GError **error)
{
    const NrNetwork *other =
        is_served(network) ? g_hash_table_lookup(loader->served, network->bridge) : NULL;
    g_autofree char *what =
        other ? g_strdup_printf("the bridge %s for <dhcp> and <dns>", network->bridge) : NULL;

    return !other || refuse_clash(other, what, error);
}

static gboolean check_clashes(const Loader *loader, const NrNetwork *network, GError **error)
{
    const struct {
        const char *word;
        const NrPlaceIndex *index;
        const GPtrArray *addresses;
    } lists[] = {
        { "listen", loader->listens, network->listens },
        { "udp", loader->udps, network->udps },
        { "multicast", loader->groups, network->groups },
    };
    const NrNetwork *other = g_hash_table_lookup(loader->names, network->name);
    g_autofree char *address = NULL, *what = NULL;

    if (other) {
        what = g_strdup_printf("the name %s", network->name);
        return refuse_clash(other, what, error);
    }
    for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
        other = find_clash(loader, lists[i].word, lists[i].index, lists[i].addresses, &address);
        if (other) {
            what = g_strdup_printf("the <%s> address %s", lists[i].word, address);
            return refuse_clash(other, what, error);
        }
    }
    return check_served(loader, network, error);
}

static void add_addresses(Loader *loader, const char *word, NrPlaceIndex *index,
                          const GPtrArray *addresses, NrNetwork *network)
{
    for (guint i = 0; i < addresses->len; i++) {
        const NrAddress *address = g_ptr_array_index(addresses, i);
        NrPlace place;

        if (nr_place_find(&place, address->host, address->l4_port, NULL) == NR_PLACE_FOUND)
            nr_place_index_add(index, &place, network);
        else
            g_hash_table_insert(loader->unresolved, unresolved_key(word, address), network);
    }
}

/* Takes the network, and gives TRUE; or leaves it with the caller. */
static gboolean add_network(Loader *loader, NrNetwork *network, GError **error)
{
    if (!check_clashes(loader, network, error))
        return FALSE;
    g_hash_table_insert(loader->names, network->name, network);
    add_addresses(loader, "listen", loader->listens, network->listens, network);
    add_addresses(loader, "udp", loader->udps, network->udps, network);
    add_addresses(loader, "multicast", loader->groups, network->groups, network);
    if (is_served(network))
        g_hash_table_insert(loader->served, network->bridge, network);
    g_ptr_array_add(loader->out->networks, network);
    return TRUE;
}

static void add_fault(Loader *loader, const char *name, const GError *error, gboolean kept)
{
    /* The XML reader's messages and read_file()'s begin with the file already. */
    g_autofree char *whole = g_str_has_prefix(error->message, name)
                                 ? g_strdup(error->message)
                                 : g_strdup_printf("%s: %s", name, error->message);
    g_autofree char *text =
        g_strdup_printf("%s%s", whole, kept ? "; its network stays as it was before" : "");

    g_ptr_array_add(loader->out->faults, nr_printable(text));
}

static void load_file(Loader *loader, const char *directory, const char *name, uid_t owner_uid,
                      const NrNetworks *previous)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    const NrNetwork *before = find_previous(previous, path);
    g_autoptr(NrNetwork) kept = before ? network_copy(before) : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network = read_file(path, name, owner_uid, &error);

    if (network && add_network(loader, network, &error)) {
        (void)g_steal_pointer(&network);
        return;
    }
    if (kept && add_network(loader, kept, NULL)) {
        (void)g_steal_pointer(&kept);
        add_fault(loader, name, error, TRUE);
        return;
    }
    add_fault(loader, name, error, FALSE);
}

/* Only the files that had a network already, or only the others: what is there comes first, so that
 * a file which is added takes no name and no address from a network that runs. */
static void load_known(Loader *loader, const char *directory, const GPtrArray *names,
                       uid_t owner_uid, const NrNetworks *previous, gboolean known)
{
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(directory, name, NULL);

        if ((find_previous(previous, path) != NULL) == known)
            load_file(loader, directory, name, owner_uid, previous);
    }
}

/* --- the directory */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_networks(gconstpointer a, gconstpointer b)
{
    const NrNetwork *const *first = a, *const *second = b;

    return strcmp((*first)->name, (*second)->name);
}

static GPtrArray *list_files(const char *directory, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, error);
    GPtrArray *names;
    const char *name;

    if (!dir)
        return NULL;
    names = g_ptr_array_new_with_free_func(g_free);
    while ((name = g_dir_read_name(dir)))
        if (g_str_has_suffix(name, ".xml") && name[0] != '.')
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return names;
}

static char *stamp_of(const char *directory, const GPtrArray *names)
{
    GString *stamp = g_string_new(NULL);

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(directory, names->pdata[i], NULL);
        struct stat status = { 0 };

        (void)lstat(path, &status);
        g_string_append_printf(stamp, "%s\n%ju %jd %jd.%09ld\n", (char *)names->pdata[i],
                               (uintmax_t)status.st_ino, (intmax_t)status.st_size,
                               (intmax_t)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    }
    return g_string_free(stamp, FALSE);
}

static void keep_all(NrNetworks *networks, const NrNetworks *previous)
{
    for (guint i = 0; previous && i < previous->networks->len; i++)
        g_ptr_array_add(networks->networks, network_copy(g_ptr_array_index(previous->networks, i)));
}

NrNetworks *nr_networks_load(const char *directory, uid_t owner_uid, const NrNetworks *previous)
{
    NrNetworks *networks = networks_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) names = list_files(directory, &error);
    g_auto(Loader) loader;

    loader_init(&loader, networks);
    if (!names && g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return networks;
    if (!names) {
        g_ptr_array_add(networks->faults, g_strdup(error->message));
        keep_all(networks, previous);
        return networks;
    }
    networks->stamp = stamp_of(directory, names); /* first: what changes meanwhile is read again */
    load_known(&loader, directory, names, owner_uid, previous, TRUE);
    load_known(&loader, directory, names, owner_uid, previous, FALSE);
    g_ptr_array_sort(networks->networks, compare_networks);
    return networks;
}

gboolean nr_networks_check(const NrNetworks *networks, const NrNetwork *network, GError **error)
{
    g_autoptr(NrNetworks) others = networks_new();
    g_auto(Loader) loader;

    loader_init(&loader, others);
    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *other = g_ptr_array_index(networks->networks, i);
        g_autoptr(NrNetwork) copy = network_copy(other);

        if (g_strcmp0(other->file, network->file) != 0 && add_network(&loader, copy, NULL))
            (void)g_steal_pointer(&copy);
    }
    return check_clashes(&loader, network, error);
}

GHashTable *nr_networks_manual(const char *directory)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *folder = g_build_filename(directory, NR_NETWORKS_MANUAL, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        if (nr_value_is_network_name(name))
            g_hash_table_add(names, g_strdup(name));
    return names;
}
