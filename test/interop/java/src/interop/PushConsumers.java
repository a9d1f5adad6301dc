package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** Listeners of every kind. */
final class PushConsumers {
  static void register(Map<String, Driver.Scenario> scenarios) {
    scenarios.put("consume concurrently", PushConsumers::concurrently);
    scenarios.put("consume orderly", PushConsumers::orderly);
    scenarios.put("consume broadcasting", PushConsumers::broadcasting);
    scenarios.put("share a group", PushConsumers::sharing);
    scenarios.put("consume by tags", PushConsumers::tags);
    scenarios.put("retries to dead letters", PushConsumers::retries);
    scenarios.put("orderly to dead letters", PushConsumers::orderlyRetries);
  }

  static DefaultMQPushConsumer make(Driver driver, String group, String instance) {
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
    consumer.setNamesrvAddr(driver.nameServer);
    consumer.setInstanceName(instance);
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.setPersistConsumerOffsetInterval(500);
    consumer.setHeartbeatBrokerInterval(1_000);
    // A retry topic is made by the first heartbeat; its route is found at the next poll.
    consumer.setPollNameServerInterval(1_000);
    return consumer;
  }

  static void say(Driver driver, String instance, MessageExt message) {
    driver.say(
        "got", shortened(new String(message.getBody(), UTF_8)), "by", instance, "topic", message.getTopic(),
        "queue", message.getQueueId(), "offset", message.getQueueOffset(), "tag", message.getTags(),
        "keys", message.getKeys(), "msgId", message.getMsgId(), "tries",
        message.getReconsumeTimes(), "at", System.currentTimeMillis());
  }

  /** Waits until the consumer has so many queues of the topic, and has settled with them. */
  private static void awaitQueues(DefaultMQPushConsumer consumer, String topic, int wanted)
      throws Exception {
    var queues = consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable();
    Driver.await(
        30_000,
        () -> queues.keySet().stream().filter(q -> q.getTopic().equals(topic)).count() == wanted);
    Thread.sleep(500);
  }

  private static String shortened(String body) {
    return body.length() <= 80 ? body : body.length() + " characters of " + body.substring(0, 8);
  }

  private static MessageListenerConcurrently listener(
      Driver driver, String instance, AtomicInteger count) {
    return (messages, context) -> {
      for (MessageExt message : messages) say(driver, instance, message);
      count.addAndGet(messages.size());
      return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    };
  }

  /** Consumes until so many came or the time is over, and a little longer for what is too much. */
  static void collect(Driver driver, String group, String topic, int wanted, long ms)
      throws Exception {
    AtomicInteger count = new AtomicInteger();
    DefaultMQPushConsumer consumer = make(driver, group, group);
    consumer.subscribe(topic, "*");
    consumer.registerMessageListener(listener(driver, group, count));
    consumer.start();
    Driver.await(ms, () -> count.get() >= wanted);
    Thread.sleep(300);
    consumer.shutdown();
  }

  static void send(Driver driver, String topic, String... bodies) throws Exception {
    DefaultMQProducer producer = Producers.start(driver, "P-of-" + topic);
    for (String body : bodies) {
      String[] words = body.split(" ");
      producer.send(Producers.message(topic, words[0], words[0], body));
    }
    producer.shutdown();
  }

  private static String[] numbered(String word, int count) {
    String[] bodies = new String[count];
    for (int n = 0; n < count; n++) bodies[n] = word + " " + n;
    return bodies;
  }

  /** One instance of a group that has others elsewhere; until the judge says so. */
  private static void sharing(Driver driver) throws Exception {
    DefaultMQPushConsumer consumer = make(driver, "G-shared", "java");
    consumer.subscribe("Shared", "*");
    consumer.registerMessageListener(
        (MessageListenerOrderly)
            (messages, context) -> {
              for (MessageExt message : messages) say(driver, "java", message);
              return ConsumeOrderlyStatus.SUCCESS;
            });
    consumer.start();
    driver.awaitGo("it consumes");
    consumer.shutdown();
  }

  /** Two instances share the queues; then a new start of the group gets only what is new. */
  private static void concurrently(Driver driver) throws Exception {
    send(driver, "Conc", numbered("old", 40));
    AtomicInteger count = new AtomicInteger();
    DefaultMQPushConsumer[] consumers = new DefaultMQPushConsumer[2];
    for (int n = 0; n < 2; n++) {
      consumers[n] = make(driver, "G-conc", "conc-" + n);
      consumers[n].subscribe("Conc", "*");
      consumers[n].registerMessageListener(listener(driver, "conc-" + n, count));
      consumers[n].start();
    }
    Driver.await(30_000, () -> count.get() >= 40);
    // Once both know of each other, each has its share.
    for (DefaultMQPushConsumer consumer : consumers) awaitQueues(consumer, "Conc", 2);
    driver.say("phase", "shared");
    send(driver, "Conc", numbered("shared", 40));
    Driver.await(30_000, () -> count.get() >= 80);
    Thread.sleep(700);
    for (DefaultMQPushConsumer consumer : consumers) consumer.shutdown();
    driver.say("phase", "again");
    send(driver, "Conc", "new 0", "new 1");
    collect(driver, "G-conc", "Conc", 2, 30_000);
  }

  private static void orderly(Driver driver) throws Exception {
    DefaultMQProducer producer = Producers.start(driver, "P-ord");
    for (int n = 0; n < 40; n++) {
      String key = "key" + n % 5;
      producer.send(
          Producers.message("Ord", key, key, key + " " + n / 5),
          (queues, message, arg) -> queues.get(Math.abs(arg.hashCode()) % queues.size()),
          key);
    }
    producer.shutdown();
    AtomicInteger count = new AtomicInteger();
    Map<String, Boolean> suspended = new ConcurrentHashMap<>();
    DefaultMQPushConsumer consumer = make(driver, "G-ord", "ord");
    consumer.subscribe("Ord", "*");
    consumer.registerMessageListener(
        (MessageListenerOrderly)
            (messages, context) -> {
              for (MessageExt message : messages) {
                String body = new String(message.getBody(), UTF_8);
                // The third message of a key is not handled at its first try.
                if (body.endsWith(" 2") && suspended.putIfAbsent(body, true) == null) {
                  driver.say("suspended", body);
                  context.setSuspendCurrentQueueTimeMillis(100);
                  return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                }
                say(driver, "ord", message);
                count.incrementAndGet();
              }
              return ConsumeOrderlyStatus.SUCCESS;
            });
    consumer.start();
    Driver.await(30_000, () -> count.get() >= 40);
    Thread.sleep(300);
    consumer.shutdown();
  }

  private static void broadcasting(Driver driver) throws Exception {
    // A broadcasting group that is new begins at the end; so it is there before the messages.
    send(driver, "Broad", "before 0");
    AtomicInteger count = new AtomicInteger();
    DefaultMQPushConsumer[] consumers = new DefaultMQPushConsumer[2];
    for (int n = 0; n < 2; n++) {
      consumers[n] = make(driver, "G-broad", "broad-" + n);
      consumers[n].setMessageModel(MessageModel.BROADCASTING);
      consumers[n].setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
      consumers[n].subscribe("Broad", "*");
      consumers[n].registerMessageListener(listener(driver, "broad-" + n, count));
      consumers[n].start();
    }
    for (DefaultMQPushConsumer consumer : consumers) awaitQueues(consumer, "Broad", 4);
    send(driver, "Broad", numbered("all", 10));
    Driver.await(30_000, () -> count.get() >= 20);
    Thread.sleep(300);
    for (DefaultMQPushConsumer consumer : consumers) consumer.shutdown();
  }

  private static void tags(Driver driver) throws Exception {
    send(driver, "Tags", "A 0", "B 1", "C 2", "A 3", "B 4", "Aa 5", "BB 6");
    AtomicInteger count = new AtomicInteger();
    DefaultMQPushConsumer consumer = make(driver, "G-tags", "tags");
    // "Aa" and "BB" have one hash: only the text tells them apart.
    consumer.subscribe("Tags", "A || C || BB");
    consumer.registerMessageListener(listener(driver, "tags", count));
    consumer.start();
    Driver.await(30_000, () -> count.get() >= 4);
    send(driver, "Tags", "B 7", "C 8");
    Driver.await(30_000, () -> count.get() >= 5);
    Thread.sleep(300);
    consumer.shutdown();
  }

  private static void retries(Driver driver) throws Exception {
    send(driver, "Retry", "good 0", "poison 1");
    AtomicInteger good = new AtomicInteger();
    AtomicInteger tries = new AtomicInteger();
    DefaultMQPushConsumer consumer = make(driver, "G-retry", "retry");
    consumer.setMaxReconsumeTimes(2);
    consumer.subscribe("Retry", "*");
    consumer.registerMessageListener(
        (MessageListenerConcurrently)
            (messages, context) -> {
              for (MessageExt message : messages) {
                say(driver, "retry", message);
                if (message.getTags().equals("poison")) {
                  tries.incrementAndGet();
                  context.setDelayLevelWhenNextConsume(1);
                  return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                good.incrementAndGet();
              }
              return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
    consumer.start();
    Driver.await(30_000, () -> good.get() >= 1 && tries.get() >= 3);
    Thread.sleep(1_500);
    consumer.shutdown();
    driver.say("phase", "dead");
    collect(driver, "G-dead", "%DLQ%G-retry", 1, 30_000);
  }

  private static void orderlyRetries(Driver driver) throws Exception {
    send(driver, "OrdRetry", "poison 0");
    AtomicInteger tries = new AtomicInteger();
    DefaultMQPushConsumer consumer = make(driver, "G-ordretry", "ordretry");
    consumer.setMaxReconsumeTimes(1);
    consumer.subscribe("OrdRetry", "*");
    consumer.registerMessageListener(
        (MessageListenerOrderly)
            (messages, context) -> {
              for (MessageExt message : messages) say(driver, "ordretry", message);
              tries.incrementAndGet();
              context.setSuspendCurrentQueueTimeMillis(100);
              return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            });
    consumer.start();
    Driver.await(30_000, () -> tries.get() >= 2);
    Thread.sleep(1_500);
    consumer.shutdown();
    driver.say("phase", "dead");
    collect(driver, "G-orddead", "%DLQ%G-ordretry", 1, 30_000);
  }
}
