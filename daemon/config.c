/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include <string.h>
#include "common/prefix.h"

typedef gboolean (*KeyReader)(NrConfig *config, const char *value, GError **error);

static gboolean read_implicit(NrConfig *config, const char *value, GError **error)
{
    static const char *const words[] = {
        [NR_IMPLICIT_SAFE] = "safe",
        [NR_IMPLICIT_ALL] = "all",
        [NR_IMPLICIT_NO] = "no",
    };

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(value, words[i])) {
            config->policy.implicit = i;
            return TRUE;
        }
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                "expected safe, all or no, not \"%s\"", value);
    return FALSE;
}

/* NULL: an error. */
static char **read_words(const char *value, gboolean (*is_good)(const char *), const char *expected,
                         GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(value, "; ,\t", -1);
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **word = words; *word; word++) {
        if (!**word)
            continue;
        if (!is_good(*word)) {
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                        "expected %s, separated by ';', not \"%s\"", expected, *word);
            return NULL;
        }
        g_strv_builder_add(builder, *word);
    }
    return g_strv_builder_end(builder);
}

/* Takes words; NULL is an error. */
static gboolean set_list(char ***list, char **words)
{
    if (!words)
        return FALSE;
    g_strfreev(*list);
    *list = words;
    return TRUE;
}

static gboolean read_bridges(NrConfig *config, const char *value, GError **error)
{
    return set_list(&config->policy.bridges,
                    read_words(value, nr_policy_is_bridge, "names or patterns of bridges", error));
}

/* Names of hosts are compared in lower case. */
static gboolean read_peers(NrConfig *config, const char *value, GError **error)
{
    g_autofree char *lower = g_ascii_strdown(value, -1);

    return set_list(&config->policy.peers,
                    read_words(lower, nr_policy_is_peer,
                               "peers as HOST:PORT, patterns or prefixes of such", error));
}

static gboolean read_addresses(NrConfig *config, const char *value, GError **error)
{
    return set_list(&config->policy.addresses,
                    read_words(value, nr_policy_is_address, PREFIX_EXPECTED, error));
}

static gboolean read_ports(NrConfig *config, const char *value, GError **error)
{
    return set_list(&config->policy.ports,
                    read_words(value, nr_policy_is_ports,
                               "numbers from 1 to 65535 or ranges such as 1024-65535", error));
}

static gboolean read_guard_udp(NrConfig *config, const char *value, GError **error)
{
    config->policy.guard_udp = g_str_equal(value, "yes");
    if (config->policy.guard_udp || g_str_equal(value, "no"))
        return TRUE;
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                "expected yes or no, not \"%s\"", value);
    return FALSE;
}

static gboolean read_uri(NrConfig *config, const char *value, GError **error)
{
    if (!*value) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                    "expected a libvirt URI, such as qemu:///system");
        return FALSE;
    }
    g_free(config->uri);
    config->uri = g_strdup(value);
    return TRUE;
}

static gboolean read_user(NrConfig *config, const char *value, GError **error)
{
    if (!*value || strchr(value, ' ')) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                    "expected the name of a user, not \"%s\"", value);
        return FALSE;
    }
    g_free(config->relay_user);
    config->relay_user = g_strdup(value);
    return TRUE;
}

static gboolean read_control_group(NrConfig *config, const char *value, GError **error)
{
    if (strpbrk(value, " ,;:")) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                    "expected the name of one group, or nothing, not \"%s\"", value);
        return FALSE;
    }
    g_free(config->control_group);
    config->control_group = g_strdup(value);
    return TRUE;
}

/* Defaults have the form that they have in the file: there is one place for both. */
static const struct {
    NrSetting setting;
    KeyReader read;
} settings[] = {
    { { "policy", "implicit", "safe", "safe" }, read_implicit },
    { { "policy", "bridges", "", "" }, read_bridges },
    { { "policy", "peers", "", "" }, read_peers },
    { { "policy", "addresses", "any", "any" }, read_addresses },
    { { "policy", "ports", "1024-65535", "1024-65535" }, read_ports },
    { { "policy", "guard-udp", "no", NULL }, read_guard_udp },
    { { "libvirt", "uri", "qemu:///system", "qemu:///session" }, read_uri },
    { { "relay", "user", "netrelay", NULL }, read_user },
    { { "control", "group", "libvirt", NULL }, read_control_group },
};

const NrSetting *nr_config_setting(guint index)
{
    return index < G_N_ELEMENTS(settings) ? &settings[index].setting : NULL;
}

static gboolean read_key(NrConfig *config, GKeyFile *keys, const char *group, const char *key,
                         GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autofree char *value = NULL;

        if (!g_str_equal(settings[i].setting.group, group) ||
            !g_str_equal(settings[i].setting.key, key))
            continue;
        value = g_key_file_get_string(keys, group, key, error);
        if (!value)
            return FALSE;
        g_strstrip(value);
        return settings[i].read(config, value, error);
    }
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                "there is no such setting");
    return FALSE;
}

static gboolean is_group(const char *group)
{
    for (guint i = 0; i < G_N_ELEMENTS(settings); i++)
        if (g_str_equal(settings[i].setting.group, group))
            return TRUE;
    return FALSE;
}

static gboolean read_group(NrConfig *config, GKeyFile *keys, const char *file, const char *group,
                           GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(keys, group, NULL, error);

    if (!names)
        return FALSE;
    if (!is_group(group)) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
                    "%s: [%s]: there is no such group of settings", file, group);
        return FALSE;
    }
    for (char **name = names; *name; name++)
        if (!read_key(config, keys, group, *name, error)) {
            g_prefix_error(error, "%s: [%s] %s: ", file, group, *name);
            return FALSE;
        }
    return TRUE;
}

static NrConfig *config_new(const char *file, uid_t uid)
{
    NrConfig *config = g_new0(NrConfig, 1);

    config->policy.system = uid == 0;
    config->policy.config = g_strdup(file);
    for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
        const NrSetting *setting = &settings[i].setting;
        const char *text = uid == 0 ? setting->system_default : setting->session_default;

        if (text && !settings[i].read(config, text, NULL))
            g_assert_not_reached();
    }
    return config;
}

NrConfig *nr_config_load(const char *file, uid_t uid, GError **error)
{
    g_autoptr(NrConfig) config = config_new(file, uid);
    g_autoptr(GKeyFile) keys = g_key_file_new();
    g_auto(GStrv) groups = NULL;
    g_autoptr(GError) local = NULL;

    if (!g_key_file_load_from_file(keys, file, G_KEY_FILE_NONE, &local)) {
        if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            return g_steal_pointer(&config);
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "%s: ", file);
        return NULL;
    }
    groups = g_key_file_get_groups(keys, NULL);
    for (char **group = groups; *group; group++)
        if (!read_group(config, keys, file, *group, error))
            return NULL;
    return g_steal_pointer(&config);
}

void nr_config_free(NrConfig *config)
{
    if (!config)
        return;
    g_strfreev(config->policy.bridges);
    g_strfreev(config->policy.peers);
    g_strfreev(config->policy.addresses);
    g_strfreev(config->policy.ports);
    g_free(config->policy.config);
    g_free(config->uri);
    g_free(config->relay_user);
    g_free(config->control_group);
    g_free(config);
}
