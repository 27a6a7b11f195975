/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keylime_ca does in a directory of certificates (tenant-and-management-api §10). Each returns
 * false with a sentence that names the file; nothing foreign is deleted on any path.
 */
#pragma once

#include "ca/arguments.h"
#include "pki/authority.h"

#define CA_ERROR (ca_error_quark())
typedef enum { CA_ERROR_REFUSED } CaError;
GQuark ca_error_quark(void);

typedef struct {
    const char *directory;
    AuthoritySettings *settings; /* with the password that was asked for */
    const char *name;            /* --name; NULL = not given */
    PkiRole role;
    const char *const *dns, *const *ip; /* subject alternative names; NULL = none */
    bool key_from_store;                /* --insecure */
    const char *file;                   /* --file */
    gint64 serial;                      /* --serial; -1 = not given */
    const char *target;                 /* --for: of `bundle` */
    const char *output;                 /* --output: of `bundle` */
} CaRequest;

typedef struct {
    ToolCommand tool;
    bool needs_name;
    const char *(*problem)(const CaArguments *arguments); /* of its other options; NULL = none */
    bool (*asks_password)(const CaArguments *arguments);  /* of the key store; NULL = never */
    const char *makes; /* files in the directory, with blanks between, NAME for the name */
    bool (*run)(const CaRequest *request, GError **error);
} CaCommand;

extern const Tool ca_tool;
/* NULL: there is no such command. */
const CaCommand *ca_find_command(const char *name);

/* `<name>-pkg.zip`: the pair, the CA's certificate, its revocation lists (§10.3). ca/package.c */
bool ca_package(const CaRequest *request, GError **error);
/* A folder to copy to another machine. ca/bundle.c */
bool ca_bundle(const CaRequest *request, GError **error);
const char *ca_bundle_problem(const CaArguments *arguments);
bool ca_bundle_asks_password(const CaArguments *arguments);
