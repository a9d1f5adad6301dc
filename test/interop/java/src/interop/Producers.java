package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/** Every way to send. */
final class Producers {
  static void register(Map<String, Driver.Scenario> scenarios) {
    scenarios.put("send sync", Producers::sync);
    scenarios.put("send async", Producers::async);
    scenarios.put("send one-way", Producers::oneway);
    scenarios.put("send batch", Producers::batch);
    scenarios.put("send orderly", Producers::orderly);
    scenarios.put("send delayed", Producers::delayed);
    scenarios.put("send large", Producers::large);
    scenarios.put("send refused", Producers::refused);
  }

  static DefaultMQProducer start(Driver driver, String group) throws Exception {
    DefaultMQProducer producer = new DefaultMQProducer(group);
    producer.setNamesrvAddr(driver.nameServer);
    producer.setInstanceName(group);
    producer.start();
    return producer;
  }

  static Message message(String topic, String tag, String key, String body) {
    return new Message(topic, tag, key, body.getBytes(UTF_8));
  }

  static void say(Driver driver, SendResult result) {
    driver.say(
        "status", result.getSendStatus(), "msgId", result.getMsgId(), "offsetMsgId",
        result.getOffsetMsgId(), "broker", result.getMessageQueue().getBrokerName(), "queue",
        result.getMessageQueue().getQueueId(), "offset", result.getQueueOffset());
  }

  private static void sync(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-sync");
    for (int n = 0; n < 8; n++) {
      Message message = message("Sync", "tag" + n % 2, "key" + n, "body " + n + " ü");
      message.putUserProperty("colour", "blue " + n);
      say(driver, producer.send(message));
    }
    producer.shutdown();
  }

  private static void async(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-async");
    CountDownLatch left = new CountDownLatch(20);
    for (int n = 0; n < 20; n++) {
      producer.send(
          message("Async", "t", "k" + n, "body " + n),
          new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
              say(driver, result);
              left.countDown();
            }

            @Override
            public void onException(Throwable error) {
              driver.say("failed", String.valueOf(error));
              left.countDown();
            }
          });
    }
    left.await(30, TimeUnit.SECONDS);
    producer.shutdown();
  }

  private static void oneway(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-oneway");
    // The first one makes the topic; a one-way send finds its route then.
    say(driver, producer.send(message("Oneway", "t", "k", "first")));
    for (int n = 0; n < 10; n++) producer.sendOneway(message("Oneway", "t", "k" + n, "body " + n));
    long[] stored = {0};
    Driver.await(
        30_000,
        () -> {
          stored[0] = 0;
          try {
            for (var queue : producer.fetchPublishMessageQueues("Oneway"))
              stored[0] += producer.maxOffset(queue);
          } catch (Exception error) {
            driver.say("failed", String.valueOf(error));
          }
          return stored[0] == 11;
        });
    driver.say("stored", stored[0]);
    producer.shutdown();
  }

  private static void batch(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-batch");
    List<Message> messages = new ArrayList<>();
    for (int n = 0; n < 12; n++) messages.add(message("Batch", "b", "k" + n, "item " + n));
    SendResult result = producer.send(messages);
    say(driver, result);
    var queue = result.getMessageQueue();
    driver.say("min", producer.minOffset(queue), "max", producer.maxOffset(queue));
    producer.shutdown();
  }

  private static void orderly(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-orderly");
    for (int n = 0; n < 24; n++) {
      String key = "order-" + n % 4;
      SendResult result =
          producer.send(
              message("Orderly", "t", key, key + ":" + n / 4),
              (queues, message, arg) -> queues.get(Math.abs(arg.hashCode()) % queues.size()),
              key);
      driver.say("key", key, "queue", result.getMessageQueue().getQueueId());
    }
    producer.shutdown();
  }

  private static void delayed(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-delay");
    Message level = message("Delayed", "level", "k", "level");
    level.setDelayTimeLevel(1);
    Message ms = message("Delayed", "ms", "k", "ms");
    ms.setDelayTimeMs(1_500);
    Message at = message("Delayed", "at", "k", "at");
    long atMs = System.currentTimeMillis() + 2_000;
    at.setDeliverTimeMs(atMs);
    Message none = message("Delayed", "none", "k", "none");
    long[] delays = {0, 1_000, 1_500};
    List<Message> messages = List.of(none, level, ms, at);
    for (int n = 0; n < messages.size(); n++) {
      long due = n < delays.length ? System.currentTimeMillis() + delays[n] : atMs;
      driver.say("sent", messages.get(n).getTags(), "due", due);
      say(driver, producer.send(messages.get(n)));
    }
    producer.shutdown();
    PushConsumers.collect(driver, "G-delayed", "Delayed", 4, 30_000);
  }

  private static void large(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-large");
    // Compressible: the client sends it compressed, and the consumer inflates it.
    say(driver, producer.send(message("Large", "t", "k", "sagalog ".repeat(100_000))));
    producer.shutdown();
    PushConsumers.collect(driver, "G-large", "Large", 1, 30_000);
  }

  private static void refused(Driver driver) throws Exception {
    DefaultMQProducer producer = start(driver, "P-refused");
    producer.setMaxMessageSize(8 << 20);
    producer.setCompressMsgBodyOverHowmuch(16 << 20);
    try {
      producer.send(new Message("Refused", new byte[(4 << 20) + 1]));
    } catch (Exception error) {
      driver.say("refused", String.valueOf(error.getMessage()));
    }
    say(driver, producer.send(message("Refused", "t", "k", "the connection lives")));
    producer.shutdown();
  }
}
