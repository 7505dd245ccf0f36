/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include <string.h>
#include <sys/stat.h>
#include "daemon/hooked.h"

/* Where libvirt's daemons write their pid. */
static const char *const pid_files[] = { "/run/libvirtd.pid", "/run/libvirt/libvirtd.pid",
                                         "/run/virtqemud.pid" };

/* From where libvirtd's profile, as distributions have it, lets hooks run programs. */
static const char *const free_folders[] = { "/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/" };

void nr_doctor_hook(GPtrArray *findings, const char *uri)
{
    const char *hook = nr_hook_path();
    g_autofree char *cure = NULL;

    if (!g_str_has_prefix(uri, "qemu") || nr_hooked(uri))
        return;
    if (g_file_test(hook, G_FILE_TEST_EXISTS)) {
        cure = g_strdup_printf("chmod +x %s && systemctl reload libvirtd", hook);
        nr_findings_add(findings, "hook", hook, cure,
                        "libvirt's hook %s is not executable, so libvirt leaves it out", hook);
        return;
    }
    cure = g_strdup_printf(
        "install netrelay again, which puts it at %s, then: systemctl reload libvirtd", hook);
    nr_findings_add(findings, "hook", hook, cure,
                    "libvirt's hook is not installed, so guests are served only if they were "
                    "defined before they start");
}

void nr_doctor_runtime_dir(GPtrArray *findings, uid_t uid)
{
    g_autofree char *dir = g_strdup_printf("/run/user/%lu", (unsigned long)uid);
    struct stat st;

    if (uid == 0 || (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid))
        return;
    nr_findings_add(findings, "runtime-directory", dir,
                    "log in through systemd-logind, or as root: loginctl enable-linger USER; then "
                    "start netrelayd anew",
                    "this user has no runtime directory %s, so a manager that starts now keeps its "
                    "sockets in ~/.cache/netrelay, and is not found there once the directory "
                    "exists",
                    dir);
}

/* What libvirt's daemon runs under, "libvirtd (enforce)"; NULL where it does not run. New string.
 */
static char *confinement(const char *root)
{
    for (guint i = 0; i < G_N_ELEMENTS(pid_files); i++) {
        g_autofree char *file = g_strconcat(root, pid_files[i], NULL);
        g_autofree char *text = NULL, *label_file = NULL;
        char *label = NULL;

        if (!g_file_get_contents(file, &text, NULL, NULL))
            continue;
        label_file = g_strdup_printf("%s/proc/%" G_GUINT64_FORMAT "/attr/current", root,
                                     g_ascii_strtoull(text, NULL, 10));
        if (g_file_get_contents(label_file, &label, NULL, NULL))
            return g_strstrip(label);
    }
    return NULL;
}

/* What our hook runs, as its file says; NULL where it is not installed. New string. */
static char *hooks_program(const char *root)
{
    g_autofree char *file = g_strconcat(root, nr_hook_path(), NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(file, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], "ctl="))
            return g_strdup(lines[i] + strlen("ctl="));
    return NULL;
}

void nr_doctor_apparmor(GPtrArray *findings, const char *root)
{
    g_autofree char *label = confinement(root);
    g_autofree char *program = hooks_program(root);

    if (!label || !program || !g_str_has_suffix(label, "(enforce)"))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(free_folders); i++)
        if (g_str_has_prefix(program, free_folders[i]))
            return;
    nr_findings_add(findings, "apparmor", program,
                    "install netrelay below /usr, or allow that program in "
                    "/etc/apparmor.d/local/usr.sbin.libvirtd",
                    "AppArmor confines libvirt's daemon (%s), and its profile lets hooks run no "
                    "program outside /usr/bin, such as %s: guests do not start",
                    label, program);
}
