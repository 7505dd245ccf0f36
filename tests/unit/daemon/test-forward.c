/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host's devices is to forward, and for whom. */
#include "model-fixture.h"

#include <string.h>

#define LAB     "<name>lab</name><bridge name='virbr9'/>"
#define IP4     "<ip address='10.0.9.1' prefix='24'/>"
#define IP6     "<ip address='fd00::1' prefix='64'/>"
#define ROUTE   "<forward mode='route'/>"
#define TO(dev) "<forward mode='route' dev='" dev "'/>"

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const NrPolicy policy = { .system = TRUE, .hooked = TRUE };

/* "eth0=46h eth1=H@br0": where default routes of IPv4 and IPv6 lead, what hears routers, what hears
 * them always, and the bridge that it is in. */
static GPtrArray *devices_of(const char *text)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(nr_device_free);
    g_auto(GStrv) words = g_strsplit(text, " ", -1);

    for (guint i = 0; words[i] && *words[i]; i++) {
        char *marks = strchr(words[i], '=');
        NrDevice *device;

        *marks++ = '\0';
        device = nr_device_new(words[i]);
        device->bridge = strchr(marks, '@') ? g_strdup(strchr(marks, '@') + 1) : NULL;
        device->leads_v4 = strchr(marks, '4') != NULL;
        device->leads_v6 = strchr(marks, '6') != NULL;
        device->hears = strchr(marks, 'h') != NULL;
        device->hears_always = strchr(marks, 'H') != NULL;
        g_ptr_array_add(devices, device);
    }
    return devices;
}

/* What each network's bridge stands on beside itself and its addresses, and what is lacking. */
static void expect(const char *devices_text, const char *const *files, const char *expected)
{
    g_autoptr(GPtrArray) guests = fixture_guests("");
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    g_autoptr(GPtrArray) devices = devices_text ? devices_of(devices_text) : NULL;
    const char *none[] = { NULL };
    const NrDesiredInput input = { .guests = guests,
                                   .networks = networks,
                                   .policy = &policy,
                                   .addresses = none,
                                   .devices = devices };
    g_autoptr(NrDesired) desired = nr_desired_new(&input);
    g_autoptr(GString) shown = g_string_new("");

    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = desired->networks->pdata[i];
        const NrDesiredEndpoint *endpoint = network->endpoints->pdata[0];

        g_string_append_printf(shown, "%s:", network->name);
        for (guint k = 0; endpoint->ground && k < endpoint->ground->len; k++) {
            const char *text = endpoint->ground->pdata[k];

            if (!g_str_has_prefix(text, "bridge ") && !g_str_has_prefix(text, "address "))
                g_string_append_printf(shown, " %s,", text);
        }
        g_string_append_printf(shown, " %s\n", endpoint->lacks ? endpoint->lacks : "");
    }
    g_assert_cmpstr(shown->str, ==, expected);
}

static void test_default_routes(void)
{
    expect("eth0=4 eth1=", FILES(LAB IP4 ROUTE), "lab: forward-v4 eth0, forward-v4 virbr9, \n");
    expect("eth0=4 eth1=4", FILES(LAB IP4 ROUTE),
           "lab: forward-v4 eth0, forward-v4 eth1, forward-v4 virbr9, \n");
    expect("eth0=46", FILES(LAB IP6 ROUTE), "lab: forward-v6 all, \n");
    expect("eth0=46", FILES(LAB IP4), "lab: \n");
    expect("eth0=46", FILES(LAB IP4 "<forward mode='none'/>"), "lab: \n");
}

static void test_a_device(void)
{
    expect("eth0=46 eth1=", FILES(LAB IP4 TO("eth1")),
           "lab: forward-v4 eth1, forward-v4 virbr9, \n");
    expect("eth0=46 eth1=", FILES(LAB IP6 TO("eth1")), "lab: forward-v6 all, \n");
    expect("eth0=46", FILES(LAB IP4 TO("eth1")),
           "lab: its guests cannot get out yet: there is no device eth1; make it, "
           "plug it in, or correct its name\n");
}

/* What comes for a member of a bridge comes in by the bridge. */
static void test_a_device_in_a_bridge(void)
{
    static const char proxied[] = LAB IP4 IP6 TO("eth0") "<route address='192.0.2.9' proxy='yes'/>";
    static const char nat[] = LAB IP4 "<forward mode='nat' dev='eth0'/>";

    expect("eth0=46", FILES(proxied),
           "lab: forward-v4 eth0, forward-v4 virbr9, forward-v6 all, route virbr9 192.0.2.9/32, "
           "proxy eth0 192.0.2.9, \n");
    expect("eth0=@x7 x7=46h", FILES(proxied),
           "lab: forward-v4 x7, forward-v4 virbr9, hear-routers x7, forward-v6 all, "
           "route virbr9 192.0.2.9/32, proxy x7 192.0.2.9, \n");
    expect("eth0=@x7 x7=46", FILES(nat),
           "lab: nat virbr9 10.0.9.1/24,x7, forward-v4 x7, forward-v4 virbr9, \n");
    /* Its own bridge leads nowhere else. */
    expect("eth0=4@virbr9", FILES(nat),
           "lab: nat virbr9 10.0.9.1/24,eth0, forward-v4 eth0, forward-v4 virbr9, \n");
}

static void test_no_way_out(void)
{
    expect("eth0=6h", FILES(LAB IP4 ROUTE),
           "lab: its guests cannot get out yet: this host has no default route of IPv4; set one, "
           "or name the way with <forward dev='...'/>\n");
    expect("eth0=4", FILES(LAB IP4 IP6 ROUTE),
           "lab: forward-v4 eth0, forward-v4 virbr9, its guests cannot get out yet: this host has "
           "no default route of IPv6; set one, or name the way with <forward dev='...'/>\n");
    /* A bridge that is the way itself is none out of it. */
    expect("virbr9=46h", FILES(LAB IP4 ROUTE),
           "lab: its guests cannot get out yet: this host has no default route of IPv4; set one, "
           "or name the way with <forward dev='...'/>\n");
    expect(NULL, FILES(LAB IP4 IP6 ROUTE), "lab: \n"); /* nobody has looked */
}

/* The host goes on hearing routers where it does, and lives by them. */
static void test_routers_are_heard(void)
{
    expect("eth0=46h eth1=h", FILES(LAB IP6 ROUTE), "lab: hear-routers eth0, forward-v6 all, \n");
    expect("eth0=46H", FILES(LAB IP6 ROUTE), "lab: hear-routers eth0, forward-v6 all, \n");
    expect("eth0=46h eth1=h", FILES(LAB IP6 TO("eth1")),
           "lab: hear-routers eth0, hear-routers eth1, forward-v6 all, \n");
    /* It is as it was made, though no router is there at the moment. */
    expect("eth0=H eth1=", FILES(LAB IP6 TO("eth1")), "lab: hear-routers eth0, forward-v6 all, \n");
    expect("eth0=46h", FILES(LAB IP4 ROUTE), "lab: forward-v4 eth0, forward-v4 virbr9, \n");
}

/* Each network makes sure of what any of them needs to be heard: one switch is for all. */
static void test_two_networks(void)
{
    expect(
        "eth0=46h eth1=h",
        FILES("<name>a</name><bridge name='br1'/>" IP6 ROUTE,
              "<name>b</name><bridge name='br2'/><ip address='fd00:1::1' prefix='64'/>" TO("eth1")),
        "a: hear-routers eth0, hear-routers eth1, forward-v6 all, \n"
        "b: hear-routers eth0, hear-routers eth1, forward-v6 all, \n");
    expect("eth0=46h eth1=h",
           FILES("<name>a</name><bridge name='br1'/>" IP6 ROUTE,
                 "!<name>b</name><bridge name='br2'/><ip address='fd00:1::1' prefix='64'/>" TO(
                     "eth1")),
           "a: hear-routers eth0, forward-v6 all, \n");
}

/* In place before anything is forwarded. IPv6 is routed, unless more is asked for. */
static void test_masquerading(void)
{
    expect("eth0=46", FILES(LAB IP4 IP6 "<forward mode='nat'/>"),
           "lab: nat virbr9 10.0.9.1/24, forward-v4 eth0, forward-v4 virbr9, forward-v6 all, \n");
    expect("eth0=46 eth1=",
           FILES(LAB IP4 IP6 "<forward mode='nat' dev='eth1'><nat ipv6='yes'/></forward>"),
           "lab: nat virbr9 10.0.9.1/24,eth1, nat virbr9 fd00::1/64,eth1, forward-v4 eth1, "
           "forward-v4 virbr9, forward-v6 all, \n");
    expect("", FILES(LAB IP4 "<forward mode='nat'/>"),
           "lab: nat virbr9 10.0.9.1/24, its guests cannot get out yet: this host has no default "
           "route of IPv4; set one, or name the way with <forward dev='...'/>\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/forward/default-routes", test_default_routes);
    g_test_add_func("/forward/a-device", test_a_device);
    g_test_add_func("/forward/a-device-in-a-bridge", test_a_device_in_a_bridge);
    g_test_add_func("/forward/no-way-out", test_no_way_out);
    g_test_add_func("/forward/routers-are-heard", test_routers_are_heard);
    g_test_add_func("/forward/two-networks", test_two_networks);
    g_test_add_func("/forward/masquerading", test_masquerading);
    return g_test_run();
}
