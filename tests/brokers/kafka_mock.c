/* SPDX-License-Identifier: MIT */
/*
 * A cluster of one broker that speaks Kafka's protocol (librdkafka's mock),
 * in a process of its own: prints where it listens, then does what stdin says,
 * a line each, and answers each line with one: `down`, `up`, `refuse TOPIC`,
 * `allow TOPIC`, `large` (the next two batches are too large), `keys TOPIC`,
 * `replays TOPIC`.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000

static const char *bootstraps;

static rd_kafka_t *
client(rd_kafka_type_t type, const char *servers)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (servers != NULL) {
        (void)rd_kafka_conf_set(conf, "bootstrap.servers", servers, why,
                                sizeof(why));
        (void)rd_kafka_conf_set(conf, "group.id", "tests", why, sizeof(why));
        (void)rd_kafka_conf_set(conf, "enable.partition.eof", "true", why,
                                sizeof(why));
    }
    rd_kafka_t *made = rd_kafka_new(type, conf, why, sizeof(why));
    if (made == NULL) {
        (void)fprintf(stderr, "kafka_mock: %s\n", why);
        exit(1);
    }
    return made;
}

static void
print_mark(const rd_kafka_message_t *got)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_message_headers(got, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "longstop-replay", &value, &len) ==
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)printf("%.*s ", (int)len, (const char *)value);
    }
}

static void
print_key(const rd_kafka_message_t *got)
{
    (void)printf("%.*s ", (int)got->key_len, (const char *)got->key);
}

/* All records of the topic's one partition, each followed by a blank. */
static void
print_all(const char *topic, void (*print)(const rd_kafka_message_t *got))
{
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, bootstraps);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    (void)rd_kafka_poll_set_consumer(consumer);
    (void)rd_kafka_assign(consumer, list);
    for (;;) {
        rd_kafka_message_t *got = rd_kafka_consumer_poll(consumer, WAIT_MS);
        if (got == NULL || got->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (got != NULL) {
                rd_kafka_message_destroy(got);
            }
            break; /* the end of the partition, or nothing there */
        }
        print(got);
        rd_kafka_message_destroy(got);
    }
    (void)printf("\n");
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

static void
obey(rd_kafka_mock_cluster_t *cluster, const char *word, const char *topic)
{
    if (strcmp(word, "down") == 0) {
        (void)rd_kafka_mock_broker_set_down(cluster, 1);
    } else if (strcmp(word, "up") == 0) {
        (void)rd_kafka_mock_broker_set_up(cluster, 1);
    } else if (strcmp(word, "refuse") == 0) {
        rd_kafka_mock_topic_set_error(
            cluster, topic, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    } else if (strcmp(word, "allow") == 0) {
        rd_kafka_mock_topic_set_error(cluster, topic,
                                      RD_KAFKA_RESP_ERR_NO_ERROR);
    } else if (strcmp(word, "large") == 0) {
        /* 0 is Produce (protocol guide, "Api Keys") */
        rd_kafka_mock_push_request_errors(cluster, 0, 1,
                                          RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    } else if (strcmp(word, "keys") == 0) {
        print_all(topic, print_key);
        return;
    } else if (strcmp(word, "replays") == 0) {
        print_all(topic, print_mark);
        return;
    }
    (void)printf("done\n");
}

int
main(void)
{
    char line[256];
    rd_kafka_t *handle = client(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(handle, 1);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    bootstraps = rd_kafka_mock_cluster_bootstraps(cluster);
    (void)rd_kafka_mock_topic_create(cluster, "events.shop", 1, 1);
    (void)printf("%s\n", bootstraps);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest = NULL;
        const char *word = strtok_r(line, " \n", &rest);
        const char *topic = strtok_r(NULL, " \n", &rest);
        if (word != NULL) {
            obey(cluster, word, topic == NULL ? "" : topic);
        }
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle);
    return 0;
}
