/* SPDX-License-Identifier: MIT */
/*
 * days_suite: the functions of schema/postgresql, by statements of SQL.
 */
#ifndef CONFORMANCE_DAYS_SUITE_H
#define CONFORMANCE_DAYS_SUITE_H

/* Runs each test behind `before`, which empties the tables; `of` carries out a
 * text and fails the test where the server refuses it. Returns how many failed.
 */
int days_suite_run(void (*of)(const char *text), int (*before)(void **state));

#endif
