// java -cp "$KAFKA_LIBS" Watch.java [--all] [LABEL]: print what is found, and what nobody looked at.
// --all reads what is there and ends; without it, what comes from now on is printed until Ctrl-C.
// With a LABEL, detections without it are never decoded: headers tell.
// Only JSON is read (work.json_answers, produce.json_reports): what was written without these settings is passed over.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Watch {
    static final ObjectMapper JSON = new ObjectMapper();
    static boolean toldOfMsgpack;

    public static void main(String[] words) throws Exception {
        var arguments = new ArrayList<>(List.of(words));
        boolean all = arguments.remove("--all");
        String label = arguments.isEmpty() ? null : arguments.get(0);
        String topic = setting("TOPIC_PREFIX", "groundcam.") + "detections";
        Map<String, Object> settings = Map.of("bootstrap.servers", setting("BOOTSTRAP_SERVERS", "localhost:9092"));
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            // Partitions are assigned by hand: no group, and no rights on one.
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(topic).forEach(one -> partitions.add(new TopicPartition(topic, one.partition())));
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            if (all) {
                consumer.seekToBeginning(partitions);
            } else {
                ends.forEach(consumer::seek);
            }
            while (!all || partitions.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    show(record, label);
                }
            }
        }
    }

    static void show(ConsumerRecord<String, byte[]> record, String label) throws Exception {
        if (record.value()[0] != '{') {
            if (!toldOfMsgpack) {
                System.err.println("not read: msgpack, written without work.json_answers or produce.json_reports");
            }
            toldOfMsgpack = true;
            return;
        }
        String schema = schema(record);
        if (schema.startsWith("gap/1.")) {
            JsonNode gap = JSON.readTree(record.value());
            String range = gap.get("first_seq").isNull()
                    ? Instant.parse(gap.get("from").asText()) + " to " + Instant.parse(gap.get("to").asText())
                    : "frames " + gap.get("first_seq") + " to " + gap.get("last_seq");
            System.out.println(record.key() + " not looked at: " + range + ", " + gap.get("reason").asText());
        } else if (!schema.startsWith("detections/1.")) {
            System.err.println("not read: " + schema);
        } else if (label == null || headers(record, "label").contains(label)) {
            JsonNode found = JSON.readTree(record.value());
            Instant captured = Instant.parse(found.get("captured_at").asText());
            System.out.println(record.key() + " " + captured + ": " + found.get("objects").findValuesAsText("label"));
        }
    }

    /** Which message; records of versions before the headers say it in the message alone. */
    static String schema(ConsumerRecord<?, byte[]> record) throws Exception {
        List<String> told = headers(record, "schema");
        return told.isEmpty() ? JSON.readTree(record.value()).get("schema").asText() : told.get(0);
    }

    /** All values of a header, which may stand there more than once. */
    static List<String> headers(ConsumerRecord<?, ?> record, String name) {
        var values = new ArrayList<String>();
        for (Header one : record.headers().headers(name)) {
            values.add(new String(one.value(), StandardCharsets.UTF_8));
        }
        return values;
    }

    static String setting(String name, String otherwise) {
        return Objects.requireNonNullElse(System.getenv("GROUNDCAM_KAFKA__" + name), otherwise);
    }
}
