/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/change-words.h"

static const struct {
    const char *thing, *lay, *lift;
} words[HOST_CHANGE_KINDS] = {
    [HOST_BRIDGE] = { NULL, "make sure of the bridge {device}", "let go of the bridge {device}" },
    [HOST_ADDRESS] = { "{value}", "give {value} to {device}", "take {value} from {device}" },
    [HOST_HEAR_ROUTERS] = { "router advertisements", "let {device} hear IPv6 routers",
                            "let {device} hear IPv6 routers as before" },
    [HOST_FORWARD_V4] = { "IPv4 forwarding", "have {device} forward IPv4",
                          "have {device} forward IPv4 as before" },
    [HOST_ROUTE] = { "route to {value}", "lead {value} to {device}",
                     "no longer lead {value} to {device}" },
    [HOST_PROXY_NDP] = { NULL, "have {device} answer for IPv6 addresses",
                         "have {device} answer for IPv6 addresses as before" },
    [HOST_PROXY] = { "answers for {value}", "answer for {value} on {device}",
                     "no longer answer for {value} on {device}" },
    [HOST_NAT] = { "masquerading of {value}", "masquerade {value}",
                   "no longer masquerade {value}" },
    [HOST_GUARD_UDP] = { NULL, "keep other users of this host from guests' udp ports",
                         "no longer keep other users of this host from guests' udp ports" },
    [HOST_FORWARD_V6] = { "IPv6 forwarding", "have this host forward IPv6",
                          "have this host forward IPv6 as before" },
    [HOST_UPLINK] = { "{device}",
                      "move {device}, its addresses and its routes to the bridge {value}",
                      "move what {device} had back from the bridge {value}" },
};

static char *fill(const char *text, const struct host_change *change)
{
    GString *all = text ? g_string_new(text) : NULL;

    if (!all)
        return NULL;
    g_string_replace(all, "{value}", change->value, 0);
    g_string_replace(all, "{device}", change->device, 0);
    return g_string_free(all, FALSE);
}

char *nr_change_thing(const struct host_change *change)
{
    return fill(words[change->kind].thing, change);
}

char *nr_change_to_lay(const struct host_change *change)
{
    return fill(words[change->kind].lay, change);
}

char *nr_change_to_lift(const struct host_change *change)
{
    return fill(words[change->kind].lift, change);
}
