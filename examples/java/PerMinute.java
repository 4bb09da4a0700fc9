// java -cp "$KAFKA_LIBS" PerMinute.java: how many objects of each label were found in each minute, for ever.
// A line is printed whenever a count has changed, so that the last line of a label and a minute is the newest.
// Answers come at least once: one that comes twice counts twice, and is told by its `id` where that matters.
// Only JSON is counted (work.json_answers, produce.json_reports): what was written without these settings is passed over.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

public class PerMinute {
    static final ObjectMapper JSON = new ObjectMapper();
    static final AtomicBoolean SAID = new AtomicBoolean();
    static final Duration MINUTE = Duration.ofMinutes(1);
    /** How late an answer may come; a worker that was away for longer is not counted in its minutes. */
    static final Duration GRACE = Duration.ofHours(1);

    public static void main(String[] words) {
        String prefix = setting("TOPIC_PREFIX", "groundcam.");
        var settings = new Properties();
        // The job's group, and the beginning of the names of topics that it makes for itself.
        settings.put("application.id", prefix + "example-per-minute");
        settings.put("bootstrap.servers", setting("BOOTSTRAP_SERVERS", "localhost:9092"));
        settings.put("auto.offset.reset", "earliest");
        settings.put("statestore.cache.max.bytes", 0);
        settings.put("dsl.store.suppliers.class", BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);

        var builder = new StreamsBuilder();
        builder.stream(prefix + "detections", Consumed.with(Serdes.String(), Serdes.ByteArray())
                        .withTimestampExtractor(PerMinute::captured))
                .filter((camera, value) -> isJson(value))
                .mapValues(PerMinute::message)
                // A gap has no objects, and a reader of this major version reads no other.
                .filter((camera, message) -> message.get("schema").asText().startsWith("detections/1."))
                .flatMapValues(message -> message.get("objects").findValuesAsText("label"))
                .groupBy((camera, label) -> label, Grouped.with("labels", Serdes.String(), Serdes.String()))
                .windowedBy(TimeWindows.ofSizeAndGrace(MINUTE, GRACE))
                .count(Materialized.as("counts"))
                .toStream()
                .foreach((key, count) -> System.out.println(
                        Instant.ofEpochMilli(key.window().start()) + " " + key.key() + ": " + count));

        var streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    /** The time that counts is when the camera saw it, not when it was answered. A gap has none of its own. */
    static long captured(ConsumerRecord<Object, Object> record, long newest) {
        byte[] value = (byte[]) record.value();
        JsonNode time = isJson(value) ? message(value).get("captured_at") : null;
        return time == null ? Math.max(newest, 0) : Instant.parse(time.asText()).toEpochMilli();
    }

    /** A message is msgpack or JSON, and its first byte says which, with or without a header. */
    static boolean isJson(byte[] value) {
        boolean isJson = value[0] == '{';
        if (!isJson && SAID.compareAndSet(false, true)) {
            System.err.println("not counted: msgpack, written without work.json_answers or produce.json_reports");
        }
        return isJson;
    }

    static JsonNode message(byte[] value) {
        try {
            return JSON.readTree(value);
        } catch (IOException broken) {
            throw new UncheckedIOException(broken);
        }
    }

    static String setting(String name, String otherwise) {
        return Objects.requireNonNullElse(System.getenv("GROUNDCAM_KAFKA__" + name), otherwise);
    }
}
