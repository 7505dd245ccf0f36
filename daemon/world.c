/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/world.h"

#include "daemon/ground-rules.h"
#include "daemon/log.h"
#include "net/address.h"

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

static NrDesired *decide(const NrWorld *world, const GPtrArray *guests)
{
    g_autoptr(GPtrArray) addresses = local_addresses();
    NrDesiredInput input = {
        .guests = guests,
        .networks = world->networks->networks,
        .policy = world->policy,
        .addresses = (const char *const *)addresses->pdata,
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
