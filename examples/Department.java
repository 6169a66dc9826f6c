// A department in Java: subscribes to its topic and accepts what comes in. Needs kafka-clients (and its slf4j) alone.
//   javac -cp '.cache/kafka/libs/*' -d /tmp/dept examples/Department.java
//   java -cp '/tmp/dept:.cache/kafka/libs/*' Department temizlik-isleri
import java.time.*;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;

class Department {
    public static void main(String[] args) {
        String slug = args[0], servers = System.getenv("KAFKA_BOOTSTRAP_SERVERS");
        Map<String, Object> in = Map.of("bootstrap.servers", servers, "group.id", slug + "-java", "auto.offset.reset", "earliest");
        Map<String, Object> out = Map.of("bootstrap.servers", servers, "acks", "all");
        try (var inbox = new KafkaConsumer<>(in, new StringDeserializer(), new StringDeserializer());
                var outbox = new KafkaProducer<>(out, new StringSerializer(), new StringSerializer())) {
            inbox.subscribe(List.of("requests.dept." + slug));
            while (true) {
                for (var record : inbox.poll(Duration.ofSeconds(1))) {
                    boolean ours = record.value().contains("\"department\":\"" + slug + "\"");
                    if (!ours || !header(record, "ce_type").endsWith(".RequestAssigned")) continue;
                    String now = Instant.now().toString(), updateId = "accept-" + header(record, "ce_id");
                    var update = new ProducerRecord<>("updates.dept." + slug, record.key(), """
                        {"request_id":"%s","update_id":"%s","action":"accept","submitted_at":"%s"}"""
                        .formatted(record.key(), updateId, now));
                    Map.of("ce_specversion", "1.0", "ce_id", updateId, "ce_time", now, "ce_source", "/departments/" + slug,
                            "ce_type", "tr.bel.ilkadim.ilkim.UpdateSubmitted")
                        .forEach((name, value) -> update.headers().add(name, value.getBytes()));
                    outbox.send(update);
                    System.out.println(record.key() + " accept");
                }
            }
        }
    }

    static String header(ConsumerRecord<?, ?> record, String name) {
        return new String(record.headers().lastHeader(name).value());
    }
}
