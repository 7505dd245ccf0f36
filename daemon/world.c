/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/world.h"

#include "common/scope.h"
#include "daemon/ground-rules.h"
#include "daemon/log.h"
#include "net/address.h"
#include "net/link.h"
#include "net/ways.h"

static GPtrArray *local_addresses(void)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    char **list = NULL;
    size_t count = 0;
    int r = address_list(&list, &count);

    if (r < 0)
        nr_log(NR_LOG_WARNING, "cannot list this host's addresses: %s", g_strerror(-r));
    for (size_t i = 0; r >= 0 && i < count; i++)
        g_ptr_array_add(texts, g_strdup(list[i]));
    if (r >= 0)
        address_list_free(list, count);
    g_ptr_array_add(texts, NULL);
    return texts;
}

static gboolean any_forwards(const NrWorld *world)
{
    for (guint i = 0; i < world->networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(world->networks->networks, i);

        if (nr_network_forwards(network) && !network->stopped)
            return TRUE;
    }
    return FALSE;
}

/* New list of NrDevice; NULL: nobody asks, or they cannot be listed. */
static GPtrArray *devices(const NrWorld *world)
{
    _cleanup_(freep) struct way *ways = NULL;
    GPtrArray *all = NULL;
    size_t count = 0;
    int r;

    if (!any_forwards(world))
        return NULL;
    link_monitor_add_routes(world->link_monitor); /* first, so that no change is missed */
    r = ways_list(&ways, &count);
    if (r < 0) {
        nr_log(NR_LOG_WARNING, "cannot list this host's routes: %s", g_strerror(-r));
        return NULL;
    }
    all = g_ptr_array_new_with_free_func(nr_device_free);
    for (size_t i = 0; i < count; i++) {
        NrDevice *device = nr_device_new(ways[i].device);

        device->bridge = *ways[i].bridge ? g_strdup(ways[i].bridge) : NULL;
        device->leads_v4 = ways[i].default_v4;
        device->leads_v6 = ways[i].default_v6;
        device->hears = ways[i].hears;
        device->hears_always = ways[i].hears_always;
        g_ptr_array_add(all, device);
    }
    return all;
}

static NrDesired *decide(const NrWorld *world, const GPtrArray *guests)
{
    g_autoptr(GPtrArray) addresses = local_addresses();
    g_autoptr(GPtrArray) all_devices = devices(world);
    NrDesiredInput input = {
        .guests = guests,
        .networks = world->networks->networks,
        .policy = world->policy,
        .addresses = (const char *const *)addresses->pdata,
        .devices = all_devices,
        .resolved = nr_resolver_table(world->resolver),
    };

    return nr_desired_new(&input);
}

NrDesired *nr_world_desired(const NrWorld *world)
{
    g_autoptr(GPtrArray) guests = nr_inventory_snapshot(world->inventory);
    g_auto(GStrv) names = nr_desired_hostnames(guests, world->networks->networks);

    nr_resolver_want(world->resolver, names);
    return decide(world, guests);
}

NrActual *nr_world_actual(const NrWorld *world, const NrDesired *desired)
{
    NrActual *actual = nr_relays_snapshot(world->relays);

    nr_ground_show(world->ground, actual);
    nr_serving_show(world->serving, actual);
    if (desired)
        nr_ground_mark(desired, actual);
    return actual;
}

NrDesired *nr_world_imagine(const NrWorld *world, NrGuest *guest)
{
    g_autoptr(GPtrArray) guests = nr_inventory_snapshot(world->inventory);

    for (guint i = guests->len; i-- > 0;)
        if (g_str_equal(((NrGuest *)guests->pdata[i])->uuid, guest->uuid))
            g_ptr_array_remove_index(guests, i);
    g_ptr_array_add(guests, nr_guest_ref(guest));
    return decide(world, guests);
}
