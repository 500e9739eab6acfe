/* SPDX-License-Identifier: MIT */
/*
 * plugin_load: the dlopen gate: finds the plugin of a broker or a database and
 * loads it, with the library that it needs.
 *
 * Looked for are files KIND.so, for databases KIND-store.so, in
 * $LONGSTOP_PLUGINS, then in the folder of the installation, then, in a
 * development build, in its own build tree. What is loaded stays loaded:
 * libraries have threads and exit handlers of their own.
 */
#ifndef IO_PLUGIN_LOAD_H
#define IO_PLUGIN_LOAD_H

#include "base/status.h"
#include "plugin/database.h"
#include "plugin/plugin.h"

/*
 * Loads it, or finds it loaded. STATUS_NOT_FOUND when there is no such file,
 * STATUS_UNAVAILABLE when its library is missing, STATUS_INVALID when it is
 * none of ours or of another version of the ABI; the words say what to install.
 */
NODISCARD
enum status plugin_load(const char *kind, const struct longstop_plugin **ret,
                        struct error *err);

/* The same for a database. */
NODISCARD
enum status plugin_load_database(const char *kind,
                                 const struct longstop_database **ret,
                                 struct error *err);

#endif
