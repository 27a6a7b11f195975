/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timestamp.h"

#include <math.h>
#include <string.h>
#include <time.h>

Timestamp timestamp_now(void)
{
    return g_get_real_time();
}

char *timestamp_format(Timestamp time)
{
    gint64 seconds = time / TIMESTAMP_SECOND;
    gint64 fraction = time % TIMESTAMP_SECOND;
    if (fraction < 0) {
        fraction += TIMESTAMP_SECOND;
        seconds--;
    }
    time_t whole = (time_t)seconds;
    struct tm date;
    /* RFC 3339 knows the years 1 to 9999. (GDateTime costs four times as much; an answer holds
     * several time stamps.) */
    if (!gmtime_r(&whole, &date) || date.tm_year < 1 - 1900 || date.tm_year > 9999 - 1900)
        date = (struct tm){.tm_year = 1970 - 1900, .tm_mday = 1};
    return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00", date.tm_year + 1900,
                           date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec,
                           (int)fraction);
}

static bool parse_unix(const char *text, Timestamp *out)
{
    /* Decimal digits only: strtod would take hexadecimal, exponents and blanks as well. */
    const char *digits = *text == '-' ? text + 1 : text;
    if (!g_ascii_isdigit(*digits) || digits[strspn(digits, "0123456789.")] != '\0')
        return false;
    char *end = NULL;
    double seconds = g_ascii_strtod(text, &end);
    if (end == text || *end || !isfinite(seconds) || fabs(seconds) > 253402300799.0)
        return false;
    *out = (Timestamp)(seconds * (double)TIMESTAMP_SECOND);
    return true;
}

bool timestamp_parse(const char *text, Timestamp *out)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, utc);
    if (!date)
        return parse_unix(text, out);
    *out = g_date_time_to_unix(date) * TIMESTAMP_SECOND + g_date_time_get_microsecond(date);
    return true;
}
