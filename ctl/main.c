/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl: argv -> one call of one subcommand. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/paths.h"
#include "ctl/command.h"

static NrExit help_run(const NrCall *call);

static const NrCommand commands[] = {
    { "status", "[NETWORK|GUEST]...", "show networks, their ports, and guests' NICs",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_WATCH, 0, G_MAXUINT, nr_status_run },
    { "plan", "[--xml FILE]",
      "show what the manager would do now, or what a guest would get (--xml)",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_XML, 0, 0, nr_plan_run },
    { "events", "[NETWORK|GUEST]...", "print what happens, a line each, until Ctrl-C",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_SECONDS, 0, G_MAXUINT, nr_events_run },
    { "reload", "", "read settings, network files and libvirt's list of guests anew",
      NR_OPTIONS_ASKING, 0, 0, nr_reload_run },
    { "doctor", "", "find what is wrong, and say what to do about it; exit code 1 if there is any",
      NR_OPTIONS_ASKING | NR_OPTION_JSON, 0, 0, nr_doctor_run },
    { "revive", "GUEST", "save a deaf guest and start it where it was, so that it connects anew",
      NR_OPTIONS_ASKING, 1, 1, nr_revive_run },
    { "upgrade", "[NETWORK]...",
      "have running relays go on as the installed program, one by one; guests notice nothing",
      NR_OPTIONS_ASKING | NR_OPTION_JSON, 0, G_MAXUINT, nr_upgrade_run },
    { "capture", "NETWORK|GUEST[/NIC]",
      "write a network's or a guest's frames as pcapng; also: capture lab | wireshark -k -i -",
      NR_OPTIONS_ASKING | NR_OPTIONS_CAPTURE, 1, 1, nr_capture_by_name_run },
    { "attach", "GUEST {--mac|--alias|--dev} NIC {--network|--bridge|--peer} PLACE",
      "say in a guest's metadata where a NIC of it belongs, and move it there",
      NR_OPTIONS_NIC | NR_OPTION_NETWORK | NR_OPTION_BRIDGE | NR_OPTION_PEER, 1, 1, nr_attach_run },
    { "detach", "GUEST {--mac|--alias|--dev} NIC",
      "take back what a guest's metadata says of a NIC", NR_OPTIONS_NIC, 1, 1, nr_detach_run },
    { "ping", "GUEST/NIC GUEST/NIC",
      "say where the way from one NIC to another ends; exit code 1 if it does",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_SECONDS, 2, 2, nr_ping_run },
    { "graph", "", "print who talks to whom, for graphviz (its dot draws it with --svg)",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_SVG, 0, 0, nr_graph_run },
    { "net-list", "",
      "list the active networks of files; --all or --inactive: also, or only, the others",
      NR_OPTIONS_ASKING | NR_OPTION_JSON | NR_OPTION_ALL | NR_OPTION_INACTIVE, 0, 0,
      nr_net_list_run },
    { "net-define", "FILE", "make a network of this file, or put it in place of the one so named",
      NR_OPTIONS_ASKING, 1, 1, nr_net_define_run },
    { "net-undefine", "NETWORK", "remove a network's file", NR_OPTIONS_ASKING, 1, 1,
      nr_net_undefine_run },
    { "net-dumpxml", "NETWORK", "print a network's file", NR_OPTIONS_ASKING, 1, 1,
      nr_net_dumpxml_run },
    { "net-edit", "NETWORK", "change a network's file in an editor", NR_OPTIONS_ASKING, 1, 1,
      nr_net_edit_run },
    { "net-start", "NETWORK", "bring up a network that was stopped",
      NR_OPTIONS_ASKING | NR_OPTION_FORCE | NR_OPTION_CONFIRM, 1, 1, nr_net_start_run },
    { "net-confirm", "NETWORK", "keep what net-start --confirm has begun", NR_OPTIONS_ASKING, 1, 1,
      nr_net_confirm_run },
    { "net-destroy", "NETWORK",
      "stop a network until net-start, or the host's next boot; its file stays",
      NR_OPTIONS_ASKING | NR_OPTION_FORCE, 1, 1, nr_net_destroy_run },
    { "net-autostart", "NETWORK", "let a network come up with the host, or not (--disable)",
      NR_OPTIONS_ASKING | NR_OPTION_DISABLE, 1, 1, nr_net_autostart_run },
    { "net-dhcp-leases", "NETWORK", "list the addresses that a network has given to its guests",
      NR_OPTIONS_ASKING | NR_OPTION_JSON, 1, 1, nr_net_leases_run },
    { "tap-join", "TAP BRIDGE", "put a TAP into a bridge, and set it up; see contrib/qemu-ifup", 0,
      2, 2, nr_tap_join_run },
    { "tap-leave", "TAP BRIDGE", "take it out again, and set it down", 0, 2, 2, nr_tap_leave_run },
    { "hook", "prepare|release|reconnect -- GUEST",
      "what libvirt's hook calls, with the guest's XML on standard input", NR_OPTION_SOCKET, 2, 2,
      nr_hook_run },
    { "help", "[COMMAND]", "show this, or the part about a command", 0, 0, G_MAXUINT, help_run },
    { "complete", "WORD...", NULL, NR_OPTIONS_ASKING, 0, G_MAXUINT, nr_complete_run },
};

static const NrCommand relay_commands[] = {
    { "status", "", "show its endpoints and ports (this is done without a COMMAND, too)",
      NR_OPTIONS_RELAY | NR_OPTION_JSON, 0, 0, nr_relay_status_run },
    { "watch", "", "print what changes, until it ends", NR_OPTIONS_RELAY | NR_OPTION_JSON, 0, 0,
      nr_relay_watch_run },
    { "attach", "ENDPOINT [LABEL]", "attach an endpoint; prints its id", NR_OPTIONS_RELAY, 1, 2,
      nr_relay_attach_run },
    { "detach", "ID|LABEL|ENDPOINT", "detach an endpoint; what a listener accepted stays",
      NR_OPTIONS_RELAY, 1, 1, nr_relay_detach_run },
    { "close", "PORT", "close a port: its id, its label or its peer", NR_OPTIONS_RELAY, 1, 1,
      nr_relay_close_run },
    { "label", "PORT TEXT", "give a port another label", NR_OPTIONS_RELAY, 2, 2,
      nr_relay_label_run },
    { "capture", "[PORT|ENDPOINT]...|all",
      "write frames as pcapng; all: each once, where it comes in",
      NR_OPTIONS_RELAY | NR_OPTIONS_CAPTURE, 0, G_MAXUINT, nr_relay_capture_run },
    { "stop", "", "end the relay", NR_OPTIONS_RELAY, 0, 0, nr_relay_stop_run },
};

static const struct {
    const char *name;
    char letter;
    const char *argument; /* or NULL; what begins with [ may be left out */
    const char *summary;
    NrOption bit;
    gsize offset; /* of the argument in NrCall */
} options[] = {
    { "json", 'j', NULL, "print JSON, for programs", NR_OPTION_JSON },
    { "watch", 0, "[=N]", "draw it again when it changes, and every N seconds (2)", NR_OPTION_WATCH,
      G_STRUCT_OFFSET(NrCall, watch) },
    { "svg", 0, NULL, "let graphviz's dot draw it, as SVG", NR_OPTION_SVG },
    { "xml", 'x', "FILE", "a domain XML file, or - for standard input", NR_OPTION_XML,
      G_STRUCT_OFFSET(NrCall, xml) },
    { "relay", 'r', "PATH", "ask this relay itself: its --control socket, or a network's name",
      NR_OPTION_RELAY, G_STRUCT_OFFSET(NrCall, relay) },
    { "system", 0, NULL, "the manager of qemu:///system (default for root)", NR_OPTION_SYSTEM },
    { "session", 0, NULL, "the user's own manager (default for others)", NR_OPTION_SESSION },
    { "socket", 0, "DIR", "the directory with the manager's sockets", NR_OPTION_SOCKET,
      G_STRUCT_OFFSET(NrCall, socket) },
    { "write", 'w', "FILE", "where a capture goes; - is standard output, as without this",
      NR_OPTION_WRITE, G_STRUCT_OFFSET(NrCall, write) },
    { "size", 0, "BYTES", "end a capture before its file is larger (K, M, G, T)", NR_OPTION_SIZE,
      G_STRUCT_OFFSET(NrCall, size) },
    { "seconds", 0, "N", "how long to capture, to print events, or to watch for a ping",
      NR_OPTION_SECONDS, G_STRUCT_OFFSET(NrCall, seconds) },
    { "packets", 0, "N", "end a capture after so many frames", NR_OPTION_PACKETS,
      G_STRUCT_OFFSET(NrCall, packets) },
    { "snaplen", 0, "BYTES", "capture so much of each frame", NR_OPTION_SNAPLEN,
      G_STRUCT_OFFSET(NrCall, snaplen) },
    { "all", 0, NULL, "list also networks that are not active", NR_OPTION_ALL },
    { "inactive", 0, NULL, "list only networks that are not active", NR_OPTION_INACTIVE },
    { "disable", 0, NULL, "keep it from coming up with the host", NR_OPTION_DISABLE },
    { "force", 0, NULL, "although guests lose connections, or others look after the device",
      NR_OPTION_FORCE },
    { "confirm", 0, "N", "stop it again after N seconds, unless net-confirm is called",
      NR_OPTION_CONFIRM, G_STRUCT_OFFSET(NrCall, confirm) },
    { "mac", 0, "MAC", "the NIC that is meant, by its MAC address", NR_OPTION_MAC,
      G_STRUCT_OFFSET(NrCall, mac) },
    { "alias", 0, "ALIAS", "the NIC by an alias of your own, which begins with ua-",
      NR_OPTION_ALIAS, G_STRUCT_OFFSET(NrCall, alias) },
    { "dev", 0, "DEV", "the NIC by its <target dev>", NR_OPTION_DEV, G_STRUCT_OFFSET(NrCall, dev) },
    { "network", 0, "NETWORK", "where it belongs: the network of a file", NR_OPTION_NETWORK,
      G_STRUCT_OFFSET(NrCall, network) },
    { "bridge", 0, "BRIDGE", "where it belongs: a bridge of the kernel", NR_OPTION_BRIDGE,
      G_STRUCT_OFFSET(NrCall, bridge) },
    { "peer", 0, "HOST:PORT", "where it belongs: another host's relay", NR_OPTION_PEER,
      G_STRUCT_OFFSET(NrCall, peer) },
    { "live", 0, NULL, "change the guest as it runs", NR_OPTION_LIVE },
    { "config", 0, NULL, "change its definition, for its next start", NR_OPTION_CONFIG },
    { "current", 0, NULL, "as it runs, or, if it does not, its definition (default)",
      NR_OPTION_CURRENT },
    { "help", 'h', NULL, "show this, or the part about COMMAND", NR_OPTION_HELP },
    { "version", 'V', NULL, "show the version", NR_OPTION_VERSION },
};

/* As getopt has it. */
static int argument_of(guint index)
{
    const char *argument = options[index].argument;

    if (!argument)
        return no_argument;
    return *argument == '[' ? optional_argument : required_argument;
}

const NrCommand *nr_command_at(gboolean of_relay, guint index)
{
    if (of_relay)
        return index < G_N_ELEMENTS(relay_commands) ? &relay_commands[index] : NULL;
    return index < G_N_ELEMENTS(commands) ? &commands[index] : NULL;
}

const char *nr_option_at(guint index, guint *ret_bit)
{
    if (index >= G_N_ELEMENTS(options))
        return NULL;
    *ret_bit = options[index].bit;
    return options[index].name;
}

static void print_commands(FILE *out, gboolean of_relay)
{
    const NrCommand *command;

    for (guint i = 0; (command = nr_command_at(of_relay, i)); i++) {
        if (command->summary)
            fprintf(out, "  %s%s%s\n        %s\n", command->name, *command->operands ? " " : "",
                    command->operands, command->summary);
    }
}

static void print_options(FILE *out, guint bits)
{
    fputs("\noptions:\n", out);
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        int takes = argument_of(i);
        g_autofree char *left =
            g_strdup_printf("--%s%s%s", options[i].name, takes == required_argument ? " " : "",
                            options[i].argument ?: "");

        if (!(options[i].bit & bits))
            continue;
        fprintf(out, options[i].letter ? "  -%c, " : "      ", options[i].letter);
        fprintf(out, "%-18s %s\n", left, options[i].summary);
    }
    fputs("\nexit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 netrelayd, or the relay, is "
          "not running\n",
          out);
}

static void print_help(FILE *out)
{
    fputs("usage: netrelayctl COMMAND [OPTION]...\n"
          "       netrelayctl --relay PATH [COMMAND] [OPTION]...\n\ncommands:\n",
          out);
    print_commands(out, FALSE);
    fputs("\ncommands with --relay:\n", out);
    print_commands(out, TRUE);
    print_options(out, G_MAXUINT);
}

static const NrCommand *look_up(gboolean of_relay, const char *name)
{
    const NrCommand *command;

    for (guint i = 0; (command = nr_command_at(of_relay, i)); i++) {
        if (g_str_equal(command->name, name))
            return command;
    }
    return NULL;
}

static const NrCommand *find_command(gboolean of_relay, const char *name)
{
    const NrCommand *command = look_up(of_relay, name);

    if (command)
        return command;
    if (!of_relay && look_up(TRUE, name))
        nr_complain("%s needs --relay PATH, the relay that is meant; see netrelayctl help", name);
    else
        nr_complain("there is no command '%s'%s; see netrelayctl help", name,
                    of_relay ? " with --relay" : "");
    return NULL;
}

static void print_command(const NrCommand *command, gboolean of_relay)
{
    printf("usage: netrelayctl %s%s%s%s [OPTION]...\n\n  %s\n", of_relay ? "--relay PATH " : "",
           command->name, *command->operands ? " " : "", command->operands, command->summary);
    print_options(stdout, command->options | NR_OPTIONS_ANY);
}

/* The part about one command, where one is named; a name may be a manager's command and a relay's.
 */
static NrExit help_run(const NrCall *call)
{
    const char *name = call->operand_count ? call->operands[0] : NULL;
    const NrCommand *of_manager = name && !call->relay ? look_up(FALSE, name) : NULL;
    const NrCommand *of_relay = name ? look_up(TRUE, name) : NULL;

    if (!name) {
        print_help(stdout);
        return NR_EXIT_DONE;
    }
    if (of_manager && !of_manager->summary)
        of_manager = NULL;
    if (!of_manager && !of_relay) {
        nr_complain("there is no command '%s'; see netrelayctl help", name);
        return NR_EXIT_USAGE;
    }
    if (of_manager)
        print_command(of_manager, FALSE);
    if (of_manager && of_relay)
        putchar('\n');
    if (of_relay)
        print_command(of_relay, TRUE);
    return NR_EXIT_DONE;
}

static void build_getopt(char *shorts, struct option *longs)
{
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        *longs++ = (struct option){ .name = options[i].name,
                                    .has_arg = argument_of(i),
                                    .val = (int)i + 256 };
        if (options[i].letter)
            *shorts++ = options[i].letter;
        if (options[i].letter && options[i].argument)
            *shorts++ = ':';
    }
    *longs = (struct option){ 0 };
    *shorts = '\0';
}

static guint option_index(int value)
{
    if (value >= 256)
        return (guint)value - 256;
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (options[i].letter == value)
            return i;
    }
    return G_N_ELEMENTS(options);
}

/* The words that are no options are left at argv[optind]. getopt itself says what is wrong,
 * and not where to look. */
static gboolean parse_options(NrCall *call, int argc, char **argv)
{
    char shorts[2 * G_N_ELEMENTS(options) + 1];
    struct option longs[G_N_ELEMENTS(options) + 1];
    int value;

    build_getopt(shorts, longs);
    while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        guint index = option_index(value);

        if (index == G_N_ELEMENTS(options)) {
            nr_complain("see netrelayctl help");
            return FALSE;
        }
        call->options |= options[index].bit;
        if (options[index].argument)
            G_STRUCT_MEMBER(const char *, call, options[index].offset) = optarg;
    }
    return TRUE;
}

static gboolean check_call(const NrCommand *command, const NrCall *call)
{
    guint excess = call->options & ~(command->options | NR_OPTIONS_ANY);

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (excess & options[i].bit) {
            nr_complain("%s takes no --%s; see netrelayctl help %s", command->name, options[i].name,
                        command->name);
            return FALSE;
        }
    }
    if (call->operand_count < command->operands_min ||
        call->operand_count > command->operands_max) {
        nr_complain("usage: netrelayctl %s%s%s; see netrelayctl help %s", command->name,
                    *command->operands ? " " : "", command->operands, command->name);
        return FALSE;
    }
    if ((call->options & NR_OPTIONS_PLACE) == NR_OPTIONS_PLACE) {
        nr_complain("--system and --session exclude each other");
        return FALSE;
    }
    return TRUE;
}

/* Whose manager is meant, and where it has its sockets. */
static NrExit find_place(NrCall *call)
{
    char dir[4096];

    call->uid = call->options & NR_OPTION_SYSTEM ? 0 : getuid();
    if (call->uid == 0 && call->options & NR_OPTION_SESSION) {
        nr_complain("root has one manager, the system's; call --session as the user it is for");
        return NR_EXIT_USAGE;
    }
    if (call->socket) {
        call->runtime_dir = g_strdup(call->socket);
        return NR_EXIT_DONE;
    }
    /* Without one there is just no manager: not every command needs it. */
    call->runtime_dir =
        paths_runtime_dir(call->uid, dir, sizeof(dir)) == 0 ? g_strdup(dir) : g_strdup("");
    return NR_EXIT_DONE;
}

static void take_operands(NrCall *call, int argc, char **argv, int first)
{
    call->operands = argv + MIN(first, argc);
    call->operand_count = (guint)MAX(argc - first, 0);
}

static NrExit run_command(NrCall *call, int argc, char **argv)
{
    gboolean of_relay = call->relay != NULL;
    const NrCommand *command;
    NrExit code;

    if (optind >= argc && !of_relay) {
        print_help(stderr);
        return NR_EXIT_USAGE;
    }
    command = find_command(of_relay, optind < argc ? argv[optind] : "status");
    if (!command)
        return NR_EXIT_USAGE;
    take_operands(call, argc, argv, optind + 1);
    if (!check_call(command, call))
        return NR_EXIT_USAGE;
    code = find_place(call);
    return code == NR_EXIT_DONE ? command->run(call) : code;
}

int main(int argc, char **argv)
{
    static char program[] = "netrelayctl";
    NrCall call = { 0 };
    NrExit code;

    setlocale(LC_CTYPE, "");
    if (argc > 0)
        argv[0] = program; /* getopt's complaints begin with it */
    if (!parse_options(&call, argc, argv)) {
        code = NR_EXIT_USAGE;
    } else if (call.options & NR_OPTION_HELP) {
        take_operands(&call, argc, argv, optind);
        code = help_run(&call);
    } else if (call.options & NR_OPTION_VERSION) {
        code = printf("netrelayctl %s\n", NR_VERSION) > 0 ? NR_EXIT_DONE : NR_EXIT_FAILED;
    } else {
        code = run_command(&call, argc, argv);
    }
    g_free(call.runtime_dir);
    /* A full disk or a closed pipe behind us is no success. */
    if (fflush(stdout) != 0 && code == NR_EXIT_DONE)
        code = NR_EXIT_FAILED;
    return (int)code;
}
