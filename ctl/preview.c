/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/preview.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netdb.h>
#include "common/paths.h"
#include "common/scope.h"
#include "ctl/manager.h"
#include "daemon/stopped-note.h"

/* This host's addresses as text; NULL-terminated. */
static char **host_addresses(void)
{
    g_autoptr(GStrvBuilder) list = g_strv_builder_new();
    struct ifaddrs *first = NULL;

    if (getifaddrs(&first) == 0) {
        for (const struct ifaddrs *i = first; i; i = i->ifa_next) {
            char text[NI_MAXHOST];
            const struct sockaddr *address = i->ifa_addr;

            if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
                continue;
            if (getnameinfo(address,
                            address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                          : sizeof(struct sockaddr_in6),
                            text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
                g_strv_builder_add(list, text);
        }
        freeifaddrs(first);
    }
    return g_strv_builder_end(list);
}

/* IPv4 only: QEMU's socket NICs speak nothing else. New string; "" where it does not resolve. */
static char *resolve_name(const char *name)
{
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char text[INET_ADDRSTRLEN] = "";

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return g_strdup("");
    inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr, text,
              sizeof(text));
    freeaddrinfo(found);
    return g_strdup(text);
}

static GHashTable *resolve_names(const GPtrArray *guests, const GPtrArray *networks)
{
    GHashTable *resolved = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) names = nr_desired_hostnames(guests, networks);

    for (guint i = 0; names[i]; i++)
        g_hash_table_insert(resolved, g_strdup(names[i]), resolve_name(names[i]));
    return resolved;
}

static void decide(NrPreview *preview, gboolean resolve)
{
    g_autoptr(GPtrArray) guests = g_ptr_array_new();
    g_autoptr(GHashTable) resolved = NULL;
    g_auto(GStrv) addresses = host_addresses();
    NrDesiredInput input = { .guests = guests,
                             .networks = preview->networks->networks,
                             .policy = &preview->config->policy,
                             .addresses = (const char *const *)addresses };

    g_ptr_array_add(guests, preview->guest);
    if (resolve)
        resolved = resolve_names(guests, input.networks);
    input.resolved = resolved;
    preview->desired = nr_desired_new(&input);
}

/* As a manager would that started now. Where its directory is not to be seen, all are active. */
static void mark_stopped(NrNetworks *networks, const char *directory, const char *runtime_dir)
{
    _cleanup_(closep) int dir_fd = nr_manager_open_dir(runtime_dir);
    g_autoptr(GHashTable) names = nr_stopped_names(dir_fd, directory, dir_fd == -ENOENT);

    for (guint i = 0; i < networks->networks->len; i++) {
        NrNetwork *network = g_ptr_array_index(networks->networks, i);

        network->stopped = g_hash_table_contains(names, network->name);
    }
}

NrPreview *nr_preview_new(const NrGuest *guest, uid_t uid, const char *runtime_dir,
                          gboolean resolve, GError **error)
{
    g_autoptr(NrPreview) preview = g_new0(NrPreview, 1);
    g_autofree char *file = NULL;
    g_autofree char *networks = NULL;
    char dir[PATH_MAX];

    if (paths_config_dir(uid, dir, sizeof(dir)) < 0)
        dir[0] = '\0'; /* no home, no files: the defaults */
    file = g_build_filename(dir, "netrelayd.conf", NULL);
    networks = g_build_filename(dir, "networks", NULL);
    preview->config = nr_config_load(file, uid, error);
    if (!preview->config)
        return NULL;
    preview->networks = nr_networks_load(networks, uid, NULL);
    mark_stopped(preview->networks, networks, runtime_dir);
    preview->guest = nr_guest_copy(guest, NR_GUEST_ANNOUNCED);
    decide(preview, resolve);
    return g_steal_pointer(&preview);
}

void nr_preview_free(NrPreview *preview)
{
    if (!preview)
        return;
    g_clear_pointer(&preview->desired, nr_desired_free);
    g_clear_pointer(&preview->guest, nr_guest_unref);
    g_clear_pointer(&preview->networks, nr_networks_free);
    g_clear_pointer(&preview->config, nr_config_free);
    g_free(preview);
}

const NrBinding *nr_preview_refusal(const NrPreview *preview)
{
    for (guint i = 0; i < preview->desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(preview->desired->bindings, i);

        if (nr_binding_refuses_start(binding))
            return binding;
    }
    return NULL;
}

const NrBinding *nr_preview_named(const NrPreview *preview)
{
    for (guint i = 0; i < preview->desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(preview->desired->bindings, i);

        if (binding->named &&
            (binding->kind == NR_BINDING_SERVED || binding->kind == NR_BINDING_RESOLVING))
            return binding;
    }
    return NULL;
}

char *nr_nic_address(const NrNic *nic)
{
    const NrAddress *address = nic->kind == NR_NIC_LISTENS ? &nic->theirs : &nic->ours;

    /* A port that is none has been read as 0; the NIC's fault says what stands there. */
    return address->l4_port ? nr_address_format(address) : g_strdup(address->host);
}

gboolean nr_guest_concerns_us(const NrGuest *guest)
{
    for (guint i = 0; i < guest->nics->len; i++) {
        const NrNic *nic = g_ptr_array_index(guest->nics, i);

        if (nic->kind == NR_NIC_DIALS || nic->kind == NR_NIC_LISTENS || nic->kind == NR_NIC_UDP ||
            nr_wish_has_place(&nic->wish))
            return TRUE;
    }
    return guest->metadata_fault != NULL;
}
