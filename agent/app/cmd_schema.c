/* SPDX-License-Identifier: MIT */
/*
 * cmd_schema: prints the JSON Schema of the configuration, of a connector file,
 * or of the event that handlers are given.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/options.h"
#include "app/settings.h"
#include "config/config_print.h"

/* CloudEvents 1.0 with our extensions, as envelope_write makes it. */
static const char event_schema[] =
    "{\n"
    "  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
    "  \"title\": \"Longstop event\",\n"
    "  \"type\": \"object\",\n"
    "  \"required\": [\"specversion\", \"id\", \"source\", \"type\"],\n"
    "  \"properties\": {\n"
    "    \"specversion\": {\"const\": \"1.0\"},\n"
    "    \"id\": {\"type\": \"string\", \"minLength\": 1},\n"
    "    \"source\": {\"type\": \"string\", \"pattern\": \"^longstop/\"},\n"
    "    \"type\": {\"type\": \"string\", \"minLength\": 1},\n"
    "    \"time\": {\"type\": \"string\", \"format\": \"date-time\"},\n"
    "    \"datacontenttype\": {\"type\": \"string\"},\n"
    "    \"via\": {\"enum\": [\"webhook\", \"poll\", \"stream\", "
    "\"backfill\"]},\n"
    "    \"recordedtime\": {\"type\": \"string\", \"format\": "
    "\"date-time\"},\n"
    "    \"traceparent\": {\"type\": \"string\"},\n"
    "    \"replay\": {\"const\": true},\n"
    "    \"data\": {},\n"
    "    \"data_base64\": {\"type\": \"string\"}\n"
    "  }\n"
    "}\n";

enum exit_code
cmd_schema(int argc, char **argv)
{
    const struct command_spec spec = {
        .name = "schema",
        .operands = "config|connector|event",
        .operand_count = 1,
        .summary = "Prints a JSON Schema (draft-07) for editors and checks.",
        .examples = "  longstop schema config > config.schema.json\n",
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct buf text = { 0 };
    if (strcmp(operands[0], "config") == 0) {
        config_print_schema(&settings_table, "config.schema.json",
                            "Longstop configuration", &text);
    } else if (strcmp(operands[0], "connector") == 0) {
        config_print_schema(&connector_table, "connector.schema.json",
                            "Longstop connector", &text);
    } else if (strcmp(operands[0], "event") == 0) {
        buf_text(&text, event_schema);
    } else {
        (void)fprintf(stderr,
                      "longstop schema: there is no schema '%s'; there "
                      "are config, connector and event\n",
                      operands[0]);
        return EXIT_USAGE;
    }
    bool whole = buf_status(&text) == STATUS_OK &&
                 fwrite(text.ptr, 1, text.len, stdout) == text.len;
    buf_fini(&text);
    return whole ? EXIT_OK : EXIT_FAILED;
}
