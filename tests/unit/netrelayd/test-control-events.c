/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-events.h"

#include "daemon/news.h"

/* What there is to see, and who was sent what. A connection is a name here: nobody uses it. */
typedef struct {
    int relay; /* its pid, or 0 */
    gboolean pending;
    guint looks;
    GString *sent;
    NrNews *news;
    NrControlEventsParts parts;
    NrControlEvents *events;
} Fixture;

static char anna[] = "anna", bert[] = "bert";

static GDBusConnection *connection(char *name)
{
    return (gpointer)name;
}

static NrView *look(const NrView *before, gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GVariant) rows = g_variant_ref_sink(g_variant_new("aa{sv}", NULL));
    g_autoptr(GVariant) faults = g_variant_ref_sink(g_variant_new("as", NULL));
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autoptr(NrActual) actual = nr_actual_new();
    NrDesired desired = { .networks = none };
    NrViewInput input = { .rows = rows,
                          .faults = faults,
                          .libvirt = "connected",
                          .actual = actual,
                          .desired = &desired,
                          .networks = none,
                          .listed = TRUE };
    NrView *view;

    fixture->looks++;
    if (fixture->relay)
        g_ptr_array_add(actual->networks, nr_actual_network_new("lab", fixture->relay));
    view = nr_view_new(&input, before);
    view->pending = fixture->pending;
    return view;
}

static void on_send(GDBusConnection *connection, GVariant *events, guint64 missed, gpointer data)
{
    Fixture *fixture = data;

    g_string_append_printf(fixture->sent, "%s:", (const char *)connection);
    for (gsize i = 0; i < g_variant_n_children(events); i++) {
        g_autoptr(GVariant) event = g_variant_get_child_value(events, i);
        const char *name;

        g_assert_true(g_variant_lookup(event, "event", "&s", &name));
        g_string_append_printf(fixture->sent, " %s", name);
    }
    g_string_append(fixture->sent, "\n");
    g_assert_cmpuint(missed, ==, 0);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->sent = g_string_new(NULL);
    fixture->news = nr_news_new();
    fixture->parts = (NrControlEventsParts){ look, on_send, fixture };
    fixture->events = nr_control_events_new(fixture->news, &fixture->parts);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    nr_control_events_free(fixture->events);
    nr_news_free(fixture->news);
    g_string_free(fixture->sent, TRUE);
}

static void change(Fixture *fixture, int relay)
{
    fixture->relay = relay;
    nr_control_events_look(fixture->events);
}

static void ask(Fixture *fixture, char *name)
{
    nr_control_events_ask(fixture->events, connection(name));
}

static void forget(Fixture *fixture, char *name)
{
    nr_control_events_forget(fixture->events, connection(name));
}

/* All that is due is done; what was sent since the last time is this. */
static void expect(Fixture *fixture, const char *sent)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpstr(fixture->sent->str, ==, sent);
    g_string_set_size(fixture->sent, 0);
}

/* D10: one message for each that was asked for, with all that has happened until then. */
static void test_asked_and_told(Fixture *fixture, gconstpointer data)
{
    ask(fixture, anna);
    expect(fixture, "");
    change(fixture, 7);
    change(fixture, 8);
    expect(fixture, "anna: relay-started relay-started\n");
    change(fixture, 0);
    expect(fixture, "");
    ask(fixture, anna);
    expect(fixture, "anna: relay-ended\n");
}

/* What happened before one came is told to those who were there, and not to that one. */
static void test_from_its_coming_on(Fixture *fixture, gconstpointer data)
{
    ask(fixture, anna);
    change(fixture, 7);
    expect(fixture, "anna: relay-started\n");
    ask(fixture, anna);
    fixture->relay = 8;
    ask(fixture, bert);
    expect(fixture, "anna: relay-started\n");
    change(fixture, 0);
    expect(fixture, "bert: relay-ended\n");
}

/* One who goes takes nothing from the others; without any nothing is looked for, or kept. */
static void test_going(Fixture *fixture, gconstpointer data)
{
    guint64 end;
    guint looks;

    change(fixture, 7);
    g_assert_cmpuint(fixture->looks, ==, 0);
    ask(fixture, anna);
    ask(fixture, bert);
    forget(fixture, anna);
    change(fixture, 8);
    expect(fixture, "bert: relay-started\n");
    forget(fixture, bert);
    forget(fixture, bert);
    end = nr_news_end(fixture->news);
    looks = fixture->looks;
    change(fixture, 9);
    g_assert_cmpuint(fixture->looks, ==, looks);
    ask(fixture, anna);
    expect(fixture, "");
    g_assert_cmpuint(nr_news_end(fixture->news), ==, end);
}

static int next_timer_ms(void)
{
    GMainContext *context = g_main_context_default();
    GPollFD fds[4];
    int priority, timeout_ms;

    g_assert_true(g_main_context_acquire(context));
    g_main_context_prepare(context, &priority);
    g_main_context_query(context, G_MAXINT, &timeout_ms, fds, G_N_ELEMENTS(fds));
    g_main_context_release(context);
    return timeout_ms;
}

/* What may yet pass by itself is looked at again when it has had the time to. */
static void test_pending(Fixture *fixture, gconstpointer data)
{
    ask(fixture, anna);
    expect(fixture, "");
    g_assert_cmpint(next_timer_ms(), ==, -1);
    fixture->pending = TRUE;
    nr_control_events_look(fixture->events);
    g_assert_cmpint(next_timer_ms(), >, NR_VIEW_DEAF_MS / 2);
    g_assert_cmpint(next_timer_ms(), <=, NR_VIEW_DEAF_MS);
}

/* A death is told where it happens, and its relay's end not once more. */
static void test_death(Fixture *fixture, gconstpointer data)
{
    fixture->relay = 7;
    ask(fixture, anna);
    nr_control_events_relay_died(fixture->events, "lab", "killed");
    change(fixture, 0);
    expect(fixture, "anna: relay-died\n");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        { "/control-events/asked-and-told", test_asked_and_told },
        { "/control-events/from-its-coming-on", test_from_its_coming_on },
        { "/control-events/going", test_going },
        { "/control-events/pending", test_pending },
        { "/control-events/death", test_death },
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
