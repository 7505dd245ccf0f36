/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network file asks of this host's kernel. */
#include "daemon/desired-private.h"

#include "common/host-change.h"

static void add(GPtrArray *ground, enum host_change_kind kind, const char *device,
                const char *value)
{
    struct host_change change = { .kind = kind };
    char text[HOST_CHANGE_TEXT_MAX];

    g_strlcpy(change.device, device, sizeof(change.device));
    g_strlcpy(change.value, value, sizeof(change.value));
    g_ptr_array_add(ground, g_strdup(host_change_format(&change, text)));
}

GPtrArray *nr_ground_of_file(const NrNetwork *file)
{
    GPtrArray *ground;

    if (file->ips->len == 0)
        return NULL;
    ground = g_ptr_array_new_with_free_func(g_free);
    add(ground, HOST_BRIDGE, file->bridge, "");
    for (guint i = 0; i < file->ips->len; i++)
        add(ground, HOST_ADDRESS, file->bridge, g_ptr_array_index(file->ips, i));
    return ground;
}
