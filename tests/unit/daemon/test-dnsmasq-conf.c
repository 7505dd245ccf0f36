/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dnsmasq is told for a network file; and dnsmasq, where it is installed, understands it. */
#include "model-fixture.h"

#include <string.h>
#include <unistd.h>

#include "daemon/dnsmasq-conf.h"
#include "xml/network-xml.h"

#define BRIDGE "<name>lab</name><bridge name='virbr9'/>"
#define IP4    "<ip address='192.168.9.1' prefix='24'>"
#define IP6    "<ip address='fd99::1' prefix='64'>"
#define RANGE  "<range start='192.168.9.2' end='192.168.9.99'/>"

static const struct {
    const char *name;
    const char *file;  /* what is in <network> */
    const char *lines; /* after those that all have; NULL: there is to be no dnsmasq */
} cases[] = {
    { "nothing", BRIDGE IP4 "</ip>", NULL },
    { "domain-alone", BRIDGE IP4 "</ip><domain name='lab'/>", NULL },
    { "dns-off", BRIDGE IP4 "</ip><dns enable='no'/>", NULL },
    { "range", BRIDGE IP4 "<dhcp>" RANGE "</dhcp></ip>",
      "dhcp-option=3\n"
      "no-resolv\n"
      "dhcp-range=192.168.9.2,192.168.9.99,255.255.255.0,3600s\n" },
    { "for-ever",
      BRIDGE "<ip address='10.0.0.1' netmask='255.255.252.0'><dhcp>"
             "<range start='10.0.0.2' end='10.0.3.254'><lease expiry='0'/></range></dhcp></ip>",
      "dhcp-option=3\n"
      "no-resolv\n"
      "dhcp-range=10.0.0.2,10.0.3.254,255.255.252.0,infinite\n" },
    { "hosts-alone",
      BRIDGE IP4 "<dhcp><host mac='52:54:00:00:00:01' ip='192.168.9.5'/>"
                 "<host name='db' ip='192.168.9.6'/>"
                 "<host mac='52:54:00:00:00:02' name='web' ip='192.168.9.7'/></dhcp></ip>",
      "dhcp-option=3\n"
      "no-resolv\n"
      "dhcp-range=192.168.9.0,static,255.255.255.0\n"
      "dhcp-host=52:54:00:00:00:01,192.168.9.5\n"
      "dhcp-host=db,192.168.9.6\n"
      "dhcp-host=52:54:00:00:00:02,web,192.168.9.7\n" },
    { "ipv6-beside", BRIDGE IP4 "<dhcp>" RANGE "</dhcp></ip>" IP6 "</ip>",
      "dhcp-option=3\n"
      "no-resolv\n"
      "dhcp-range=192.168.9.2,192.168.9.99,255.255.255.0,3600s\n"
      "dhcp-range=fd99::,ra-stateless,ra-names,64\n"
      "enable-ra\n"
      "ra-param=virbr9,0,0\n" },
    { "ipv6-alone", BRIDGE IP6 "<dhcp/></ip><dns enable='no'/>",
      "dhcp-option=3\n"
      "port=0\n"
      "no-resolv\n"
      "dhcp-range=fd99::,ra-only,64\n"
      "enable-ra\n"
      "ra-param=virbr9,0,0\n" },
    { "ipv6-addresses",
      BRIDGE IP6 "<dhcp><range start='fd99::10' end='fd99::ff'/>"
                 "<host mac='52:54:00:00:00:01' ip='fd99::5'/></dhcp></ip>"
                 "<ip address='fd98::1' prefix='64'><dhcp><host name='a' ip='fd98::5'/></dhcp></ip>"
                 "<ip address='fd97::1' prefix='80'/>"
                 "<ip address='fe80::1' prefix='64'/>",
      "dhcp-option=3\n"
      "no-resolv\n"
      "dhcp-range=fd99::10,fd99::ff,64,3600s\n"
      "dhcp-host=52:54:00:00:00:01,[fd99::5]\n"
      "dhcp-range=fd98::,static,64\n"
      "dhcp-host=a,[fd98::5]\n"
      "enable-ra\n"
      "ra-param=virbr9,0,0\n" },
    { "names",
      BRIDGE IP4 "</ip><domain name='lab.example' localOnly='yes'/>"
                 "<dns><host ip='192.168.9.1'><hostname>gateway</hostname>"
                 "<hostname>gw.other.example</hostname></host>"
                 "<host ip='fd99::1'><hostname>six</hostname></host>"
                 "<forwarder addr='192.0.2.53'/><forwarder addr='2001:db8::53'/></dns>",
      "dhcp-option=3\n"
      "domain=lab.example\n"
      "local=/lab.example/\n"
      "host-record=gateway,gateway.lab.example,gw.other.example,192.168.9.1\n"
      "host-record=six,six.lab.example,fd99::1\n"
      "no-resolv\n"
      "server=192.0.2.53\n"
      "server=2001:db8::53\n" },
};

static NrNetwork *read_network(const char *inner)
{
    g_autofree char *text = g_strconcat("<network>", inner, "</network>", NULL);
    g_autoptr(GError) error = NULL;
    NrNetwork *network = nr_network_xml_parse(text, strlen(text), NULL, &error);

    g_assert_no_error(error);
    return network;
}

/* What is said for this one, after what is said for all. */
static const char *after_common(const char *conf)
{
    static const char last[] = "dhcp-leasefile=" NR_LEASES_DIR "/lab.leases\n";
    const char *at = strstr(conf, last);

    g_assert_true(g_str_has_prefix(conf, "interface=virbr9\nexcept-interface=lo\nbind-dynamic\n"));
    g_assert_nonnull(at);
    return at + strlen(last);
}

static void expect_understood(const char *conf)
{
    g_autofree char *path = NULL, *option = NULL, *said = NULL;
    const char *argv[] = { "/usr/sbin/dnsmasq", "--test", NULL, NULL };
    g_autoptr(GError) error = NULL;
    int status, fd;

    if (access(argv[0], X_OK) < 0)
        return;
    fd = g_file_open_tmp(NULL, &path, &error);
    g_assert_no_error(error);
    close(fd);
    g_file_set_contents(path, conf, -1, &error);
    g_assert_no_error(error);
    option = g_strconcat("--conf-file=", path, NULL);
    argv[2] = option;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &said, &status,
                 &error);
    unlink(path);
    g_assert_no_error(error);
    if (status != 0)
        g_error("dnsmasq does not understand it: %s\n%s", said, conf);
}

static void test_case(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_autoptr(NrNetwork) network = read_network(cases[i].file);
    g_autofree char *conf = nr_dnsmasq_conf(network);

    if (!cases[i].lines) {
        g_assert_null(conf);
        return;
    }
    g_assert_cmpstr(after_common(conf), ==, cases[i].lines);
    expect_understood(conf);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/dnsmasq-conf/", cases[i].name, NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_case);
    }
    return g_test_run();
}
