/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/feed.h"
#include "wire/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *
read_feed(const char *xml, size_t len, enum status want, struct error *err)
{
    static char text[65536];
    struct buf json = { 0 };
    enum status status = feed_to_json((struct slice){ xml, len }, &json, err);
    if (status != want) {
        fail_msg("%s: %s", status_text(status), err->text);
    }
    (void)snprintf(text, sizeof(text), "%.*s", SLICE_ARG(buf_slice(&json)));
    if (status == STATUS_OK) {
        assert_int_equal(json_check(buf_slice(&json), 8, NULL), STATUS_OK);
    } else {
        assert_int_equal(json.len, 0);
    }
    buf_fini(&json);
    return text;
}

struct row {
    const char *name;
    const char *xml;
    const char *path; /* in the JSON */
    const char *says; /* NULL: absent */
};

static const char rss2[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    "<rss version='2.0' "
    "xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    " xmlns:atom='http://www.w3.org/2005/Atom'"
    " xmlns:dc='http://purl.org/dc/elements/1.1/'"
    " xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'>\n"
    "<channel><title>A &amp; B</title><link>https://blog.example/</link>"
    "<atom:link rel='self' href='https://blog.example/feed.xml'/>"
    "<atom:link rel='hub' href='https://hub.example/'/>"
    "<image><title>logo</title><url>x</url><link>https://logo.example/</link>"
    "</image><ttl>60</ttl><sy:updatePeriod>hourly</sy:updatePeriod>"
    "<sy:updateFrequency>2</sy:updateFrequency>"
    "<item><title><![CDATA[<b>One</b> & only]]></title>"
    "<link>/posts/1</link><guid isPermaLink='false'>g-1</guid>"
    "<pubDate>Tue, 14 Nov 2023 10:00:00 GMT</pubDate>"
    "<dc:creator>Ann</dc:creator><category>x</category><category>y &lt; z"
    "</category><description>&lt;p&gt;short&lt;/p&gt;</description>"
    "<content:encoded><![CDATA[<p>long</p>]]></content:encoded>"
    "<enclosure url='a.mp3' length='1' type='audio/mpeg'/></item>"
    "<item><link>https://other.example/2</link></item>"
    "<item><title>bare</title></item></channel></rss>";

static const char atom[] =
    "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://a.example/b/'>"
    "<id>urn:feed</id><title>T</title><updated>2023-11-14T10:00:00Z</updated>"
    "<link rel='self' href='feed'/><link href='.'/>"
    "<author><name>Nobody</name></author>"
    "<entry xml:base='https://c.example/'><id>urn:1</id><title type='xhtml'>"
    "<div xmlns='http://www.w3.org/1999/xhtml'>A<b>b</b></div></title>"
    "<link rel='enclosure' href='e'/><link rel='alternate' href='d/1'/>"
    "<published>2023-11-14T09:00:00Z</published>"
    "<updated>2023-11-14T10:00:00+01:00</updated>"
    "<author><name>Ann</name><email>a@b.example</email></author>"
    "<author><name>Bob</name></author><category term='t1'/>"
    "<source><id>urn:other</id><title>Other</title></source>"
    "<content type='html'>&lt;p&gt;x&lt;/p&gt;</content></entry>"
    "<entry><id>urn:2</id><link href='2'/></entry></feed>";

static const char rdf[] =
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'"
    " xmlns='http://purl.org/rss/1.0/' "
    "xmlns:dc='http://purl.org/dc/elements/1.1/'>"
    "<channel rdf:about='https://r.example/'><title>R</title>"
    "<link>https://r.example/</link><items><rdf:Seq/></items></channel>"
    "<item rdf:about='https://r.example/1'><title>One</title>"
    "<link>https://r.example/one</link><dc:date>2023-11-14</dc:date>"
    "<dc:subject>s</dc:subject></item></rdf:RDF>";

static const char rss091[] =
    "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"
    "<!DOCTYPE rss PUBLIC \"-//Netscape Communications//DTD RSS 0.91//EN\""
    " \"http://my.netscape.com/publish/formats/rss-0.91.dtd\">"
    "<rss version=\"0.91\"><channel><title>Caf\xe9 \x80&nbsp;1</title>"
    "<link>https://n.example/</link>"
    "<item><title>t</title><link>https://n.example/1</link></item>"
    "</channel></rss>";

static const struct row rows[] = {
    { "rss", rss2, "feed.title", "A & B" },
    { "rss", rss2, "feed.link", "https://blog.example/" },
    { "rss", rss2, "feed.self", "https://blog.example/feed.xml" },
    { "rss", rss2, "feed.hub", "https://hub.example/" },
    { "rss", rss2, "feed.ttl", "60" },
    { "rss", rss2, "feed.updatePeriod", "hourly" },
    { "rss", rss2, "feed.updateFrequency", "2" },
    { "rss", rss2, "items[0].id", "g-1" },
    { "rss", rss2, "items[0].guid", "g-1" },
    { "rss", rss2, "items[0].title", "<b>One</b> & only" },
    { "rss", rss2, "items[0].link", "https://blog.example/posts/1" },
    { "rss", rss2, "items[0].published", "Tue, 14 Nov 2023 10:00:00 GMT" },
    { "rss", rss2, "items[0].updated", "Tue, 14 Nov 2023 10:00:00 GMT" },
    { "rss", rss2, "items[0].author", "Ann" },
    { "rss", rss2, "items[0].categories[1]", "y < z" },
    { "rss", rss2, "items[0].summary", "<p>short</p>" },
    { "rss", rss2, "items[0].content", "<p>long</p>" },
    { "rss", rss2, "items[1].id", "https://other.example/2" },
    { "rss", rss2, "items[1].guid", NULL },
    { "rss", rss2, "items[1].updated", NULL },
    { "rss", rss2, "items[1].xml",
      "<item><link>https://other.example/2</link></item>" },
    { "rss", rss2, "items[2].id",
      "sha256:"
      "18b9f8058dd5f23617bace7b5257206d79922b773c693ee4df368a4e1e0aa818" },
    { "rss", rss2, "items[3]", NULL },
    { "atom", atom, "feed.id", "urn:feed" },
    { "atom", atom, "feed.self", "https://a.example/b/feed" },
    { "atom", atom, "feed.link", "https://a.example/b/" },
    { "atom", atom, "feed.updated", "2023-11-14T10:00:00Z" },
    { "atom", atom, "items[0].id", "urn:1" },
    { "atom", atom, "items[0].title",
      "<div xmlns='http://www.w3.org/1999/xhtml'>A<b>b</b></div>" },
    { "atom", atom, "items[0].link", "https://c.example/d/1" },
    { "atom", atom, "items[0].author", "Ann" },
    { "atom", atom, "items[0].updated", "2023-11-14T10:00:00+01:00" },
    { "atom", atom, "items[0].published", "2023-11-14T09:00:00Z" },
    { "atom", atom, "items[0].categories[0]", "t1" },
    { "atom", atom, "items[0].content", "<p>x</p>" },
    { "atom", atom, "items[1].link", "https://a.example/b/2" },
    { "atom", atom, "items[1].author", NULL },
    { "rdf", rdf, "feed.title", "R" },
    { "rdf", rdf, "items[0].id", "https://r.example/1" },
    { "rdf", rdf, "items[0].link", "https://r.example/one" },
    { "rdf", rdf, "items[0].updated", "2023-11-14" },
    { "rdf", rdf, "items[0].categories[0]", "s" },
    { "rss 0.91", rss091, "feed.title",
      "Caf\xc3\xa9 \xe2\x82\xac"
      "1" },
    { "rss 0.91", rss091, "items[0].id", "https://n.example/1" },
};

static void
feeds_say_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = { "" };
        struct arena arena = { 0 };
        const struct json_path *path;
        struct slice value;
        struct slice text = { NULL, 0 };
        const struct slice json = slice_of(
            read_feed(rows[i].xml, strlen(rows[i].xml), STATUS_OK, &err));
        assert_int_equal(
            json_path_compile(slice_of(rows[i].path), &arena, &path, NULL),
            STATUS_OK);
        const bool found = json_path_first(path, json, &value);
        if (found) {
            assert_int_equal(json_text(value, &arena, &text), STATUS_OK);
        }
        if (found != (rows[i].says != NULL) ||
            (found && !slice_equal_text(text, rows[i].says))) {
            fail_msg("%s, %s: '%.*s' in %.*s", rows[i].name, rows[i].path,
                     SLICE_ARG(text), SLICE_ARG(json));
        }
        arena_fini(&arena);
    }
}

static const struct {
    const char *xml;
    size_t len; /* 0: all of it */
    enum status status;
    const char *says;
} broken[] = {
    { "", 0, STATUS_INVALID, "no element found" },
    { "{\"items\":[]}", 0, STATUS_INVALID, "line 1, column 1" },
    { "<html><body/></html>", 0, STATUS_INVALID,
      "its first element is <html>" },
    { "<rss><channel><item></channel></rss>", 0, STATUS_INVALID, "mismatched" },
    { "<rss><channel><item><title>a</title></item>", 0, STATUS_INVALID,
      "line 1, column" },
    { "<rss><channel><x:item/></channel></rss>", 0, STATUS_INVALID,
      "unbound prefix" },
    { "<rss><channel><title>\xff</title></channel></rss>", 0, STATUS_INVALID,
      "not in the encoding" },
    { "<?xml version='1.0' encoding='koi8-r'?><rss/>", 0, STATUS_INVALID,
      "'koi8-r' is not known" },
    { "<!DOCTYPE rss [<!ENTITY a 'b'>]><rss>&a;</rss>", 0, STATUS_INVALID,
      "declarations of its own" },
    { "<!DOCTYPE rss [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><rss>&a;</rss>",
      0, STATUS_INVALID, "declarations of its own" },
    { "<!DOCTYPE rss [<!ENTITY % a 'b'> %a;]><rss/>", 0, STATUS_INVALID,
      "declarations of its own" },
    { "<rss>&nbsp;</rss>", 0, STATUS_INVALID, "undefined entity" },
    { "\xff\xfe<\0r", 5, STATUS_INVALID, "not in the encoding" },
    { "\xff\xfe\0\xdc", 4, STATUS_INVALID, "not in the encoding" },
};

static void
what_is_no_feed_is_refused_with_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct error err = { "" };
        (void)read_feed(broken[i].xml,
                        broken[i].len == 0 ? strlen(broken[i].xml)
                                           : broken[i].len,
                        broken[i].status, &err);
        if (strstr(err.text, broken[i].says) == NULL) {
            fail_msg("%s: %s", broken[i].xml, err.text);
        }
    }
}

static void
utf16_is_read_in_both_orders(void **state)
{
    (void)state;
    static const char ascii[] =
        "<?xml version='1.0' encoding='UTF-16'?><rss><channel><item><guid>g"
        "</guid><title>";
    static const char end[] = "</title></item></channel></rss>";
    /* U+20AC and U+1F600 */
    static const uint16_t units[] = { 0x20ac, 0xd83d, 0xde00 };
    for (int variant = 0; variant < 4; variant++) {
        const bool big = variant % 2 != 0;
        const bool marked = variant < 2;
        struct buf xml = { 0 };
        struct error err = { "" };
        uint16_t all[256];
        size_t count = 0;
        if (marked) {
            all[count++] = 0xfeff;
        }
        for (size_t i = 0; i < sizeof(ascii) - 1; i++) {
            all[count++] = (unsigned char)ascii[i];
        }
        for (size_t i = 0; i < COUNT(units); i++) {
            all[count++] = units[i];
        }
        for (size_t i = 0; i < sizeof(end) - 1; i++) {
            all[count++] = (unsigned char)end[i];
        }
        for (size_t i = 0; i < count; i++) {
            buf_byte(&xml, (char)(big ? all[i] >> 8 : all[i] & 0xff));
            buf_byte(&xml, (char)(big ? all[i] & 0xff : all[i] >> 8));
        }
        const char *json = read_feed(xml.ptr, xml.len, STATUS_OK, &err);
        assert_non_null(
            strstr(json, "\"title\":\"\xe2\x82\xac\xf0\x9f\x98\x80\""));
        buf_fini(&xml);
    }
}

static void
a_feed_has_limits(void **state)
{
    (void)state;
    struct error err = { "" };
    struct buf xml = { 0 };
    /* Three levels stand already: one more than there may be. */
    buf_text(&xml, "<rss><channel><item>");
    for (int i = 0; i < FEED_DEPTH_MAX - 2; i++) {
        buf_text(&xml, "<a>");
    }
    (void)read_feed(xml.ptr, xml.len, STATUS_TOO_LARGE, &err);
    assert_non_null(strstr(err.text, "levels deep"));
    buf_clear(&xml);
    buf_text(&xml, "<rss><channel>");
    for (size_t i = 0; i <= FEED_ITEMS_MAX; i++) {
        buf_text(&xml, "<item/>");
    }
    buf_text(&xml, "</channel></rss>");
    (void)read_feed(xml.ptr, xml.len, STATUS_TOO_LARGE, &err);
    assert_non_null(strstr(err.text, "entries"));
    buf_fini(&xml);
}

/* An entry that only moved is the same; one whose bytes changed is another. */
static void
an_entry_without_a_name_is_known_by_its_bytes(void **state)
{
    (void)state;
    static const char *const feeds[] = {
        "<rss><channel><item><title>a</title></item></channel></rss>",
        "<rss><channel><item><title>b</title></item>\n <item><title>a</title>"
        "</item></channel></rss>",
    };
    char ids[2][80];
    struct error err = { "" };
    for (size_t i = 0; i < 2; i++) {
        const char *json =
            read_feed(feeds[i], strlen(feeds[i]), STATUS_OK, &err);
        const char *at = strstr(json, "sha256:");
        if (i == 1) {
            at = strstr(at + 1, "sha256:");
        }
        assert_non_null(at);
        (void)snprintf(ids[i], sizeof(ids[i]), "%.71s", at);
    }
    assert_string_equal(ids[0], ids[1]);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 5000; n++) {
        struct buf json = { 0 };
        struct error err = { "" };
        (void)mem_fail_after(n, 0);
        status = feed_to_json(slice_of(n % 2 == 0 ? rss2 : atom), &json, &err);
        (void)mem_fail_after(-1, 0);
        if (status != STATUS_OK && status != STATUS_NOMEM) {
            fail_msg("%ld: %s", n, err.text);
        }
        buf_fini(&json);
    }
    assert_int_equal(status, STATUS_OK);
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeds_say_what_they_say),
        cmocka_unit_test(what_is_no_feed_is_refused_with_words),
        cmocka_unit_test(utf16_is_read_in_both_orders),
        cmocka_unit_test(a_feed_has_limits),
        cmocka_unit_test(an_entry_without_a_name_is_known_by_its_bytes),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
