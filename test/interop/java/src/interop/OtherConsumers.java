package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Consumers that pull, and operators that move them. */
final class OtherConsumers {
  static void register(Map<String, Driver.Scenario> scenarios) {
    scenarios.put("lite pull", OtherConsumers::litePull);
    scenarios.put("offset reset", OtherConsumers::reset);
    scenarios.put("offsets and messages by id", OtherConsumers::lookups);
    scenarios.put("no route", OtherConsumers::noRoute);
  }

  private static DefaultLitePullConsumer lite(Driver driver) throws Exception {
    DefaultLitePullConsumer consumer = new DefaultLitePullConsumer("G-lite");
    consumer.setNamesrvAddr(driver.nameServer);
    consumer.setInstanceName("lite");
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.setAutoCommit(false);
    consumer.subscribe("Lite", "*");
    consumer.start();
    return consumer;
  }

  private static int poll(Driver driver, DefaultLitePullConsumer consumer, int wanted, long ms) {
    int count = 0;
    long until = System.currentTimeMillis() + ms;
    while (count < wanted && System.currentTimeMillis() < until) {
      for (MessageExt message : consumer.poll(200)) {
        PushConsumers.say(driver, "lite", message);
        count++;
      }
    }
    return count;
  }

  private static void litePull(Driver driver) throws Exception {
    PushConsumers.send(driver, "Lite", "a 0", "a 1", "a 2", "a 3", "a 4", "a 5");
    DefaultLitePullConsumer consumer = lite(driver);
    poll(driver, consumer, 6, 30_000);
    consumer.commitSync();
    for (var queue : consumer.fetchMessageQueues("Lite"))
      driver.say("committed", consumer.committed(queue), "queue", queue.getQueueId());
    driver.say("phase", "seek");
    for (var queue : consumer.fetchMessageQueues("Lite")) consumer.seekToBegin(queue);
    poll(driver, consumer, 6, 30_000);
    consumer.shutdown();
    driver.say("phase", "again");
    PushConsumers.send(driver, "Lite", "b 6");
    DefaultLitePullConsumer again = lite(driver);
    poll(driver, again, 1, 30_000);
    poll(driver, again, 1, 1_000);
    again.shutdown();
  }

  private static void reset(Driver driver) throws Exception {
    PushConsumers.send(driver, "Reset", "r 0", "r 1", "r 2", "r 3");
    long middle = System.currentTimeMillis() + 50;
    Thread.sleep(100);
    PushConsumers.send(driver, "Reset", "r 4", "r 5");
    AtomicInteger count = new AtomicInteger();
    DefaultMQPushConsumer consumer = PushConsumers.make(driver, "G-reset", "reset");
    consumer.subscribe("Reset", "*");
    consumer.registerMessageListener(
        (MessageListenerConcurrently)
            (messages, context) -> {
              for (MessageExt message : messages) PushConsumers.say(driver, "reset", message);
              count.addAndGet(messages.size());
              return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
    consumer.start();
    Driver.await(30_000, () -> count.get() >= 6);
    Thread.sleep(1_500);
    DefaultMQAdminExt admin = new DefaultMQAdminExt();
    admin.setNamesrvAddr(driver.nameServer);
    admin.setInstanceName("admin");
    admin.start();
    driver.say("phase", "reset online");
    admin.resetOffsetByTimestamp("Reset", "G-reset", middle, true);
    Driver.await(30_000, () -> count.get() >= 8);
    Thread.sleep(1_500);
    consumer.shutdown();
    driver.say("phase", "reset offline");
    admin.resetOffsetByTimestamp("Reset", "G-reset", 0, true);
    admin.shutdown();
    PushConsumers.collect(driver, "G-reset", "Reset", 6, 30_000);
  }

  private static void lookups(Driver driver) throws Exception {
    var producer = Producers.start(driver, "P-look");
    var result = producer.send(Producers.message("Look", "t", "k", "look at me"));
    var queue = result.getMessageQueue();
    driver.say(
        "min", producer.minOffset(queue), "max", producer.maxOffset(queue), "byTime",
        producer.searchOffset(queue, 0), "later",
        producer.searchOffset(queue, System.currentTimeMillis() + 10_000));
    MessageExt seen = producer.viewMessage("Look", result.getOffsetMsgId());
    driver.say(
        "seen", new String(seen.getBody(), UTF_8), "msgId", seen.getMsgId(), "queueOffset",
        seen.getQueueOffset());
    producer.shutdown();
  }

  private static void noRoute(Driver driver) throws Exception {
    var producer = Producers.start(driver, "P-noroute");
    try {
      producer.send(Producers.message("NoRoute", "t", "k", "x"));
      driver.say("sent", true);
    } catch (Exception error) {
      driver.say("refused", String.valueOf(error.getMessage()));
    }
    producer.shutdown();
  }
}
