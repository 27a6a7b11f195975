/* SPDX-License-Identifier: Apache-2.0 */
#include "ca/password.h"

#include "base/secret.h"
#include "ca/commands.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024
#define PROMPT "Please enter the password to decrypt your keystore: "

/* One line of standard input without its end; "" when there is none. */
static void read_line(char line[PASSWORD_MAX])
{
    line[0] = '\0';
    if (fgets(line, PASSWORD_MAX, stdin))
        line[strcspn(line, "\r\n")] = '\0';
}

static void ask(char line[PASSWORD_MAX])
{
    struct termios shown;
    bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
    if (terminal) {
        struct termios hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    fputs(PROMPT, stderr);
    read_line(line);
    fputs("\n", stderr);
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
}

bool password_for_keystore(const char *configured, char **out, GError **error)
{
    char line[PASSWORD_MAX];
    if (configured && *configured && strcmp(configured, "default") != 0) {
        *out = g_strdup(configured);
        return true;
    }
    ask(line);
    *out = *line ? g_strdup(line) : NULL;
    secret_wipe(line, sizeof line);
    if (!*out)
        g_set_error_literal(error, CA_ERROR, CA_ERROR_REFUSED,
                            "the password of the key store must not be empty");
    return *out != NULL;
}
