package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Half messages: the body of each says what its local transaction answers, and what a check does. */
final class Transactions {
  static void register(Map<String, Driver.Scenario> scenarios) {
    scenarios.put("transactions", Transactions::decided);
    scenarios.put("transaction across a restart", Transactions::restarted);
  }

  private static TransactionMQProducer start(Driver driver, String group) throws Exception {
    TransactionMQProducer producer = new TransactionMQProducer(group);
    producer.setNamesrvAddr(driver.nameServer);
    producer.setInstanceName(group);
    producer.setHeartbeatBrokerInterval(1_000);
    producer.setTransactionListener(new Decisions(driver));
    producer.start();
    return producer;
  }

  /** "commit", "rollback", or "unknown LATER": the first check says unknown, the next LATER. */
  private record Decisions(Driver driver, Map<String, Integer> checks) implements TransactionListener {
    Decisions(Driver driver) {
      this(driver, new ConcurrentHashMap<>());
    }

    /** Messages that were decided by a check. */
    long decided() {
      return checks.values().stream().filter(times -> times >= 2).count();
    }

    @Override
    public LocalTransactionState executeLocalTransaction(Message message, Object arg) {
      return state(new String(message.getBody(), UTF_8).split(" ")[0]);
    }

    @Override
    public LocalTransactionState checkLocalTransaction(MessageExt message) {
      String body = new String(message.getBody(), UTF_8);
      int times = checks.merge(body, 1, Integer::sum);
      driver.say(
          "checked", body, "times", times, "topic", message.getTopic(), "transactionId",
          message.getTransactionId(), "msgId", message.getMsgId());
      return times < 2 ? LocalTransactionState.UNKNOW : state(body.split(" ")[1]);
    }

    private static LocalTransactionState state(String word) {
      return switch (word) {
        case "commit" -> LocalTransactionState.COMMIT_MESSAGE;
        case "rollback" -> LocalTransactionState.ROLLBACK_MESSAGE;
        default -> LocalTransactionState.UNKNOW;
      };
    }
  }

  private static void send(Driver driver, TransactionMQProducer producer, String topic, String body)
      throws Exception {
    var result =
        producer.sendMessageInTransaction(Producers.message(topic, "tx", body, body), null);
    driver.say(
        "sent", body, "status", result.getSendStatus(), "state", result.getLocalTransactionState(),
        "transactionId", result.getTransactionId(), "msgId", result.getMsgId());
  }

  private static void decided(Driver driver) throws Exception {
    TransactionMQProducer producer = start(driver, "P-tx");
    for (String body : new String[] {"commit", "rollback", "unknown commit", "unknown rollback"})
      send(driver, producer, "Tx", body);
    Decisions decisions = (Decisions) producer.getTransactionListener();
    Driver.await(30_000, () -> decisions.decided() == 2);
    Thread.sleep(500);
    // Two are there; the time is for a third one that must not come.
    PushConsumers.collect(driver, "G-tx", "Tx", 3, 4_000);
    producer.shutdown();
  }

  private static void restarted(Driver driver) throws Exception {
    TransactionMQProducer producer = start(driver, "P-tx2");
    send(driver, producer, "Tx2", "unknown commit");
    driver.awaitGo("restart");
    PushConsumers.collect(driver, "G-tx2", "Tx2", 1, 30_000);
    producer.shutdown();
  }
}
