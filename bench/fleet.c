/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet simulator: many agents with software TPMs against any registrar and verifier that speak
 * the protocol. Reports cycles a second, latencies, and what each operation cost the server in CPU
 * time, beside the floor measured in the same run.
 */
#include "fleet_agent.h"
#include "floor.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    FleetServers servers;
    char *admin_certificate, *admin_key;
    gint agents, cycles, threads, rounds;
    gint verifier_pid, registrar_pid;
    gboolean new_connections;
    char *algorithm, *prefix; /* of keys; of agent ids */
} Fleet;

typedef struct {
    const Fleet *fleet;
    SoftwareTpm *tpm;
    GPtrArray *agents; /* of FleetAgent */
    Samples *challenge, *evidence;
    gint64 *busy;
    Traffic last_challenge, last_evidence;
    bool (*step)(FleetAgent *agent, HttpClient *client, const char *url, GError **error);
    GMutex *lock;
} Crew; /* the agents of one thread */

static void give_up(const char *what, const GError *error)
{
    fprintf(stderr, "fleet: %s: %s\n", what, error ? error->message : "failed");
    exit(1);
}

/* One step for each agent of the crew on its own connection, `rounds` times. */
static gpointer run_step(gpointer data)
{
    Crew *crew = data;
    guint steps = crew->agents->len * (guint)crew->fleet->rounds;
    for (guint i = 0; i < steps; i++) {
        FleetAgent *agent = crew->agents->pdata[i % crew->agents->len];
        GError *error = NULL;
        if (!crew->step(agent, agent->verifier, crew->fleet->servers.verifier_url, &error))
            give_up(agent->id, error);
    }
    return NULL;
}

static gpointer run_registrations(gpointer data)
{
    Crew *crew = data;
    const char *url = crew->fleet->servers.registrar_url;
    GError *error = NULL;
    g_autoptr(HttpClient) client =
        fleet_connect(&crew->fleet->servers, g_str_has_prefix(url, "https:"), &error);
    for (guint i = 0; client && i < crew->agents->len; i++)
        if (!fleet_register(crew->agents->pdata[i], client, url, &error))
            break;
    if (error)
        give_up("registration", error);
    return NULL;
}

static gpointer run_cycles(gpointer data)
{
    Crew *crew = data;
    const Fleet *fleet = crew->fleet;
    for (gint round = 0; round < fleet->cycles; round++) {
        for (guint i = 0; i < crew->agents->len; i++) {
            FleetAgent *agent = crew->agents->pdata[i];
            GError *error = NULL;
            FleetCycle cycle;
            g_autoptr(HttpClient) own =
                fleet->new_connections ? fleet_connect(&fleet->servers, true, &error) : NULL;
            HttpClient *client = own ? own : agent->verifier;
            do {
                if (!fleet_attest(agent, client, fleet->servers.verifier_url, &cycle, &error))
                    give_up(agent->id, error);
                if (cycle.busy) {
                    g_mutex_lock(crew->lock);
                    (*crew->busy)++;
                    g_mutex_unlock(crew->lock);
                    g_usleep(2000);
                }
            } while (cycle.busy);
            samples_add(crew->challenge, cycle.challenge_us);
            samples_add(crew->evidence, cycle.evidence_us);
            crew->last_challenge = cycle.challenge;
            crew->last_evidence = cycle.evidence;
        }
    }
    return NULL;
}

typedef struct {
    double wall_seconds;
    double cpu_us, user_us; /* CPU of the server's process alone, for one operation */
    double written;         /* bytes for one operation */
} Cost;

static Cost run_phase(Crew *crews, gint count, GThreadFunc work, pid_t server, double operations)
{
    ProcessUse before = {0}, after = {0};
    bool known = server > 0 && process_use(server, &before);
    gint64 started = g_get_monotonic_time();
    g_autofree GThread **threads = g_new0(GThread *, (gsize)count);
    for (gint i = 0; i < count; i++)
        threads[i] = g_thread_new("fleet", work, &crews[i]);
    for (gint i = 0; i < count; i++)
        g_thread_join(threads[i]);
    Cost cost = {.wall_seconds = (double)(g_get_monotonic_time() - started) / 1e6};
    if (known && process_use(server, &after)) {
        cost.cpu_us = (after.cpu_seconds - before.cpu_seconds) * 1e6 / operations;
        double user = after.user_ticks - before.user_ticks;
        double ticks = user + after.system_ticks - before.system_ticks;
        cost.user_us = ticks > 0 ? cost.cpu_us * user / ticks : 0;
        cost.written = (double)(after.written_bytes - before.written_bytes) / operations;
    }
    return cost;
}

static void enrol_all(const Fleet *fleet, Crew *crews)
{
    GError *error = NULL;
    HttpClientSettings settings = {
        .ca_file = fleet->servers.ca_file,
        .client_certificate = fleet->admin_certificate,
        .client_key = fleet->admin_key,
        .verify_peer = true,
        .verify_host = true,
        .timeout_ms = 10000,
        .wake_fd = -1,
    };
    g_autoptr(HttpClient) admin = http_client_new(&settings, &error);
    const char *headers[] = {"Content-Type: application/json", NULL};
    for (gint c = 0; admin && c < fleet->threads; c++) {
        for (guint i = 0; i < crews[c].agents->len && !error; i++) {
            FleetAgent *agent = crews[c].agents->pdata[i];
            g_autofree char *url =
                g_strdup_printf("%s/v2.6/agents/%s", fleet->servers.verifier_url, agent->id);
            g_autofree char *body = fleet_enrolment(agent);
            g_autoptr(HttpAnswer) answer =
                http_client_send(admin, "POST", url, headers, bytes_of_text(body), &error);
            if (answer && answer->status != 200)
                g_set_error(&error, FLEET_ERROR, 0, "status %u", answer->status);
        }
    }
    if (error)
        give_up("enrolment", error);
}

static void make_crews(const Fleet *fleet, Crew *crews)
{
    GError *error = NULL;
    bool ecc = g_strcmp0(fleet->algorithm, "ecc") == 0;
    KeyTemplate keys = {ecc ? TPM_ALG_ECC : TPM_ALG_RSA, ecc ? 256 : 2048,
                        ecc ? TPM_ALG_ECDSA : TPM_ALG_RSASSA, TPM_ALG_SHA256};
    for (gint c = 0; c < fleet->threads; c++) {
        g_autoptr(GBytes) tpmt = NULL;
        g_autoptr(GBytes) private_part = NULL;
        crews[c].fleet = fleet;
        crews[c].agents = g_ptr_array_new_with_free_func((GDestroyNotify)fleet_agent_free);
        crews[c].tpm = software_tpm_new(&keys, &error);
        if (!crews[c].tpm || !software_tpm_create_ak(crews[c].tpm, &tpmt, &private_part, &error))
            give_up("software TPM", error);
    }
    for (gint i = 0; i < fleet->agents; i++) {
        Crew *crew = &crews[i % fleet->threads];
        g_autofree char *id = g_strdup_printf("%s-%06d", fleet->prefix, i);
        FleetAgent *agent = fleet_agent_new(id, crew->tpm, &error);
        agent->verifier = fleet_connect(&fleet->servers, true, &error);
        if (!agent->verifier)
            give_up("connection", error);
        g_ptr_array_add(crew->agents, agent);
    }
}

typedef struct {
    Cost registration, anonymous, proof, cycle;
} Costs;

static void print_cost(const char *what, const Cost *cost, double operations)
{
    printf("%-34s %8.0f/s %8.1f us CPU (user %.0f, system %.0f), %.0f bytes written\n", what,
           operations / cost->wall_seconds, cost->cpu_us, cost->user_us,
           cost->cpu_us - cost->user_us, cost->written);
}

static void print_latency(const char *what, Samples *samples)
{
    printf("%-34s p50 %" G_GINT64_FORMAT " us, p90 %" G_GINT64_FORMAT " us, p99 %" G_GINT64_FORMAT
           " us, max %" G_GINT64_FORMAT " us\n",
           what, samples_percentile(samples, 0.5), samples_percentile(samples, 0.9),
           samples_percentile(samples, 0.99), samples_percentile(samples, 1));
}

static void print_ratio(const char *what, const Cost *cost, double floor_us)
{
    if (cost->cpu_us > 0)
        printf("%-34s %8.1f us floor, %.1f times\n", what, floor_us, cost->cpu_us / floor_us);
}

static void print_floors(const Crew *crew, const Costs *costs)
{
    GError *error = NULL;
    Floor floor;
    if (!floor_measure(crew->tpm, &crew->last_challenge, &crew->last_evidence, &floor, &error))
        give_up("floor", error);
    printf("floors: signature %.1f, PCR digest %.1f, credential %.1f, TLS records of a cycle %.1f,"
           " of a small exchange %.1f, handshake %.1f us CPU\n",
           floor.signature_us, floor.digest_us, floor.credential_us, floor.records_us,
           floor.small_us, floor.handshake_us);
    double cycle_us = floor.signature_us + floor.digest_us + floor.records_us;
    print_ratio("  registration", &costs->registration, floor.credential_us);
    print_ratio("  anonymous session request", &costs->anonymous, floor.small_us);
    print_ratio("  authentication", &costs->proof, 2 * floor.small_us + floor.signature_us);
    print_ratio("  attestation cycle", &costs->cycle,
                cycle_us + (crew->fleet->new_connections ? floor.handshake_us : 0));
}

static void run_fleet(const Fleet *fleet)
{
    g_autofree Crew *crews = g_new0(Crew, (gsize)fleet->threads);
    g_autoptr(Samples) challenge = samples_new();
    g_autoptr(Samples) evidence = samples_new();
    GMutex lock;
    g_mutex_init(&lock);
    gint64 busy = 0;
    Costs costs = {0};
    make_crews(fleet, crews);
    double agents = fleet->agents;
    for (gint c = 0; c < fleet->threads; c++) {
        crews[c].challenge = challenge;
        crews[c].evidence = evidence;
        crews[c].busy = &busy;
        crews[c].lock = &lock;
        crews[c].step = fleet_anonymous_session;
    }
    printf("%d agents (%s) on %d threads, %d cycles each, %s\n", fleet->agents, fleet->algorithm,
           fleet->threads, fleet->cycles,
           fleet->new_connections ? "a connection for each cycle" : "kept-alive connections");
    if (fleet->servers.registrar_url) {
        costs.registration =
            run_phase(crews, fleet->threads, run_registrations, fleet->registrar_pid, agents);
        print_cost("registration (register, activate)", &costs.registration, agents);
    }
    enrol_all(fleet, crews);
    /* The first request of an agent pays for its TLS handshake: not counted. */
    double steps = agents * fleet->rounds;
    run_phase(crews, fleet->threads, run_step, 0, steps);
    costs.anonymous = run_phase(crews, fleet->threads, run_step, fleet->verifier_pid, steps);
    print_cost("anonymous session request", &costs.anonymous, steps);
    for (gint c = 0; c < fleet->threads; c++)
        crews[c].step = fleet_authenticate;
    costs.proof = run_phase(crews, fleet->threads, run_step, fleet->verifier_pid, steps);
    print_cost("authentication (session, proof)", &costs.proof, steps);
    double cycles = agents * fleet->cycles;
    costs.cycle = run_phase(crews, fleet->threads, run_cycles, fleet->verifier_pid, cycles);
    print_cost("attestation cycle", &costs.cycle, cycles);
    print_latency("  challenge (POST)", challenge);
    print_latency("  evidence (PATCH)", evidence);
    if (busy > 0)
        printf("  %" G_GINT64_FORMAT " requests were told to come later\n", busy);
    print_floors(&crews[0], &costs);
    ProcessUse use;
    if (fleet->verifier_pid > 0 && process_use(fleet->verifier_pid, &use))
        printf("%-34s %9.1f MiB\n", "verifier resident", (double)use.resident_bytes / 1048576);
    for (gint c = 0; c < fleet->threads; c++) {
        g_ptr_array_unref(crews[c].agents);
        software_tpm_free(crews[c].tpm);
    }
    g_mutex_clear(&lock);
}

int main(int argc, char **argv)
{
    Fleet fleet = {
        .agents = 100, .cycles = 10, .threads = 2, .rounds = 10, .servers.timeout_ms = 10000};
    char *verifier_url = NULL, *registrar_url = NULL, *ca_file = NULL;
    const GOptionEntry entries[] = {
        {"verifier-url", 0, 0, G_OPTION_ARG_STRING, &verifier_url, "https://...", "URL"},
        {"registrar-url", 0, 0, G_OPTION_ARG_STRING, &registrar_url, "http(s)://...", "URL"},
        {"ca", 0, 0, G_OPTION_ARG_FILENAME, &ca_file, "CA certificate of the servers", "FILE"},
        {"admin-certificate", 0, 0, G_OPTION_ARG_FILENAME, &fleet.admin_certificate, "", "FILE"},
        {"admin-key", 0, 0, G_OPTION_ARG_FILENAME, &fleet.admin_key, "", "FILE"},
        {"agents", 0, 0, G_OPTION_ARG_INT, &fleet.agents, "number of agents", "N"},
        {"cycles", 0, 0, G_OPTION_ARG_INT, &fleet.cycles, "attestations of each", "N"},
        {"rounds", 0, 0, G_OPTION_ARG_INT, &fleet.rounds, "authentications of each", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &fleet.threads, "threads of the simulator", "N"},
        {"algorithm", 0, 0, G_OPTION_ARG_STRING, &fleet.algorithm, "rsa or ecc", "WORD"},
        {"prefix", 0, 0, G_OPTION_ARG_STRING, &fleet.prefix, "of the agents' ids", "TEXT"},
        {"new-connections", 0, 0, G_OPTION_ARG_NONE, &fleet.new_connections,
         "a TLS connection for each cycle", NULL},
        {"verifier-pid", 0, 0, G_OPTION_ARG_INT, &fleet.verifier_pid, "whose CPU is counted",
         "PID"},
        {"registrar-pid", 0, 0, G_OPTION_ARG_INT, &fleet.registrar_pid, "likewise", "PID"},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- simulate a fleet of push agents");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !verifier_url || !ca_file ||
        !fleet.admin_certificate || !fleet.admin_key || fleet.agents < 1 || fleet.cycles < 1 ||
        fleet.threads < 1 || fleet.rounds < 1) {
        fprintf(stderr, "fleet: %s\n",
                error ? error->message
                      : "--verifier-url, --ca, --admin-certificate and --admin-key are needed");
        return 2;
    }
    if (!fleet.algorithm)
        fleet.algorithm = g_strdup("rsa");
    if (!fleet.prefix)
        fleet.prefix = g_strdup("fleet");
    fleet.servers.verifier_url = verifier_url;
    fleet.servers.registrar_url = registrar_url;
    fleet.servers.ca_file = ca_file;
    run_fleet(&fleet);
    return 0;
}
