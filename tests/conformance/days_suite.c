/* SPDX-License-Identifier: MIT */
/*
 * days_suite: what the functions of schema/postgresql say of days and agents,
 * asked of the server in its own language.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/days_suite.h"

static void (*run)(const char *text);

/* An event of a day: number d+i, with its sighting. */
#define BEGIN                                                                  \
    "DO $t$ DECLARE today bigint := longstop.now_ms() / 86400000;"             \
    " old bigint := today - 40; e bigint := (old * 86400000 + 5) << 20;"       \
    " h bigint; n bigint; BEGIN"                                               \
    " INSERT INTO longstop.name(kind,name) VALUES(2,'h') RETURNING id INTO h;" \
    " INSERT INTO longstop.event SELECT e+i,1,0,0,old*86400000,'e','t','',''," \
    "'{}' FROM generate_series(1,6) i;"                                        \
    " INSERT INTO longstop.sighting SELECT e+i,1,5 FROM generate_series(1,6) " \
    "i;"                                                                       \
    " INSERT INTO longstop.fill SELECT e+i,0,0,0,0 FROM generate_series(1,6) " \
    "i;"
#define END " END $t$"
#define OWE                                                                    \
    " INSERT INTO longstop.delivery(handler,event,due,attempt,owner)"          \
    " VALUES(h,e+1,1,0,0);"                                                    \
    " INSERT INTO longstop.dead(handler,event,attempt,at_ms,reason,detail)"    \
    " VALUES(h,e+2,1,1,'','');"

static void
what_lay_in_no_day_moves_into_the_day_that_is_made(void **state)
{
    (void)state;
    run(BEGIN " SELECT count(*) INTO n FROM longstop.event_rest; ASSERT n=6;"
              " PERFORM longstop.make_day('event',old);"
              " SELECT count(*) INTO n FROM longstop.event_rest; ASSERT n=0;"
              " SELECT count(*) INTO n FROM longstop.event; ASSERT n=6;"
              " PERFORM longstop.drop_events(old);" END);
}

static void
a_day_that_is_over_goes_but_for_what_is_owed_or_dead(void **state)
{
    (void)state;
    run(BEGIN OWE
        " PERFORM longstop.make_day(p,old) FROM"
        " unnest(ARRAY['event','sighting','fill']) p;"
        " n := longstop.prune_events(old*86400000,10);"
        " ASSERT n=0, 'its day is not over';"
        " PERFORM longstop.prune_events((old+1)*86400000,10);"
        " ASSERT NOT EXISTS(SELECT 1 FROM longstop.days('event') d"
        " WHERE d.day=old), 'the day stays';"
        " ASSERT ARRAY(SELECT id-e FROM longstop.event ORDER BY 1)='{1,2}';"
        " ASSERT ARRAY(SELECT event-e FROM longstop.sighting ORDER BY 1)"
        "='{1,2}';"
        " ASSERT ARRAY(SELECT event-e FROM longstop.fill ORDER BY 1)='{1,2}';"
        " DELETE FROM longstop.delivery;"
        " n := longstop.prune_events((old+1)*86400000,10);"
        " ASSERT n=1, 'what was owed goes once it is not';"
        " ASSERT ARRAY(SELECT id-e FROM longstop.event)='{2}';"
        " ASSERT ARRAY(SELECT event-e FROM longstop.sighting)='{2}';" END);
}

static void
a_day_of_which_much_is_owed_stays_whole(void **state)
{
    (void)state;
    run(BEGIN " INSERT INTO longstop.delivery(handler,event,due,attempt,owner)"
              " SELECT h,e+i,1,0,0 FROM generate_series(1,5001) i;"
              " PERFORM longstop.make_day('event',old);"
              " n := longstop.prune_events((old+1)*86400000,10);"
              " ASSERT n=0, n::text;"
              " SELECT count(*) INTO n FROM longstop.event; ASSERT n=6;"
              " DELETE FROM longstop.delivery;"
              " PERFORM longstop.prune_events((old+1)*86400000,10);"
              " SELECT count(*) INTO n FROM longstop.event; ASSERT n=0;" END);
}

static void
a_day_of_the_ledger_goes_whole_and_today_by_the_key(void **state)
{
    (void)state;
    run(BEGIN
        " INSERT INTO longstop.ledger SELECT decode(lpad(to_hex(d*86400+i),8,"
        "'0'),'hex')||'\\x000000000000000000000000',1,1"
        " FROM unnest(ARRAY[old,today]) d, generate_series(1,4) i;"
        " PERFORM longstop.make_day('ledger',old);"
        " n := longstop.prune_ledger(decode(lpad(to_hex(old*86400+3),8,'0'),"
        "'hex'),1); ASSERT n=1, 'no more than asked';"
        " n := longstop.prune_ledger(decode(lpad(to_hex(old*86400+3),8,'0'),"
        "'hex'),9); ASSERT n=1, 'what is below goes';"
        " PERFORM longstop.prune_ledger(decode(lpad(to_hex(today*86400+2),8,"
        "'0'),'hex'),9);"
        " ASSERT NOT EXISTS(SELECT 1 FROM longstop.days('ledger') d"
        " WHERE d.day=old);"
        " INSERT INTO longstop.meta VALUES('dedup_floor',today*86400000);"
        " n := longstop.make_days(31,2); ASSERT n=0, 'what is below the floor';"
        " WHILE EXISTS(SELECT 1 FROM longstop.days('ledger') d WHERE"
        " d.day<today) LOOP PERFORM longstop.prune_ledger(decode(lpad(to_hex("
        "today*86400),8,'0'),'hex'),9); END LOOP;"
        " n := longstop.prune_ledger(decode(lpad(to_hex(today*86400+3),8,'0'),"
        "'hex'),9); ASSERT n=2;"
        " SELECT count(*) INTO n FROM longstop.ledger; ASSERT n=2;"
        " DELETE FROM longstop.meta WHERE name='dedup_floor';"
        " PERFORM longstop.make_days(31,2);" END);
}

static void
days_are_made_once_and_ahead(void **state)
{
    (void)state;
    run(BEGIN
        " PERFORM longstop.make_days(31,2);"
        " n := longstop.make_days(31,2); ASSERT n=0;"
        " n := longstop.make_days(31,3); ASSERT n=5, n::text;"
        " ASSERT (SELECT max(d.day) FROM longstop.days('event') d)=today+3;"
        " PERFORM longstop.drop_day(p,p||'_'||to_char(date '1970-01-01'+"
        "(today+3)::integer,'YYYYMMDD')) FROM unnest(ARRAY['event','sighting',"
        "'fill','ledger','attempt']) p;" END);
}

static void
the_number_of_an_agent_rests_before_another_has_it(void **state)
{
    (void)state;
    run("DO $t$ DECLARE a record; b record; c record; n bigint; BEGIN"
        " SELECT * INTO a FROM longstop.join_agents('h','v',60000);"
        " SELECT * INTO b FROM longstop.join_agents('h','v',60000);"
        " ASSERT a.number=1 AND b.number=2 AND b.epoch>a.epoch;"
        " UPDATE longstop.agent SET highest=77 WHERE number=1;"
        " n := longstop.bury_agent(a.epoch,longstop.now_ms()-1000);"
        " ASSERT n=-1, 'it lives';"
        " INSERT INTO longstop.tally VALUES(9,1,3,1),(9,2,1,0);"
        " INSERT INTO longstop.delivery(handler,event,due,attempt,owner)"
        " VALUES(9,1,5,2,a.epoch),(9,2,5,1,b.epoch);"
        " n := longstop.bury_agent(a.epoch,longstop.now_ms()+1);"
        " ASSERT n=1;"
        " n := longstop.bury_agent(a.epoch,longstop.now_ms()+1);"
        " ASSERT n=-1, 'once';"
        " ASSERT (SELECT due FROM longstop.delivery WHERE event=1)=0;"
        " ASSERT (SELECT due FROM longstop.delivery WHERE event=2)=5;"
        " ASSERT (SELECT pending FROM longstop.tally WHERE agent=0)=3;"
        " SELECT * INTO c FROM longstop.join_agents('h','v',60000);"
        " ASSERT c.number=3, 'it rests';"
        " SELECT * INTO c FROM longstop.join_agents('h','v',-1000);"
        " ASSERT c.number=1 AND c.highest=77 AND c.epoch>b.epoch;" END);
}

static void
what_is_owed_to_nobody_goes(void **state)
{
    (void)state;
    run(BEGIN OWE " INSERT INTO longstop.tally VALUES(h,1,1,1);"
                  " n := longstop.prune_orphans(); ASSERT n=0;"
                  " DELETE FROM longstop.name;"
                  " n := longstop.prune_orphans(); ASSERT n=1;"
                  " ASSERT NOT EXISTS(SELECT 1 FROM longstop.dead);"
                  " ASSERT NOT EXISTS(SELECT 1 FROM longstop.tally);" END);
}

static int (*wipe)(void **state);

int
days_suite_run(void (*of)(const char *text), int (*before)(void **state))
{
    run = of;
    wipe = before;
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, wipe)
        TEST(what_lay_in_no_day_moves_into_the_day_that_is_made),
        TEST(a_day_that_is_over_goes_but_for_what_is_owed_or_dead),
        TEST(a_day_of_which_much_is_owed_stays_whole),
        TEST(a_day_of_the_ledger_goes_whole_and_today_by_the_key),
        TEST(days_are_made_once_and_ahead),
        TEST(the_number_of_an_agent_rests_before_another_has_it),
        TEST(what_is_owed_to_nobody_goes),
#undef TEST
    };
    return cmocka_run_group_tests_name("days", tests, NULL, NULL);
}
