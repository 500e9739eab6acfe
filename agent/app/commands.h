/* SPDX-License-Identifier: MIT */
/*
 * commands: what `longstop COMMAND` can be; one function each, in its own file.
 *
 * argv[0] is the command's name. Each parses its own options, prints its own
 * usage on a mistake, and returns how the process ends.
 */
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/exit_code.h"

enum exit_code cmd_run(int argc, char **argv);
enum exit_code cmd_check(int argc, char **argv);
enum exit_code cmd_init(int argc, char **argv);
enum exit_code cmd_verify(int argc, char **argv);
enum exit_code cmd_poll(int argc, char **argv);
enum exit_code cmd_backfill(int argc, char **argv);
enum exit_code cmd_reload(int argc, char **argv);
enum exit_code cmd_pause(int argc, char **argv);
enum exit_code cmd_resume(int argc, char **argv);
enum exit_code cmd_status(int argc, char **argv);
enum exit_code cmd_events(int argc, char **argv);
enum exit_code cmd_export(int argc, char **argv);
enum exit_code cmd_import(int argc, char **argv);
enum exit_code cmd_dead(int argc, char **argv);
enum exit_code cmd_retry(int argc, char **argv);
enum exit_code cmd_drop(int argc, char **argv);
enum exit_code cmd_replay(int argc, char **argv);
enum exit_code cmd_receivers(int argc, char **argv);
enum exit_code cmd_errands(int argc, char **argv);
enum exit_code cmd_show(int argc, char **argv);
enum exit_code cmd_gaps(int argc, char **argv);
enum exit_code cmd_tail(int argc, char **argv);
enum exit_code cmd_refusals(int argc, char **argv);
enum exit_code cmd_keys(int argc, char **argv);
enum exit_code cmd_subscribe(int argc, char **argv);
enum exit_code cmd_redeliver(int argc, char **argv);
enum exit_code cmd_store(int argc, char **argv);
enum exit_code cmd_doctor(int argc, char **argv);
enum exit_code cmd_demo(int argc, char **argv);
enum exit_code cmd_schema(int argc, char **argv);
enum exit_code cmd_manual(int argc, char **argv);
enum exit_code cmd_completion(int argc, char **argv);
enum exit_code cmd_version(int argc, char **argv);

#endif
