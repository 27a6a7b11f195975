/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the example configuration of one component while building, from the table that the program
 * itself reads by: what is installed cannot differ from what the program knows.
 */
#include "agent/options.h"
#include "config/logging.h"
#include "pki/authority.h"
#include "registrar/settings.h"
#include "tenant/options.h"
#include "verifier/settings.h"

#include <string.h>

int main(int argc, char **argv)
{
    const ConfigSchema *const schemas[] = {&verifier_schema, &registrar_schema, &agent_schema,
                                           &tenant_schema,   &authority_schema, logging_schema()};
    for (size_t i = 0; argc == 2 && i < G_N_ELEMENTS(schemas); i++) {
        if (strcmp(argv[1], schemas[i]->component) == 0) {
            config_print_example(schemas[i], stdout);
            return 0;
        }
    }
    fprintf(stderr, "usage: example-config verifier|registrar|agent|tenant|ca|logging\n");
    return 2;
}
