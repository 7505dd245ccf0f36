/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-upgrade.h"

#include <errno.h>
#include "daemon/log.h"
#include "daemon/row.h"

typedef struct {
    const NrControlParts *parts;
    char *network;
    NrUpgraded done;
    gpointer data;
} Asked;

static void asked_finish(Asked *asked, const char *outcome, const char *fault)
{
    asked->done(outcome, fault, asked->data);
    g_free(asked->network);
    g_free(asked);
}

GVariant *nr_control_relays(const NrControlParts *parts)
{
    const NrRelays *relays = parts->world->relays;
    g_autoptr(NrActual) actual = nr_relays_snapshot(relays);
    GVariantBuilder rows;

    g_variant_builder_init(&rows, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < actual->networks->len; i++) {
        const NrActualNetwork *network = actual->networks->pdata[i];
        gboolean outdated = nr_relays_is_outdated(relays, network->name);

        g_variant_builder_open(&rows, G_VARIANT_TYPE_VARDICT);
        nr_row_put_text(&rows, "network", network->name);
        g_variant_builder_add(&rows, "{sv}", "pid", g_variant_new_uint32((guint32)network->pid));
        g_variant_builder_add(&rows, "{sv}", "outdated", g_variant_new_boolean(outdated));
        g_variant_builder_close(&rows);
    }
    return g_variant_builder_end(&rows);
}

/* Its QEMU may be about to dial, once. */
static const char *who_starts(const NrControlParts *parts, const char *network)
{
    const NrDesired *desired = nr_reconcile_desired(parts->reconcile);

    for (guint i = 0; desired && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (binding->guest->state == NR_GUEST_ANNOUNCED && binding->network &&
            g_str_equal(binding->network, network))
            return binding->guest->name;
    }
    return NULL;
}

/* Listeners and TAPs are there again. */
static void on_reattached(gpointer data)
{
    asked_finish(data, "upgraded", "");
}

static void on_upgraded(int error, const char *text, gpointer data)
{
    Asked *asked = data;

    nr_reconcile_request(asked->parts->reconcile);
    if (error == -EALREADY) {
        asked_finish(asked, "current", "");
    } else if (error < 0) {
        asked_finish(asked, "", text);
    } else {
        nr_log(NR_LOG_INFO, "network %s: its relay is the installed program now", asked->network);
        nr_reconcile_wait(asked->parts->reconcile, asked->network, on_reattached, asked);
    }
}

void nr_control_upgrade(const NrControlParts *parts, const char *network, NrUpgraded done,
                        gpointer data)
{
    const char *guest = who_starts(parts, network);
    g_autofree char *fault = NULL;
    Asked *asked;

    if (guest) {
        fault = g_strdup_printf("guest %s is just starting; try it again", guest);
        done("", fault, data);
        return;
    }
    asked = g_new(Asked, 1);
    *asked = (Asked){ parts, g_strdup(network), done, data };
    nr_relays_upgrade(parts->world->relays, network, on_upgraded, asked);
}
