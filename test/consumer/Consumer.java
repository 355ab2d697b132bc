// Prints every record of a topic as one JSON line: an independent witness for the end-to-end tests. It shares no code
// with the project: Kafka's Java client reads (read_committed), Avro's Java library decodes.
//
// usage: java -cp ".:libs/*" Consumer BOOTSTRAP_SERVERS TOPIC[,TOPIC...] [SCHEMA_REGISTRY_URL [follow]]
// Reads from the beginning to where the topics end now, then exits; with `follow` it goes on until it is killed. With a
// registry, values are Confluent-framed Avro and printed as `avro`; without, as `value` in Base64.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Consumer {
  static final ObjectMapper json = new ObjectMapper();
  static final Map<Integer, GenericDatumReader<GenericRecord>> readers = new HashMap<>();

  public static void main(String[] args) throws Exception {
    String registry = args.length > 2 ? args[2] : null;
    boolean follows = args.length > 3 && args[3].equals("follow");
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("isolation.level", "read_committed");
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<byte[], byte[]>(properties, bytes, bytes)) {
      List<TopicPartition> partitions =
          Stream.of(args[1].split(","))
              .flatMap(topic -> consumer.partitionsFor(topic).stream())
              .map(p -> new TopicPartition(p.topic(), p.partition()))
              .toList();
      if (partitions.isEmpty()) throw new IllegalStateException("no topic " + args[1] + " on " + args[0]);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (follows || partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          if (follows || record.offset() < ends.get(new TopicPartition(record.topic(), record.partition()))) {
            out.println(json.writeValueAsString(describe(record, registry)));
          }
        }
        // Whoever follows wants each record when it comes.
        if (follows) out.flush();
      }
    }
    out.flush();
  }

  static ObjectNode describe(ConsumerRecord<byte[], byte[]> record, String registry) throws Exception {
    ObjectNode line = json.createObjectNode();
    line.put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset());
    line.put("timestampMs", record.timestamp());
    line.put("key", record.key() == null ? null : new String(record.key(), StandardCharsets.UTF_8));
    ObjectNode headers = line.putObject("headers");
    record.headers().forEach(h -> headers.put(h.key(), new String(h.value(), StandardCharsets.UTF_8)));
    if (registry == null) return line.put("value", Base64.getEncoder().encodeToString(record.value()));
    ByteBuffer framed = ByteBuffer.wrap(record.value());
    if (framed.get() != 0) throw new IllegalStateException("not Confluent-framed: offset " + record.offset());
    int schemaId = framed.getInt();
    line.put("schemaId", schemaId);
    if (!readers.containsKey(schemaId)) readers.put(schemaId, new GenericDatumReader<>(fetch(registry, schemaId)));
    var decoder = DecoderFactory.get().binaryDecoder(framed.array(), 5, framed.remaining(), null);
    line.set("avro", json.readTree(readers.get(schemaId).read(null, decoder).toString()));
    if (!decoder.isEnd()) throw new IllegalStateException("bytes left after the Avro body: offset " + record.offset());
    return line;
  }

  static Schema fetch(String registry, int schemaId) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + schemaId)).build();
    String body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    return new Schema.Parser().parse(json.readTree(body).get("schema").asText());
  }
}
