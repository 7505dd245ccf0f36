/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include <glib/gstdio.h>
#include <string.h>

static NrConfig *load(const char *text, uid_t uid, char **ret_error)
{
    g_autofree char *directory = g_dir_make_tmp("netrelay-config-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(directory, "netrelayd.conf", NULL);
    g_autoptr(GError) error = NULL;
    NrConfig *config;

    if (text)
        g_assert_true(g_file_set_contents(file, text, -1, NULL));
    config = nr_config_load(file, uid, &error);
    g_assert_true((config == NULL) == (error != NULL));
    if (ret_error)
        *ret_error = error ? g_strdup(error->message) : NULL;
    if (config)
        g_assert_cmpstr(config->policy.config, ==, file);
    g_unlink(file);
    g_rmdir(directory);
    return config;
}

static void test_defaults(void)
{
    g_autoptr(NrConfig) root = load(NULL, 0, NULL);
    g_autoptr(NrConfig) user = load("# nothing\n", 1000, NULL);

    g_assert_cmpint(root->policy.implicit, ==, NR_IMPLICIT_SAFE);
    g_assert_true(root->policy.system);
    g_assert_null(root->policy.bridges[0]);
    g_assert_null(root->policy.peers[0]);
    g_assert_cmpstr(root->policy.addresses[0], ==, "any");
    g_assert_cmpstr(root->policy.ports[0], ==, "1024-65535");
    g_assert_false(root->policy.guard_udp);
    g_assert_cmpstr(root->uri, ==, "qemu:///system");
    g_assert_cmpstr(root->relay_user, ==, "netrelay");
    g_assert_cmpstr(root->control_group, ==, "libvirt");
    g_assert_false(user->policy.system);
    g_assert_cmpstr(user->uri, ==, "qemu:///session");
    g_assert_null(user->relay_user);
    g_assert_null(user->control_group);
}

static void test_everything(void)
{
    g_autoptr(NrConfig) config =
        load("[policy]\nimplicit = all\nbridges=br0; lab-*;,virbr?\n"
             "peers=HostB.example:12345; [2001:db8::*]:*\n"
             "addresses=127.0.0.0/8 ::1\nports=80;8000-8999\nguard-udp=yes\n"
             "[libvirt]\nuri=test:///default\n[relay]\nuser=relay\n"
             "[control]\ngroup=\n",
             0, NULL);
    g_autofree char *bridges = g_strjoinv(" ", config->policy.bridges);
    g_autofree char *peers = g_strjoinv(" ", config->policy.peers);
    g_autofree char *addresses = g_strjoinv(" ", config->policy.addresses);
    g_autofree char *ports = g_strjoinv(" ", config->policy.ports);

    g_assert_cmpint(config->policy.implicit, ==, NR_IMPLICIT_ALL);
    g_assert_cmpstr(bridges, ==, "br0 lab-* virbr?");
    g_assert_cmpstr(peers, ==, "hostb.example:12345 [2001:db8::*]:*");
    g_assert_cmpstr(addresses, ==, "127.0.0.0/8 ::1");
    g_assert_true(config->policy.guard_udp);
    g_assert_cmpstr(ports, ==, "80 8000-8999");
    g_assert_cmpstr(config->uri, ==, "test:///default");
    g_assert_cmpstr(config->relay_user, ==, "relay");
    g_assert_cmpstr(config->control_group, ==, "");
}

static char *all_settings(void)
{
    GString *text = g_string_new(NULL);
    const NrSetting *setting;

    for (guint i = 0; (setting = nr_config_setting(i)); i++)
        g_string_append_printf(text, "[%s] #%s=%s\n", setting->group, setting->key,
                               setting->system_default);
    return g_string_free(text, FALSE);
}

static char *shown_settings(const char *file)
{
    GString *text = g_string_new(NULL);
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;
    const char *group = "";

    g_assert_true(g_file_get_contents(file, &content, NULL, NULL));
    lines = g_strsplit(content, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (**line == '[')
            group = *line;
        else if (**line == '#' && g_ascii_isalpha(line[0][1]))
            g_string_append_printf(text, "%s %s\n", group, *line);
    }
    return g_string_free(text, FALSE);
}

/* The file that is installed shows every setting, in its group and order, with its default. */
static void test_installed_file(void)
{
    g_autofree char *all = all_settings();
    g_autofree char *shown = shown_settings(NR_INSTALLED_CONF);

    g_assert_cmpstr(shown, ==, all);
}

/* Every error names the file, and the group and key where there is one. */
static const struct {
    const char *name, *text, *words;
} errors[] = {
    { "value", "[policy]\nimplicit=yes\n", "[policy]|implicit|safe, all or no|yes" },
    { "empty value", "[policy]\nimplicit=\n", "[policy]|implicit" },
    { "bridge with a slash", "[policy]\nbridges=br0;../x\n", "[policy]|bridges|../x" },
    { "long bridge", "[policy]\nbridges=a234567890123456\n", "bridges|a234567890123456" },
    { "peer without a port", "[policy]\npeers=hostb:1;hostc\n", "[policy]|peers|HOST:PORT|hostc" },
    { "peer with a bad prefix", "[policy]\npeers=10.0.0.0/33:1\n", "[policy]|peers|10.0.0.0/33:1" },
    { "peer with a bad port", "[policy]\npeers=hostb:12x\n", "[policy]|peers|hostb:12x" },
    { "address with a port", "[policy]\naddresses=127.0.0.1:80\n",
      "[policy]|addresses|10.0.0.0/8|127.0.0.1:80" },
    { "ports upside down", "[policy]\nports=99-98\n", "[policy]|ports|1024-65535|99-98" },
    { "neither yes nor no", "[policy]\nguard-udp=maybe\n", "[policy]|guard-udp|yes or no|maybe" },
    { "port 0", "[policy]\nports=0-80\n", "[policy]|ports|0-80" },
    { "unknown key", "[policy]\nbridge=br0\n", "[policy]|bridge|no such setting" },
    { "unknown group", "[polices]\nbridges=br0\n", "[polices]|no such group" },
    { "key of another group", "[relay]\nuri=qemu:///system\n", "[relay]|uri" },
    { "no uri", "[libvirt]\nuri=\n", "[libvirt]|uri" },
    { "bad user", "[relay]\nuser=a b\n", "[relay]|user" },
    { "two groups", "[control]\ngroup=wheel, adm\n", "[control]|group|one group|wheel, adm" },
    { "no key file", "implicit=safe\n", "netrelayd.conf" },
    { "not text", "[policy]\nimplicit=\xff\xfe\n", "netrelayd.conf" },
};

static void test_error(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_auto(GStrv) words = g_strsplit(errors[i].words, "|", -1);
    g_autofree char *message = NULL;

    g_assert_null(load(errors[i].text, 0, &message));
    g_test_message("%s", message);
    g_assert_nonnull(strstr(message, "netrelayd.conf: "));
    for (char **word = words; *word; word++)
        g_assert_nonnull(strstr(message, *word));
}

static void test_directory(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(nr_config_load(g_get_tmp_dir(), 0, &error));
    g_assert_nonnull(strstr(error->message, g_get_tmp_dir()));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/everything", test_everything);
    g_test_add_func("/config/the installed file", test_installed_file);
    g_test_add_func("/config/a directory", test_directory);
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_autofree char *path = g_strdup_printf("/config/errors/%s", errors[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_error);
    }
    return g_test_run();
}
